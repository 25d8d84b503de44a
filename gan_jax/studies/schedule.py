"""How long games are played, and which tasks, so that a budget is kept."""

from collections.abc import Mapping, Sequence

from gan_jax.studies.tasks import ROWS, TASKS

_SHARE = 0.9  # of a budget, for the least of the tasks that are kept


def fitting(names: Sequence[str],
            seconds: float) -> tuple[list[str], dict[str, int]]:
  """Tasks whose least fits into seconds of one core, by `Task.seconds`.

  Returns:
    (names kept, the first one always; {name cut: minutes of one core that the
    tasks up to it need}).
  """
  kept, cut, needed = [], {}, 0.0
  for name in names:
    needed += TASKS[name].seconds
    if kept and needed > _SHARE * seconds:
      cut[name] = round(needed / _SHARE / 60)
    else:
      kept.append(name)
  return kept, cut


def choose_steps(measured: Mapping[str, Mapping], left: float) -> dict:
  """The steps of each task's runs.

  All tasks go the same share of the way from `least` to `most`, on a
  logarithmic scale. Where the least does not fit, the last tasks are cut.

  Args:
    measured: {task: {game: {'overhead': seconds of a stage without its steps,
      'per_step': seconds}}}.
    left: seconds for two stages of every game, of one core or device.

  Returns:
    {'steps': {task: steps}, 'cut': {task: why}, 'seconds': they are expected
    to take}.
  """
  names, cut = list(measured), {}

  def seconds(steps):
    return sum(2 * (one['overhead'] + count * one['per_step'])
               for name, count in steps.items()
               for one in measured[name].values())

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
