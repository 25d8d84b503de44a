"""How fast a run is, and how much of its time no step was running."""

import time


class Clock:
  """Images per second, and the share of time that no call was in flight.

  The share is an upper bound: where a call was found finished before the next
  was given out, all the time since the one before it counts.
  """

  def __init__(self, images_per_step: int):
    self._images_per_step = images_per_step
    self._in_flight = 0
    self._warm = False
    self._start = self._last = time.perf_counter()
    self._idle, self._calls = 0.0, 0

  def dispatched(self, late: bool = False) -> None:
    """A call was given to the device; late: it had none left to do."""
    now = time.perf_counter()
    if late or not self._in_flight:
      self._idle += now - self._last
    self._in_flight += 1

  def finished(self) -> None:
    """A call has been waited for."""
    self._in_flight -= 1
    self._calls += 1
    self._last = time.perf_counter()
    if not self._warm:  # The first call compiled.
      self._warm = True
      self._restart()

  def read(self, steps_per_call: int) -> dict[str, float]:
    """Scalars since the last reading; {} before there are any."""
    seconds = time.perf_counter() - self._start
    if not self._calls or seconds <= 0:
      return {}
    images = self._calls * steps_per_call * self._images_per_step
    out = {'perf/images_per_second': images / seconds,
           'perf/seconds_per_1000_images': 1000 * seconds / images,
           'perf/host_share': min(1.0, self._idle / seconds)}
    self._restart()
    return out

  def _restart(self):
    self._start = self._last = time.perf_counter()
    self._idle, self._calls = 0.0, 0
