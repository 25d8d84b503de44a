"""Who plays a study: a process for each core, or one for all accelerators.

A stage is free if it has no result, its game's folder is not locked, and what
it needs is there. Any number of processes, on machines that share the folder,
take the next one that is free.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

from gan_jax import parallel
from gan_jax.base.errors import LockedError, UserError
from gan_jax.run import lock
from gan_jax.studies.judge.study import MEASURE, TEST, TUNE, Study
from gan_jax.studies.judge.tasks import BASELINES, TASKS


def count() -> int:
  """Processes that play at once: one for each core, one for all accelerators.

  On accelerators one process suffices, as the members of a population are
  spread over all of them.
  """
  return min(max(1, parallel.cores()), len(TASKS) * (1 + len(BASELINES)))


class Worker:
  """This process, which plays a study alone."""

  def __init__(self, study: Study, until: float):
    """Plays `study` until the time `until` of time.monotonic()."""
    self._study, self._until, self.status = study, until, 0

  def advance(self) -> bool:
    """Plays the stage that is next, if one is free; whether more may follow."""
    found = _next(self._study, self._until)
    if found is None:
      return False
    with found as item:
      if item:
        self.status = self._study.play(item)
    return not self.status

  def stop(self, signum: int) -> None:
    """Ends the other processes with a signal, after they have saved."""

  def failed(self) -> list[str]:
    """Why other processes failed: what they said, else the path of a log."""
    return []


class Pool(Worker):
  """`count` processes, each a `Worker` on cores of its own."""

  def __init__(self, study, until):
    """Starts the processes."""
    super().__init__(study, until)
    context = multiprocessing.get_context('spawn')
    cores, size = sorted(os.sched_getaffinity(0)), count()
    self._said = context.SimpleQueue()  # Logs lie on the disk that may be full.
    self._processes = [context.Process(
        target=_work, args=(study.folder, study.plan, set(cores[i::size]), i,
                            until, self._said), name=f'{i}', daemon=True)
                       for i in range(size)]
    # Ctrl-C is of this process. It would reach the others too until they are
    # sessions of their own, and end their imports with a traceback.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for process in self._processes:
      process.start()
    signal.signal(signal.SIGINT, before)

  def advance(self):
    """Plays nothing here; whether one of the processes is alive."""
    return any(process.is_alive() for process in self._processes)

  def stop(self, signum):
    """Hands the signal on; each saves the runs in flight."""
    if signum == signal.SIGINT:  # Which they ignore.
      signum = signal.SIGTERM
    for process in self._processes:
      if process.is_alive():
        os.kill(process.pid, signum)
    for process in self._processes:
      process.join()

  def failed(self):
    """Of those that were killed, or met an error of the code, the log."""
    found = {}
    while not self._said.empty():
      found.update([self._said.get()])
    return [found.get(process.name, self._study.path(_log(process.name)))
            for process in self._processes if process.exitcode]


@contextlib.contextmanager
def started(study: Study, until: float) -> Iterator[Worker]:
  """The workers that play a study here; none runs after the exit."""
  alone = count() == 1 or not hasattr(os, 'sched_getaffinity')
  found = (Worker if alone else Pool)(study, until)
  try:
    yield found
  finally:
    found.stop(signal.SIGTERM)


def _work(folder, plan, cores, index, until, said):
  """A process that plays, on few cores: small games do not fill many."""
  os.setsid()  # Ctrl-C is of the first process, which asks this one, once.
  os.sched_setaffinity(0, cores)
  threading.Thread(target=lambda: (
      multiprocessing.parent_process().join(), os._exit(1)),
                   daemon=True).start()
  with open(os.path.join(folder, _log(index)), 'ab') as log:
    os.dup2(log.fileno(), 2)
  logging.basicConfig(format='%(message)s', stream=sys.stderr)
  parallel.use_compilation_cache()
  worker = Worker(Study(folder, plan), until)
  try:
    while worker.advance():
      pass
  except UserError as e:
    said.put((f'{index}', str(e)))
    sys.exit(e.status)
  sys.exit(worker.status)


def _log(index):
  return f'worker-{socket.gethostname()}-{index}.log'


def _next(study, until):
  """A context of the next item, locked; of None to try later; or None."""
  chosen, done, waiting = study.steps(), study.done(), False
  for item in study.items():
    name, game, stage = item
    place = study.path(name, game)
    if item in done:
      continue
    if lock.is_held(place) or stage != MEASURE and not chosen:
      waiting = True
    elif stage == TEST and (name, game, TUNE) not in done:
      continue  # The tuning is free itself, or out of time.
    elif stage == MEASURE or (
        time.monotonic() + study.seconds(item) <= until):
      return _held(study, item, place)
  if waiting and time.monotonic() < until:
    return contextlib.nullcontext(time.sleep(0.3))
  return None


@contextlib.contextmanager
def _held(study, item, place):
  """The item while its lock is held; None if another process has it."""
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(lock.hold(place))
    except LockedError:
      item = None
    yield item if item and not study.result(*item) else None
