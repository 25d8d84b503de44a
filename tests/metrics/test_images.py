"""MS-SSIM against plain loops and of collapses; power spectra."""

import numpy as np
import pytest

from gan_jax.metrics import images as module
from gan_jax.metrics.images import (
  ms_ssim,
  ms_ssim_diversity,
  power_spectrum,
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
  np.testing.assert_allclose(ms_ssim(x, y), wanted, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(ms_ssim(y, x), wanted, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(ms_ssim(x, x), 1, rtol=1e-5)
  assert (ms_ssim(x, x // 2 + 64) > ms_ssim(x, y))[1:].all()


@pytest.mark.parametrize('size,count', [
    (11, 1), (21, 1), (22, 2), (28, 2), (32, 2), (43, 2), (44, 3), (64, 3),
    (88, 4), (128, 4), (175, 4), (176, 5), (1024, 5)])
def test_scales(size, count):
  assert scales(size, 2 * size) == scales(size + 300, size) == count


def test_diversity_sees_a_collapse(monkeypatch):
  x = smooth(40, 11)
  varied = ms_ssim_diversity(x, pairs=100, seed=0)
  assert varied[0] < 0.5 and varied[1] > 0
  same = ms_ssim_diversity(np.repeat(x[:1], 40, 0), pairs=100, seed=0)
  assert same == pytest.approx((1, 0), abs=1e-5)
  half = ms_ssim_diversity(x[np.arange(40) % 2], pairs=100, seed=0)
  assert varied[0] < half[0] < 1
  assert varied == ms_ssim_diversity(x, pairs=100, seed=0)
  assert varied != ms_ssim_diversity(x, pairs=100, seed=1)
  monkeypatch.setattr(module, '_VALUES', 30 * 11 * 11)
  assert ms_ssim_diversity(x, pairs=100, seed=0) == pytest.approx(varied)


def test_diversity_takes_pairs_of_different_images():
  x = smooth(4, 11)
  first, second = np.argwhere(~np.eye(4, dtype=bool)).T
  every = np.asarray(ms_ssim(x[first], x[second]))
  found, _ = ms_ssim_diversity(x, pairs=2000, seed=0)
  assert found == pytest.approx(every.mean(), rel=0.05)
  two = ms_ssim_diversity(x[:2], pairs=100, seed=0)
  assert two == pytest.approx((float(ms_ssim(x[:1], x[1:2])[0]), 0), abs=1e-6)


def test_the_error_of_a_diversity_counts_the_images_that_pairs_share(
    monkeypatch):
  # h(x, y) = a(x) + a(y) with a of variance 1: of N images in P pairs the mean
  # has the variance 2 / P + 4 / N, of pairs alone 2 / P.
  images = np.random.RandomState(0).randn(400, 1, 1, 1)
  monkeypatch.setattr(module, 'ms_ssim', lambda x, y: (x + y).ravel())
  _, error = ms_ssim_diversity(images, pairs=1000, seed=0)
  assert error == pytest.approx(np.sqrt(2 / 1000 + 4 / 400), rel=0.15)
  # The lower bound, where the few pairs vary less than those that share one.
  made = []
  monkeypatch.setattr(module, 'ms_ssim', lambda x, y: (
      made.append((x * y).ravel()), made[-1])[1])
  _, error = ms_ssim_diversity(images, pairs=1000, seed=1)
  # A few pairs are drawn twice.
  assert error == pytest.approx(np.concatenate(made).std() / np.sqrt(1000),
                                rel=0.01)
  assert error == pytest.approx(np.sqrt(1 / 1000), rel=0.15)


def test_pairs_that_are_drawn_twice_are_those_that_share_an_image(monkeypatch):
  """Each product of two draws counts once, whether they share one or both."""
  pairs = []
  monkeypatch.setattr(module, 'ms_ssim', lambda x, y: (
      pairs.extend(zip(x.ravel(), y.ravel(), strict=True)), (x + y).ravel())[1])
  images = np.array([0.0, 1.0, 2.0, 4.0, 8.0]).reshape(5, 1, 1, 1)
  mean, error = ms_ssim_diversity(images, pairs=30, seed=0)
  total = sum((sum(a) - mean) * (sum(b) - mean) for a in pairs for b in pairs
              if set(a) & set(b))
  assert len({frozenset(pair) for pair in pairs}) < 20
  assert error == pytest.approx(np.sqrt(total) / 30)


def test_refuses():
  with pytest.raises(ValueError, match='10 x 10.*11'):
    ms_ssim_diversity(smooth(2, 10), pairs=5, seed=0)
  with pytest.raises(ValueError, match='H, W, C'):
    ms_ssim_diversity(smooth(2, 28)[0], pairs=5, seed=0)


def test_ms_ssim_is_full_float32_on_accelerators():
  x = smooth(2, 11)
  text = ms_ssim.trace(x, x).lower(lowering_platforms=('cuda',)).as_text()
  products = [line for line in text.splitlines() if 'dot_general' in line]
  assert len(products) >= 10
  assert all('HIGHEST' in line for line in products)


# Power spectra.


def _noise(count, height, width, channels):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (count, height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('vertical', [True, False])
def test_a_sinusoid_has_its_power_in_its_ring(vertical, channels):
  wave = 127.5 + 100.0 * np.cos(2 * np.pi * 5 * np.arange(32) / 32)
  image = np.broadcast_to(wave[:, None] if vertical else wave, (32, 32))
  image = np.repeat(np.rint(image).astype(np.uint8)[None, ..., None], channels,
                    axis=3)
  frequency, power = power_spectrum(image)
  assert frequency[4] == 5 / 32
  # |F|^2 = (amplitude * H W / 2)^2 at two points of the ring, over H W.
  k = np.fft.fftfreq(32, 1 / 32)
  points = (np.rint(np.hypot(k[:, None], k[None])) == 5).sum()
  expected = 2 * (100 / 255 * 1024 / 2) ** 2 / 1024 / points
  np.testing.assert_allclose(power[0, 4], expected, rtol=1e-2)  # of rounding
  assert np.delete(power[0], 4).max() < 1e-4 * expected


def test_a_checkerboard_is_beyond_one_half():
  image = np.uint8(255 * (np.indices((16, 16)).sum(0) % 2))[None, ..., None]
  frequency, power = power_spectrum(image)
  assert power[0].argmax() == len(frequency) - 1
  assert frequency[-1] == 11 / 16  # 16 / sqrt(2) = 11.3 cycles
  assert np.allclose(power[0, :-1], 0.0, atol=1e-20)


@pytest.mark.parametrize('height, width', [(31, 31), (16, 40), (33, 18)])
def test_noise_is_flat_at_its_variance(height, width):
  images = _noise(40, height, width, 2)
  frequency, power = power_spectrum(images)
  assert power.shape == (40, len(frequency))
  np.testing.assert_allclose(
      frequency, np.arange(1, len(frequency) + 1) / min(height, width))
  np.testing.assert_allclose(power.mean(0)[2:-2], (256**2 - 1) / 12 / 255**2,
                             rtol=0.15)


def test_brightness_has_no_frequency():
  flat = np.full((1, 8, 8, 1), 200, np.uint8)
  assert power_spectrum(flat)[1].max() < 1e-20
  assert power_spectrum(flat[:, :1, :1])[1].shape == (1, 0)


def test_chunks_change_nothing(monkeypatch):
  images = _noise(7, 6, 9, 3)
  whole = power_spectrum(images)[1]
  monkeypatch.setattr('gan_jax.metrics.images._VALUES', 2 * images[0].size)
  np.testing.assert_array_equal(power_spectrum(images)[1], whole)
