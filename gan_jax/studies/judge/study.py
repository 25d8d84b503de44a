"""A study: the folder of a judged idea, and the stages that fill it.

To be tuned, a game must have been measured, to be tested, tuned. A stage that
was cut short by a kill is played again. Each file is written once:

plan.json, what is played, by `plan.make`:
  idea, arguments, budget (seconds), tasks, seeds: as asked.
  played: the tasks that are played; left_out: {task: why it is not}.
  games: {game: arguments}, 'idea' and the baselines.
  tuning_seeds: of each point.
  prepared: seconds that classifiers were trained.
  sources: {module: hash} of the user's code.
steps.json, for how long, once every game is measured, by `plan.choose_steps`:
  steps: {task: steps of a run}; cut: {task: why}; seconds: it should take.
TASK/GAME/STAGE.json, the result of a stage, a population in TASK/GAME/STAGE:
  seconds: of wall time; compiling: how many of these were to compile.
  error: in words, in place of what follows.
  measure: steps (of a run), members (runs), per_step (seconds, of all runs).
  tune, test: all of `facts`.
  tune: points ([{path: number}]), words (their names), chosen (index of one).
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping

import jax
import numpy as np

from gan_jax.base import lookup
from gan_jax.base.errors import (
    CheckpointError,
    DataError,
    LockedError,
    UserError,
    WorkdirError,
)
from gan_jax.base.files import write_json
from gan_jax.run import lock
from gan_jax.run.files import read_json
from gan_jax.studies import trials
from gan_jax.studies.judge import tasks, verdict
from gan_jax.studies.judge.plan import stage_seconds
from gan_jax.studies.judge.tasks import ROWS, TASKS
from gan_jax.views.records import Record

MEASURE, TUNE, TEST = 'measure', 'tune', 'test'
_CHUNKS = 5  # of a measured run, with a row each
_LOG = logging.getLogger(__name__)
_COMPILED = [0.0]  # seconds that this process has compiled, as JAX reports
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: _COMPILED.__setitem__(
        0, _COMPILED[0] + seconds * name.endswith('backend_compile_duration')))


class Study:
  """A folder with a plan, and what has been played of it."""

  def __init__(self, folder: str, plan: Mapping):
    """Takes plan.json as it was read."""
    self.folder, self.plan = folder, plan
    # What is there stays as it is; it is asked for many times a second.
    self._steps, self._done = {}, set()

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

  def result(self, name: str, game: str, stage: str) -> dict:
    """Result of a stage, {} before."""
    return read_json(self.path(name, game), f'{stage}.json')

  def steps(self) -> dict:
    """steps.json, {} before all games are measured."""
    self._steps = self._steps or read_json(self.folder, 'steps.json')
    return self._steps

  def done(self) -> set:
    """Items with a result."""
    self._done |= {
        item for item in self.items() if item not in self._done
        and os.path.exists(self.path(*item[:2], f'{item[2]}.json'))}
    return set(self._done)

  def all_measured(self) -> bool:
    """Whether the steps can be chosen."""
    done = self.done()
    return all(item in done for item in self.items() if item[2] == MEASURE)

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
    return stage_seconds(
        found, self.steps()['steps'][name],
        len(self.plan['seeds']) if stage == TEST else found['members'])

  def summary(self, item) -> str:
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
      status, result = _played(self, name, game, stage)
    except (WorkdirError, CheckpointError, DataError, OSError, MemoryError):
      raise  # Of the machine, not of the game: another launch may play it.
    except Exception as e:  # A user's component may raise anything.
      _LOG.exception('%s', item)
      status, result = 0, {'error': lookup.failure(e)}
    if status:
      return status
    seconds, compiled = time.monotonic() - start, _COMPILED[0] - compiled
    write_json(self.path(name, game, f'{stage}.json'),
               result | {'seconds': seconds, 'compiling': compiled})
    return 0


def once(folder: str, name: str, make: Callable[[], dict]) -> tuple[dict, bool]:
  """A JSON file of a study, which one process makes, while others wait.

  Returns:
    (its content, whether this process has made it).

  Raises:
    WorkdirError: it is damaged, or cannot be read or made.
  """
  path = os.path.join(folder, name)
  while True:
    # What is in the way of a folder, the lock says.
    if found := read_json(folder, name):
      return found, False
    try:
      with lock.hold(os.path.join(folder, 'plan')):
        if os.path.exists(path):
          continue
        content = make()
        write_json(path, content)
        return content, True
    except LockedError:
      time.sleep(0.5)
    except UserError:  # There is no study.
      with contextlib.suppress(OSError):  # Files of others are in it.
        os.remove(os.path.join(folder, 'plan', 'lock'))
        os.rmdir(os.path.join(folder, 'plan'))
        os.rmdir(folder)
      raise


def _played(study, name, game, stage) -> tuple[int, dict]:
  """(exit status, result) of a stage, whose result the next one starts from."""
  task, config = TASKS[name], tasks.game(TASKS[name], study.plan['games'][game])
  points, seeds = tasks.points(config), study.plan['tuning_seeds']
  steps, rows = _CHUNKS * task.chunk, _CHUNKS
  if stage != MEASURE:
    found = study.result(name, game, MEASURE if stage == TUNE else TUNE)
    if 'error' in found:
      return 0, found
    steps, rows = study.steps()['steps'][name], ROWS
  if stage == TEST:
    points, seeds = [found['points'][found['chosen']]], study.plan['seeds']
  status, records = trials.train(
      config, [(point, seed) for point in points for seed in seeds], steps,
      study.path(name, game, stage), rows=rows)
  if status:
    return status, {}
  if stage == MEASURE:
    return 0, _measured(config, records, steps)
  result = facts(config, records)
  if stage == TUNE:
    values = np.array(result['scores'][task.score], float).reshape(
        len(points), -1)
    # Of no point where none has a score: the game as it is given.
    chosen = verdict.choose(trials.losses_of(task.score, values))
    result |= {'points': points, 'words': tasks.words(config), 'chosen': chosen}
  return 0, result


def _measured(config, records, steps) -> dict:
  if not any(record.scores() for record in records):
    return {'error': 'no run is finite after its first steps: '
            + _nonfinite(records)}
  return {'steps': steps, 'members': len(records),
          'per_step': _per_step(config, records)}


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
