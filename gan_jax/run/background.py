"""Jobs that a thread does while the device works."""

import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Background(contextlib.AbstractContextManager):
  """Jobs done by one thread, in the order in which they were added.

  An error of a job is raised by the next `add` or `drain`; until then further
  jobs fail with it, undone.
  """

  def __init__(self, limit: int = 16):
    """At most `limit` jobs wait; then `add` does, too."""
    self._thread = concurrent.futures.ThreadPoolExecutor(1)
    self._room, self._error = threading.Semaphore(limit), None

  def add(self, job: Callable, *args) -> concurrent.futures.Future:
    """Adds job(*args); returns its future."""
    self._check()
    self._room.acquire()
    return self._thread.submit(self._do, job, *args)

  def drain(self) -> None:
    """Waits for all jobs."""
    self._thread.submit(lambda: None).result()
    self._check()

  def __exit__(self, *_):
    """Waits for all jobs; an error is logged, as another one may be raised."""
    self._thread.shutdown()
    if self._error:
      _LOG.warning('%s: %s', type(self._error).__name__, self._error)

  def _check(self):
    error, self._error = self._error, None
    if error:
      raise error

  def _do(self, job, *args):
    try:
      if self._error:
        raise self._error
      return job(*args)
    except BaseException as e:
      self._error = e
      raise
    finally:
      self._room.release()
