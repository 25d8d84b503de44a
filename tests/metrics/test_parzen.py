"""Parzen windows against scipy-free plain sums, and the choice of sigma."""

import math

import numpy as np
import pytest

from gan_jax.metrics import pairs
from gan_jax.metrics.parzen import SIGMAS, log_likelihoods, parzen


def draws(*counts, size=3):
  draw = np.random.RandomState(0)
  return [0.5 + 0.2 * draw.randn(n, size) for n in counts]


def plain(images, samples, sigma):
  squares = np.square(images[:, None] - samples[None]).sum(-1)
  normal = (2 * math.pi * sigma**2) ** (images.shape[1] / 2)
  return np.log((np.exp(-squares / (2 * sigma**2)) / normal).mean(1))


@pytest.mark.parametrize('blocks', [(1024, 4096), (7, 11)])
def test_is_the_density(monkeypatch, blocks):
  monkeypatch.setattr(pairs, 'ROWS', blocks[0])
  monkeypatch.setattr(pairs, 'COLUMNS', blocks[1])
  images, samples = draws(23, 50)
  found = log_likelihoods(images, samples, (0.2, 1.0))
  for i, sigma in enumerate((0.2, 1.0)):
    np.testing.assert_allclose(found[:, i], plain(images, samples, sigma),
                               rtol=1e-12)


def test_far_images_do_not_underflow():
  found = log_likelihoods(np.full((1, 784), 1.0), np.zeros((3, 784)), (0.1,))
  assert found == pytest.approx(
      -392 / 0.01 - 784 * math.log(0.1 * math.sqrt(2 * math.pi)))


def test_score():
  test, validation, samples = draws(40, 30, 60)
  tried = [plain(validation, samples, s).mean() for s in SIGMAS]
  sigma = SIGMAS[int(np.argmax(tried))]
  ours = plain(test, samples, sigma)
  found = parzen(test, validation, samples)
  assert found == pytest.approx(
      (ours.mean(), ours.std() / math.sqrt(40), sigma), rel=1e-12)
  assert SIGMAS[0] == pytest.approx(0.1) and SIGMAS[-1] == 1
  assert len(SIGMAS) == 10


def test_is_that_of_the_true_distribution():
  # Enough samples of a unit Gaussian: minus its entropy, less for smoothing.
  draw = np.random.RandomState(0)
  test, validation, samples = (draw.randn(n, 1) for n in (500, 500, 5000))
  found = parzen(test, validation, samples)
  truth = -0.5 * np.log(2 * math.pi) - 0.5 * np.square(test).mean()
  assert found.mean == pytest.approx(truth, abs=0.02)


def test_of_a_collapsed_generator():
  test, validation, samples = draws(40, 30, 60)
  worse = parzen(test, validation, np.repeat(samples[:1], 60, 0))
  assert math.isfinite(worse.mean)
  assert worse.mean < parzen(test, validation, samples).mean
  one = parzen(test, validation, samples[:1])
  assert one == pytest.approx(worse, rel=1e-12)


@pytest.mark.parametrize('which', range(3))
@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300])
def test_of_what_is_not_finite_is_nan(which, bad):
  sets = draws(4, 5, 6)
  sets[which][1, 1] = bad
  assert np.isnan(parzen(*sets)).all()
  if which != 1:
    assert np.isnan(log_likelihoods(sets[0], sets[2], (1.0,))).all()


@pytest.mark.parametrize('counts,settings,words', [
    ((0, 5, 5), {}, '1 or more'), ((5, 0, 5), {}, 'validation.*1 or more'),
    ((5, 5, 0), {}, '1 or more'), ((5, 5, 5), dict(sigmas=()), 'sigmas'),
    ((5, 5, 5), dict(sigmas=(0.0, 1.0)), 'above 0'),
    ((5, 5, 5), dict(sigmas=(math.nan,)), 'above 0')])
def test_refuses(counts, settings, words):
  with pytest.raises(ValueError, match=words):
    parzen(*draws(*counts), **settings)
