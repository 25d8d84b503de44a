"""Frechet distance between the Gaussians fitted to two sets of features.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500, eq. 6:

  |m1 - m2|^2 + Tr C1 + Tr C2 - 2 Tr (C1 C2)^(1/2)
"""

from collections.abc import Callable

import numpy as np

from gan_jax.metrics.arrays import chunks, matrices, matrix, permutation

_CHUNK = 4096  # rows that are float64 at a time
# Keeps these draws apart from others made from the same seed.
_STREAM = 191107023
_SIZES = 15  # of subsets, as in the paper


def distance_to(real) -> Callable:
  """The distance to real features [N, F], as a function of fakes [M, F].

  The last term is computed as Tr (sqrt(C1) C2 sqrt(C1))^(1/2), which has the
  same eigenvalues and is symmetric: `eigh` is faster than a matrix square root,
  never complex, and handles singular covariances.

  Returns 0 or more, NaN for non-finite features. Both functions raise
  ValueError for other shapes, N or M < 2.
  """
  mean1, cov1 = moments(real)
  values, vectors = np.linalg.eigh(np.nan_to_num(cov1))
  root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T

  def distance(fake):
    mean2, cov2 = moments(matrices(real, fake, 2)[1])
    if not np.isfinite(cov1).all() or not np.isfinite(cov2).all():
      return float('nan')
    product = root @ cov2 @ root
    values = np.linalg.eigvalsh((product + product.T) / 2)
    found = (np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2)
             - 2.0 * np.sqrt(np.maximum(values, 0.0)).sum())
    return max(float(found), 0.0)  # Rounding gives -1e-15 for equal sets.

  return distance


def moments(features) -> tuple[np.ndarray, np.ndarray]:
  """Mean [F] and covariance [F, F] (ddof=1) of [N, F], in float64."""
  # Two passes: sums of squares would cancel for a large mean.
  x = matrix(features, 2, 'real features')
  with np.errstate(over='ignore', invalid='ignore'):
    mean = x.mean(0, dtype=np.float64)
    scatter = sum(centred.T @ centred for centred in (
        part - mean for part in chunks(x, _CHUNK)))
  return mean, scatter / (len(x) - 1)


def frechet_infinity(real, fake, *, seed: int,
                     smallest: int = 5000) -> tuple[float, float]:
  """Frechet distance extrapolated to infinitely many fakes.

  Chong & Forsyth 2020, https://arxiv.org/abs/1911.07023: the bias of the
  distance of N fakes is about a / N, and a depends on the generator, so that
  distances at a fixed N can rank generators wrongly. Distances of 15 random
  subsets of the M fakes (50,000 in the paper), of sizes from `smallest` to M,
  are extrapolated; `smallest` must exceed F. The bias of the number of real
  features stays.

  Returns:
    (value, slope) of FD_N = value + slope / N by least squares; the value may
    be below 0. NaN for non-finite features.

  Raises:
    ValueError: shapes that do not match, too few fakes.
  """
  real, fake = matrices(real, fake, 2)
  if not real.shape[1] < smallest < len(fake):
    raise ValueError(
        f'smallest={smallest}: the subsets of the {len(fake)} fakes must be '
        f'larger than the {real.shape[1]} dimensions of the features, or the '
        'bias is not proportional to 1 / N; take more images')
  sizes = np.linspace(smallest, len(fake), _SIZES).astype(int)
  distance = distance_to(real)
  found = [distance(fake[permutation(len(fake), seed, _STREAM, i)[:size]])
           for i, size in enumerate(sizes)]
  if not np.isfinite(found).all():
    return float('nan'), float('nan')
  slope, value = np.polyfit(1.0 / sizes, found, 1)
  return float(value), float(slope)
