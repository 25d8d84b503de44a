"""Percentile intervals: against theory, seeds, biases."""

import math

import numpy as np
import pytest

from gan_jax.metrics.bootstrap import bootstrap, bootstrap_frechet
from gan_jax.metrics.frechet import frechet_distance


def mean(real, fake):
  return float(fake.mean() - real.mean())


def draws(count=400, size=1):
  draw = np.random.RandomState(0)
  return draw.randn(50, size), draw.randn(count, size) + 3


def test_interval_of_a_mean_is_that_of_theory():
  real, fake = draws()
  found = bootstrap(mean, real, fake, seed=0)
  error = fake.std() / 20
  value = mean(real, fake)
  assert found.low == pytest.approx(value - 1.96 * error, abs=0.2 * error)
  assert found.high == pytest.approx(value + 1.96 * error, abs=0.2 * error)
  assert abs(found.bias) < 4 * error / math.sqrt(1000)
  narrow = bootstrap(mean, real, fake, seed=0, level=0.5)
  assert found.low < narrow.low < narrow.high < found.high


def test_interval_holds_the_truth_about_as_often_as_it_says():
  draw = np.random.RandomState(0)
  inside = 0
  for i in range(200):
    found = bootstrap(lambda _, fake: float(fake.mean()), np.zeros((2, 1)),
                      draw.randn(60, 1), seed=i, resamples=200, level=0.9)
    inside += found.low < 0 < found.high
  assert 165 <= inside <= 193


def test_calls_and_seeds():
  real, fake = draws()
  seen = []

  def score(a, b):
    seen.append(b)
    return mean(a, b)

  found = bootstrap(score, real, fake, seed=3, resamples=20)
  assert len(seen) == 21
  np.testing.assert_array_equal(seen[0], fake)
  for part in seen[1:]:
    assert len(part) == 400 and set(part[:, 0]) <= set(fake[:, 0])
    # About 1 - 1 / e of the fakes.
    assert 0.55 < len(np.unique(part)) / 400 < 0.72
  assert found == bootstrap(mean, real, fake, seed=3, resamples=20)
  assert found != bootstrap(mean, real, fake, seed=4, resamples=20)


def test_frechet_is_the_cheap_form_of_the_same():
  real, fake = draws(100, 4)
  one = bootstrap_frechet(real, fake, seed=0, resamples=50)
  assert one == pytest.approx(
      bootstrap(frechet_distance, real, fake, seed=0, resamples=50), rel=1e-12)


def test_frechet_has_its_bias_twice():
  # Of equal Gaussians (d + d (d + 1) / 4) (1 / N + 1 / M), from the means and
  # the covariances; and the part of the fakes once more.
  draw = np.random.RandomState(0)
  real, fake = draw.randn(4000, 8), draw.randn(400, 8)
  found = bootstrap_frechet(real, fake, seed=0, resamples=100)
  assert found.bias == pytest.approx(26 / 400, rel=0.2)
  assert found.low > frechet_distance(real, fake)
  assert found.low - found.bias < frechet_distance(real, fake)
  assert found.high - found.bias > frechet_distance(real, fake)


def test_of_a_collapsed_generator_is_a_point():
  real, fake = draws(50, 3)
  same = np.ones_like(fake)
  found = bootstrap_frechet(real, same, seed=0, resamples=10)
  value = frechet_distance(real, same)
  assert found == pytest.approx((value, value, 0), abs=1e-9)


def test_of_what_is_not_finite_is_nan():
  real, fake = draws(50, 3)
  fake[4, 1] = math.nan
  assert np.isnan(bootstrap_frechet(real, fake, seed=0, resamples=5)).all()
  assert np.isnan(bootstrap(mean, real, fake, seed=0, resamples=5)).all()


@pytest.mark.parametrize('count,settings,words', [
    (1, {}, '2 or more'), (9, dict(resamples=1), 'resamples=1'),
    (9, dict(level=1.0), 'level=1.0'), (9, dict(level=0.0), 'level=0.0')])
def test_refuses(count, settings, words):
  for call in (bootstrap_frechet, lambda *a, **k: bootstrap(mean, *a, **k)):
    with pytest.raises(ValueError, match=words):
      call(*draws(count), seed=0, **settings)
