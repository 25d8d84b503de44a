"""--mode=judge: an idea beside baselines on five tasks, within a budget.

The study is a folder. plan.json says what is played and is never changed;
steps.json how long, once every game was measured; TASK/GAME/STAGE.json is the
result of a stage, a population in TASK/GAME/STAGE. Any number of processes, on
machines that share the folder, take the next stage that is free (`workers`),
so that the same command goes on after a kill.
"""

import contextlib
import json
import logging
import os
import re
import time
from collections.abc import Sequence

from gan_jax.base import files
from gan_jax.base.errors import (
  LockedError,
  RequestError,
  UserError,
  WorkdirError,
)
from gan_jax.run import lock
from gan_jax.run.signals import StopRequest
from gan_jax.studies import checks, ideas, workers
from gan_jax.studies.schedule import choose_steps, fitting
from gan_jax.studies.tasks import BASELINES, TASKS
from gan_jax.studies.verdict_page import write_page

_LOG = logging.getLogger(__name__)
_TUNING = 2  # seeds of each point
_APART = 2**16  # tuning seeds from those of the test
_SHARE = 0.95  # of the budget that is planned
_LATE = 1.08  # of it, after which no stage starts
_PAGE = 12  # seconds that the verdict itself takes
_UNITS = {'s': 1, 'm': 60, 'h': 3600}


def judge(text: str, folder: str, *, budget: str = '15m',
          names: Sequence[str] = (), seeds: int = 8,
          seed: int = 0) -> tuple[int, str]:
  """Judges an idea, or goes on with it.

  Args:
    text: of --idea, see `ideas.read`.
    folder: of the study, '' for runs/judge-NAME.
    budget: of wall time, as '90s', '15m' or '2h'.
    names: of tasks, () for all.
    seeds: of each game in the test, 3 or more.
    seed: the first of them.

  Returns:
    (exit status, the verdict as text; '' after a signal).

  Raises:
    RequestError: the command line; the idea fits no task; another study is in
      the folder.
    WorkdirError: as `lock.hold`.
  """
  start = time.monotonic()
  seconds = read_budget(budget)
  if seeds < 3:
    raise RequestError(f'--seeds={seeds}: must be 3 or more, as intervals are '
                       'over seeds')
  if unknown := [name for name in names if name not in TASKS]:
    raise RequestError(f'--tasks={unknown[0]}: no such task; there are '
                       f'{", ".join(TASKS)}')
  idea = ideas.read(text)
  folder = folder or os.path.join('runs', 'judge-' + re.sub(
      r'[^\w.,=+-]+', '_', idea.name)[:100])
  asked = {'idea': idea.name, 'arguments': idea.arguments, 'budget': seconds,
           'tasks': [name for name in TASKS if not names or name in names],
           'seeds': [(seed + i) % 2**32 for i in range(seeds)]}
  with lock.writing(folder), StopRequest() as stop:
    plan = _once(folder, 'plan.json', lambda: _plan(asked, idea, text))
    if {key: plan[key] for key in asked} != asked:
      raise RequestError(
          f'{folder} holds the study {plan["arguments"]} with budget '
          f'{plan["budget"]:g}s, seeds {plan["seeds"][0]} to '
          f'{plan["seeds"][-1]}; give the same, or another --workdir')
    if changed := plan['sources'].items() - ideas.sources(
        idea.arguments).items():
      raise RequestError(
          f'{folder} was begun with another '
          f'{", ".join(sorted(name for name, _ in changed))}, and a verdict is '
          'of one idea: undo the change to go on, or give another --workdir')
    start += plan['prepared'] if plan.pop('fresh', False) else 0
    study = workers.Study(folder, plan)
    with workers.hired(study, until=start + _LATE * seconds) as crew:
      _follow(study, crew, stop, start + _SHARE * seconds - _PAGE)
    if status := stop.exit_status or crew.status:
      return status, ''
    if crew.lost() and not study.finished():
      raise WorkdirError(
          'processes that played have ended before their time, as '
          f'{", ".join(crew.lost())} may say; the same command goes on')
    return 0, write_page(study, time.monotonic() - start)


def read_budget(text: str) -> float:
  """Seconds of '90s', '15m', '2h'.

  Raises:
    RequestError: it cannot be read, or is below 30 seconds.
  """
  found = re.fullmatch(r'(\d+(?:\.\d+)?)([smh])', text)
  if not found or (seconds := float(found[1]) * _UNITS[found[2]]) < 30:
    raise RequestError(f'--budget={text}: give a time of 30s or more, as 90s, '
                       '15m or 2h')
  return seconds


def _plan(asked, idea, text) -> dict:
  """plan.json: what is asked, and what can be played of it."""
  kept, cut = fitting(asked['tasks'], asked['budget'] * workers.count())
  left_out, seconds = {}, 0.0
  sources = ideas.sources(idea.arguments)  # Checks take time; it may change.

  def leave_out(name, why):
    left_out[name] = why
    _LOG.warning('%s is left out: %s', name, why)

  for name, minutes in cut.items():
    leave_out(name, 'cut: the budget is short; the tasks up to it need about '
              f'{max(1, round(minutes / workers.count()))} minutes here')
  for name in list(kept):
    _LOG.info('checking the idea on %s', name)
    try:
      checks.check(TASKS[name], asked['arguments'])
      for arguments in BASELINES.values():
        checks.load(TASKS[name], arguments)
      seconds += checks.prepare(TASKS[name])
    except UserError as e:
      said = str(e)
      if idea.where and ', line ' not in said:
        said += f'\n    {idea.where}: {idea.name} is defined here'
      leave_out(name, said)
      kept.remove(name)
  if not kept:
    raise RequestError(f'--idea={text}: no task is left to judge it on; the '
                       'messages above say why')
  first = asked['seeds'][0]
  return asked | {
      'sources': sources, 'played': kept, 'left_out': left_out,
      'prepared': seconds, 'fresh': True,
      'games': {'idea': asked['arguments']} | BASELINES,
      'tuning_seeds': [(first + _APART + i) % 2**32 for i in range(_TUNING)]}


def _follow(study, crew, stop, deadline) -> None:
  """Waits for the crew; fixes the steps once all games are measured."""
  told = study.done()
  while not stop.signum:
    for item in study.done() - told:
      told.add(item)
      _LOG.info('%s (%d of %d)', study.told(item), len(told),
                len(study.items()))
    if not study.steps() and study.all_measured():
      left = (deadline - time.monotonic()) * workers.count()
      chosen = choose_steps(study.measured(), left)
      _once(study.folder, 'steps.json', lambda chosen=chosen: chosen)
    if not crew.working():
      return
    time.sleep(0.2)
  crew.stop(stop.signum)


def _once(folder, name, make) -> dict:
  """Reads a file of the study; the first process makes it, others wait."""
  path = os.path.join(folder, name)
  while True:
    with contextlib.suppress(FileNotFoundError), open(path) as file:
      return json.load(file)
    place = os.path.join(folder, 'plan')
    try:
      with lock.hold(place):
        if os.path.exists(path):
          continue
        made = make()
        files.write_file(path, (json.dumps({
            k: v for k, v in made.items() if k != 'fresh'}, indent=1)
            + '\n').encode())
        return made
    except LockedError:
      time.sleep(0.5)
