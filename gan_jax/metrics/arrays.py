"""What the scores share: checks of features, seeded draws, blocks of rows."""

import numpy as np


def matrix(features, least: int, what: str) -> np.ndarray:
  """Features [N, F] as a real array of their own precision.

  Args:
    features: [N, F].
    least: examples that the score needs.
    what: the examples' name, for the error.

  Raises:
    ValueError: another shape, N < least, no real numbers.
  """
  x = np.asarray(features)
  if x.dtype.kind not in 'fiu':
    raise ValueError(f'{what} of dtype {x.dtype}: real numbers are needed')
  if x.ndim != 2 or not x.shape[1] or len(x) < least:
    raise ValueError(f'{what} of shape {list(x.shape)}: [N, F] with N of '
                     f'{least} or more is needed; take more images')
  return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def matrices(real, fake, least: int) -> tuple[np.ndarray, np.ndarray]:
  """Two sets of features [N, F] and [M, F] of one F, as by `matrix`.

  Raises:
    ValueError: as `matrix`; two F.
  """
  real = matrix(real, least, 'real features')
  fake = matrix(fake, least, 'fake features')
  if real.shape[1] != fake.shape[1]:
    raise ValueError(f'features of {real.shape[1]} and {fake.shape[1]} '
                     'dimensions: take both from one network')
  return real, fake


def finite(*sets) -> bool:
  """Whether the features [N, F], and their squared lengths, are finite."""
  with np.errstate(over='ignore', invalid='ignore'):
    return all(
        np.isfinite(np.square(part, dtype=np.float64).sum())
        for x in sets for part in chunks(x, 4096))


def chunks(x, size: int):
  """Consecutive rows of x, `size` at a time."""
  for start in range(0, len(x), size):
    yield x[start:start + size]


def permutation(total: int, *entropy: int) -> np.ndarray:
  """0 .. total - 1 in an order that the integers fix: [total]."""
  return np.argsort(_bits(total, entropy), kind='stable')


def with_repetition(total: int, count: int, *entropy: int) -> np.ndarray:
  """Draws from 0 .. total - 1 that the integers fix: [count]."""
  # 2**64 is no multiple of total: a bias of total / 2**64.
  return (_bits(count, entropy) % np.uint64(total)).astype(np.int64)


def _bits(count, entropy):
  # Raw bits: numpy promises the stream of a bit generator for ever, but lets
  # the methods of Generator change.
  return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)
