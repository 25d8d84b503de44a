"""Numbers that describe a data set of any size, in bounded memory."""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from gan_jax.data.files import DataError
from gan_jax.data.pipeline import Batches

_LOOKED_AT = 20_000  # examples of which every value is read
_BINS = 200  # of the values of vectors
_LINES = 6  # coordinates of vectors with a histogram; more could not be read
_CHUNK = 2**24  # bytes read at a time
_PAIRS = 5  # duplicates that are named
_ALL = 2**32  # bytes up to which duplicates are looked for in the whole set


class Values(NamedTuple):
  """The values of some examples, by channel or coordinate.

  rows: examples looked at.
  mean, std, low, high: float64 [C].
  black, white: share of the bytes 0 and 255, [C]; None for vectors.
  histograms, edges: counts [C, bins] and float [bins + 1].
  """

  rows: int
  mean: np.ndarray
  std: np.ndarray
  low: np.ndarray
  high: np.ndarray
  black: Any
  white: Any
  histograms: np.ndarray
  edges: np.ndarray


def values_of(images) -> Values:
  """Statistics of the values of at most 20,000 examples drawn at random.

  Raises:
    DataError: vectors that are not finite.
  """
  rows = draw(len(images), _LOOKED_AT)
  if images.dtype == np.uint8:
    return _of_bytes(images, rows)
  return _of_floats(images, rows)


def _of_bytes(images, rows):
  channels = images.shape[-1]
  counts = np.zeros((channels, 256), np.int64)
  for chunk in _chunks(images, rows):
    for c in range(channels):
      counts[c] += np.bincount(chunk[..., c].ravel(), minlength=256)
  share, level = counts / counts.sum(1, keepdims=True), np.arange(256.0)
  mean = share @ level
  std = np.sqrt((share * (level - mean[:, None]) ** 2).sum(1))
  return Values(len(rows), mean, std, (counts > 0).argmax(1),
                255 - (counts[:, ::-1] > 0).argmax(1), share[:, 0],
                share[:, 255], counts, np.arange(257) - 0.5)


def _of_floats(images, rows):
  low, high = np.inf, -np.inf
  total, squares = 0.0, 0.0
  for chunk in _chunks(images, rows):
    low, high = np.minimum(low, chunk.min(0)), np.maximum(high, chunk.max(0))
    total = total + chunk.sum(0, dtype=np.float64)
  mean = total / len(rows)
  first, last = float(low.min()), float(high.max())
  if not np.isfinite([first, last]).all():
    raise DataError(f'vectors with values {first}..{last}; they must be '
                    f'finite: remove or repair these examples')
  half = (last - first) / 2 or 0.5  # A constant has a bin, too.
  middle = (first + last) / 2
  edges = np.linspace(middle - half, middle + half, _BINS + 1)
  shown = range(min(len(mean), _LINES))
  counts = np.zeros((len(shown), _BINS), np.int64)
  for chunk in _chunks(images, rows):
    squares = squares + np.square(chunk - mean).sum(0)
    for c in shown:
      counts[c] += np.histogram(chunk[:, c], edges)[0]
  return Values(len(rows), mean, np.sqrt(squares / len(rows)), low, high, None,
                None, counts, edges)


def duplicates(images) -> dict:
  """Examples that repeat another one, value by value.

  Returns:
    {'count': examples that repeat an earlier one, 'looked_at': examples that
    were compared (all, unless the set is very large), 'first': some of them
    as [earlier, later] indices}.
  """
  if images.nbytes <= _ALL:
    rows = np.arange(len(images))
  else:
    rows = draw(len(images), _LOOKED_AT)
  # Eight bytes an example: for a million of them, two different ones share a
  # hash with probability 3e-8.
  hashes = np.array([
      int.from_bytes(hashlib.blake2b(example, digest_size=8).digest(), 'big')
      for chunk in _chunks(images, rows)
      for example in np.ascontiguousarray(chunk)], np.uint64)
  _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
  repeats = np.flatnonzero(first[which] != np.arange(len(rows)))
  pairs = [[int(rows[first[which[i]]]), int(rows[i])] for i in repeats[:_PAIRS]]
  return {'count': len(repeats), 'looked_at': len(rows), 'first': pairs}


def draw(total, count) -> np.ndarray:
  """Indices of `count` examples, or of all: random, but the same each time."""
  return np.sort(Batches(total, min(total, count), 0)(0, 1)[0])


def _chunks(images, rows):
  """The examples of these rows, some at a time."""
  size = max(1, _CHUNK // max(1, images.nbytes // len(images)))
  for i in range(0, len(rows), size):
    yield images[rows[i:i + size]]
