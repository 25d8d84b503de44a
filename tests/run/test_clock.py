"""The share of time in which the device waits."""

import threading
import time

import pytest

from gan_jax.run import clock as clock_lib
from gan_jax.run.clock import Clock


class Output:
  """Scalars of a call that are there when the test says so."""

  def __init__(self):
    self.ready = threading.Event()

  def block_until_ready(self):
    assert self.ready.wait(10)
    return self


@pytest.fixture
def now(monkeypatch):
  """The time, in a list, that the clock reads."""
  now = [100.0]
  monkeypatch.setattr(clock_lib.time, 'perf_counter', lambda: now[0])
  return now


def _call(clock, now, start, end, steps=1, *, dispatch=0.0):
  """A call that is in flight from start to end, seen by the loop much later.

  dispatch: seconds until its dispatch returns.
  """
  output = Output()

  def run():
    now[0] = start + dispatch
    if now[0] >= end:  # as on a GPU: with the end of the work
      output.ready.set()
    return 'state', output

  now[0] = start
  assert clock.dispatch(steps, run) == ('state', output)
  now[0] = end
  output.ready.set()
  clock._calls[-1][2].result()  # The watcher has stamped it.
  now[0] = end + 0.25  # The loop comes later.


@pytest.mark.parametrize('dispatch', [0.0, 2.0])
def test_a_call_is_in_flight_from_its_dispatch_to_its_end(now, dispatch):
  clock = Clock(8)
  _call(clock, now, 100, 150)  # compiles
  assert clock.finished() == 0 and clock.read() == {}
  for start in (151, 154, 157):  # two seconds of work, one of waiting
    _call(clock, now, start, start + 2, steps=1, dispatch=dispatch)
    assert clock.finished() == pytest.approx(2)
  assert clock.read() == pytest.approx({
      'perf/host_share': 3 / 9, 'perf/images_per_second': 24 / 9,
      'perf/seconds_per_1000_images': 9000 / 24})
  assert clock.read() == {}
  clock.close()


def test_calls_that_wait_for_each_other_leave_no_gap(now):
  clock = Clock(8)
  _call(clock, now, 100, 150)
  clock.finished()
  _call(clock, now, 150, 153)
  _call(clock, now, 151, 155)  # dispatched while the one before ran
  assert (clock.finished(), clock.finished()) == pytest.approx((3, 2))
  assert clock.read()['perf/host_share'] == pytest.approx(0)
  clock.close()


def test_a_new_length_compiles_and_does_not_count(now):
  clock = Clock(8)
  _call(clock, now, 100, 150, steps=2)
  _call(clock, now, 150, 151, steps=2)
  _call(clock, now, 151, 191, steps=3)
  _call(clock, now, 192, 194, steps=3)
  found = [clock.finished() for _ in range(4)]
  assert found == pytest.approx([0, 1, 0, 2])
  assert clock.read() == pytest.approx({
      'perf/host_share': 1 / 4, 'perf/images_per_second': 40 / 4,
      'perf/seconds_per_1000_images': 4000 / 40})
  clock.close()


def test_the_time_is_that_of_the_end_not_of_the_look():
  output, clock = Output(), Clock(1)
  clock.dispatch(1, lambda: (None, output))
  output.ready.set()
  clock.finished()
  second = Output()
  begin = time.perf_counter()
  clock.dispatch(1, lambda: (None, second))
  second.ready.set()
  clock._calls[-1][2].result()
  seen = time.perf_counter()
  time.sleep(0.05)
  assert 0 <= clock.finished() <= seen - begin
  clock.close()
