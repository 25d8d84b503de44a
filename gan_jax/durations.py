"""Durations: 3000, '3000 steps', '64000 examples', '20 epochs', '10%'."""

import math
import re
from typing import Any, NamedTuple

_FORM = re.compile(r'\s*(\d+(?:\.\d+)?)\s*(steps?|examples?|epochs?|%)\s*\Z')
RULE = ("must be a number of steps, or a text such as '20 epochs', "
        "'64000 examples', '500 steps' or '10%' (of train_steps)")


def is_text(value: Any) -> bool:
  """Whether a value is a duration written as a text."""
  return isinstance(value, str) and bool(_FORM.match(value))


class Units(NamedTuple):
  """What a unit is worth in steps.

  examples_per_step: real images that the discriminator sees in one step.
  num_examples: images of the data set, one epoch.
  train_steps: the whole run, for percentages; 0 where they make no sense.
  multiple: steps per call; other units than steps are rounded up to it.
  """

  examples_per_step: int
  num_examples: int
  train_steps: int
  multiple: int


def steps(value: Any, units: Units) -> int:
  """A duration in steps; 0 means never.

  Raises:
    ValueError: not a duration, negative, a percentage of nothing, or a number
      of steps that is not a multiple of `units.multiple`.
  """
  if isinstance(value, int) and not isinstance(value, bool):
    number, unit = float(value), 'steps'
  else:
    match = _FORM.match(value) if isinstance(value, str) else None
    if not match:
      raise ValueError(RULE)
    number, unit = float(match[1]), match[2]
  if number < 0:
    raise ValueError('must not be negative')
  if unit.startswith('step'):
    return _exact(number, units.multiple)
  if unit == '%' and not units.train_steps:
    raise ValueError('a percentage of train_steps cannot be train_steps')
  worth = {'%': units.train_steps / 100,
           'e': units.num_examples / units.examples_per_step}
  if unit.startswith('example'):
    worth['e'] = 1 / units.examples_per_step
  # The small slack keeps 0.1 * 30 from becoming 4.
  calls = math.ceil(number * worth[unit[0]] / units.multiple - 1e-9)
  return calls * units.multiple


def _exact(number: float, multiple: int) -> int:
  if number != int(number):
    raise ValueError('must be a whole number of steps')
  number = int(number)
  if number % multiple:
    down = number // multiple * multiple
    near = f'{down} or {down + multiple}' if down else f'{multiple}'
    raise ValueError(f'must be a multiple of steps_per_call = {multiple}; '
                     f'try {near}')
  return number
