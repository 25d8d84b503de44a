"""Jobs of a thread: their order, their errors, how many may wait."""

import threading

import pytest

from gan_jax.run.background import Background


def test_jobs_are_done_in_order_and_drained():
  done = []
  with Background(limit=3) as background:
    for i in range(20):
      background.add(done.append, i)
    background.drain()
    assert done == [*range(20)]
    assert background.add(sum, [1, 2]).result() == 3
    background.add(done.append, 20)
  assert done[-1] == 20  # The exit waits, too.


def test_when_many_wait_the_caller_does():
  go, added = threading.Event(), []
  with Background(limit=2) as background:

    def caller():
      for i in range(4):
        background.add(go.wait, 10)
        added.append(i)

    thread = threading.Thread(target=caller)
    thread.start()
    thread.join(0.2)
    assert added == [0, 1]
    go.set()
    thread.join()
  assert added == [0, 1, 2, 3]


def test_an_error_is_raised_once_and_what_was_added_after_it_is_not_done():
  done, go = [], threading.Event()

  def fail():
    go.wait(10)
    raise KeyError('of a job')

  with Background() as background:
    background.add(fail)
    after = background.add(done.append, 1)
    go.set()
    with pytest.raises(KeyError, match='of a job'):
      after.result()
    with pytest.raises(KeyError, match='of a job'):
      background.drain()
    background.add(done.append, 2)
  assert done == [2]


def test_the_exit_logs_an_error_that_nobody_saw(caplog):
  with Background() as background:
    background.add(int, 'x')
  assert "ValueError: invalid literal for int() with base 10: 'x'" in (
      caplog.text)
