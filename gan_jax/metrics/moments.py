"""Mean and covariance of features that come in chunks.

Chunks are joined by the formula of Chan, Golub & LeVeque 1983 (The American
Statistician 37), which does not cancel as sums of squares do: exact to 1e-12
against one pass.  Only F x F numbers and one chunk are in float64.
"""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.arrays import chunks, matrix

_CHUNK = 4096


class Sums(NamedTuple):
  """What is kept of N features, float64: enough to add more of them."""

  count: int
  mean: np.ndarray  # [F]
  scatter: np.ndarray  # [F, F]: sum of (x - mean) (x - mean)^T.

  def moments(self) -> tuple[np.ndarray, np.ndarray]:
    """Mean [F] and covariance [F, F] (ddof=1).

    Raises:
      ValueError: fewer than 2 examples.
    """
    if self.count < 2:
      raise ValueError(f'{self.count} example: a covariance needs 2 or more; '
                       'take more images')
    return self.mean, self.scatter / (self.count - 1)


def sums(features) -> Sums:
  """Of a chunk of features [N, F], of any precision.

  Raises:
    ValueError: another shape, no examples.
  """
  x = matrix(features, 1, 'features').astype(np.float64, copy=False)
  with np.errstate(over='ignore', invalid='ignore'):
    mean = x.mean(0)
    centred = x - mean
    return Sums(len(x), mean, centred.T @ centred)


def merge(a: Sums, b: Sums) -> Sums:
  """Of the examples of both.

  Raises:
    ValueError: features of two lengths.
  """
  if a.mean.shape != b.mean.shape:
    raise ValueError(f'features of {a.mean.size} and {b.mean.size} dimensions: '
                     'take both from one network')
  count = a.count + b.count
  with np.errstate(over='ignore', invalid='ignore'):
    step = b.mean - a.mean
    mean = a.mean + step * (b.count / count)
    scatter = np.outer(step, step * (a.count * b.count / count))
    scatter += a.scatter
    scatter += b.scatter
    return Sums(count, mean, scatter)


def streamed(parts) -> Sums:
  """Of all chunks [n, F] that an iterable gives, one at a time in memory.

  Raises:
    ValueError: no chunks, or one of another shape.
  """
  found = None
  for part in parts:
    found = sums(part) if found is None else merge(found, sums(part))
  if found is None:
    raise ValueError('no features: moments need 2 images or more')
  return found


def moments(features) -> tuple[np.ndarray, np.ndarray]:
  """Mean [F] and covariance [F, F] (ddof=1) of features [N, F], in float64.

  Not finite where a feature is not.

  Raises:
    ValueError: another shape, or N < 2.
  """
  return streamed(chunks(matrix(features, 2, 'features'), _CHUNK)).moments()
