"""Speed of training, and what part of the time the device waits."""

import contextlib
import time


class Clock:
  """Images per second, and the share of time with no call in flight.

  The share is an upper bound: if a call had finished before the next was
  dispatched, all time since the one before it counts. Compilation, the first
  call of each length, does not count.
  """

  def __init__(self, images_per_step: int):
    self._images_per_step, self._lengths = images_per_step, set()
    self._restart()

  @contextlib.contextmanager
  def dispatching(self, steps: int, idle: bool):
    """Context of a dispatch; `idle`: the device has no work left."""
    now = time.perf_counter()
    yield
    if steps not in self._lengths:
      compiled = time.perf_counter() - now
      self._start, self._last = self._start + compiled, self._last + compiled
    if idle:
      self._idle += time.perf_counter() - self._last

  def finished(self, steps: int) -> None:
    """Counts a finished call."""
    self._steps, self._last = self._steps + steps, time.perf_counter()
    if not self._lengths:  # The first call.
      self._restart()
    self._lengths.add(steps)

  def read(self) -> dict[str, float]:
    """Scalars since the last reading; {} at first."""
    seconds = time.perf_counter() - self._start
    images = self._steps * self._images_per_step
    if not images or seconds <= 0:
      return {}
    found = {'perf/images_per_second': images / seconds,
             'perf/seconds_per_1000_images': 1000 * seconds / images,
             'perf/host_share': min(1.0, self._idle / seconds)}
    self._restart()
    return found

  def _restart(self):
    self._start = self._last = time.perf_counter()
    self._idle, self._steps = 0.0, 0
