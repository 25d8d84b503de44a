"""A data set larger than the device, read call by call in the background."""

from collections.abc import Iterator

import grain
import numpy as np


class Reader:
  """The examples of each call, by its number: what grain reads in its threads.

  The same (seed, i) gives the same batch as indices into a set that lies on
  the device: a run does not change when its data stop fitting.
  """

  def __init__(self, source, batches, shape, process=(0, 1)):
    """Fixes which part of a call is read here.

    Args:
      source: `prepare.Source`.
      batches: `pipeline.Batches`.
      shape: (K, disc_steps) batches of a call.
      process: (index, count) of the processes that share a batch; each reads
        its own slice of every batch, disjoint from the others'.
    """
    self._source, self._batches, self._shape = source, batches, shape
    index, count = process
    size = batches.batch_size // count
    self._part = slice(index * size, (index + 1) * size)

  def __len__(self):
    return 2 ** 31 - 1  # Calls never end.

  def __getitem__(self, call) -> tuple[np.ndarray, np.ndarray]:
    """(images [K, disc_steps, B, ...], labels [K, disc_steps, B])."""
    count = self._shape[0] * self._shape[1]
    index = self._batches(int(call) * count, count)[:, self._part]
    mirrored = index < 0
    index = np.where(mirrored, ~index, index)
    shape = (*self._shape, index.shape[1])
    image = self._source.images[index.ravel()]
    mirrored = mirrored.ravel()
    if mirrored.any():
      image[mirrored] = image[mirrored][:, :, ::-1]
    return (image.reshape(*shape, *image.shape[1:]),
            self._source.labels[index].reshape(shape))


def stream(reader: Reader, first: int, *, threads: int = 4,
           ahead: int = 4) -> Iterator:
  """The calls from `first` on, read by threads, `ahead` of them in advance.

  Threads and not processes: a read is a gather from mapped memory, in which
  numpy holds no lock, and what processes read they would have to send.
  """
  calls = grain.MapDataset.range(first, len(reader)).map(reader.__getitem__)
  options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
  return iter(calls.to_iter_dataset(options))
