"""Who plays a study: a process for each core, or one for all accelerators.

A stage is free if it has no result, its game's folder is not locked, and what
it needs is there. Any number of processes, on machines that share the folder,
take the next one that is free.
"""

import contextlib
import logging
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from gan_jax import parallel
from gan_jax.base.errors import LockedError
from gan_jax.run import lock
from gan_jax.studies.judge.study import MEASURE, TEST, TUNE, Study
from gan_jax.studies.judge.tasks import BASELINES, TASKS


def count() -> int:
  """Processes that play at once: one for each core, one for all accelerators.

  On accelerators one process suffices, as the members of a population are
  spread over all of them.
  """
  return min(max(1, parallel.cores()), len(TASKS) * (1 + len(BASELINES)))


class Crew:
  """The processes that play a study on this machine: this one alone."""

  def __init__(self, study: Study, until: float):
    """Plays `study` until the time `until` of time.monotonic()."""
    self._study, self._until, self.status = study, until, 0

  def working(self) -> bool:
    """Plays what is next; whether there was or may be something."""
    found = _next(self._study, self._until)
    if found is None:
      return False
    with found as item:
      if item:
        self.status = self._study.play(item)
    return not self.status

  def stop(self, signum: int) -> None:
    """Ends the processes, which save first."""

  def lost(self) -> list[str]:
    """Names of the logs of processes that failed or were killed."""
    return []


class Processes(Crew):
  """`count` processes, which have the cores to themselves."""

  def __init__(self, study, until):
    """Starts the processes."""
    super().__init__(study, until)
    context = multiprocessing.get_context('spawn')
    cores, size = sorted(os.sched_getaffinity(0)), count()
    self._team = [context.Process(
        target=_work, args=(study.folder, study.plan, set(cores[i::size]), i,
                            until), name=f'{i}', daemon=True)
                  for i in range(size)]
    for process in self._team:
      process.start()

  def working(self):
    """Whether one of them is alive."""
    return any(process.is_alive() for process in self._team)

  def stop(self, signum):
    """Hands the signal on; each saves the runs in flight."""
    for process in self._team:
      if process.is_alive():
        os.kill(process.pid, signum)
    for process in self._team:
      process.join()

  def lost(self):
    """Names of the logs of those that failed or were killed."""
    return [self._study.path(_log(process.name)) for process in self._team
            if process.exitcode]


@contextlib.contextmanager
def hired(study: Study, until: float) -> Iterator[Crew]:
  """The crew that plays a study here; none of it is left in the end."""
  alone = count() == 1 or not hasattr(os, 'sched_getaffinity')
  crew = (Crew if alone else Processes)(study, until)
  try:
    yield crew
  finally:
    crew.stop(15)


def _work(folder, plan, cores, index, until):
  """A process that plays, on few cores: small games do not fill many."""
  os.setsid()  # Ctrl-C is of the first process, which hands it on, once.
  os.sched_setaffinity(0, cores)
  threading.Thread(target=lambda: (
      multiprocessing.parent_process().join(), os._exit(1)),
                   daemon=True).start()
  with open(os.path.join(folder, _log(index)), 'ab') as log:
    os.dup2(log.fileno(), 2)
  logging.basicConfig(format='%(message)s', stream=sys.stderr)
  parallel.use_compilation_cache()
  crew = Crew(Study(folder, plan), until)
  while crew.working():
    pass
  sys.exit(crew.status)


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
