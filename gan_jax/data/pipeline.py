"""Batch i is a pure function of (seed, i): resuming needs no iterator state.

Batches are indices. Where the images are on the device, the host sends nothing
else; where they stream (`data.stream`), the host reads these rows.
"""

import copy
import operator
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import DataError


class Sampling(NamedTuple):
  """How batches are drawn from a data set.

  flip: mirror each image left to right with probability 1/2.
  balanced: all classes equally often, whatever their sizes.
  repeat: times that the set is taken in a row, so that a batch may be larger
    than a tiny set.
  resident_limit: MiB of images that may lie on each device; a larger set
    streams from the host.
  """

  flip: bool = False
  balanced: bool = False
  repeat: int = 1
  resident_limit: int = 4096


class Batches:
  """Indices of shuffled batches; batch i is a pure function of (seed, i).

  The stream of indices is one epoch after the other, each a fresh permutation
  of the whole set drawn from (seed, epoch).  Batch i is its positions
  i * batch_size .. (i + 1) * batch_size - 1.  Batches run over the border of
  two epochs, so no example is ever dropped (and one may occur twice in the
  batch on a border).  The last two permutations are kept.

  With `flip`, example n stands as -1 - n (`~n`) where it is to be mirrored.
  """

  def __init__(self, num_examples, batch_size, seed, *, flip=False, repeat=1,
               labels=None):
    """Checks the sizes.

    Args:
      num_examples: size of the data set, N.
      batch_size: B, at most N * repeat.  The global batch, of all devices and
        hosts.
      seed: 0 or more.
      flip: as in `Sampling`.
      repeat: permutations of N * repeat places are drawn, N distinct examples.
      labels: int [N] to draw all classes equally often, None to draw all
        examples equally often.

    Raises:
      DataError: fewer examples than a batch, or arguments out of range.
    """
    self.num_examples = _integer('num_examples', num_examples, 1)
    self.batch_size = _integer('batch_size', batch_size, 1)
    self.seed = _integer('seed', seed, 0)
    self._flip, self._places = flip, num_examples * _integer('repeat', repeat,
                                                             1)
    self._members = None if labels is None else [
        np.flatnonzero(labels == c) for c in np.unique(labels)]
    if self._places >= 2 ** 31:
      raise DataError(f'{self._places} examples; indices are int32, so '
                      f'at most {2 ** 31 - 1}: split the data set')
    if self._places < self.batch_size:
      times = -(-self.batch_size // self._places) * repeat
      raise DataError(
          f'{self.num_examples} examples are fewer than batch_size='
          f'{self.batch_size}; a batch must fit into the data set: use '
          f'batch_size={self._places} or less, data.repeat={times}, or more '
          f'images')
    self._epochs = {}

  def __call__(self, first, count) -> np.ndarray:
    """Indices of batches first .. first + count - 1: int32 [count, B].

    Raises:
      DataError: first or count negative or no integers.
    """
    # Python integers: first * batch_size must not overflow an int32 step.
    first = _integer('first', first, 0)
    count = _integer('count', count, 0)
    position = first * self.batch_size
    indices = np.empty(count * self.batch_size, np.int32)
    done = 0
    while done < len(indices):
      epoch, start = divmod(position + done, self._places)
      part = self._epoch(epoch)[start:start + len(indices) - done]
      indices[done:done + len(part)] = part
      done += len(part)
    return indices.reshape(count, self.batch_size)

  def reseeded(self, seed):
    """The batches of another seed."""
    other = copy.copy(self)
    other.seed, other._epochs = _integer('seed', seed, 0), {}
    return other

  def _epoch(self, epoch):
    """The order of one epoch, int32 [N * repeat]."""
    # A local reference: another thread may replace the entries meanwhile.
    epochs = self._epochs
    if epoch not in epochs:
      order = self._order(self._places, epoch)
      if self._members is not None:
        order = self._balanced(epoch)[order]
      order = (order % self.num_examples).astype(np.int32)
      if self._flip:
        mirrored = self._bits(self._places, epoch, 1) >> np.uint64(63)
        order = np.where(mirrored == 1, ~order, order)
      last = dict(list(epochs.items())[-1:])
      epochs = self._epochs = last | {epoch: order}
    return epochs[epoch]

  def _balanced(self, epoch):
    """As many of each class: indices [N * repeat], class by class."""
    share, rest = divmod(self._places, len(self._members))
    # The classes that get one more differ from epoch to epoch.
    lucky = self._order(len(self._members), epoch, 2)[:rest]
    parts = []
    for c, members in enumerate(self._members):
      count = share + (c in lucky)
      rounds = -(-count // len(members))
      order = np.concatenate([np.zeros(0, np.int64), *(
          self._order(len(members), epoch, 3, c, r) for r in range(rounds))])
      parts.append(members[order[:count]])
    return np.concatenate(parts)

  def _order(self, count, *place):
    """A permutation that belongs to a place in the stream."""
    # Sorted raw bits, not Generator.permutation: numpy promises the stream
    # of a bit generator for ever, but lets Generator's methods change, and
    # a resumed run must see its batches after an update too.
    return np.argsort(self._bits(count, *place), kind='stable')

  def _bits(self, count, *place):
    return np.random.PCG64(np.random.SeedSequence(
        self.seed, spawn_key=place)).random_raw(count)


def _integer(name, value, least):
  try:
    number = operator.index(value)
  except TypeError:
    number = None
  if number is None or number < least:
    raise DataError(f'{name}={value!r}: must be an integer, {least} or more')
  return number
