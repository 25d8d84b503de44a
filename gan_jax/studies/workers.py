"""Plays the stages of a study, by one process or several.

A stage is free if it has no result, its game's folder is not locked, and what
it needs is there: to be tuned, a game must have been measured, to be tested,
tuned. A stage that was cut short by a kill is played again.
"""

import contextlib
import json
import logging
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import (
    CheckpointError,
    DataError,
    LockedError,
    WorkdirError,
)
from gan_jax.base.files import write_file
from gan_jax.run import lock
from gan_jax.studies import tasks, trials, verdict
from gan_jax.studies.tasks import ROWS, TASKS
from gan_jax.views.records import Record

MEASURE, TUNE, TEST = 'measure', 'tune', 'test'
_CHUNKS = 5  # of a measured run, with a row each
_LOG = logging.getLogger(__name__)


class Study:
  """A folder with a plan, and what has been played of it."""

  def __init__(self, folder: str, plan: Mapping):
    """Takes plan.json as it was read."""
    self.folder, self.plan = folder, plan

  def finished(self) -> bool:
    """Whether all is played."""
    return len(self.done()) == len(self.items()) and bool(self.steps())

  def items(self) -> list[tuple[str, str, str]]:
    """(task, game, stage) in the order in which they are played."""
    names, games = self.plan['played'], self.plan['games']
    found = [(name, game, MEASURE) for name in names for game in games]
    chosen = (self.steps() or {'steps': names})['steps']
    return found + [(name, game, stage) for name in chosen
                    for stage in (TUNE, TEST) for game in games]

  def path(self, *parts: str) -> str:
    """Of a file or folder in the study."""
    return os.path.join(self.folder, *parts)

  def read(self, *parts: str) -> dict | None:
    """Contents of a JSON file, None if it is not there."""
    try:
      with open(self.path(*parts)) as file:
        return json.load(file)
    except FileNotFoundError:
      return None

  def result(self, name: str, game: str, stage: str) -> dict | None:
    """Result of a stage, None before."""
    return self.read(name, game, f'{stage}.json')

  def steps(self) -> dict | None:
    """steps.json, None before all games are measured."""
    return self.read('steps.json')

  def done(self) -> set:
    """Items with a result."""
    return {item for item in self.items()
            if os.path.exists(self.path(*item[:2], f'{item[2]}.json'))}

  def all_measured(self) -> bool:
    """Whether the steps can be chosen."""
    return all(self.result(name, game, MEASURE) for name, game, stage
               in self.items() if stage == MEASURE)

  def measured(self) -> dict:
    """{task: {game: result}} of the games that could be measured.

    Without the tasks on which the idea could not be.
    """
    found = {name: {game: result for game in self.plan['games'] if 'error'
                    not in (result := self.result(name, game, MEASURE))}
             for name in self.plan['played']}
    return {name: games for name, games in found.items() if 'idea' in games}

  def seconds(self, item) -> float:
    """What a stage is expected to take."""
    name, game, stage = item
    found = self.result(name, game, MEASURE)
    if stage == MEASURE or 'error' in found:
      return 0.0
    members = len(self.plan['seeds']) if stage == TEST else 8
    return members / 8 * (found['overhead'] + found['per_step']
                          * self.steps()['steps'][name])

  def ready(self, item) -> bool:
    """Whether what a stage needs is there."""
    name, game, stage = item
    if stage == MEASURE:
      return True
    return bool(self.steps()) and bool(
        stage == TUNE or self.result(name, game, TUNE))

  def told(self, item) -> str:
    """A line for the screen about a stage that is done."""
    result = self.result(*item)
    what = f'{item[0]}, {tasks.TITLES.get(item[1], item[1])}, {item[2]}'
    return what + ': ' + (
        result['error'].splitlines()[0] if 'error' in result else
        f'{result["seconds"]:.0f} s')

  def play(self, item) -> int:
    """Plays a stage and writes its result; returns the exit status."""
    name, game, stage = item
    start, compiled = time.monotonic(), _COMPILED[0]
    try:
      status, result = _STAGES[stage](self, name, game)
    except (WorkdirError, CheckpointError, DataError, OSError, MemoryError):
      raise  # Of the machine, not of the game: another launch may play it.
    except Exception as e:  # A user's component may raise anything.
      _LOG.exception('%s', item)
      status, result = 0, {'error': lookup.failure(e)}
    if status:
      return status
    seconds, compiled = time.monotonic() - start, _COMPILED[0] - compiled
    result |= {'seconds': seconds, 'compiling': compiled}
    if 'per_step' in result and stage == MEASURE:
      result['overhead'] = max(0.0, seconds - compiled
                               - result['steps'] * result['per_step'])
    write_file(self.path(name, game, f'{stage}.json'),
               (json.dumps(result, indent=1) + '\n').encode())
    return 0


def _measure(study, name, game):
  task, config, points = _game(study, name, game)
  status, records = trials.train(
      config, _runs(points, study.plan['tuning_seeds']), _CHUNKS * task.chunk,
      study.path(name, game, MEASURE), rows=_CHUNKS)
  if status:
    return status, {}
  if not any(record.scores() for record in records):
    return 0, {'error': 'no run is finite after its first steps: '
               + _nonfinite(records)}
  return 0, {'steps': _CHUNKS * task.chunk,
             'per_step': _per_step(config, records)}


def _tune(study, name, game):
  task, config, points = _game(study, name, game)
  if 'error' in (found := study.result(name, game, MEASURE)):
    return 0, found
  status, records = trials.train(
      config, _runs(points, study.plan['tuning_seeds']),
      study.steps()['steps'][name], study.path(name, game, TUNE), rows=ROWS)
  if status:
    return status, {}
  result = facts(config, records)
  values = np.array(result['scores'][task.score], float).reshape(
      len(points), -1)
  # Of no point where none has a score: the game as it is given.
  chosen = verdict.choose(trials.losses_of(task.score, values))
  return 0, result | {'points': points, 'words': tasks.words(config),
                      'chosen': chosen}


def _test(study, name, game):
  _, config, _ = _game(study, name, game)
  if 'error' in (found := study.result(name, game, TUNE)):
    return 0, found
  status, records = trials.train(
      config, _runs([found['points'][found['chosen']]], study.plan['seeds']),
      study.steps()['steps'][name], study.path(name, game, TEST), rows=ROWS)
  return status, {} if status else facts(config, records)


def _runs(points, seeds):
  return [(point, seed) for point in points for seed in seeds]


_STAGES = {MEASURE: _measure, TUNE: _tune, TEST: _test}


def _game(study, name, game):
  config = tasks.game(TASKS[name], study.plan['games'][game])
  return TASKS[name], config, tasks.points(config)


def facts(config: Mapping, records: list[Record]) -> dict:
  """What the runs of a stage show, as JSON, in the order of the runs.

  scores: {name: values}, null of a run that has none.
  failed: 'non-finite', 'collapse' or ''.
  findings: names of what the watchdog found.
  gradients: {player: median norm over the second half of the rows}.
  per_step: seconds of a step of all runs together.
  """
  rows = [record.scores() for record in records]
  findings = [sorted({words[1] for words in record.findings()})
              for record in records]
  names = sorted({config['best_metric'], *(n for row in rows for n in row)})
  scores = {name: [None if np.isnan(v := trials.last(row, name)) else v
                   for row in rows] for name in names}
  return {
      'scores': scores, 'findings': findings,
      'failed': ['non-finite' if value is None else
                 'collapse' if 'collapse' in found else ''
                 for value, found in zip(scores[config['best_metric']],
                                         findings, strict=True)],
      'gradients': {player: [_median(record, f'grad_norm/{player}')
                             for record in records]
                    for player in ('gen', 'disc')},
      'per_step': _per_step(config, records)}


def _median(record, name):
  values = np.array(record.curves.get(name, ((), ()))[1])
  values = values[len(values) // 2:]
  values = values[np.isfinite(values)]
  return float(np.median(values)) if len(values) else None


def _per_step(config, records):
  """Seconds of a step of all members together, from their rows."""
  speeds = [v for record in records for v in record.curves.get(
      'perf/images_per_second', ((), ()))[1] if np.isfinite(v)]
  # The faster half, as other programs may disturb some of the rows.
  return (config['batch_size'] * config['disc_steps'] / float(
      np.quantile(speeds, 0.75)) if speeds else 0.0)


def _nonfinite(records):
  found = [words for record in records for words in record.findings()
           if words[1] == 'non-finite']
  return f'{found[0][2]}. {found[0][3]}' if found else 'no score'


# Who plays.


def count() -> int:
  """Processes that play at once: one for each core, one for all accelerators.

  On accelerators one process suffices, as the members of a population are
  spread over all of them.
  """
  return min(max(1, parallel.cores()),
             len(TASKS) * (1 + len(tasks.BASELINES)))


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
  left = [item for item in study.items() if item not in study.done()]
  waiting = False
  for item in left:
    place = study.path(*item[:2])
    if lock.is_held(place) or item[2] != MEASURE and not study.steps():
      waiting = True
    elif not study.ready(item):
      continue  # What it needs is free itself, or out of time.
    elif item[2] == MEASURE or (
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
    yield None if item in study.done() else item


_COMPILED = [0.0]  # seconds that this process has compiled
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: _COMPILED.__setitem__(
        0, _COMPILED[0] + seconds * name.endswith('backend_compile_duration')))
