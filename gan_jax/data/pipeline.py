"""Batch i is a pure function of (seed, i): resuming needs no iterator state.

The host sends only indices; the step gathers from the images on the device.
"""

import operator

import numpy as np

from gan_jax.data.files import DataError


class Batches:
  """Indices of shuffled batches; batch i is a pure function of (seed, i).

  The stream of indices is one epoch after the other, each a fresh permutation
  of the whole set drawn from (seed, epoch).  Batch i is its positions
  i * batch_size .. (i + 1) * batch_size - 1.  Batches run over the border of
  two epochs, so no example is ever dropped (and one may occur twice in the
  batch on a border).  The last two permutations are kept.
  """

  def __init__(self, num_examples, batch_size, seed):
    """Checks the sizes.

    Args:
      num_examples: size of the data set, N.
      batch_size: B, at most N.  The global batch, of all devices and hosts.
      seed: 0 or more.

    Raises:
      DataError: fewer examples than a batch, or arguments out of range.
    """
    self.num_examples = _integer('num_examples', num_examples, 1)
    self.batch_size = _integer('batch_size', batch_size, 1)
    self.seed = _integer('seed', seed, 0)
    if self.num_examples >= 2 ** 31:
      raise DataError(f'{self.num_examples} examples; indices are int32, so '
                      f'at most {2 ** 31 - 1}: split the data set')
    if self.num_examples < self.batch_size:
      raise DataError(
          f'{self.num_examples} examples are fewer than batch_size='
          f'{self.batch_size}; a batch must fit into the data set: use '
          f'batch_size={self.num_examples} or less, or more images')
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
      epoch, start = divmod(position + done, self.num_examples)
      part = self._epoch(epoch)[start:start + len(indices) - done]
      indices[done:done + len(part)] = part
      done += len(part)
    return indices.reshape(count, self.batch_size)

  def _epoch(self, epoch):
    """The permutation of one epoch, int32 [N]."""
    # A local reference: another thread may replace the entries meanwhile.
    epochs = self._epochs
    if epoch not in epochs:
      # Sorted raw bits, not Generator.permutation: numpy promises the stream
      # of a bit generator for ever, but lets Generator's methods change, and
      # a resumed run must see its batches after an update too.
      bits = np.random.PCG64(
          np.random.SeedSequence(self.seed, spawn_key=(epoch,)))
      order = np.argsort(bits.random_raw(self.num_examples), kind='stable')
      last = dict(list(epochs.items())[-1:])
      epochs = self._epochs = last | {epoch: order.astype(np.int32)}
    return epochs[epoch]


def _integer(name, value, least):
  try:
    number = operator.index(value)
  except TypeError:
    number = None
  if number is None or number < least:
    raise DataError(f'{name}={value!r}: must be an integer, {least} or more')
  return number
