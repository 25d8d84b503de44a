"""Rules about each key of a config by itself.

Those about several keys, data or networks are in `rules.py`.
"""

from collections.abc import Mapping
from typing import Any

from gan_jax.base import lookup
from gan_jax.base.errors import Problem
from gan_jax.config import durations, hints
from gan_jax.config.keys import (
  DURATION,
  EVERY,
  KEYS,
  MANY,
  OF_A_RUN,
  WATCHDOG,
  Choice,
  Number,
)
from gan_jax.data import load as data

# Components whose arguments may be schedules.
_TOLD_THE_STEP = ('augment', 'penalties')


def check(config: Mapping[str, Any]) -> list[Problem]:
  """Returns the problems of each key by itself; `config` is a plain dict."""
  problems = [Problem(key, value, 'no such key' + (
      hints.after_the_colon(key, value) if key in MANY
      else hints.near_key(key, value, config)))
              for key, value in config.items() if key not in KEYS]
  problems += [Problem(key, 'absent', 'is missing; start from '
                       'gan_jax.config.recipe.base()')
               for key in OF_A_RUN if key not in config]
  for key, value in config.items():
    if key not in KEYS:
      continue
    values = KEYS[key].values
    if isinstance(values, Choice):
      problems += _check_choice(key, value, values)
    elif isinstance(values, Number):
      problems += durations.check_number(value, key, *values)
    elif values is DURATION:
      problems += _check_duration(key, value)
    elif not values[0](value):
      problems.append(Problem(key, value, values[1]))
    elif key == 'watchdog':
      problems += _check_keys(key, value, WATCHDOG)
  return problems


def _check_duration(key, value) -> list[Problem]:
  # Whether a duration is 0 is the same in all units.
  units = durations.Units(1, 1, int(key != 'train_steps'), 1)
  try:
    if not durations.steps(value, units) and key in ('train_steps',
                                                     'log_every'):
      raise ValueError('must be above 0')
  except ValueError as e:
    return [Problem(key, value, str(e))]
  return []


def _check_keys(path, spec, rules) -> list[Problem]:
  """Checks a dict that must have exactly the keys of `rules`."""
  problems = [Problem(f'{path}.{key}', value, 'no such key' + lookup.near(
      key, rules)) for key, value in spec.items() if key not in rules]
  for key, (holds, rule) in rules.items():
    if key not in spec:
      problems.append(Problem(f'{path}.{key}', 'absent', 'is missing'))
    elif not holds(spec[key]):
      problems.append(Problem(f'{path}.{key}', spec[key], rule))
  return problems


def _check_choice(key, value, choice) -> list[Problem]:
  if key == 'data':
    return _with_others(key, key, data.check(value, key))
  if not choice.many:
    spec, problems = _without_schedules(key, value, choice)
    return _of_another_name(key, _check_spec(key, key, spec, choice)) + problems
  if not isinstance(value, tuple):
    return [Problem(key, value, 'must be a tuple of dict(name=..., **kwargs)')]
  if value and all(isinstance(spec, str) for spec in value):
    argument = next(one for one, many in MANY.items() if many == key)
    return [Problem(key, value, 'must be a tuple of dict(name=..., **kwargs)'
                    + hints.after_the_colon(argument, '+'.join(value)))]
  problems = []
  for i, spec in enumerate(value):
    path = f'{key}[{i}]'
    if choice.extra and isinstance(spec, Mapping):
      problems += _check_term(path, spec)
      spec = {k: v for k, v in spec.items() if k not in choice.extra}
    spec, found = _without_schedules(path, spec, choice)
    problems += _check_spec(key, path, spec, choice) + found
  return problems


def _check_spec(key, path, spec, choice) -> list[Problem]:
  """As `lookup.check`; also says which other component has the name."""
  return _with_others(key, path, lookup.check(
      choice.module, spec, path, choice.supplied, choice.kind,
      also=choice.extra))


def _with_others(key, path, problems) -> list[Problem]:
  """Adds to an unknown name what else it may have meant."""
  return [problem._replace(
      rule=f'{problem.rule}{hints.elsewhere(key, problem.value)}')
          if problem.path == f'{path}.name' else problem
          for problem in problems]


def _of_another_name(key, problems) -> list[Problem]:
  """Adds to the last unknown argument that it may be the recipe's."""
  odd = [i for i, (_, _, rule) in enumerate(problems)
         if lookup.NO_SUCH in rule and 'did you mean' not in rule]
  if odd:
    last = problems[odd[-1]]
    problems[odd[-1]] = last._replace(rule=(
        f'{last.rule}; if you set {key}.name: the recipe\'s arguments stay, '
        f'while :{key}=NAME after the config begins with its own'))
  return problems


def _check_term(path, spec) -> list[Problem]:
  holds, rule = EVERY
  problems = [] if holds(every := spec.get('every', 1)) else [
      Problem(f'{path}.every', every, rule)]
  if 'weight' not in spec:
    return [Problem(f'{path}.weight', 'absent', 'is missing'), *problems]
  return durations.check_number(spec['weight'], f'{path}.weight') + problems


def _without_schedules(path, spec, choice) -> tuple[Any, list[Problem]]:
  """A spec with 0.0 in place of schedules, and the problems of those."""
  try:
    names = durations.scheduled_arguments(choice, spec)
  except (KeyError, TypeError, ValueError, AttributeError):
    return spec, []  # Not a spec: lookup.check says so.
  if choice.module == 'optax':
    names = {*names, 'learning_rate'} & set(spec)
  problems = [problem for name in sorted(names)
              for problem in durations.check_number(spec[name],
                                                    f'{path}.{name}')]
  if choice.module != 'optax' and path.split('[')[0] not in _TOLD_THE_STEP:
    problems += [Problem(f'{path}.{name}', spec[name], (
        'must be a number: no schedule, as it is not told the step; a memory '
        'of a loss can count, see docs/add.md')) for name in names]
  return {**spec, **dict.fromkeys(names, 0.0)}, problems
