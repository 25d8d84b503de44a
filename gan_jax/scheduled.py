"""Numbers of a config that may be schedules, dict(name=..., **kwargs)."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from gan_jax import durations, lookup
from gan_jax.lookup import Problem

_OWN, _OPTAX = 'gan_jax.schedules', 'optax.schedules'
RULE = ', or a schedule dict(name=..., **kwargs)'


def room(name: Any) -> str:
  """Where a schedule of that name is looked up: ours first, then optax."""
  return _OWN if name in lookup.names(_OWN) else _OPTAX


def check(value: Any, path: str, low: float = 0.0,
          high: float = math.inf) -> list[Problem]:
  """Problems of a number in [low, high), or of a schedule for one.

  Args:
    value: from the config.
    path: where it stands.
    low: the smallest number.
    high: the bound that no number reaches.
  """
  if isinstance(value, Mapping):
    name = value.get('name')
    known = [*lookup.names(_OWN), *lookup.names(_OPTAX)]
    if isinstance(name, str) and name not in known and ':' not in name:
      return [Problem(f'{path}.name', name,
                      f'no such schedule{lookup.near(name, known)}')]
    # Durations written as texts stand for the number of steps.
    wrong = [Problem(f'{path}.{k}', v, durations.RULE)
             for k, v in value.items() if k != 'name' and isinstance(v, str)
             and not durations.is_text(v)]
    return wrong + lookup.check(room(name), {
        k: v if k == 'name' or not isinstance(v, str) else 1
        for k, v in value.items()}, path)
  if (not isinstance(value, (int, float)) or isinstance(value, bool)
      or not low <= value < high):
    return [Problem(path, value, f'must be a float {_bound(low, high)}{RULE}')]
  return []


def arguments(home, spec: Mapping) -> list[str]:
  """The arguments of a spec from the room `home` that are schedules.

  Those annotated as `schedules.Number`; of optax's those that are no int, bool
  or text by default.
  """
  found = lookup.parameters(lookup.find(home.module, spec['name'], home.kind))

  def may(key):
    if home.module != 'optax':
      return key in found and lookup.may_be_schedule(found[key])
    default = found[key].default if key in found else None
    return not isinstance(default, (int, str))

  return [k for k, v in spec.items() if isinstance(v, Mapping) and may(k)]


def build(value: Any, units: durations.Units, low: float = 0.0,
          high: float = math.inf, *, updates: int = 1,
          every: int = 1) -> float | Callable:
  """The number itself, or the schedule that a spec names.

  Args:
    value: a number, or a spec in which durations may be texts.
    units: what they are worth in steps.
    low: as in `check`.
    high: as in `check`.
    updates: by which a schedule counts, in a step.
    every: of which it counts one.

  Raises:
    ValueError: not a schedule, or one that leaves its bounds at either end of
      the training.
  """
  if not isinstance(value, Mapping):
    return value
  schedule = lookup.build(room(value['name']), {
      k: durations.steps(v, units) * updates // every
      if durations.is_text(v) else v for k, v in value.items()})
  if not callable(schedule):
    raise ValueError(f'{value["name"]} does not return a function of the step')
  ends = [float(schedule(step))
          for step in (0, units.train_steps * updates // every)]
  if not all(low <= end < high for end in ends):
    raise ValueError(f'goes from {ends[0]:g} to {ends[1]:g}, and must stay '
                     f'{_bound(low, high)}')
  return schedule


def _bound(low, high):
  return f'>= {low}' if high == math.inf else f'in [{low}, {high})'
