"""What is played of a study, and for how long, so that a budget is kept."""

import logging
import re
from collections.abc import Mapping, Sequence

from gan_jax.base import lookup
from gan_jax.base.errors import RequestError, UserError
from gan_jax.studies.judge import checks, ideas
from gan_jax.studies.judge.ideas import Idea
from gan_jax.studies.judge.tasks import BASELINES, ROWS, SEEDS, TASKS

_LOG = logging.getLogger(__name__)
_SHARE = 0.9  # of a budget, for the least of the tasks; see `launch`
_TUNING = 2  # seeds of each point
_APART = 2**16  # tuning seeds from those of the test
_UNITS = {'s': 1, 'm': 60, 'h': 3600}


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


def make(asked: Mapping, idea: Idea, text: str, *, processes: int) -> dict:
  """plan.json: what is asked, and what can be played of it.

  `asked`: 'idea', 'arguments', 'budget' in seconds, 'tasks' and 'seeds'.
  `text`: of --idea. `processes`: that play at once.

  Raises:
    RequestError: the idea fits no task.
  """
  kept, cut = fitting(asked['tasks'], asked['budget'] * processes,
                      len(asked['seeds']))
  left_out, unfit, seconds = {}, {}, 0.0
  sources = lookup.sources([idea.arguments])  # Checks take time; it may change.

  def leave_out(name, why):
    left_out[name] = why
    _LOG.warning('%s is left out: %s', name, why)

  for name, minutes in cut.items():
    leave_out(name, 'cut: the budget is short; the tasks up to it need about '
              f'{max(1, round(minutes / processes))} minutes here')
  for name in list(kept):
    _LOG.info('checking the idea on %s', name)
    try:
      checks.check(TASKS[name], asked['arguments'])
      for arguments in BASELINES.values():
        checks.load(TASKS[name], arguments)
      seconds += checks.prepare(TASKS[name])
    except UserError as e:
      said = ideas.lines(e)
      if idea.where and ', line ' not in said:
        said += f'\n    {idea.where}: {idea.name} is defined here'
      unfit[name] = said
      kept.remove(name)
  if not kept:
    raise RequestError(f'--idea={text}: fits no task:\n' + '\n'.join(
        f'  {", ".join(name for name in unfit if unfit[name] == said)}: {said}'
        for said in dict.fromkeys(unfit.values())))
  for name, said in unfit.items():
    leave_out(name, said)
  first = asked['seeds'][0]
  return asked | {
      'sources': sources, 'played': kept, 'left_out': left_out,
      'prepared': seconds,
      'games': {'idea': asked['arguments']} | BASELINES,
      'tuning_seeds': [(first + _APART + i) % 2**32 for i in range(_TUNING)]}


def fitting(names: Sequence[str], seconds: float,
            seeds: int) -> tuple[list[str], dict[str, int]]:
  """Tasks whose shortest runs fit into seconds of one core, by `Task.seconds`.

  Half of a task's seconds are those of the test, and grow with the seeds.

  Returns:
    (names kept, the first one always; {name cut: minutes of one core that the
    tasks up to it need}).
  """
  kept, cut, needed = [], {}, 0.0
  for name in names:
    needed += TASKS[name].seconds * (1 + seeds / SEEDS) / 2
    if kept and needed > _SHARE * seconds:
      cut[name] = round(needed / _SHARE / 60)
    else:
      kept.append(name)
  return kept, cut


def stage_seconds(measured: Mapping, steps: int, members: int) -> float:
  """Seconds that a stage of `members` runs should take, without compiling.

  `measured` is the result of the game's first stage, see `study`.
  """
  overhead = max(0.0, measured['seconds'] - measured['compiling']
                 - measured['steps'] * measured['per_step'])
  return members / measured['members'] * (
      overhead + steps * measured['per_step'])


def choose_steps(measured: Mapping[str, Mapping], left: float,
                 seeds: int) -> dict:
  """The steps of each task's runs.

  All tasks go the same share of the way from `least` to `most`, on a
  logarithmic scale. Where the least does not fit, the last tasks are cut.

  Args:
    measured: {task: {game: its result, see `stage_seconds`}}.
    left: seconds to tune and test every game, of one core or device.
    seeds: runs of a game in the test.

  Returns:
    {'steps': {task: steps}, 'cut': {task: why}, 'seconds': they are expected
    to take}.
  """
  names, cut = list(measured), {}

  def seconds(steps):
    # As many runs are tuned as were measured.
    return sum(stage_seconds(one, count, members)
               for name, count in steps.items()
               for one in measured[name].values()
               for members in (one['members'], seeds))

  def steps(share):
    return {name: _whole(name, TASKS[name].least * (
        TASKS[name].most / TASKS[name].least) ** share) for name in names}

  while len(names) > 1 and seconds(steps(0.0)) > left:
    cut[names.pop()] = 'cut: its fewest steps did not fit into the budget'
  # The largest share of 0, 0.01, ... 1 that fits.
  found = next((s for s in (steps(i / 100) for i in range(100, 0, -1))
                if seconds(s) <= left), steps(0.0))
  for name in names:
    more = found | {name: min(found[name] + ROWS * TASKS[name].chunk,
                              TASKS[name].most)}
    if seconds(more) <= left:
      found = more
  return {'steps': found, 'cut': cut, 'seconds': seconds(found)}


def _whole(name, steps):
  """Rounded down to rows of whole chunks."""
  unit = ROWS * TASKS[name].chunk
  return max(unit, int(steps) // unit * unit)
