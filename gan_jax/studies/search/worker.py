"""--mode=search: hyper-parameters by optuna, many workers, one journal.

Akiba et al. 2019, arXiv:1907.10902, with the tree-structured Parzen estimator
of Bergstra et al. 2011 (NeurIPS). WORKDIR/journal.log is the study.

A worker claims trials under a lock, and holds WORKDIR/workers/NAME/lock while
it lives: a trial whose worker's lock is free is nobody's, and the next worker
goes on with it from its checkpoint. (optuna's journals have no heartbeat.)
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.config import fields
from gan_jax.metrics import low_is_better
from gan_jax.run import lock
from gan_jax.run.signals import StopRequest
from gan_jax.studies.search import page
from gan_jax.studies.search import plan as plans
from gan_jax.studies.search.batches import Batch
from gan_jax.studies.search.space import Space, parse

_LOG = logging.getLogger(__name__)
_BATCH = 4  # runs at once, without --config.population
_DEATHS = 3  # of workers, after which their trial counts as the cause
_POPULATION = re.compile('--?config[.]population=')


def search(given: Sequence[str], keys: Sequence[str], folder: str, *,
           trials: int = 40, prune: bool = True,
           sampler: Callable[[int], Any] | None = None) -> tuple[int, str]:
  """Plays trials until there are so many, perhaps as one worker of several.

  Args:
    given: --config=... and its overrides; --config.population is the number of
      runs that train at once.
    keys: the space, see `space`.
    folder: of the study, shared by its workers.
    trials: in all, with those of other workers and of earlier launches.
    prune: stop bad trials early, see `pruning`.
    sampler: seed -> sampler of optuna, by default TPE.

  Returns:
    (exit status, what was found as text; '' if it was stopped).

  Raises:
    RequestError, ConfigError, DataError: a mistake, before anything trains.
    WorkdirError: the folder holds another search, or cannot be written.
  """
  if trials < 1:
    raise RequestError(f'--trials={trials}: must be 1 or more')
  optuna, space = _library(), parse(keys)
  size, given = _size(given)
  with lock.writing(folder):
    with StopRequest() as stop:
      study, plan = open_study(folder, given, space)
      others = [name for name in plan.scores if name != plan.score]
      _LOG.info('trials compare by %s, %s is better%s', plan.score,
                'lower' if low_is_better(plan.score) else 'higher',
                f'; best_metric takes another: {", ".join(others)}'
                if others and not plan.config['best_metric'] else '')
      with _worker(folder) as me:
        status = _Worker(
            optuna, study, plan, folder, me, trials=trials, prune=prune,
            size=max(1, size // max(1, len(space.seeds))),
            sampler=sampler or optuna.samplers.TPESampler).run(stop)
    if status or stop.signum:
      return status or stop.exit_status, ''
    return 0, page.write(study, plan, folder)


def _size(given) -> tuple[int, list[str]]:
  """(runs that train at once, `given` without their number)."""
  found = [str(_BATCH), *(arg.partition('=')[2] for arg in given
                          if _POPULATION.match(arg))][-1]
  if not (found.isdigit() and int(found)):
    raise RequestError(f'--config.population={found}: must be the number of '
                       'runs that train at once, 1 or more')
  return int(found), [arg for arg in given if not _POPULATION.match(arg)]


def _library():
  try:
    import optuna
    import sklearn  # noqa: F401 (optuna's forest, for the importances)
  except ImportError as e:
    raise RequestError(f'--mode=search needs {e.name}: pip install '
                       "'optuna>=5' scikit-learn") from e
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  return optuna


@contextlib.contextmanager
def _worker(folder):
  """Yields the name of this worker, whose lock is held."""
  name = f'{socket.gethostname()}-{os.getpid()}-{time.time_ns()}'
  home = os.path.join(folder, 'workers', name)
  with lock.hold(home):
    yield name
  shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder):
  """One worker at a time."""
  with open(os.path.join(folder, 'claiming'), 'a') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def open_study(folder: str, given: Sequence[str], space: Space) -> tuple:
  """(study, plan): loaded, or made after all of the space has been checked.

  `given`: --config=... and its overrides, without the population.

  Raises:
    WorkdirError: another search is there, or a damaged journal.
    ConfigError, DataError: as `plan.make`.
  """
  import optuna
  from optuna.storages.journal import JournalFileBackend, JournalStorage
  path = os.path.join(folder, 'journal.log')
  known = os.path.exists(path) and os.path.getsize(path)
  plan = plans.make(given, space, whole=not known)
  lock.make(folder)
  with _alone(folder):
    _mend(path)
    try:
      storage = JournalStorage(JournalFileBackend(path))
    except ValueError as e:
      raise WorkdirError(
          f'{path} is damaged, as by a full disk: {e}. Remove the line that is '
          'no JSON, and the search goes on') from e
    study = optuna.create_study(
        study_name='search', storage=storage, load_if_exists=True,
        direction='minimize' if low_is_better(plan.score) else 'maximize')
    before = study.user_attrs.get('plan')
    if before is None:
      study.set_user_attr('plan', plan.record())
  if before and (changed := fields.differences(before, plan.record())):
    raise WorkdirError(
        f'{folder} holds another search, and the trials of one must come from '
        'one space and config: give the same again, or another --workdir:\n  '
        + '\n  '.join(f'{path}: {then} (there) -> {now} (now)'
                      for path, then, now in changed))
  return study, plan


def _mend(path) -> None:
  """Cuts off a last line that has no end, as a full disk leaves it.

  Its write failed, so nobody relies on it; but what is appended next would be
  glued to it, and no one could read the journal any more
  (findings/optuna-a-cut-line-ends-a-journal.sh).
  """
  from optuna.storages.journal import JournalFileSymlinkLock
  if not os.path.exists(path):
    return
  writing = JournalFileSymlinkLock(path)
  writing.acquire()
  try:
    with open(path, 'r+b') as file:
      text = file.read()
      if not text.endswith(b'\n'):
        file.truncate(text.rfind(b'\n') + 1)
  finally:
    writing.release()


class _Worker:
  """Claims trials of a study, and plays them."""

  def __init__(self, optuna, study, plan, folder, me, *, trials, prune, size,
               sampler):
    self.study, self.plan, self.folder, self.me = study, plan, folder, me
    self.trials, self.prune, self.size = trials, prune, size
    self.sampler, self.states = sampler, optuna.trial.TrialState
    self.trial_of = optuna.trial.Trial

  def run(self, stop) -> int:
    """Plays until there is nothing left to claim; returns the exit status."""
    while not stop.signum:
      if not (claimed := self._claim()):
        return 0
      batch = Batch(self.study, self.plan, self.folder, claimed, self.prune)
      try:
        if status := batch.play(stop):
          return status
      finally:  # What a signal or an error has left is free for others.
        for number, trial in batch.trials.items():
          if number not in batch.told:
            trial.set_user_attr('worker', '')
    return stop.exit_status

  def _claim(self) -> list:
    """Trials that nobody plays, then new ones."""
    with _alone(self.folder):
      trials, claimed = self.study.get_trials(deepcopy=False), []
      for found in trials:
        if len(claimed) < self.size and found.state == self.states.RUNNING:
          claimed += self._adopted(found)
      for number in range(len(trials), self.trials):
        if len(claimed) >= self.size:
          break
        self._seed(number)
        claimed.append(self._mine(self.study.ask()))
      return claimed

  def _seed(self, number) -> None:
    """Not the same draws in each worker, nor after each start."""
    self.study.sampler = self.sampler(seed=int(np.random.SeedSequence(
        [self.plan.config['seed'], number]).generate_state(1)[0]))

  def _mine(self, trial):
    """The trial, with all its values, of this worker."""
    trial.set_user_attr('worker', self.me)
    for axis in self.plan.space.axes.values():
      axis.suggest(trial)
    return trial

  def _adopted(self, found) -> list:
    """[the trial] if its worker is gone, [] if it is alive.

    A trial that several workers did not survive is told as failed.
    """
    worker = found.user_attrs.get('worker', '')
    if worker and lock.is_held(os.path.join(self.folder, 'workers', worker)):
      return []
    self._seed(found.number)
    trial = self.trial_of(self.study, found._trial_id)
    deaths = found.user_attrs.get('deaths', 0) + bool(worker)
    trial.set_user_attr('deaths', deaths)
    if deaths >= _DEATHS:
      trial.set_user_attr('reason', f'{deaths} workers died while they played '
                          'it, as for want of memory')
      self.study.tell(trial, state=self.states.FAIL)
      _LOG.warning('trial %d has failed: %d workers died while they played it',
                   found.number, deaths)
      return []
    _LOG.info('trial %d goes on: %s', found.number,
              f'its worker {worker} is gone' if worker else 'it was stopped')
    return [self._mine(trial)]
