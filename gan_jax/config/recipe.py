"""Loads recipes and applies the :key=name arguments.

A recipe is a file with get_config(arg). It starts from `base()`, or from
another recipe by `get_config('dcgan')`, sets what its paper sets, and ends with
`finish(config, arg)`, which handles

  --config=dcgan:loss=hinge,data=fashion_mnist,quick

where `key=name` replaces a component, with its arguments at their defaults so
that flags can override them. Durations are steps, or strings such as
'20 epochs', '64000 examples' or '10%' (of train_steps).
"""

import glob
import importlib.util
import inspect
import os
import re
import shlex
from functools import partial

from ml_collections import ConfigDict

from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, RequestError
from gan_jax.config import choices, hints, quick
from gan_jax.config.components import choice, complete, flexible, term
from gan_jax.config.keys import (
  CHOICES,
  COMPONENTS,
  DURATIONS,
  KEYS,
  MANY,
  OF_DISC,
  SWITCHES,
)

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Recipes of an installed package, or of a checkout.
_RECIPES = next(filter(os.path.isdir, (
    os.path.join(_PACKAGE, 'configs'),
    os.path.join(os.path.dirname(_PACKAGE), 'configs'))))


def names() -> list[str]:
  """Names of the built-in recipes."""
  return sorted(os.path.basename(path)[:-3]
                for path in glob.glob(os.path.join(_RECIPES, '[a-z]*.py')))


def path_of(name: str) -> str:
  """Path of a recipe: a path, or a name such as 'dcgan'.

  Raises:
    ConfigError: not found.
  """
  file = name if name.endswith('.py') else f'{name}.py'
  folder, base = os.path.split(file)
  paths = [file]
  if not folder:
    paths.append(os.path.join('configs', base))
  if folder in ('', 'configs'):
    paths.append(os.path.join(_RECIPES, base))
  if found := next(filter(os.path.isfile, paths), ''):
    return found
  run = name.removesuffix('config.json').rstrip('/') or '.'
  if name and os.path.isfile(os.path.join(run, 'config.json')):
    raise ConfigError.saying(
        f'{name}: this is a run, which --workdir={shlex.quote(run)} names; a '
        'recipe is needed, as in --config=dcgan')
  if os.path.isdir(name):
    raise ConfigError.saying(
        f'{name}: a folder; a file of it is needed, or the name of a recipe, '
        'as in --config=configs/dcgan.py')
  recipe, _, choices = name.partition(',')
  if choices:
    raise ConfigError.saying(
        f'{name}: a colon comes before the choices: {recipe}:{choices}')
  known = [f'configs/{n}.py' for n in names()] if name == file else names()
  raise ConfigError.saying(f'{name}: no such file, and no recipe of that name'
                           f'{lookup.near(name, known)}')


def module(name: str):
  """Imports a recipe as a module, for functions that recipes share."""
  path = path_of(name)
  spec = importlib.util.spec_from_file_location(
      f'gan_jax_recipe_{os.path.basename(path)[:-3]}', path)
  found = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(found)
  return found


def get_config(name: str) -> ConfigDict:
  """Loads the config of 'dcgan', 'dcgan:loss=hinge,quick' or 'my/own.py:arg'.

  Raises:
    ConfigError: no such recipe, or an error in it, with its file and line.
  """
  name, colon, arg = name.partition(':')
  path = path_of(name)
  try:
    make = getattr(module(name), 'get_config', None)
    if make is None:
      raise ValueError('needs a function get_config(arg=None) that returns the '
                       'config')
    config = make(*([arg] if arg else []))
    if not isinstance(config, ConfigDict):
      raise ValueError('get_config must return a ConfigDict')
    return config
  except ConfigError:
    raise
  except RequestError as e:  # Of the argument; the file has no mistake.
    raise ConfigError.saying(f'{name}{colon}{arg}: {e}') from e
  except Exception as e:
    raise ConfigError.saying(
        f'{path}{colon}{arg}: {lookup.failure(e)}') from e


def shipped(name: str) -> ConfigDict:
  """Config of a recipe of this package; never of another file.

  Raises:
    ConfigError: there is none of that name.
  """
  if name not in names():
    raise ConfigError.saying(f'no recipe {name}{lookup.near(name, names())}')
  return get_config(os.path.join(_RECIPES, f'{name}.py'))


def base() -> ConfigDict:
  """A config of all keys, with defaults for a small data set."""
  config = ConfigDict()
  for name, key in KEYS.items():
    value = key.default
    if name == 'data':
      value = choice('data', value['name'])
    elif name in CHOICES and CHOICES[name].many:
      value = tuple(term(name, spec['name']) for spec in value)
    elif name in (*DURATIONS, *SWITCHES, 'seed', 'steps_per_call'):
      value = flexible(value)
    elif name.endswith('_optimizer'):
      value = {k: v if k == 'name' else flexible(v) for k, v in value.items()}
    config[name] = value
  return config


def adam(learning_rate: float, *, b1: float = 0.9, b2: float = 0.999) -> dict:
  """Adam; the Wasserstein and hinge papers use b1=0."""
  return dict(name='adam', learning_rate=flexible(learning_rate),
              b1=flexible(b1), b2=flexible(b2))


def rmsprop(learning_rate: float, **changes) -> dict:
  """RMSprop with TensorFlow's default decay of 0.9.

  decay=0.99, eps_in_sqrt=False are PyTorch's.
  """
  return dict(name='rmsprop', learning_rate=flexible(learning_rate), decay=0.9
              ) | changes


def r1_weight(size: int, batch_size: int) -> float:
  """R1's gamma for images of a size: 0.0002 size^2 / batch_size.

  The rule of StyleGAN2-ADA's `auto` configuration, in its train.py (Karras et
  al. 2020, arXiv:2006.06676); its r1 acts every 16 updates.
  """
  return 2e-4 * size ** 2 / batch_size


def cosine(start, end, name: str = 'cosine') -> ConfigDict:
  """A `cosine` or `half_life` schedule over the whole run."""
  return ConfigDict(dict(
      name=name, init_value=flexible(start), end_value=flexible(end),
      transition_steps=flexible('100%')))


def linear(start: float) -> ConfigDict:
  """A linear schedule that falls to 0 in the last step."""
  return ConfigDict(dict(name='linear_schedule', init_value=start,
                         end_value=0.0, transition_steps=flexible('100%')))


def known(argument: str, value: str, values) -> str:
  """Returns the value of a recipe's own argument.

  Raises:
    RequestError: it is not among `values`.
  """
  if value not in values:
    raise RequestError(f'{argument}={value} is not one of {", ".join(values)}')
  return value


def number(argument: str, value: str, kind: type = int):
  """The number, int or float, of a recipe's own argument.

  Raises:
    RequestError: it is none.
  """
  try:
    return kind(value)
  except ValueError as e:
    raise RequestError(f'{argument}={value}: must be '
                       f'{"a whole" if kind is int else "a"} number') from e


def without_discriminator(config: ConfigDict) -> None:
  """Makes a game of the generator alone, which learns by its terms."""
  config.discriminator = choice('discriminator', 'none.Discriminator')
  config.loss = choice('loss', 'none')
  for key, value in OF_DISC.items():
    config[key] = value


def alone(arg: str | None, *names: str) -> None:
  """RequestError if several of these arguments of a recipe are given."""
  given = [part.partition('=')[0] for part in (arg or '').split(',')]
  if len(found := [name for name in names if name in given]) > 1:
    raise RequestError(f'{" and ".join(found)} each choose networks and '
                       'constants: give one of them')


def finish(config: ConfigDict, arg: str | None, **own) -> ConfigDict:
  """Applies the arguments after the colon.

  Args:
    config: of the recipe. Terms such as penalties may be plain dicts.
    arg: 'key=name,key=name,switch'.
    **own: the recipe's own arguments, in the order in which they act, {name:
      function}: (config, value), or (config) of a switch, which takes no value.

  Raises:
    RequestError: an unknown argument or component, one given twice, a value
      where none is taken or none where one is, or one that its function
      refuses by a ValueError, or a component that another argument replaces.
  """
  parts = [part.partition('=') for part in (arg or '').split(',') if part]
  given = [key for key, *_ in parts]
  if twice := [key for key in given if given.count(key) > 1]:
    raise RequestError(f'{twice[0]} is given twice')
  switches = {'quick', *(name for name, apply in own.items() if len(
      inspect.signature(apply).parameters) == 1)}
  known = [*own, *COMPONENTS, 'quick']
  # In this order: replace components, apply the recipe's own arguments, quick.
  order = [*COMPONENTS, *own, 'quick']
  order += [key for key in given if key not in order]
  chosen = {}  # {key: names} of components that were asked for
  complete(config)
  of_recipe = {key: {spec.name for spec in config[key] or () if isinstance(
      spec, ConfigDict)} for key in MANY.values()}
  for key, equals, value in sorted(parts, key=lambda part: (
      order.index(part[0]))):
    if key not in known:
      hint = hints.flag(config, key, value) or lookup.near(key, known)
      raise RequestError(f'no argument {key!r}{hint}')
    if equals and key in switches:
      raise RequestError(f'{key}={value}: {key} takes no value; use {key}')
    if not value and key not in switches:
      raise RequestError(f'{key} needs a value, as in {key}=...')
    act = {'quick': quick.shorten, **own}.get(key, partial(_choose, key))
    before = choices.seen(config, chosen)
    try:
      act(config, *([] if key in switches else [value]))
    except RequestError:
      raise
    except ValueError as e:
      raise RequestError(f'{key}={value}: {e}') from e
    complete(config)
    if key in own:
      choices.keep(config, chosen, before, of_recipe, key, value)
    elif key in COMPONENTS:
      chosen[key] = value
  return config


def _choose(key, config, value):
  """Replaces a component, or those of a key that holds several."""
  if '=' in value:
    meant = re.sub(r'[^\w.]+(?=\w+=)', ',', value)
    raise RequestError(f'{key}={value}: arguments are separated by commas, as '
                       f'in {key}={meant}')
  if key in MANY:
    setattr(config, MANY[key], tuple(
        term(MANY[key], name) for name in value.split('+')))
  else:
    _replace(config, key, value)


def _replace(config, key, name):
  spec = choice(key, name)
  old = config[key]
  for kept in ('learning_rate', 'conditioning'):  # Kept on replacement.
    if kept in old and (kept in spec or kept == 'learning_rate'):
      spec[kept] = old[kept]
  del config[key]
  config[key] = spec
