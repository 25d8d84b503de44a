"""Durations ('20 epochs', '10%') and numbers that may follow a schedule."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from gan_jax.base import lookup
from gan_jax.base.errors import Problem

_FORM = re.compile(r'\s*(\d+(?:\.\d+)?)\s*(steps?|examples?|epochs?|%)\s*\Z')
RULE = ("must be a whole number of steps, or a string such as '20 epochs', "
        "'64000 examples', '500 steps' or '10%' (of train_steps)")


def is_text(value: Any) -> bool:
  """Whether a value is a duration written as a string."""
  return isinstance(value, str) and bool(_FORM.match(value))


class Units(NamedTuple):
  """Conversion of units to steps.

  examples_per_step: real images that the discriminator sees in one step.
  num_examples: size of the data set, one epoch.
  train_steps: the whole run, for percentages; 0 if they are invalid.
  multiple: steps per call, 1 for 'auto'; units other than steps are rounded up
    to it.
  """

  examples_per_step: int
  num_examples: int
  train_steps: int
  multiple: int


def steps(value: Any, units: Units) -> int:
  """Converts a duration to steps; 0 means never.

  Raises:
    ValueError: not a duration, negative, or a percentage of nothing.
  """
  if isinstance(value, int) and not isinstance(value, bool):
    number, unit = float(value), 'step'
  elif isinstance(value, float) and value.is_integer():
    raise ValueError(f'{RULE}; write {int(value)}')
  else:
    match = _FORM.match(value) if isinstance(value, str) else None
    if not match:
      raise ValueError(RULE)
    number, unit = float(match[1]), match[2].removesuffix('s')
  if number < 0:
    raise ValueError('must not be negative')
  if unit == 'step':
    if number != int(number):
      raise ValueError('must be a whole number of steps')
    return int(number)
  if unit == '%' and not units.train_steps:
    raise ValueError('a percentage of train_steps cannot be train_steps')
  worth = {'%': units.train_steps / 100,
           'example': 1 / units.examples_per_step,
           'epoch': units.num_examples / units.examples_per_step}[unit]
  # The tolerance keeps 0.1 * 30 from becoming 4.
  calls = math.ceil(number * worth / units.multiple - 1e-9)
  return calls * units.multiple


_OWN, _OPTAX = 'gan_jax.game.schedules', 'optax.schedules'
_OR_SCHEDULE = ', or a schedule dict(name=..., **kwargs)'


def schedule_room(name: Any) -> str:
  """Module of a schedule: gan_jax's own first, then optax."""
  return _OWN if name in lookup.names(_OWN) else _OPTAX


def check_number(value: Any, path: str, low: float = 0.0,
                 high: float = math.inf) -> list[Problem]:
  """Returns the problems of a number in [low, high), or of a schedule.

  `path` is its place in the config.
  """
  if isinstance(value, Mapping):
    name = value.get('name')
    known = [*lookup.names(_OWN), *lookup.names(_OPTAX)]
    if isinstance(name, str) and name not in known and ':' not in name:
      return [Problem(f'{path}.name', name,
                      f'no such schedule{lookup.near(name, known)}')]
    # Strings are durations; their value does not matter here.
    wrong = [Problem(f'{path}.{k}', v, RULE)
             for k, v in value.items() if k != 'name' and isinstance(v, str)
             and not is_text(v)]
    wrong += [Problem(f'{path}.{k}', key, RULE)
              for k, v in value.items() if isinstance(v, Mapping)
              for key in v if not (is_text(key) or str(key).isdigit())]
    return wrong + lookup.check(schedule_room(name), {
        k: v if k == 'name' or not isinstance(v, str) else 1
        for k, v in value.items()}, path)
  if (not isinstance(value, (int, float)) or isinstance(value, bool)
      or not low <= value < high):
    return [Problem(path, value, f'must be a float {_bound(low, high)}'
                    f'{_OR_SCHEDULE}')]
  return []


def scheduled_arguments(home, spec: Mapping) -> list[str]:
  """Arguments of a spec of `home` that are schedules.

  Only those annotated as `lookup.Number`; for optax, those whose default is not
  an int, bool or string.
  """
  found = lookup.parameters(lookup.find(home.module, spec['name'], home.kind))

  def may(key):
    if home.module != 'optax':
      return key in found and lookup.may_be_schedule(found[key])
    default = found[key].default if key in found else None
    return not isinstance(default, (int, str))

  return [k for k, v in spec.items() if isinstance(v, Mapping) and may(k)]


def number(value: Any, units: Units, low: float = 0.0,
           high: float = math.inf, *, updates: int = 1,
           every: int = 1) -> float | Callable:
  """Builds a number or a schedule.

  Args:
    value: a number, or a spec in which durations may be strings.
    units: conversion to steps.
    low: as in `check_number`.
    high: as in `check_number`.
    updates: counts of the schedule per step.
    every: counts only each n-th of them.

  Raises:
    ValueError: not a schedule, or out of bounds at either end of training.
  """
  if not isinstance(value, Mapping):
    return value

  def counts(v):
    if isinstance(v, Mapping):  # boundaries, which are texts in config.json
      return {counts(int(k) if str(k).isdigit() else k): scale
              for k, scale in v.items()}
    return steps(v, units) * updates // every if is_text(v) else v

  schedule = lookup.build(schedule_room(value['name']), {
      k: counts(v) for k, v in value.items()})
  if not callable(schedule):
    raise ValueError(f'{value["name"]} does not return a function of the step')
  if any(isinstance(v, jax.Array) for v in value.values()):
    return schedule  # of a member, whose numbers were checked before
  with jax.ensure_compile_time_eval():  # Also while a population is traced.
    ends = [float(schedule(step))
            for step in (0, units.train_steps * updates // every)]
  if not all(low <= end < high for end in ends):
    raise ValueError(f'goes from {ends[0]:g} to {ends[1]:g}, and must stay '
                     f'{_bound(low, high)}')
  return schedule


def _bound(low, high):
  return f'>= {low}' if high == math.inf else f'in [{low}, {high})'
