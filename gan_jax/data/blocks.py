"""What the readers of tables share: blocks in memory, optional packages."""

import collections
import os
import threading
from collections.abc import Callable, Sequence

from gan_jax.base import lookup
from gan_jax.base.errors import DataError

_KEPT = 4  # blocks; threads are at most that far apart


class Blocks:
  """Items of a file that is read block by block; the last four are kept."""

  def __init__(self, size: int, read: Callable[[int, int], Sequence]):
    """`size`: items of a block; `read`: (first item, end) -> the items."""
    self._size, self._read = size, read
    self._kept, self._lock = collections.OrderedDict(), threading.Lock()

  def __getitem__(self, index: int):
    block, place = divmod(index, self._size)
    with self._lock:  # the libraries of these formats have one of their own
      if block not in self._kept:
        start = block * self._size
        self._kept[block] = self._read(start, start + self._size)
        while len(self._kept) > _KEPT:
          self._kept.popitem(last=False)
      return self._kept[block][place]


def check_declared(declared: int, path: str):
  """DataError where a header declares more bytes than any file unpacks to."""
  stored = os.path.getsize(path)
  if declared > (1 << 26) + 2000 * stored:  # gzip shrinks by 1030 at most
    raise DataError(f'{path!r}: declares {declared:,} bytes, but has only '
                    f'{stored:,}: damaged, or a decompression bomb')


def package(name: str, extra: str):
  """Imports an optional package; DataError with the extra that brings it."""
  try:
    return lookup.package(name, f"'gan_jax[{extra}]', or '.[{extra}]' in the "
                          f'folder of the code')
  except ValueError as error:
    raise DataError(f'data={extra} {error}') from error
