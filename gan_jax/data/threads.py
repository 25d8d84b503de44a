"""Reads many images, in threads where they help, with a progress bar."""

import os
import sys
import time
from collections.abc import Iterator
from concurrent import futures

import tqdm
from PIL import Image

_LOG_FROM = 10_000  # images; without a terminal, fewer show no progress
_BLOCK = 128  # files whose images are in memory at a time
_TASK = 8  # of them read by a thread before it takes others
_SMALL = 1 << 15  # bytes of an image


def in_parallel(function, items, size, verb) -> Iterator:
  """`map` with a progress bar, in threads where they help.

  size: mean bytes of the items. Threads that take turns at Python's lock are
    slower than one for small images, unless they wait for the disk.
  """
  Image.init()  # loads the plug-ins before the threads race for it
  with progress(len(items), verb) as bar, futures.ThreadPoolExecutor(
      min(16, os.cpu_count() or 1)) as pool:
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


def progress(total: int, verb: str) -> tqdm.tqdm:
  """Shows a bar on a terminal, else occasional lines for many images."""
  terminal = sys.stderr.isatty()
  return tqdm.tqdm(
      total=total, desc=f'images: {verb}', unit='image', leave=False,
      mininterval=0.1 if terminal else 30, ascii=not terminal,
      disable=not terminal and total < _LOG_FROM)
