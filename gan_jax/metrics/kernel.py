"""Kernel distance (KID) between real and generated images.

Binkowski et al. 2018, https://arxiv.org/abs/1801.01401, section 4: the squared
maximum mean discrepancy of the kernel (x.y / F + 1)^3, unbiased:

  sum_{i != j} k(x_i, x_j) / N (N - 1) + sum_{i != j} k(y_i, y_j) / M (M - 1)
    - 2 sum_{i, j} k(x_i, y_j) / N M

Unlike the Frechet distance its mean does not depend on N, and it may be below
0. Computed on the device in float64: float32 loses 1e-4 and more.
"""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.arrays import finite, matrices, permutation
from gan_jax.metrics.neighbours import COLUMNS, ROWS, blocks

# Keeps these draws apart from others made from the same seed.
_STREAM = 180101401


def kernel_distance(real, fake, *, seed: int, subsets: int = 100,
                    size: int = 1000) -> tuple[float, float]:
  """Mean and std (ddof=0) of the kernel distances of random subsets.

  Of real [N, F] and generated [M, F] features; NaN if one is not finite. The
  std is not the standard error. Usual: 100 subsets of 1000, without
  replacement.

  Raises:
    ValueError: shapes that do not match, fewer examples than `size`.
  """
  real, fake = matrices(real, fake, 2)
  few = min(len(real), len(fake))
  if few < size:
    raise ValueError(f'{few} examples are fewer than the {size} of a subset; '
                     'take more, or use all pairs, kd_full')
  if not finite(real, fake):
    return float('nan'), float('nan')
  found = [_distance(*(x[permutation(len(x), seed, _STREAM, i, side)[:size]]
                       for side, x in enumerate((real, fake))))
           for i in range(subsets)]
  return float(np.mean(found)), float(np.std(found))


def full_kernel_distance(real, fake) -> float:
  """Kernel distance of all pairs of features [N, F] and [M, F]; or NaN.

  Raises:
    ValueError: shapes that do not match, N or M < 2.
  """
  real, fake = matrices(real, fake, 2)
  return _distance(real, fake) if finite(real, fake) else float('nan')


def _distance(x, y):
  n, m = len(x), len(y)
  with np.errstate(over='ignore', invalid='ignore'):
    value = (_sum(x, x, same=True) / (n * (n - 1))
             + _sum(y, y, same=True) / (m * (m - 1))
             - 2 * _sum(x, y, same=False) / (n * m))
  return float(value) if np.isfinite(value) else float('nan')


def _sum(x, y, *, same):
  total = np.float64(0)
  with jax.enable_x64(True):
    for a, rows in blocks(x, ROWS):
      for b, columns in blocks(y, COLUMNS):
        total += np.float64(
            _block_sum(a, b, rows, columns if same else -1 - columns))
  return total


@jax.jit
def _block_sum(x, y, rows, columns):
  """Sum over pairs whose row and column have different numbers."""
  x, y = x.astype(jnp.float64), y.astype(jnp.float64)
  values = (x @ y.T / x.shape[1] + 1.0) ** 3
  return jnp.where(rows[:, None] != columns[None], values, 0.0).sum()
