"""Moments in chunks, and FD extrapolated to infinitely many fakes."""

import math

import numpy as np
import pytest

from gan_jax.metrics import moments as module
from gan_jax.metrics.frechet import distance_of_moments, frechet_distance
from gan_jax.metrics.frechet_infinity import frechet_infinity
from gan_jax.metrics.moments import merge, moments, streamed, sums


def numpys(x):
  x = np.asarray(x, np.float64)
  return x.mean(0), np.cov(x, rowvar=False)


@pytest.mark.parametrize('size', [1, 7, 100, 999, 1000])
def test_chunks_are_one_pass(size):
  # Far from 0, where sums of squares would cancel.
  x = np.random.RandomState(0).randn(1000, 12) * np.arange(1, 13) + 1e3
  found = streamed(x[i:i + size] for i in range(0, 1000, size)).moments()
  for a, b in zip(found, numpys(x), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-12,
                               atol=1e-12 * np.abs(b).max())
  assert distance_of_moments(found, numpys(x)) < 1e-9


def test_moments_take_chunks(monkeypatch):
  x = np.random.RandomState(0).randn(1000, 5).astype(np.float32)
  seen = []
  monkeypatch.setattr(module, '_CHUNK', 64)
  monkeypatch.setattr(module, 'sums', lambda x: seen.append(len(x)) or sums(x))
  found = moments(x)
  assert seen == [64] * 15 + [40]
  np.testing.assert_allclose(found[1], numpys(x)[1], rtol=0, atol=1e-12)
  assert found[0].dtype == found[1].dtype == np.float64


def test_merging_has_no_order():
  x = np.random.RandomState(1).randn(60, 4) + 5
  a, b, c = sums(x[:1]), sums(x[1:20]), sums(x[20:])
  one, other = merge(merge(a, b), c), merge(c, merge(b, a))
  assert one.count == other.count == 60
  np.testing.assert_allclose(one.scatter, other.scatter, rtol=0, atol=1e-12)


def test_identical_images_have_no_covariance():
  mean, cov = moments(np.full((5000, 3), 0.1, np.float32))
  np.testing.assert_array_equal(cov, 0)
  np.testing.assert_array_equal(mean, np.float32(0.1).astype(np.float64))


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300])
def test_moments_of_what_is_not_finite(bad):
  x = np.random.RandomState(0).randn(10000, 3)
  x[9000, 1] = bad
  assert math.isnan(frechet_distance(x, x[:100]))


@pytest.mark.parametrize('call,words', [
    (lambda: moments(np.ones((1, 3))), '2 or more'),
    (lambda: moments(np.ones(3)), r'\[N, F\]'),
    (lambda: moments(np.ones((4, 0))), r'\[N, F\]'),
    (lambda: moments(np.ones((4, 3), complex)), 'complex128: real'),
    (lambda: sums(np.ones((1, 3))).moments(), '2 or more'),
    (lambda: streamed([]), 'no features'),
    (lambda: streamed([np.ones((2, 3)), np.ones((2, 4))]), '3 and 4')])
def test_moments_refuse(call, words):
  with pytest.raises(ValueError, match=words):
    call()


# FD-infinity.


def gaussians(total=6000, size=8, seed=0):
  draw = np.random.RandomState(seed)
  return draw.randn(total, size), 1.2 * draw.randn(total, size) + 0.1


def test_the_line_of_distances_that_lie_on_one(monkeypatch):
  found = []

  def distance(reference, part):
    found.append(len(part))
    return 3.0 + 700.0 / len(part)

  scope = frechet_infinity.__globals__
  monkeypatch.setitem(scope, 'moments', lambda x: x)
  monkeypatch.setitem(scope, 'distance_of_moments', distance)
  real, fake = gaussians()
  line = frechet_infinity(real, fake, seed=0, smallest=600, points=4)
  assert found == [600, 2400, 4200, 6000]
  assert line == pytest.approx((3.0, 700.0), rel=1e-12)


def test_extrapolation_takes_away_the_bias():
  # Means 0.1 and standard deviations 0.2 apart; the bias of the reals stays, a
  # fifth of that of the fakes.
  truth = 8 * (0.1**2 + 0.2**2)
  lines, plain = [], []
  for seed in range(20):
    real, fake = gaussians(2000, seed=seed)
    lines.append(frechet_infinity(real, fake[:400], seed=seed, smallest=40))
    plain.append(frechet_distance(real, fake[:400]))
  values, slopes = np.array(lines).T
  assert abs(values.mean() - truth) < 0.5 * (np.mean(plain) - truth)
  assert (slopes > 0).all()


def test_infinity_is_a_function_of_the_seed():
  real, fake = gaussians(600)
  settings = dict(smallest=100, points=5)
  one = frechet_infinity(real, fake, seed=1, **settings)
  assert one == frechet_infinity(real, fake, seed=1, **settings)
  assert one != frechet_infinity(real, fake, seed=2, **settings)


def test_infinity_of_a_collapsed_generator_and_of_nan():
  real, fake = gaussians(600)
  line = frechet_infinity(real, np.ones_like(fake), seed=0, smallest=100)
  assert line == pytest.approx((frechet_distance(real, np.ones_like(fake)), 0),
                               abs=1e-6)
  fake[7, 0] = math.nan
  assert np.isnan(frechet_infinity(real, fake, seed=0, smallest=100)).all()


@pytest.mark.parametrize('settings,words', [
    (dict(smallest=8), '8 dimensions'), (dict(smallest=600), '600 fakes'),
    (dict(), 'smallest=5000'), (dict(smallest=100, points=1), 'points=1')])
def test_infinity_refuses(settings, words):
  with pytest.raises(ValueError, match=words):
    frechet_infinity(*gaussians(600), seed=0, **settings)
