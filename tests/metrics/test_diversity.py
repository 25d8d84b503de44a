"""MS-SSIM against plain loops, and mean pairwise distance."""

import math

import numpy as np
import pytest

from gan_jax.metrics import diversity, pairs
from gan_jax.metrics.diversity import (
  mean_pairwise_distance,
  ms_ssim,
  ms_ssim_diversity,
  scales,
)

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def smooth(count, size, channels=1, seed=0):
  """Images with structure at all scales, uint8."""
  draw = np.random.RandomState(seed)
  x = sum(np.kron(draw.randn(count, -(-size // n), -(-size // n), channels),
                  np.ones((1, n, n, 1)))[:, :size, :size] * n**0.5
          for n in (1, 4, 16))
  return np.clip(128 + 20 * x, 0, 255).astype(np.uint8)


def by_hand(x, y):
  """MS-SSIM of two images [H, W], in float64, window by window."""
  taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
  window = np.outer(taps, taps) / taps.sum() ** 2
  x, y = x.astype(np.float64), y.astype(np.float64)
  parts = []
  while min(x.shape) >= 11 and len(parts) < 5:
    found = []
    for i, j in np.ndindex(x.shape[0] - 10, x.shape[1] - 10):
      a, b = x[i:i + 11, j:j + 11], y[i:i + 11, j:j + 11]
      m1, m2 = (window * a).sum(), (window * b).sum()
      v1, v2 = ((window * (v - m) ** 2).sum() for v, m in ((a, m1), (b, m2)))
      cov = (window * (a - m1) * (b - m2)).sum()
      cs = (2 * cov + 7.65**2) / (v1 + v2 + 7.65**2)
      found.append(
          (cs * (2 * m1 * m2 + 2.55**2) / (m1**2 + m2**2 + 2.55**2), cs))
    parts.append(np.maximum(np.mean(found, 0), 0))
    x, y = ([[v[2 * i:2 * i + 2, 2 * j:2 * j + 2].mean()
              for j in range(v.shape[1] // 2)]
             for i in range(v.shape[0] // 2)] for v in (x, y))
    x, y = np.array(x), np.array(y)
  w = WEIGHTS[:len(parts)] / WEIGHTS[:len(parts)].sum()
  return (np.prod([cs**v for (_, cs), v in zip(parts, w, strict=True)][:-1])
          * parts[-1][0] ** w[-1])


@pytest.mark.parametrize('size', [11, 28, 47])
def test_ms_ssim_is_that_of_loops(size):
  x, y = smooth(3, size, 2), smooth(3, size, 2, seed=1)
  y[0] = np.clip(x[0].astype(int) + 9, 0, 255)
  y[1] = 255 - x[1]  # Negative correlation.
  wanted = [np.mean([by_hand(a[..., c], b[..., c]) for c in range(2)])
            for a, b in zip(x, y, strict=True)]
  found = ms_ssim(x, y)
  assert found.dtype == np.float64
  np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_ms_ssim_properties():
  x, y = smooth(4, 32, 3), smooth(4, 32, 3, seed=1)
  np.testing.assert_allclose(ms_ssim(x, x), 1, rtol=1e-5)
  np.testing.assert_allclose(ms_ssim(x, y), ms_ssim(y, x), rtol=1e-5)
  np.testing.assert_allclose(ms_ssim(x / 255, y / 255, peak=1.0),
                             ms_ssim(x, y), rtol=1e-4)
  assert (ms_ssim(x, x // 2 + 64) > ms_ssim(x, y)).all()


@pytest.mark.parametrize('size,count', [
    (11, 1), (21, 1), (22, 2), (28, 2), (32, 2), (43, 2), (44, 3), (64, 3),
    (88, 4), (128, 4), (175, 4), (176, 5), (1024, 5)])
def test_scales(size, count):
  assert scales(size, 2 * size) == scales(size + 300, size) == count


def test_diversity_sees_a_collapse(monkeypatch):
  x = smooth(40, 28)
  varied = ms_ssim_diversity(x, pairs=100, seed=0)
  assert varied.mean < 0.5 and varied.std > 0 and varied.scales == 2
  same = ms_ssim_diversity(np.repeat(x[:1], 40, 0), pairs=100, seed=0)
  assert same == pytest.approx((1, 0, 2), abs=1e-5)
  half = ms_ssim_diversity(x[np.arange(40) % 2], pairs=100, seed=0)
  assert varied.mean < half.mean < 1
  assert varied == ms_ssim_diversity(x, pairs=100, seed=0)
  assert varied != ms_ssim_diversity(x, pairs=100, seed=1)
  monkeypatch.setattr(diversity, '_VALUES', 30 * 28 * 28)
  assert ms_ssim_diversity(x, pairs=100, seed=0) == pytest.approx(varied)


def test_diversity_takes_pairs_of_different_images(monkeypatch):
  seen = []

  def spy(a, b, *, peak):
    seen.extend(zip(a[:, 0, 0, 0], b[:, 0, 0, 0], strict=True))
    return np.zeros(len(a))

  monkeypatch.setattr(diversity, 'ms_ssim', spy)
  images = np.arange(4).reshape(4, 1, 1, 1) * np.ones((1, 11, 11, 1))
  ms_ssim_diversity(images, pairs=500, seed=0)
  assert len(seen) == 500
  assert set(seen) == {(i, j) for i in range(4) for j in range(4) if i != j}


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_ms_ssim_of_what_is_not_finite_is_nan(bad):
  x = smooth(2, 28) / 255
  x[1, 3, 3] = bad
  assert np.isnan(ms_ssim(x, x)).tolist() == [False, True]
  assert math.isnan(ms_ssim_diversity(x, pairs=5, seed=0).mean)


@pytest.mark.parametrize('call,words', [
    (lambda: ms_ssim(smooth(2, 10), smooth(2, 10)), '10 x 10.*11'),
    (lambda: ms_ssim(smooth(2, 28), smooth(1, 28)), 'H, W, C'),
    (lambda: ms_ssim_diversity(smooth(1, 28), pairs=5, seed=0), '2 or more'),
    (lambda: ms_ssim_diversity(smooth(2, 28)[0], pairs=5, seed=0), 'H, W, C'),
    (lambda: ms_ssim_diversity(smooth(2, 28), pairs=0, seed=0), 'pairs=0'),
    (lambda: mean_pairwise_distance(np.ones((1, 3))), '2 or more'),
    (lambda: mean_pairwise_distance(np.ones(3)), 'N, F')])
def test_refuses(call, words):
  with pytest.raises(ValueError, match=words):
    call()


# Distances.


@pytest.mark.parametrize('blocks', [(1024, 4096), (7, 11)])
def test_mean_pairwise_distance(monkeypatch, blocks):
  monkeypatch.setattr(pairs, 'ROWS', blocks[0])
  monkeypatch.setattr(pairs, 'COLUMNS', blocks[1])
  x = np.random.RandomState(0).randn(50, 3) + 100
  wanted = np.mean([np.linalg.norm(x[i] - x[j])
                    for i in range(50) for j in range(i)])
  assert mean_pairwise_distance(x) == pytest.approx(wanted, rel=1e-12)


def test_mean_pairwise_distance_of_a_collapse_is_zero():
  x = np.random.RandomState(0).randn(1, 64).astype(np.float32)
  assert mean_pairwise_distance(x.repeat(30, 0)) == 0
  assert mean_pairwise_distance(np.array([[0.0, 0], [3, 4]])) == 5
  assert math.isnan(mean_pairwise_distance(np.array([[0.0], [math.nan]])))
  assert math.isnan(mean_pairwise_distance(np.array([[0.0], [1e300]])))
