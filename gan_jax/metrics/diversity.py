"""How different generated images are from each other: a collapse shows.

Neither score looks at real images; compare with the same score of those.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.arrays import chunks, finite, matrix, with_repetition
from gan_jax.metrics.pairs import (
  COLUMNS,
  ROWS,
  blocks,
  centre_of,
  squared_distances,
)

# Of a draw: keeps it apart from all others that are made of one seed.
_STREAM = 161009585
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
# Values of a chunk of images, so that what is made of it stays < 300 MB.
_VALUES = 2**22


class Similarity(NamedTuple):
  """Scores of `ms_ssim_diversity`."""

  mean: float
  std: float  # Of pairs, ddof=0.
  scales: int


def ms_ssim_diversity(images, *, pairs: int, seed: int,
                      peak: float = 255.0) -> Similarity:
  """Mean MS-SSIM of random pairs of different images.

  Odena et al. 2017, https://arxiv.org/abs/1610.09585, section 4.2: 1 for a
  collapsed generator; they take 100 pairs of each class.

  Args:
    images: [N, H, W, C] from 0 to `peak`; H and W of 11 or more.
    pairs: count of pairs, drawn by the seed with repetition.
    seed: 0 or more.
    peak: the largest value; 255 for uint8.

  Returns:
    (mean, std, scales), the mean 0..1; NaN where a pixel is not finite.

  Raises:
    ValueError: another shape, N < 2, images that are too small, no pairs.
  """
  images = np.asarray(images)
  if images.ndim != 4 or len(images) < 2:
    raise ValueError(f'images of shape {list(images.shape)}: [N, H, W, C] with '
                     'N of 2 or more is needed')
  if pairs < 1:
    raise ValueError(f'pairs={pairs}: must be 1 or more')
  first = with_repetition(len(images), pairs, seed, _STREAM, 0)
  step = 1 + with_repetition(len(images) - 1, pairs, seed, _STREAM, 1)
  second = (first + step) % len(images)
  most = max(1, _VALUES // math.prod(images.shape[1:]))
  found = np.concatenate([
      ms_ssim(images[i], images[j], peak=peak)
      for i, j in zip(chunks(first, most), chunks(second, most), strict=True)])
  return Similarity(float(found.mean()), float(found.std()),
                    scales(*images.shape[1:3]))


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


def ms_ssim(first, second, *, peak: float = 255.0) -> np.ndarray:
  """Multi-scale structural similarity of pairs of images.

  Wang et al. 2003 (Asilomar, "Multiscale structural similarity for image
  quality assessment"), eq. 7: prod_{j < J} cs_j^w_j * ssim_J^w_J, where

    ssim = (2 m1 m2 + C1) / (m1^2 + m2^2 + C1) * cs
    cs = (2 cov12 + C2) / (var1 + var2 + C2)

  under a Gaussian window of 11 x 11 pixels and std 1.5, wholly inside the
  image, averaged over positions, C1 = (0.01 peak)^2, C2 = (0.03 peak)^2.  The
  next scale has the means of 2 x 2 pixels; an odd row or column is left out.
  Channels are scored apart and averaged; negative means count as 0.

  Departure: images below 176 pixels have fewer than 5 scales (see `scales`),
  whose weights are the first J over their sum.  Others shrink the window
  instead.  Scores of different sizes do not compare.

  Args:
    first: [N, H, W, C] from 0 to `peak`.
    second: the same shape.
    peak: the largest value; 255 for uint8.

  Returns:
    float64 [N], 0..1, 1 for equal images; NaN where a pixel is not finite.

  Raises:
    ValueError: shapes that do not match, or H or W below 11.
  """
  first, second = np.asarray(first), np.asarray(second)
  if first.ndim != 4 or first.shape != second.shape:
    raise ValueError(f'images of shapes {list(first.shape)} and '
                     f'{list(second.shape)}: both are [N, H, W, C]')
  count = scales(*first.shape[1:3])
  # Full float32 on accelerators too, which would round to bfloat16 or TF32.
  with jax.default_matmul_precision('highest'):
    found = _ms_ssim(first, second, peak, count)
  return np.asarray(found, np.float64)


@functools.partial(jax.jit, static_argnums=3)
def _ms_ssim(x, y, peak, count):
  x, y = (v.astype(jnp.float32) / peak for v in (x, y))
  weights = np.array(_WEIGHTS[:count]) / sum(_WEIGHTS[:count])
  total = 1.0
  for i, weight in enumerate(weights.tolist()):
    ssim, cs = _ssim(x, y)
    last = i == count - 1
    total *= jnp.maximum(ssim if last else cs, 0.0) ** weight
    if not last:
      x, y = _halved(x), _halved(y)
  return total.mean(1)


def _ssim(x, y):
  """Means over positions of ssim and cs: [N, C] both, of a peak of 1."""
  rows, columns = (jnp.asarray(_window(n)) for n in x.shape[1:3])

  def blur(v):
    return jnp.einsum('bhwc,ih,jw->bijc', v, rows, columns)

  m1, m2 = blur(x), blur(y)
  var = blur(x * x) - m1 * m1 + blur(y * y) - m2 * m2
  cov = blur(x * y) - m1 * m2
  cs = (2 * cov + _K2**2) / (var + _K2**2)
  ssim = (2 * m1 * m2 + _K1**2) / (m1 * m1 + m2 * m2 + _K1**2) * cs
  return ssim.mean((1, 2)), cs.mean((1, 2))


def _window(size):
  """[size - 10, size]: the Gaussian at each place where it fits."""
  taps = np.exp(-0.5 * ((np.arange(_TAPS) - _TAPS // 2) / _SIGMA) ** 2)
  matrix = np.zeros((size - _TAPS + 1, size), np.float32)
  for i in range(len(matrix)):
    matrix[i, i:i + _TAPS] = taps / taps.sum()
  return matrix


def _halved(x):
  n, h, w, c = x.shape
  x = x[:, :h // 2 * 2, :w // 2 * 2]
  return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def mean_pairwise_distance(features) -> float:
  """Mean Euclidean distance of two different examples of features [N, F].

  0 for a collapsed generator; NaN where a feature is not finite.

  Raises:
    ValueError: another shape, N < 2.
  """
  x = matrix(features, 2, 'features')
  if not finite(x):
    return float('nan')
  total = np.float64(0)
  with jax.enable_x64(True):
    centre = centre_of(x)
    for a, rows in blocks(x, ROWS):
      for b, columns in blocks(x, COLUMNS):
        total += np.float64(_distance_sum(a, b, centre, rows, columns))
  return float(total / (len(x) * (len(x) - 1)))


@jax.jit
def _distance_sum(x, y, centre, rows, columns):
  squares, slack = squared_distances(x, y, centre)
  valid = (rows >= 0)[:, None] & (columns >= 0)[None] & (squares > slack)
  return jnp.sqrt(jnp.where(valid, squares, 0.0)).sum()
