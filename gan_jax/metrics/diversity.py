"""How different generated images are from each other: it shows a collapse.

It does not look at real images; compare with the same score of those.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import convolution_matrix

from gan_jax.metrics.arrays import chunks, with_repetition

# Keeps these draws apart from others made from the same seed.
_STREAM = 161009585
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
# Values of a chunk of images, so that intermediate arrays stay < 300 MB.
_VALUES = 2**22


def ms_ssim_diversity(images, *, pairs: int, seed: int) -> tuple[float, float]:
  """Mean and standard deviation of the MS-SSIM of random pairs of images.

  Odena et al. 2017, https://arxiv.org/abs/1610.09585, section 4.2: 1 for a
  collapsed generator; they take 100 pairs of each class.

  Args:
    images: uint8 [N, H, W, C]; N of 2 or more, H and W of 11 or more.
    pairs: number of pairs of different images, drawn with replacement.
    seed: 0 or more.

  Raises:
    ValueError: another shape, images that are too small.
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
      ms_ssim(images[i], images[j])
      for i, j in zip(chunks(first, most), chunks(second, most), strict=True)])
  return float(found.mean()), float(found.std())


def scales(height: int, width: int) -> int:
  """Scales of MS-SSIM for images [H, W]: 1..5.

  Each halves the image, and the window of 11 x 11 pixels must fit: 1 scale from
  11 pixels, 2 from 22 (so for 28 and 32), 3 from 44, 4 from 88, 5 from 176.

  Raises:
    ValueError: H or W below 11.
  """
  size = min(height, width)
  if size < _TAPS:
    raise ValueError(f'images of {height} x {width}: MS-SSIM needs {_TAPS} or '
                     'more pixels each way')
  return min(len(_WEIGHTS), int(np.log2(size // _TAPS)) + 1)


def ms_ssim(first, second) -> np.ndarray:
  """Multi-scale structural similarity of pairs of images.

  Wang et al. 2003 (Asilomar, "Multiscale structural similarity for image
  quality assessment"), eq. 7: prod_{j < J} cs_j^w_j * ssim_J^w_J, where

    ssim = (2 m1 m2 + C1) / (m1^2 + m2^2 + C1) * cs
    cs = (2 cov12 + C2) / (var1 + var2 + C2)

  under a Gaussian window of 11 x 11 pixels and std 1.5, wholly inside the
  image, averaged over positions, C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2. The
  next scale has the means of 2 x 2 pixels; an odd row or column is left out.
  Channels are scored separately and averaged; negative means count as 0.

  Departure: images below 176 pixels have fewer than 5 scales (see `scales`),
  whose weights are the first J over their sum. Others shrink the window
  instead. Scores of different sizes do not compare.

  Args:
    first: uint8 [N, H, W, C].
    second: the same shape.

  Returns:
    float64 [N], 0..1, 1 for equal images.

  Raises:
    ValueError: H or W below 11.
  """
  count = scales(*first.shape[1:3])
  # Full float32 on accelerators too, which would round to bfloat16 or TF32.
  with jax.default_matmul_precision('highest'):
    return np.asarray(_ms_ssim(first, second, count), np.float64)


@functools.partial(jax.jit, static_argnums=2)
def _ms_ssim(x, y, count):
  x, y = (v.astype(jnp.float32) / 255.0 for v in (x, y))
  weights = np.array(_WEIGHTS[:count]) / sum(_WEIGHTS[:count])
  total = 1.0
  for i, weight in enumerate(weights.tolist()):
    ssim, cs = _ssim(x, y)
    total *= jnp.maximum(ssim if i == count - 1 else cs, 0.0) ** weight
    x, y = _halved(x), _halved(y)
  return total.mean(1)


def _ssim(x, y):
  """Means over positions of ssim and cs: [N, C] both, of images in [0, 1]."""
  taps = np.exp(-0.5 * ((np.arange(_TAPS) - _TAPS // 2) / _SIGMA) ** 2)
  # [size - 10, size]: the Gaussian at each place where it fits.
  rows, columns = (jnp.asarray(convolution_matrix(
      taps / taps.sum(), n, 'valid'), jnp.float32) for n in x.shape[1:3])

  def blur(v):
    return jnp.einsum('bhwc,ih,jw->bijc', v, rows, columns)

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
