"""The distance of Gaussians: by hand, golden numbers, exact cases."""

import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from gan_jax.metrics.frechet import (
  distance_of_moments,
  frechet_distance,
  moments,
)


def test_distance_by_hand_needs_ddof_one():
  real = np.ones((100, 2))
  real[:50, 0] = 2
  fake = np.full((100, 2), 9.0)
  fake[50:, 0] = 2
  # Means 4 and 8 apart; variances 25/99 and 1225/99, of standard deviations
  # 3 * sqrt(100/99) apart.
  assert frechet_distance(real, fake) == pytest.approx(80 + 900 / 99, abs=1e-9)
  assert round(frechet_distance(real, fake), 4) == 89.0909


def test_distance_golden():
  draw = np.random.RandomState(0)
  real, fake = (draw.randn(512, 256).astype(np.float32) for _ in range(2))
  assert round(frechet_distance(real, fake), 8) == 65.74272365


def test_distance_golden_fewer_examples_than_features():
  draw = np.random.RandomState(2)
  real, fake = draw.randn(100, 256), draw.randn(100, 256)
  assert frechet_distance(real, fake) == pytest.approx(258.45711, abs=1e-5)


def test_distance_of_shifted_unit_gaussians_is_exact():
  # On its own, as threads of BLAS that compete for a core take ten times as
  # long, and their number is read once.
  code = ('import numpy as np\n'
          'from gan_jax.metrics.frechet import distance_of_moments\n'
          'one, size = np.eye(2048), 2048\n'
          'print(distance_of_moments((np.zeros(size), one),'
          ' (np.ones(size), one)))')
  names = ('OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'OMP_NUM_THREADS')
  done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True,
      env=os.environ | dict.fromkeys(names, '1')
      | {'PYTHONPATH': os.pathsep.join(sys.path)})
  assert float(done.stdout) == 2048.0


def test_distance_is_never_nan():
  draw = np.random.RandomState(0)
  real, fake = (draw.standard_normal((2**15, 256)) for _ in range(2))
  few = itertools.product(range(1, 16), range(1, 5))
  wide = itertools.product((1, 4, 6, 8), (5, 6, 7, 8))
  for n, f in [*few, *wide, (15, 8)]:
    found = frechet_distance(real[:2**n, :2**f], fake[:2**n, :2**f])
    assert 0 <= found < math.inf, (n, f)


def test_distance_of_covariances_that_do_not_commute():
  # In two dimensions Tr sqrt(A B) = sqrt(Tr A B + 2 sqrt(det A B)).
  a = np.array([[2.0, 1.0], [1.0, 3.0]])
  b = np.array([[5.0, -2.0], [-2.0, 1.0]])
  product = a @ b
  root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
  assert distance_of_moments(([0, 3], a), ([4, 0], b)) == pytest.approx(
      25 + 5 + 6 - 2 * root, rel=1e-12)


def test_distance_properties():
  draw = np.random.RandomState(3)
  real, fake = draw.randn(300, 20), 1.5 * draw.randn(200, 20) + 0.3
  found = frechet_distance(real, fake)
  assert frechet_distance(fake, real) == pytest.approx(found, rel=1e-9)
  assert frechet_distance(real[::-1], fake) == pytest.approx(found, rel=1e-9)
  turn = np.linalg.qr(draw.randn(20, 20))[0]
  assert frechet_distance(real @ turn, fake @ turn) == pytest.approx(
      found, rel=1e-9)
  assert 0 <= frechet_distance(real, real) < 1e-10
  few = real[:10]  # A singular covariance: roots of rounding errors.
  assert 0 <= frechet_distance(few, few) < 1e-5


def test_moments_are_those_of_numpy():
  x = np.random.RandomState(0).randn(50, 3).astype(np.float32) + 100
  mean, cov = moments(x)
  assert mean.dtype == cov.dtype == np.float64
  np.testing.assert_allclose(mean, x.astype(np.float64).mean(0))
  np.testing.assert_allclose(cov, np.cov(x.astype(np.float64).T), rtol=1e-12)


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300])
def test_distance_of_what_is_not_finite_is_nan(bad):
  real = np.random.RandomState(0).randn(10, 3)
  fake = real.copy()
  fake[4, 1] = bad
  assert math.isnan(frechet_distance(real, fake))
  assert math.isnan(frechet_distance(fake, real))


def test_distance_clamps_rounding_and_refuses_what_is_no_covariance():
  zero, one = np.zeros(2), np.eye(2)
  tiny = np.diag([1.0, -1e-12])
  assert distance_of_moments((zero, tiny), (zero, tiny)) == 0.0
  for real, fake in [(np.diag([1.0, -0.1]), one), (one, np.diag([1.0, -0.1]))]:
    with pytest.raises(ValueError, match='-0.1.*none below 0.*float64'):
      distance_of_moments((zero, real), (zero, fake))
  with pytest.raises(ValueError, match='symmetric'):
    distance_of_moments((zero, one + [[0, 0.5], [0, 0]]), (zero, one))


def test_distance_refuses_shapes():
  with pytest.raises(ValueError, match='2 or more'):
    frechet_distance(np.ones((1, 3)), np.ones((4, 3)))
  with pytest.raises(ValueError, match=r'\[N, F\]'):
    frechet_distance(np.ones((4, 3, 1)), np.ones((4, 3)))
  with pytest.raises(ValueError, match='one F'):
    frechet_distance(np.ones((4, 3)), np.ones((4, 1)))
