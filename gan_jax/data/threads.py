"""Reads many images, in threads where they help, with a progress bar."""

import os
import sys
import time
from collections.abc import Iterator
from concurrent import futures

import tqdm
from PIL import Image

_SILENT = 30  # seconds, after which a line says how far it is
_BLOCK = 128  # files whose images are in memory at a time
_TASK = 8  # of them read by a thread before it takes others
_SMALL = 1 << 15  # bytes of an image


def in_parallel(function, items, size, verb) -> Iterator:
  """`map` with a progress bar, in threads where they help.

  size: mean bytes of the items. Threads that take turns at Python's lock are
    slower than one for small images, unless they wait for the disk.
  """
  Image.init()  # loads the plug-ins before the threads race for it
  workers = min(16, os.cpu_count() or 1)
  with progress(len(items), f'images: {verb}') as bar, (
      futures.ThreadPoolExecutor(workers)) as pool:
    threads = size > _SMALL
    for start in range(0, len(items), _BLOCK):
      block = items[start:start + _BLOCK]
      before = time.perf_counter(), time.thread_time()
      if threads:
        tasks = [block[i:i + _TASK] for i in range(0, len(block), _TASK)]
        found = pool.map(lambda task: list(map(function, task)), tasks)
      else:
        found = [list(map(function, block))]
        wall, busy = time.perf_counter() - before[0], (
            time.thread_time() - before[1])
        threads = busy < wall / 2
      for results in found:
        yield from results
        bar.update(len(results))


def progress(total: int, what: str, unit: str = 'image') -> tqdm.tqdm:
  """Shows a bar on a terminal, else occasional lines of what takes long."""
  terminal = sys.stderr.isatty()
  return tqdm.tqdm(
      total=total, desc=what, unit=unit, leave=False, ascii=not terminal,
      mininterval=0.1 if terminal else _SILENT,
      delay=0.5 if terminal else _SILENT)
