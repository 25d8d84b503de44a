"""Kernel distance: the golden number, a plain sum, subsets."""

import math

import numpy as np
import pytest

from gan_jax.metrics import pairs
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
  monkeypatch.setattr(pairs, 'ROWS', blocks[0])
  monkeypatch.setattr(pairs, 'COLUMNS', blocks[1])
  x, y = features(11, 3)
  y = y[:8]
  assert full_kernel_distance(x, y) == pytest.approx(by_hand(x, y), rel=1e-12)


def test_of_a_set_with_itself_is_below_zero():
  x, _ = features(200, 4)
  assert full_kernel_distance(x, x) < 0


def test_subset_of_all_is_the_full_distance():
  x, y = features(100, 6)
  found = kernel_distance(x, y, seed=0, subsets=3, size=100)
  assert found == pytest.approx((full_kernel_distance(x, y), 0), rel=1e-12,
                                abs=1e-12)


def test_subsets_have_the_mean_of_all():
  x, y = features(300, 6)
  found = kernel_distance(x, y, seed=0, subsets=100, size=50)
  assert found.mean == pytest.approx(
      full_kernel_distance(x, y), abs=4 * found.std / 10)
  assert found == kernel_distance(x, y, seed=0, subsets=100, size=50)
  assert found != kernel_distance(x, y, seed=1, subsets=100, size=50)


def test_subsets_repeat_no_example_and_draw_the_sets_apart(monkeypatch):
  seen = []
  monkeypatch.setitem(kernel_distance.__globals__, '_distance',
                      lambda x, y: seen.append((x, y)) or 0.0)
  x = np.arange(40.0)[:, None]
  kernel_distance(x, x, seed=0, subsets=5, size=20)
  assert len(seen) == 5
  for first, second in seen:
    assert len(np.unique(first)) == len(np.unique(second)) == 20
    assert set(first[:, 0]) != set(second[:, 0])
  assert set(seen[0][0][:, 0]) != set(seen[1][0][:, 0])


def test_of_identical_images():
  same = np.full((1000, 4), 2.0, np.float32)
  assert kernel_distance(same, same, seed=0, subsets=2) == pytest.approx((0, 0))
  # A collapsed generator: 25^3... of one point, by hand 125 + 1 - 2.
  assert full_kernel_distance(same, np.zeros((5, 4))) == pytest.approx(124)


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300, 1e120])
def test_of_what_is_not_finite_is_nan(bad):
  x, y = features(20, 3)
  y[4, 1] = bad
  assert math.isnan(full_kernel_distance(x, y))
  assert np.isnan(kernel_distance(x, y, seed=0, size=20, subsets=2)).all()


@pytest.mark.parametrize('count,settings,words', [
    (999, {}, '999 examples are fewer than the 1000.*kd_full'),
    (20, dict(size=1), 'size=1'), (20, dict(subsets=0), 'subsets=0'),
    (1, dict(size=2), '2 or more')])
def test_refuses(count, settings, words):
  x = np.ones((count, 2))
  with pytest.raises(ValueError, match=words):
    kernel_distance(x, x, seed=0, **settings)


def test_full_refuses():
  with pytest.raises(ValueError, match='2 or more'):
    full_kernel_distance(np.ones((1, 2)), np.ones((5, 2)))
  with pytest.raises(ValueError, match='3 and 2 dim'):
    full_kernel_distance(np.ones((5, 3)), np.ones((5, 2)))
