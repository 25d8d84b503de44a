"""The components of a config, with fields that flags can set."""

import os
import shlex

from ml_collections import ConfigDict
from ml_collections.config_dict import FieldReference, placeholder

from gan_jax.base import lookup
from gan_jax.config import hints
from gan_jax.config.keys import ARRAYS, CHOICES
from gan_jax.data import load as data

# Weights of the papers, 1 for other penalties. r1 and r2 share one gamma
# (Mescheder et al. 2018, arXiv:1801.04406, section 4.1; R3GAN).
_WEIGHTS = {'wgan_gp': 10.0, 'dragan': 10.0, 'r1': 10.0, 'r2': 10.0,
            'wgan_div': 2.0, 'drift': 0.001, 'lecam': 0.3, 'cr': 10.0,
            'bcr': 10.0, 'zcr': 5.0, 'icr': 10.0, 'orthogonal': 1e-4,
            'path_length': 2.0, 'pulling_away': 0.1}


def flexible(value):
  """A field that takes a number, a duration or a schedule, from flags too.

  An ml_collections field else refuses values of another type than its first.
  The durations, `ema_decay`, weights and rates of `base`, `choice` and `term`
  are such fields.
  """
  field = placeholder(object)
  field.set(value)
  return field


def choice(key: str, name: str) -> dict:
  """A component with all its arguments at their defaults.

  Raises:
    ValueError: no such name.
  """
  home = CHOICES[key]
  path = os.path.exists(name) or os.sep in name and ':' not in name
  if key == 'data' and path and name not in lookup.names(home.module):
    raise ValueError('files of yours are read by data=auto, with --config.data.'
                     f'path={shlex.quote(name)}')
  try:
    found = _parameters(key, name)
  except ValueError as e:
    raise ValueError(f'{e}{hints.elsewhere(key, name)}') from e
  return dict(name=name) | {
      argument: _field(key, parameter, parameter.default)
      for argument, parameter in found.items()
      if argument not in home.supplied
      and isinstance(parameter.default, (bool, int, float, str, tuple, dict))}


def term(key: str, name: str) -> ConfigDict:
  """A component of a key that holds several, such as 'augment'."""
  spec = choice(key, name)
  if key == 'penalties':
    spec |= dict(weight=flexible(_WEIGHTS.get(name, 1.0)), every=1)
  return ConfigDict(spec)


def complete(config: ConfigDict) -> None:
  """Gives what a recipe wrote as dicts the fields that flags can set.

  Terms get their other arguments, numbers the types of theirs. Each component
  gets fields of its own: if both players were given one dict of an optimiser, a
  flag for one would change the other.
  """
  seen = set()
  for key, value in config.items():
    if isinstance(value, tuple):
      config[key] = _apart(tuple(_written(key, spec) for spec in value), seen)
    elif isinstance(value, ConfigDict):
      config[key] = _apart(_written(key, value), seen)


def _written(key, spec):
  """A component that was written as a dict; unchanged what is to be refused."""
  if key not in CHOICES or not isinstance(spec, (dict, ConfigDict)) or (
      'name' not in spec):
    return spec
  try:
    found = _parameters(key, spec['name'])
    whole = _fields(term(key, spec['name']) if CHOICES[key].many else {})
  except (TypeError, ValueError):  # No such name.
    return spec
  for argument, value in _fields(spec).items():
    if isinstance(whole.get(argument), FieldReference):
      value = _flexible_once(value)
    elif argument in found:
      value = _field(key, found[argument], value)
    whole[argument] = value
  return ConfigDict(whole)


def _parameters(key, name):
  """Parameters of a component; ValueError if there is none of that name."""
  home = CHOICES[key]
  found = lookup.parameters(lookup.find(home.module, name, home.kind))
  return found | data.shared_parameters(name) if key == 'data' else found


def _field(key, parameter, value):
  """A field for an argument, which takes all that its function does."""
  if type(value) is int and lookup.takes_floats(parameter):
    value = float(value)  # An int's field would reject 0.5.
  # A float field would reject a schedule.
  scheduled = lookup.may_be_schedule(parameter) or (
      lookup.is_choice_of_types(parameter)) or (
      key in ARRAYS and isinstance(value, float))
  return _flexible_once(value) if scheduled else value


def _flexible_once(value):
  return value if isinstance(value, FieldReference) else flexible(value)


def _fields(spec) -> dict:
  """{key: its value, or the field that holds it}."""
  return dict(spec.items(preserve_field_references=True)
              if isinstance(spec, ConfigDict) else spec)


def _apart(part, seen):
  """A part of a config, with copies of the fields that were `seen` before."""
  if isinstance(part, tuple):
    return tuple(_apart(inner, seen) for inner in part)
  if isinstance(part, ConfigDict):
    return ConfigDict({key: _apart(inner, seen)
                       for key, inner in _fields(part).items()})
  if not isinstance(part, FieldReference):
    return part
  value = part.get()
  if isinstance(value, ConfigDict):  # A schedule.
    value = _apart(value, seen)
    part.set(value)
  if id(part) in seen:
    return flexible(value)
  seen.add(id(part))
  return part
