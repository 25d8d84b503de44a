"""The distance of Gaussians, its moments, and its extrapolation."""

import math

import numpy as np
import pytest

from gan_jax.metrics import frechet
from gan_jax.metrics.frechet import distance_to, frechet_infinity, moments


def distance(real, fake):
  return distance_to(real)(fake)


def exactly(mean, cov):
  """Features of which this is the mean and the covariance."""
  size = len(mean)
  unit = np.concatenate([np.eye(size), -np.eye(size)])
  return mean + math.sqrt(size - 0.5) * unit @ np.linalg.cholesky(cov).T


def test_distance_by_hand_needs_ddof_one():
  real = np.ones((100, 2))
  real[:50, 0] = 2
  fake = np.full((100, 2), 9.0)
  fake[50:, 0] = 2
  # Means 4 and 8 apart; variances 25/99 and 1225/99, of standard deviations
  # 3 * sqrt(100/99) apart.
  assert distance(real, fake) == pytest.approx(80 + 900 / 99, abs=1e-9)
  assert round(distance(real, fake), 4) == 89.0909


def test_distance_golden():
  draw = np.random.RandomState(0)
  real, fake = (draw.randn(512, 256).astype(np.float32) for _ in range(2))
  assert round(distance(real, fake), 8) == 65.74272365
  # Fewer examples than features.
  draw = np.random.RandomState(2)
  real, fake = draw.randn(100, 256), draw.randn(100, 256)
  assert distance(real, fake) == pytest.approx(258.45711, abs=1e-5)


@pytest.mark.parametrize('count,wanted,digits', [
    (500, 4.40, 2), (5000, 0.440, 3), (50000, 0.0458, 4)])
def test_distance_of_equal_gaussians_is_the_bias(count, wanted, digits):
  draw = np.random.RandomState(1)
  found = distance(draw.randn(count, 64), draw.randn(count, 64))
  assert round(found, digits) == wanted
  assert found == pytest.approx(64 * 65 / 2 / count, rel=0.15)


def test_distance_of_shifted_unit_gaussians_is_the_number_of_features():
  unit = exactly(np.zeros(128), np.eye(128))
  assert distance(unit, unit + 1) == pytest.approx(128, rel=1e-13)


def test_distance_of_covariances_that_do_not_commute():
  # In two dimensions Tr sqrt(A B) = sqrt(Tr A B + 2 sqrt(det A B)).
  a = np.array([[2.0, 1.0], [1.0, 3.0]])
  b = np.array([[5.0, -2.0], [-2.0, 1.0]])
  product = a @ b
  root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
  assert distance(exactly([0, 3], a), exactly([4, 0], b)) == pytest.approx(
      25 + 5 + 6 - 2 * root, rel=1e-12)


def test_distance_is_never_nan():
  draw = np.random.RandomState(0)
  real, fake = (draw.standard_normal((2**12, 128)) for _ in range(2))
  for n in (1, 2, 3, 4, 6, 8, 12):
    for f in (1, 2, 3, 4, 5, 7):
      found = distance(real[:2**n, :2**f], fake[:2**n, :2**f])
      assert 0 <= found < math.inf, (n, f)


def test_distance_properties():
  draw = np.random.RandomState(3)
  real, fake = draw.randn(300, 20), 1.5 * draw.randn(200, 20) + 0.3
  found = distance(real, fake)
  assert distance(fake, real) == pytest.approx(found, rel=1e-9)
  assert distance(real[::-1], fake) == pytest.approx(found, rel=1e-9)
  turn = np.linalg.qr(draw.randn(20, 20))[0]
  assert distance(real @ turn, fake @ turn) == pytest.approx(found, rel=1e-9)
  assert 0 <= distance(real, real) < 1e-10
  few = real[:10]  # A singular covariance: roots of rounding errors.
  assert 0 <= distance(few, few) < 1e-5


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300])
def test_distance_of_what_is_not_finite_is_nan(bad):
  real = np.random.RandomState(0).randn(5000, 3)
  fake = real[:10].copy()
  fake[4, 1] = bad
  assert math.isnan(distance(real, fake))
  assert math.isnan(distance(fake, real))
  real[4900, 1] = bad  # In the second chunk.
  assert math.isnan(distance(real, real[:10]))


def test_distance_refuses_shapes():
  with pytest.raises(ValueError, match='2 or more'):
    distance(np.ones((1, 3)), np.ones((4, 3)))
  with pytest.raises(ValueError, match='fake.*2 or more'):
    distance(np.ones((4, 3)), np.ones((1, 3)))
  with pytest.raises(ValueError, match=r'\[N, F\]'):
    distance(np.ones((4, 3, 1)), np.ones((4, 3)))
  with pytest.raises(ValueError, match=r'\[N, F\]'):
    distance(np.ones((4, 0)), np.ones((4, 0)))
  with pytest.raises(ValueError, match='3 and 1 dim'):
    distance(np.ones((4, 3)), np.ones((4, 1)))
  with pytest.raises(ValueError, match='complex128: real'):
    distance(np.ones((4, 3), complex), np.ones((4, 3)))


@pytest.mark.parametrize('chunk', [1, 7, 64, 1000])
def test_moments_in_chunks_are_those_of_numpy(chunk, monkeypatch):
  monkeypatch.setattr(frechet, '_CHUNK', chunk)
  # Far from 0, where sums of squares would cancel.
  x = np.random.RandomState(0).randn(1000, 12) * np.arange(1, 13) + 1e3
  for features in (x, x.astype(np.float32)):
    mean, cov = moments(features)
    assert mean.dtype == cov.dtype == np.float64
    features = features.astype(np.float64)
    np.testing.assert_allclose(mean, features.mean(0), rtol=1e-12)
    np.testing.assert_allclose(cov, np.cov(features.T), rtol=1e-12, atol=1e-10)


def test_identical_images_have_no_covariance():
  mean, cov = moments(np.full((5000, 3), 0.1, np.float32))
  np.testing.assert_allclose(cov, 0, atol=1e-30)
  np.testing.assert_allclose(mean, np.float32(0.1).astype(np.float64))


# FD-infinity.


def gaussians(total=6000, size=8, seed=0):
  draw = np.random.RandomState(seed)
  return draw.randn(total, size), 1.2 * draw.randn(total, size) + 0.1


def test_the_line_of_distances_that_lie_on_one(monkeypatch):
  sizes = []

  def distance(part):
    sizes.append(len(part))
    assert len(np.unique(part[:, 0])) == len(part)  # Without repetition.
    return 3.0 + 700.0 / len(part)

  monkeypatch.setattr(frechet, 'distance_to', lambda real: distance)
  line = frechet_infinity(*gaussians(), seed=0, smallest=600)
  assert sizes[0] == 600 and sizes[-1] == 6000 and len(sizes) == 15
  assert np.ptp(np.diff(sizes)) <= 1
  assert line == pytest.approx((3.0, 700.0), rel=1e-12)


def test_extrapolation_takes_away_the_bias():
  # Means 0.1 and standard deviations 0.2 apart; the bias of the reals stays, a
  # fifth of that of the fakes.
  truth = 8 * (0.1**2 + 0.2**2)
  lines, plain = [], []
  for seed in range(20):
    real, fake = gaussians(2000, seed=seed)
    lines.append(frechet_infinity(real, fake[:400], seed=seed, smallest=40))
    plain.append(distance(real, fake[:400]))
  values, slopes = np.array(lines).T
  assert abs(values.mean() - truth) < 0.5 * (np.mean(plain) - truth)
  assert (slopes > 0).all()


def test_infinity_of_seeds_of_a_collapsed_generator_and_of_nan():
  real, fake = gaussians(600)
  one = frechet_infinity(real, fake, seed=1, smallest=100)
  assert one == frechet_infinity(real, fake, seed=1, smallest=100)
  assert one != frechet_infinity(real, fake, seed=2, smallest=100)
  line = frechet_infinity(real, np.ones_like(fake), seed=0, smallest=100)
  assert line == pytest.approx((distance(real, np.ones_like(fake)), 0),
                               abs=1e-6)
  fake[7, 0] = math.nan
  assert np.isnan(frechet_infinity(real, fake, seed=0, smallest=100)).all()


@pytest.mark.parametrize('settings,words', [
    (dict(smallest=8), '8 dimensions'), (dict(smallest=600), '600 fakes'),
    (dict(), 'smallest=5000.*take more')])
def test_infinity_refuses(settings, words):
  with pytest.raises(ValueError, match=words):
    frechet_infinity(*gaussians(600), seed=0, **settings)
