"""Metrics of pixels: MS-SSIM, which reveals a collapse, and power spectra."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.arrays import chunks, with_repetition

# Keeps these draws apart from others made from the same seed.
_STREAM = 161009585
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
# Values of images at a time, so that intermediate arrays stay < 300 MB.
_VALUES = 2**22


def ms_ssim_diversity(images, *, pairs: int, seed: int) -> tuple[float, float]:
  """Mean of the MS-SSIM of random pairs of different images, and its error.

  Odena et al. 2017, https://arxiv.org/abs/1610.09585, section 4.2: 1 for a
  collapsed generator; they take 100 pairs of each class. Compare with the same
  score of real images. The standard error is for the draw of the images, of
  which pairs share some: the covariance of such pairs counts (Aronow et al.
  2015, https://arxiv.org/abs/1312.3398).

  Raises:
    ValueError: images that are not [N, H, W, C], or smaller than 11 pixels.
  """
  images = np.asarray(images)
  if images.ndim != 4:
    raise ValueError(f'images of shape {list(images.shape)}: [N, H, W, C] is '
                     'needed')
  first = with_repetition(len(images), pairs, seed, _STREAM, 0)
  step = 1 + with_repetition(len(images) - 1, pairs, seed, _STREAM, 1)
  second = (first + step) % len(images)
  most = max(1, _VALUES // math.prod(images.shape[1:]))
  found = np.concatenate([
      np.asarray(ms_ssim(images[i], images[j]), np.float64)
      for i, j in zip(chunks(first, most), chunks(second, most), strict=True)])
  gap = found - found.mean()
  ends = np.concatenate([first, second])
  # The products of all pairs that share an image; those that share both, as a
  # pair does with itself, count twice.
  shared = np.square(np.bincount(ends, np.tile(gap, 2))).sum()
  same = np.minimum(first, second) * len(images) + np.maximum(first, second)
  own = np.square(np.bincount(np.unique(same, return_inverse=True)[1],
                              gap)).sum()
  return float(found.mean()), math.sqrt(max(shared - own, own)) / pairs


def scales(height: int, width: int) -> int:
  """Scales of MS-SSIM: 1 from 11 pixels, 2 from 22, 3 from 44, ... 5 from 176.

  Raises:
    ValueError: H or W below 11, the side of the window.
  """
  size = min(height, width)
  if size < _TAPS:
    raise ValueError(f'images of {height} x {width}: MS-SSIM needs {_TAPS} or '
                     'more pixels each way')
  return min(len(_WEIGHTS), int(np.log2(size // _TAPS)) + 1)


@jax.jit
def ms_ssim(first, second) -> jax.Array:
  """Multi-scale structural similarity of pairs of images.

  Wang et al. 2003 (Asilomar, "Multiscale structural similarity for image
  quality assessment"): prod_{j < J} cs_j^w_j * ssim_J^w_J, where

    ssim = (2 m1 m2 + C1) / (m1^2 + m2^2 + C1) * cs
    cs = (2 cov12 + C2) / (var1 + var2 + C2)

  under a Gaussian window of 11 x 11 pixels and std 1.5, wholly inside the
  image, averaged over positions, C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2. The
  next scale has the means of 2 x 2 pixels; an odd row or column is left out.
  Channels are scored separately and averaged; negative means count as 0.

  Departure: images below 176 pixels have fewer than 5 scales (see `scales`),
  with the first J weights over their sum. Scores of different sizes do not
  compare.

  Two times uint8 [N, H, W, C] -> float32 [N], 0..1, 1 for equal images.

  Raises:
    ValueError: H or W below 11.
  """
  x, y = (v.astype(jnp.float32) / 255.0 for v in (first, second))
  count, total = scales(*x.shape[1:3]), 1.0
  weights = np.array(_WEIGHTS[:count]) / sum(_WEIGHTS[:count])
  for i, weight in enumerate(weights.tolist()):
    ssim, cs = _ssim(x, y)
    total *= jnp.maximum(ssim if i == count - 1 else cs, 0.0) ** weight
    x, y = _halved(x), _halved(y)
  return total.mean(1)


def _ssim(x, y):
  """Means over positions of ssim and cs: [N, C] both, of images in [0, 1]."""
  taps = np.exp(-0.5 * ((np.arange(_TAPS) - _TAPS // 2) / _SIGMA) ** 2)
  # [size - 10, size]: the Gaussian at each place where it fits.
  rows, columns = (jnp.array([
      np.pad(taps / taps.sum(), (i, n - _TAPS - i))
      for i in range(n - _TAPS + 1)], jnp.float32) for n in x.shape[1:3])

  def blur(v):
    # Accelerators would round to bfloat16 or TF32.
    return jnp.einsum('bhwc,ih,jw->bijc', v, rows, columns,
                      precision='highest')

  m1, m2 = blur(x), blur(y)
  var = blur(x * x) - m1 * m1 + blur(y * y) - m2 * m2
  cov = blur(x * y) - m1 * m2
  cs = (2 * cov + _K2**2) / (var + _K2**2)
  ssim = (2 * m1 * m2 + _K1**2) / (m1 * m1 + m2 * m2 + _K1**2) * cs
  return ssim.mean((1, 2)), cs.mean((1, 2))


def _halved(x):
  n, h, w, c = x.shape
  x = x[:, :h // 2 * 2, :w // 2 * 2]
  return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def power_spectrum(images) -> tuple[np.ndarray, np.ndarray]:
  """Radially averaged power spectra.

  Durall et al. 2020, https://arxiv.org/abs/2003.01826: the squared
  magnitude of the discrete Fourier transform, averaged over all directions.
  Divided by the number of pixels, so that white noise of variance v has power v
  at all frequencies; the channels' spectra are averaged. Ring r holds the
  frequencies that round to r cycles per shorter side. Ring 0, the mean
  brightness, is left out; the corners beyond 1/2 cycle per pixel, where
  checkerboards are, are not.

  Args:
    images: uint8 [N, H, W, C]; 255 is 1.

  Returns:
    (frequency [R] in cycles per pixel, power float64 [N, R]); R is 0 for images
    of one pixel.
  """
  images = np.asarray(images)
  height, width = images.shape[1:3]
  # A side of one pixel has no frequencies.
  side = min((s for s in (height, width) if s > 1), default=1)
  radius = side * np.hypot(np.fft.fftfreq(height)[:, None],
                           np.fft.fftfreq(width)[None])
  rings, ring = np.unique(np.rint(radius), return_inverse=True)
  ring = ring.ravel()
  size = np.bincount(ring)
  chunk = max(1, _VALUES // images[0].size)
  found = []
  for i in range(0, len(images), chunk):
    part = images[i:i + chunk].astype(np.float64) / 255.0
    power = np.abs(np.fft.fft2(part, axes=(1, 2))) ** 2 / (height * width)
    found += [np.bincount(ring, weights=p.ravel()) / size
              for p in power.mean(3)]
  return rings[1:] / side, np.array(found)[:, 1:]
