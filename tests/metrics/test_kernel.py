"""Kernel distance: the golden number, a plain sum, subsets."""

import math

import numpy as np
import pytest

from gan_jax.metrics import kernel
from gan_jax.metrics.kernel import full_kernel_distance, kernel_distance


def features(count=512, size=256):
  draw = np.random.RandomState(0)
  return draw.randn(count, size), 1.1 * draw.randn(count, size) + 0.05


def by_hand(x, y):
  def kernel(a, b):
    return (np.dot(a, b) / len(a) + 1) ** 3

  n, m = len(x), len(y)
  return (sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
          / (n * (n - 1))
          + sum(kernel(y[i], y[j]) for i in range(m) for j in range(m)
                if i != j) / (m * (m - 1))
          - 2 * np.mean([[kernel(a, b) for b in y] for a in x]))


def test_golden():
  assert round(full_kernel_distance(*features()), 10) == 0.0083886147


@pytest.mark.parametrize('blocks', [(1024, 4096), (3, 5)])
def test_is_the_sum(monkeypatch, blocks):
  monkeypatch.setattr(kernel, 'ROWS', blocks[0])
  monkeypatch.setattr(kernel, 'COLUMNS', blocks[1])
  x, y = features(11, 3)
  y = y[:8]
  assert full_kernel_distance(x, y) == pytest.approx(by_hand(x, y), rel=1e-12)


def test_subset_of_all_is_the_full_distance():
  x, y = features(50, 6)
  found = kernel_distance(x, y, seed=0, subsets=3, size=50)
  assert found == pytest.approx((full_kernel_distance(x, y), 0), rel=1e-12,
                                abs=1e-12)


def test_subsets_have_the_mean_of_all():
  x, y = features(300, 6)
  for fake in (y, x):  # The same subset of both would be nearer.
    mean, std = kernel_distance(x, fake, seed=0, subsets=100, size=50)
    assert mean == pytest.approx(full_kernel_distance(x, fake), abs=0.4 * std)
    assert std > 0
  found = kernel_distance(x, y, seed=0, subsets=3, size=50)
  assert found == kernel_distance(x, y, seed=0, subsets=3, size=50)
  assert found != kernel_distance(x, y, seed=1, subsets=3, size=50)


def test_of_a_set_with_itself_and_of_a_collapse():
  x, _ = features(50, 6)
  assert full_kernel_distance(x, x) < 0
  same = np.full((50, 6), 2.0, np.float32)
  assert kernel_distance(same, same, seed=0, subsets=2, size=50) == (
      pytest.approx((0, 0)))
  # Of two points, by hand: 125 + 1 - 2.
  assert full_kernel_distance(same, np.zeros((50, 6))) == pytest.approx(124)


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300, 1e120])
def test_of_what_is_not_finite_is_nan(bad):
  x, y = features(50, 6)
  y[4, 1] = bad
  assert math.isnan(full_kernel_distance(x, y))
  assert np.isnan(kernel_distance(x, y, seed=0, size=50, subsets=2)).all()


def test_refuses():
  x = np.ones((999, 2))
  for few, enough in ((x, np.ones((1000, 2))), (np.ones((1000, 2)), x)):
    with pytest.raises(ValueError, match='999 examples are fewer than the 1000'
                       '.*kd_full'):
      kernel_distance(few, enough, seed=0)
  with pytest.raises(ValueError, match='2 or more'):
    full_kernel_distance(np.ones((1, 2)), np.ones((5, 2)))
  with pytest.raises(ValueError, match='3 and 2 dim'):
    full_kernel_distance(np.ones((5, 3)), np.ones((5, 2)))
