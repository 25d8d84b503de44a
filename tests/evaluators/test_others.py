"""Modes, likelihood and classification accuracy, by hand and as evaluators."""

import math

import numpy as np
import pytest

from gan_jax.base import lookup
from gan_jax.data import sources
from gan_jax.data.prepare import make_source
from gan_jax.evaluators import mode_coverage, others, stacked_coverage
from gan_jax.evaluators.others import (
  SIGMAS,
  log_likelihoods,
  mean_likelihood,
  modes_captured,
  stacked_modes,
)
from gan_jax.evaluators.score import order
from gan_jax.extractors import Extractor, cnn

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def build(name, source, **more):
  return lookup.build('gan_jax.evaluators', dict(name=name, **more),
                      source=source, seed=1)


def test_the_room_holds_factories_only():
  assert sorted(lookup.names('gan_jax.evaluators')) == [
      'ais', 'classification_accuracy', 'classification_error', 'elbo',
      'mode_coverage', 'parzen', 'scores', 'stacked_coverage']


# Modes of mixtures.


def test_modes_by_hand():
  points = [[0.2, 0.0], [0.31, 0.0], [10.0, -0.3], [5.0, 5.0], [0.0, 0.1]]
  # Within 0.3: the first, third and last; two of mode 0 and one of mode 1.
  kl = 2 / 3 * math.log(3 * 2 / 3) + 1 / 3 * math.log(3 * 1 / 3)
  # The overlap: 0.4 of mode 0 and 0.2 of mode 1, each at most 1 / K.
  assert modes_captured(points, CENTRES, 0.1) == (
      2, pytest.approx(0.6), pytest.approx(kl), pytest.approx(
          min(0.4, 1 / len(CENTRES)) + min(0.2, 1 / len(CENTRES))))
  # What is not finite is far.
  assert modes_captured([[np.nan, 0.0], [np.inf, 0.0]], CENTRES, 0.1) == (
      0, 0, None, 0)


@pytest.mark.parametrize('name,modes', [('ring', 8), ('grid', 25)])
def test_the_data_reach_the_ceiling(name, modes):
  source = getattr(sources, name)()
  modes_, quality, kl, overlap = mode_coverage(
      source=source, num_samples=50_000)(
      lambda start, stop: (source.images[start:stop], None))
  assert modes_.value == modes_.floor == modes
  # 1 - exp(-9 / 2), with a standard error of 0.0005 over 50,000.
  assert quality.value == pytest.approx(0.98889, abs=0.002)
  # The modes of the data are equally frequent; the edges of the circles not.
  assert 0 <= kl.value < 1e-4
  # Of points drawn at random neither are; (K - 1) / 2 N, times chi^2 / (K - 1).
  assert kl.floor == pytest.approx((modes - 1) / 100_000, rel=0.9)
  assert overlap.value == pytest.approx(0.98889, abs=0.002)


def test_collapse_onto_one_mode():
  source = sources.ring()
  one = source.images[source.labels == 3]
  modes, quality, kl, overlap = mode_coverage(source=source)(
      lambda start, stop: (one[start:stop], None))
  assert (modes.name, modes.value, modes.floor) == ('modes_2500', 1.0, 8.0)
  assert quality.name == 'high_quality_2500'
  assert (kl.name, kl.value) == ('divergence_2500', pytest.approx(math.log(8)))
  assert (overlap.name, overlap.value) == ('overlap_2500', 1 / 8)


def test_no_sample_near_a_mode_has_no_divergence():
  source = sources.ring()
  *_, kl, overlap = mode_coverage(source=source, num_samples=2)(
      lambda start, stop: (np.zeros((2, 2)), None))
  assert kl.value is None and kl.reason == 'no sample is near a mode'
  assert overlap.value == 0 and not overlap.reason


def test_other_data_have_no_modes():
  digits = sources.mnist10k()
  with pytest.raises(ValueError, match='ring and grid'):
    mode_coverage(source=digits)
  with pytest.raises(ValueError, match='num_samples=0'):
    mode_coverage(source=sources.ring(), num_samples=0)
  with pytest.raises(ValueError, match='num_samples=0'):
    stacked_coverage(source=sources.noise(), num_samples=0)
  with pytest.raises(ValueError, match='data=stacked_mnist'):
    stacked_coverage(source=digits)


# Modes of stacked digits.


def test_stacked_digits_are_told_channel_by_channel(monkeypatch):
  def told(images):  # The grey value is the digit.
    return images, np.eye(10, dtype=np.float32)[images[:, 0, 0, 0]]

  monkeypatch.setattr('gan_jax.extractors.classifier', lambda source:
                      Extractor('told', 'hash', told, {'accuracy': 1.0}))
  triples = np.stack(np.meshgrid(*[np.arange(10)] * 3), -1).reshape(-1, 1, 1, 3)
  triples = np.broadcast_to(triples, (1000, 2, 2, 3)).astype(np.uint8)
  source = sources.noise(shape=(2, 2, 3), num_examples=5000)._replace(
      images=np.concatenate([triples] * 5))
  evaluate = stacked_coverage(source=source, num_samples=5000)
  found = {score.name: score for score in evaluate(
      lambda start, stop: (
          np.resize(triples[:2], (stop - start, 2, 2, 3)), None))}
  assert found['hit_5k'].value == found['hit_five_5k'].value == 2
  assert found['effective_5k'].value == pytest.approx(2.0)
  assert found['divergence_5k'].value == pytest.approx(np.log(500))
  assert found['hit_5k'].floor == found['hit_five_5k'].floor == 1000
  assert found['divergence_5k'].floor == pytest.approx(0.0, abs=1e-9)
  asked = []
  bare = stacked_coverage(source=source, num_samples=5000, bare=True)(
      lambda start, stop: (asked.extend(range(start, stop)),
                           (triples[np.zeros(stop - start, int)], None))[1])
  assert [score.floor for score in bare] == [None] * 4
  assert asked == list(range(5000))
  assert evaluate.names == [
      f'{name}_5k' for name in ('hit', 'hit_five', 'divergence', 'effective')]


def test_stacked_digits_of_another_size_have_a_classifier_of_that_size(
    monkeypatch):
  seen = []

  def told(images):
    return images, np.eye(10, dtype=np.float32)[images[:, 0, 0, 0] // 50]

  def classifier(source):
    seen.append(source.images.shape[1:])
    return Extractor('told', 'hash', told, {})

  monkeypatch.setattr('gan_jax.extractors.classifier', classifier)
  source = sources.noise(shape=(32, 20, 3), num_examples=8)
  # Of more samples than there are real images, so without a floor.
  hit, *_ = stacked_coverage(source=source, num_samples=9)(
      lambda a, b: (np.zeros((b - a, 32, 20, 3), np.uint8), None))
  assert seen == [(32, 20, 1)] and hit.value == 1 and hit.floor is None


def test_stacked_by_hand():
  labels = np.array([[0, 0, 1]] * 6 + [[9, 9, 9]] * 4 + [[1, 0, 0]] * 5)
  p = np.array([6, 4, 5]) / 15
  assert stacked_modes(labels) == pytest.approx(dict(
      hit=3, hit_five=2, divergence=(p * np.log(1000 * p)).sum(),
      effective=math.exp(-(p * np.log(p)).sum())))


def test_stacked_of_all_modes_and_of_one():
  def values(*args, **more):
    return tuple(stacked_modes(*args, **more).values())

  every = np.stack(np.unravel_index(np.arange(1000), (10, 10, 10)), -1)
  assert values(every.repeat(5, 0)) == pytest.approx((1000, 1000, 0, 1000))
  assert values(every) == pytest.approx((1000, 0, 0, 1000))
  assert values(every % 2, classes=2) == pytest.approx((8, 8, 0, 8))
  assert values(np.full((50, 3), 7)) == pytest.approx(
      (1, 1, math.log(1000), 1))


def test_stacked_ceilings():
  """What the docstring says of a classifier's errors and of the floor."""
  draw = np.random.RandomState(0)
  floor, hits = [], []
  few = draw.randint(0, 10, (10, 3))
  for _ in range(10):
    floor.append(stacked_modes(draw.randint(0, 10, (26000, 3)))['divergence'])
    labels = few[draw.randint(0, 10, 26000)]
    wrong = draw.rand(26000, 3) < 0.01
    other = (labels + draw.randint(1, 10, labels.shape)) % 10
    hits.append(list(stacked_modes(np.where(wrong, other, labels)).values()))
  assert np.mean(floor) == pytest.approx(0.0194, abs=0.0005)
  assert np.std(floor) == pytest.approx(0.0009, rel=0.6)
  hit, five, _, effective = np.mean(hits, axis=0)
  assert 200 < hit < 300  # Of 10 that there are.
  assert effective < 15 and effective < five < hit


# Likelihood.


def draws(*counts, size=3):
  draw = np.random.RandomState(0)
  return [0.5 + 0.2 * draw.randn(n, size) for n in counts]


def plain(images, samples, sigma):
  squares = np.square(images[:, None] - samples[None]).sum(-1)
  normal = (2 * math.pi * sigma**2) ** (images.shape[1] / 2)
  return np.log((np.exp(-squares / (2 * sigma**2)) / normal).mean(1))


@pytest.mark.parametrize('rows', [256, 20])
def test_likelihood_is_the_density(monkeypatch, rows):
  monkeypatch.setattr(others, '_ROWS', rows)
  images, samples = draws(40, 60)
  found = log_likelihoods(images, samples, (0.2, 1.0))
  for i, sigma in enumerate((0.2, 1.0)):
    np.testing.assert_allclose(found[:, i], plain(images, samples, sigma),
                               rtol=1e-12)


def test_far_images_do_not_underflow():
  found = log_likelihoods(np.full((1, 784), 1.0), np.zeros((3, 784)), (0.1,))
  assert found == pytest.approx(
      -392 / 0.01 - 784 * math.log(0.1 * math.sqrt(2 * math.pi)))


def test_mean_likelihood_chooses_sigma():
  test, validation, samples = draws(40, 40, 60)
  tried = [plain(validation, samples, s).mean() for s in SIGMAS]
  sigma = SIGMAS[int(np.argmax(tried))]
  ours = plain(test, samples, sigma)
  assert mean_likelihood(test, validation, samples) == pytest.approx(
      (ours.mean(), ours.std() / math.sqrt(40), sigma), rel=1e-12)
  assert SIGMAS[0] == pytest.approx(0.1) and SIGMAS[-1] == 1
  assert len(SIGMAS) == 10


def test_likelihood_under_the_true_distribution():
  # Enough samples of a unit Gaussian: minus its entropy, less for smoothing.
  draw = np.random.RandomState(0)
  test, validation, samples = (draw.randn(n, 1) for n in (500, 500, 5000))
  truth = -0.5 * np.log(2 * math.pi) - 0.5 * np.square(test).mean()
  assert mean_likelihood(test, validation, samples)[0] == pytest.approx(
      truth, abs=0.02)


def test_likelihood_of_a_collapsed_generator():
  test, validation, samples = draws(40, 40, 60)
  worse = mean_likelihood(test, validation, np.repeat(samples[:1], 60, 0))
  assert math.isfinite(worse[0])
  assert worse[0] < mean_likelihood(test, validation, samples)[0]
  assert mean_likelihood(test, validation, samples[:1]) == pytest.approx(
      worse, rel=1e-12)


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300])
def test_likelihood_of_what_is_not_finite_is_nan(bad):
  for which in range(3):
    sets = draws(40, 40, 60)
    sets[which][1, 1] = bad
    assert np.isnan(mean_likelihood(*sets)).all()


def test_parzen_is_the_likelihood_of_the_split():
  digits = sources.mnist10k()
  few = digits._replace(images=digits.images[:300], labels=digits.labels[:300])
  samples = digits.images[1000:1050]
  (found,) = build('parzen', few, num_samples=50, num_test=40,
                   num_validation=40)(lambda a, b: (samples[a:b], None))
  rows = order(300, 1)
  flat = [x.reshape(len(x), -1) / 255.0 for x in (
      few.images[rows[:40]], few.images[rows[40:80]], samples)]
  mean, error, sigma = mean_likelihood(*flat)
  assert found.name == 'parzen_50_train'
  assert found.value == pytest.approx(mean)
  assert found.found['sigma'] == sigma
  # Student's t of 39 degrees of freedom; the error has 40 in its denominator.
  assert found.high - found.value == pytest.approx(
      2.022691 * error * math.sqrt(40 / 39))
  floor = few.images[rows[80:130]].reshape(50, -1) / 255.0
  assert found.floor == pytest.approx(mean_likelihood(*flat[:2], floor)[0])
  with pytest.raises(ValueError, match='takes 400 examples, and mnist10k has'):
    build('parzen', few, num_test=200, num_validation=200)
  for name in ('num_samples', 'num_test', 'num_validation'):
    with pytest.raises(ValueError, match=f'^{name}=0: must be 1 or more'):
      build('parzen', few, **{name: 0})
  (one,) = build('parzen', few, num_samples=50, num_test=1,
                 num_validation=40)(lambda a, b: (samples[a:b], None))
  assert one.value and one.low is one.high is None
  # Too few others for a floor; test images are held out where any are.
  (found,) = build('parzen', few._replace(held_out=few), num_samples=50,
                   num_test=150, num_validation=150)(
                       lambda a, b: (samples[a:b], None))
  assert found.name == 'parzen_50_held_out' and found.floor is not None
  (found,) = build('parzen', few, num_samples=50, num_test=150,
                   num_validation=150)(lambda a, b: (samples[a:b], None))
  assert found.floor is None


def test_images_that_are_not_rounded_have_the_likelihood_of_bytes():
  digits = sources.mnist10k().images[:120]
  floats = (digits / 127.5 - 1).astype(np.float32)
  found = []
  for images in (digits, floats):
    source = make_source(images, (), 0, name='digits')
    found += build('parzen', source, num_samples=30, num_test=40,
                   num_validation=40)(lambda a, b, x=images: (x[a:b], None))
  for of in ('value', 'floor', 'low', 'found'):
    assert getattr(found[1], of) == pytest.approx(getattr(found[0], of),
                                                  rel=1e-4)


# Classification accuracy.


def test_a_classifier_learns_from_generated_images(monkeypatch):
  monkeypatch.setattr(cnn, '_STEPS', (25, 25))

  def draw(seed):  # A half that is bright: left, right, or none.
    labels = np.arange(120) % 3
    images = np.random.RandomState(seed).randint(0, 60, (120, 8, 8, 1))
    images[labels == 0, :, :4] += 180
    images[labels == 1, :, 4:] += 180
    return images.astype(np.uint8), labels.astype(np.int32)

  monkeypatch.setattr('gan_jax.extractors.classifier', lambda source:
                      Extractor('real', 'hash', None, {'accuracy': 0.9}))
  source = make_source(*draw(0), 3, name='halves')
  evaluate = build('classification_accuracy', source, num_samples=120)
  images, labels = draw(1)
  # A generator that mistakes one class for another teaches the same.
  wrong = np.array([0, 2, 1], np.int32)[labels]
  (found,) = evaluate(lambda a, b: (images[a:b], wrong[a:b]))
  assert found.value == pytest.approx(1 / 3, abs=0.05)
  assert found.floor is None and found.protocol['real_accuracy'] == 0.9
  assert found.name == 'classification_accuracy_120_train'
  (none,) = evaluate(lambda a, b: (images[a:b], None))
  assert none.value is None and 'no classes' in none.reason


@pytest.mark.parametrize('changes,count,words', [
    (dict(num_classes=0), 20, 'needs labels of 2 classes'),
    (dict(labels=np.arange(40) % 4 - 1), 20, 'use data.labelled=1.0'),
    (dict(label_columns=(('age', 0, 9),)), 20, 'data.label_index=0'),
    (dict(images=np.zeros((40, 2), np.float32)), 20, 'these are vectors'),
    ({}, 9, 'num_samples=9: must be 10 or more')])
def test_what_no_classifier_can_learn_is_said_before_a_run(changes, count,
                                                           words):
  source = make_source(np.zeros((40, 8, 8, 1), np.uint8), np.arange(40) % 3, 3,
                       name='some')._replace(**changes)
  with pytest.raises(ValueError, match=words):
    build('classification_accuracy', source, num_samples=count)


def test_error_of_the_discriminators_classes():
  source = make_source(np.zeros((4, 2, 2, 1), np.uint8), np.arange(4), 4,
                       name='test')
  test = source._replace(images=np.arange(40, dtype=np.uint8).reshape(
      40, 1, 1, 1), labels=np.arange(40, dtype=np.int32) % 4)
  evaluate = build('classification_error', source._replace(held_out=test))

  def classify(images):  # is wrong for the first four
    told = (images.ravel() + (images.ravel() < 4)) % 4
    return np.eye(4)[told]

  (found,) = evaluate(None, classify)
  assert found.name == 'classification_error_40_held_out' == evaluate.names[0]
  assert found.value == 0.1 and found.found == {'wrong': 4}
  assert found.floor is None
  # Newcombe 1998, Stat. Med. 17, has 0.0396 .. 0.2305 for 4 of 40.
  assert found.low == pytest.approx(0.0396, abs=1e-4)
  assert found.high == pytest.approx(0.2305, abs=1e-4)
  (none,) = evaluate(None, None)
  assert none.value is None and 'semi_supervised' in none.reason
  (none,) = evaluate(None, lambda images: np.full((40, 4), np.nan))
  assert none.checked().value is None and 'not finite' in none.checked().reason
  with pytest.raises(ValueError, match='data.holdout'):
    build('classification_error', source)
  with pytest.raises(ValueError, match='no classes'):
    build('classification_error', source._replace(num_classes=0))
