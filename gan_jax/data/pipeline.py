"""Index batches: batch i depends on (seed, i) only, so resuming is stateless.

The indices select rows of resident data on the device (in `parallel.runner`),
or of streamed data on the host (in `run.loader`).
"""

import copy
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import ArgumentError

_OF_ROWS = 2 ** 32 - 1  # a place that no epoch has


class Sampling(NamedTuple):
  """How batches are drawn from a data set.

  flip: mirror each image left to right with probability 1/2.
  balanced: sample all classes equally often.
  repeat: repeats the data set, for one smaller than a batch.
  resident_limit: MiB of images that may lie on each device; a larger set
    streams from the host.
  """
  flip: bool = False
  balanced: bool = False
  repeat: int = 1
  resident_limit: int = 4096

  def checked(self) -> 'Sampling':
    """The same; ArgumentError for an invalid field."""
    if self.repeat < 1:
      raise ArgumentError('repeat', self.repeat, 'must be 1 or more')
    if self.resident_limit < 0:
      raise ArgumentError('resident_limit', self.resident_limit,
                          'must be 0 or more MiB')
    return self


class Batches:
  """Shuffled index batches; batch i depends on the seed and i only.

  The indices are a stream of epochs, each a permutation of the whole set drawn
  from (seed, epoch). Batch i has positions i * batch_size .. (i + 1) *
  batch_size - 1: batches may cross epochs, no example is dropped, and one may
  occur twice in such a batch. With `flip`, -1 - n (`~n`) stands for example n
  mirrored.
  """

  def __init__(self, num_examples: int, batch_size: int, seed: int, *,
               flip=False, repeat=1, labels=None, rows=None):
    """Checks the sizes; `flip` and `repeat` are as in `Sampling`.

    `num_examples` is N, an epoch N * repeat positions. `batch_size` is the
    global batch B. With `labels`, int [N], classes are balanced. With `rows`,
    int [N], example n is rows[n] of a larger set, and the batches are those of
    another stream.

    Raises:
      ValueError: an epoch smaller than a batch, or larger than int32.
    """
    self.num_examples, self.batch_size = num_examples, batch_size
    self.seed, self._flip, self._places = seed, flip, num_examples * repeat
    self._rows, self._stream = rows, () if rows is None else (_OF_ROWS,)
    self._members = None if labels is None else [
        np.flatnonzero(labels == c) for c in np.unique(labels)]
    self._epochs = {}  # the last two permutations
    if not batch_size <= self._places < 2 ** 31:
      times = -(-batch_size // max(1, num_examples))
      raise ValueError(
          f'batch_size={batch_size} of a data set of size {num_examples}: use '
          f'batch_size={self._places} or less, data.repeat={times}, or more '
          f'images (at most {2 ** 31 - 1}, as indices are int32)')

  def __call__(self, first: int, count: int) -> np.ndarray:
    """Indices of batches first .. first + count - 1: int32 [count, B]."""
    # Python integers: an int32 step times the batch size would overflow.
    position = int(first) * self.batch_size
    indices = np.empty(count * self.batch_size, np.int32)
    done = 0
    while done < len(indices):
      epoch, start = divmod(position + done, self._places)
      part = self._epoch(epoch)[start:start + len(indices) - done]
      indices[done:done + len(part)] = part
      done += len(part)
    return indices.reshape(count, self.batch_size)

  def reseeded(self, seed: int) -> 'Batches':
    """The batches of another seed."""
    other = copy.copy(self)
    other.seed, other._epochs = seed, {}
    return other

  def _epoch(self, epoch):
    # A local reference: another thread may replace the entries meanwhile.
    epochs = self._epochs
    if epoch not in epochs:
      order = self._order(self._places, epoch)
      if self._members is not None:
        order = self._balanced(epoch)[order]
      order = (order % self.num_examples).astype(np.int32)
      if self._rows is not None:
        order = self._rows[order].astype(np.int32)
      if self._flip:
        bits = random_bits(self._places, self.seed, *self._stream, epoch, 1)
        order = np.where(bits >> np.uint64(63) == 1, ~order, order)
      last = dict(list(epochs.items())[-1:])
      epochs = self._epochs = last | {epoch: order}
    return epochs[epoch]

  def _balanced(self, epoch):
    """Equally many of each class: indices [N * repeat], class by class."""
    share, rest = divmod(self._places, len(self._members))
    # The classes that get one more differ from epoch to epoch.
    larger = self._order(len(self._members), epoch, 2)[:rest]
    parts = []
    for c, members in enumerate(self._members):
      count = share + (c in larger)
      for turn in range(-(-count // len(members))):
        order = self._order(len(members), epoch, 3, c, turn)
        parts.append(members[order[:count - turn * len(members)]])
    return np.concatenate(parts)

  def _order(self, count, *place):
    return np.argsort(random_bits(count, self.seed, *self._stream, *place),
                      kind='stable')


def random_bits(count: int, seed: int, *place: int) -> np.ndarray:
  """Raw bits uint64 [count] of a seed and a place, stable across versions.

  numpy keeps the stream of a bit generator, but may change the methods of
  Generator; a resumed run must see the same data after an update.
  """
  return np.random.PCG64(np.random.SeedSequence(
      seed, spawn_key=place)).random_raw(count)
