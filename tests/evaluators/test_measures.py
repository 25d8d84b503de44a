"""Intervals: against theory, seeds, biases."""

import math

import numpy as np
import pytest
from scipy import stats

from gan_jax.evaluators.measures import MEASURES, bootstrap, jackknife, wilson
from gan_jax.evaluators.scores import Features
from gan_jax.metrics import images, kernel
from gan_jax.metrics.arrays import permutation
from gan_jax.metrics.classes import _STREAM, inception_score, spread
from gan_jax.metrics.frechet import distance_to, frechet_infinity
from gan_jax.metrics.kernel import full_kernel_distance
from gan_jax.metrics.neighbours import authenticity, manifold


def mean(fake):
  return float(fake.mean())


def draws(count=400, size=1):
  draw = np.random.RandomState(0)
  return draw.randn(50, size), draw.randn(count, size) + 3


def test_interval_of_a_mean_is_that_of_theory():
  _, fake = draws()
  low, high = bootstrap(mean, fake, seed=0, resamples=1000)
  error = fake.std() / 20
  assert low == pytest.approx(mean(fake) - 1.96 * error, abs=0.2 * error)
  assert high == pytest.approx(mean(fake) + 1.96 * error, abs=0.2 * error)


def test_interval_holds_the_truth_about_as_often_as_it_says():
  draw = np.random.RandomState(0)
  inside = 0
  for i in range(100):
    low, high = bootstrap(mean, draw.randn(60, 1) + 5, seed=i, resamples=100)
    inside += low < 5 < high
  assert 88 <= inside <= 99


def test_calls_and_seeds():
  _, fake = draws()
  seen = []

  def score(part):
    seen.append(part)
    return mean(part)

  found = bootstrap(score, fake, seed=3, resamples=20)
  assert len(seen) == 21
  np.testing.assert_array_equal(seen[0], fake)
  for part in seen[1:]:
    assert len(part) == 400 and set(part[:, 0]) <= set(fake[:, 0])
    # About 1 - 1 / e of the fakes.
    assert 0.55 < len(np.unique(part)) / 400 < 0.72
  assert found == bootstrap(mean, fake, seed=3, resamples=20)
  assert found != bootstrap(mean, fake, seed=4, resamples=20)


def test_the_second_bias_of_a_frechet_distance_is_taken_off():
  # Of equal Gaussians (d + d (d + 1) / 4) (1 / N + 1 / M), from the means and
  # the covariances; in a resample the part of the fakes once more.
  draw = np.random.RandomState(0)
  real, fake = draw.randn(4000, 8), draw.randn(400, 8)
  distance, seen = distance_to(real), []
  low, high = bootstrap(lambda x: seen.append(distance(x)) or seen[-1], fake,
                        seed=0, resamples=100)
  value, *resampled = seen
  assert np.mean(resampled) - value == pytest.approx(26 / 400, rel=0.2)
  assert np.quantile(resampled, 0.025) > value
  assert 0 <= low < value < high


def test_of_a_collapsed_generator_is_a_point_and_of_nan_is_nan():
  real, fake = draws(50, 3)
  same = np.ones_like(fake)
  value = distance_to(real)(same)
  assert bootstrap(distance_to(real), same, seed=0, resamples=10) == (
      pytest.approx((value, value), abs=1e-9))
  fake[4, 1] = math.nan
  assert np.isnan(bootstrap(distance_to(real), fake, seed=0, resamples=5)).all()


def test_a_jackknife_of_a_mean_is_its_standard_error():
  # Groups of one: std(ddof=1) / sqrt(n).
  fake = np.random.RandomState(0).randn(10)
  assert jackknife(mean, fake) == pytest.approx(fake.std(ddof=1) / np.sqrt(10))
  # Of ten classes in turn it is no more than of others.
  classes = np.arange(1000.0) % 10
  assert jackknife(mean, classes) == pytest.approx(
      classes.std() / np.sqrt(1000), rel=0.5)


def test_ten_groups_have_an_interval_of_student(monkeypatch):
  # With 1.96 in place of its t, 91 % of the intervals held the truth.
  real, fake = (Features(None, None, x, x) for x in draws(60, 3))
  score, = MEASURES['inception_score'](real, fake, 0, True)
  each = [inception_score(part, seed=None, splits=1)[0] for part in np.split(
      fake.logits[permutation(60, 0, _STREAM)], 10)]
  assert (score.low, score.high) == pytest.approx(stats.t.interval(
      0.95, 9, np.mean(each), stats.sem(each)), rel=1e-4)
  monkeypatch.setattr(kernel, 'full_kernel_distance', lambda _, x: mean(x))
  score, = MEASURES['kd_full'](real, fake, 0, True)
  assert (score.low, score.high) == pytest.approx(stats.t.interval(
      0.95, 9, score.value, jackknife(mean, fake.features)), rel=1e-4)


def test_of_balls_that_fakes_share_the_interval_is_a_jackknife():
  """A fake decides on many reals: theirs would be too narrow."""
  draw = np.random.RandomState(1)
  x, y = draw.randn(200, 3), 0.5 * draw.randn(100, 3)
  found = {score.name: score for score in MEASURES['prdc'](*(
      Features(None, None, each, None) for each in (x, y)), 0, True)}
  for name in ('recall', 'density', 'coverage'):
    half = 2.2621572 * jackknife(
        lambda some, name=name: manifold(x, some)[name], y)
    one = found[name]
    low, high = one.value - half, one.value + half
    if name != 'density':
      others = wilson(one.value, 200)
      assert low < others[0] and others[1] < high
    assert (one.low, one.high) == pytest.approx((max(low, 0.0), high)), name
  assert (found['precision'].low, found['precision'].high) == wilson(
      found['precision'].value, 100)
  # Of equal fakes no group matters: Wilson's is left.
  found = {score.name: score for score in MEASURES['prdc'](*(
      Features(None, None, each, None) for each in (x, np.ones((100, 3)))), 0,
      True)}
  assert (found['recall'].low, found['recall'].high) == wilson(0.0, 200)


@pytest.mark.parametrize('share,count,low,high', [
    # Wilson's formula by hand: p = 0.5, n = 100.
    (0.5, 100, 0.4038, 0.5962), (0.0, 10, 0.0, 0.2775), (1.0, 10, 0.7225, 1.0)])
def test_wilsons_interval(share, count, low, high):
  assert wilson(share, count) == pytest.approx((low, high), abs=1e-3)
  assert wilson(math.nan, count) == (None, None)
  assert wilson(0.0, 2000)[0] == 0.0 and wilson(1.0, 2000)[1] == 1.0


def test_each_side_is_taken_for_what_it_is(monkeypatch):
  """Of 60 real and 40 generated examples, which differ in all."""
  draw = np.random.RandomState(0)
  real, fake = (Features(draw.rand(n, 12, 12, 1), draw.randint(0, 3, n),
                         draw.randn(n, 3) + shift, draw.randn(n, 3))
                for n, shift in ((60, 0.0), (40, 0.5)))
  monkeypatch.setattr(images, 'ms_ssim_diversity', lambda x, *, pairs, seed: (
      x.mean() + seed, pairs / 10_000))
  found = {score.name: (score.value, score.low, score.high) for name in MEASURES
           if name != 'kd' for score in MEASURES[name](real, fake, 7, False)}
  x, y, none = real.features, fake.features, (None, None)
  told, wanted = fake.logits.argmax(1), {}
  for name, value in manifold(x, y).items():
    wanted[name] = value, *(wilson(value, 40) if name == 'precision' else none)
  right = np.mean(told == fake.labels)
  score = inception_score(fake.logits, seed=7)
  counts, reference = (np.bincount(each) for each in (
      told, real.logits.argmax(1)))
  copies, diversity = authenticity(x, y), fake.images.mean() + 7
  wanted |= {
      'fd': (distance_to(x)(y), *none),
      'fd_infinity': (frechet_infinity(x, y, seed=7, smallest=20)[0], *none),
      'kd_full': (full_kernel_distance(x, y), *none),
      'authenticity': (copies, *wilson(copies, 40)),
      'is': (score[0], *(score[0] + sign * 2.2621572 * score[1] / 3
                         for sign in (-1, 1))),
      'classes': (3.0, *none),
      'class_kl': (spread(counts, reference)[1], *none),
      'class_accuracy': (right, *wilson(right, 40)),
      'ms_ssim': (diversity, diversity - 0.196, diversity + 0.196)}
  assert found.keys() == wanted.keys()
  for name, numbers in wanted.items():
    assert found[name] == (*(n and pytest.approx(n) for n in numbers),), name


def test_only_of_few_features_has_a_frechet_distance_an_interval():
  real, fake = (Features(None, None, x, None) for x in draws(60, 3))
  score, = MEASURES['fd'](real, fake, 7, True)
  assert (score.low, score.high) == bootstrap(
      distance_to(real.features), fake.features, seed=7, resamples=200)
  many = Features(None, None, np.random.RandomState(0).randn(4, 513), None)
  score, = MEASURES['fd'](many, many, 7, True)
  assert score.low is score.high is None
