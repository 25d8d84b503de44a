"""Speed of training, and what part of the time the device waits."""

import concurrent.futures
import time
from collections.abc import Callable

import jax


class Clock:
  """Images per second, and the share of time with no call in flight.

  A call is in flight from its dispatch, or from the end of the call before if
  that is later, until its scalars are there: a thread waits for them, as the
  dispatch may return at once (CPU) or when nearly all has run (GPU). All is
  measured from the end of one call to the end of another. The first call of
  each length, which compiles, does not count.
  """

  def __init__(self, images_per_step: int):
    self._images_per_step, self._lengths = images_per_step, set()
    self._watcher = concurrent.futures.ThreadPoolExecutor(1)
    self._calls, self._last = [], None
    self._seconds = self._busy = self._steps = 0

  def dispatch(self, steps: int, run: Callable, *args):
    """Returns (state, scalars) of run(*args), a call of `steps` steps."""
    start = time.perf_counter()
    state, scalars = run(*args)
    self._calls.append((steps, start, self._watcher.submit(_end, scalars)))
    return state, scalars

  def finished(self) -> float:
    """Waits for the oldest call; returns its seconds, 0 if it compiled."""
    steps, start, end = self._calls.pop(0)
    end, last = end.result(), self._last
    seconds = end - (start if last is None else max(start, last))
    self._last = end
    if steps not in self._lengths:
      self._lengths.add(steps)
      if last is not None:
        self._seconds += max(0.0, start - last)
      return 0.0
    self._seconds += end - last
    self._busy += seconds
    self._steps += steps
    return seconds

  def read(self) -> dict[str, float]:
    """Scalars of the calls that finished since the last reading, or {}."""
    seconds, images = self._seconds, self._steps * self._images_per_step
    if not images or seconds <= 0:
      return {}
    found = {'perf/images_per_second': images / seconds,
             'perf/seconds_per_1000_images': 1000 * seconds / images,
             'perf/host_share': 1 - self._busy / seconds}
    self._seconds = self._busy = self._steps = 0
    return found

  def close(self) -> None:
    """Ends the thread."""
    self._watcher.shutdown()


def _end(scalars):
  jax.block_until_ready(scalars)
  return time.perf_counter()
