"""Shared by the metrics: checks of features, seeded draws, chunks of rows."""

import numpy as np


def matrix(features, least: int, what: str) -> np.ndarray:
  """Features [N, F] as a float array, in their own precision.

  Raises:
    ValueError: not real numbers, another shape, or N < least; `what` names the
      rows.
  """
  x = np.asarray(features)
  if x.dtype.kind not in 'fiu':
    raise ValueError(f'{what} of dtype {x.dtype}: real numbers are needed')
  if x.ndim != 2 or not x.shape[1] or len(x) < least:
    raise ValueError(f'{what} of shape {list(x.shape)}: [N, F] with N of '
                     f'{least} or more is needed; take more images')
  return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def matrices(real, fake, least: int) -> tuple[np.ndarray, np.ndarray]:
  """`matrix` of real [N, F] and generated [M, F] features of the same F."""
  real = matrix(real, least, 'real features')
  fake = matrix(fake, least, 'fake features')
  if real.shape[1] != fake.shape[1]:
    raise ValueError(f'features of {real.shape[1]} and {fake.shape[1]} '
                     'dimensions: take both from one network')
  return real, fake


def finite(*sets) -> bool:
  """Whether all features [N, F] and their squared lengths are finite."""
  with np.errstate(over='ignore', invalid='ignore'):
    return all(np.isfinite(np.square(part, dtype=np.float64).sum())
               for x in sets for part in chunks(x, 4096))


def chunks(x, size: int):
  """Consecutive rows of x, `size` at a time."""
  return (x[start:start + size] for start in range(0, len(x), size))


def permutation(total: int, *seed: int) -> np.ndarray:
  """A permutation [total] of 0 .. total - 1, fixed by the integers `seed`."""
  return np.argsort(_bits(total, seed), kind='stable')


def with_repetition(total: int, count: int, *seed: int) -> np.ndarray:
  """`count` draws with replacement from 0 .. total - 1, fixed by `seed`."""
  # 2**64 is no multiple of total: a bias of total / 2**64.
  return (_bits(count, seed) % np.uint64(total)).astype(np.int64)


def _bits(count, seed):
  # numpy guarantees the raw stream of a bit generator, but may change the
  # methods of Generator.
  return np.random.PCG64(np.random.SeedSequence(seed)).random_raw(count)
