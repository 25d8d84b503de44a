"""What an idea is: the arguments that make a game of a task's plain one.

`my_lab/ideas.py:my_loss` is imported, and its kind known by what it returns:
the arguments are 'loss=my_lab.ideas:my_loss'. Arguments may be given instead:
'loss=hinge,penalty=r1,penalties[0].weight=5,disc_steps=2'; components are read
as behind the colon of --config, the rest as --config.key=value.
"""

import contextlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from gan_jax import models
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, RequestError, UserError
from gan_jax.config import overrides, recipe
from gan_jax.config.keys import CHOICES, COMPONENTS, KEYS
from gan_jax.losses import Loss
from gan_jax.models import Critique
from gan_jax.penalties import Regulariser

# Some of them are what makes a function a penalty.
_TERM = {'real', 'fake', 'real_out', 'fake_out', 'label', 'z', 'critic',
         'fake_critic', 'critique', 'labelled', 'generate', 'styles', 'encode',
         'codes', 'params', 'memory'}
# What all games of a task share, so that their scores compare.
_FIXED = {'data', 'evaluator', 'evaluators', 'logger', 'loggers', 'quick',
          'best_metric', 'seed', 'population', 'train_steps', 'log_every',
          'eval_every', 'sample_every', 'checkpoint_every', 'keep_checkpoints',
          'steps_per_call'}
_NORMS = 'generator.norm={0},discriminator.norm={0}'
_EXAMPLE = (28, 28, 1)  # of a trial of a network
_FILE = re.compile(r'(?P<file>[^=]*\.py):(?P<name>\w+)\Z')


class Idea(NamedTuple):
  """An idea that is judged.

  name: for titles and folders.
  arguments: that make it of a plain game, see `apply`.
  where: file and line of its definition, '' of arguments and partials.
  """

  name: str
  arguments: str
  where: str = ''


def read(text: str) -> Idea:
  """The idea of --idea.

  Raises:
    RequestError: it cannot be imported, or its kind not be told; arguments
      that cannot be read.
  """
  if not (found := _FILE.match(text)):
    if '=' not in text:
      raise RequestError(
          f'--idea={text}: give FILE.py:NAME of a loss, a penalty, a norm or a '
          'network, or arguments such as loss=hinge,penalty=r1')
    _check_arguments(text)
    named = re.search(r':(\w+)', text)
    return Idea(named[1] if named else text, text)
  full = _module(found['file'], text) + ':' + found['name']
  try:
    component = lookup.find('', full)
  except Exception as e:  # The user's file may raise anything.
    cause = e.__cause__ or e
    raise RequestError(f'--idea={text}: {lookup.failure(cause)}') from e
  kind, where = _kind(component, text, full), ''
  with contextlib.suppress(TypeError):  # A partial has no line.
    where = f'{found["file"]}, line {inspect.getsourcelines(component)[1]}'
  return Idea(found['name'], _NORMS.format(full) if kind == 'norm' else
              f'{kind}={full}', where)


def _check_arguments(text) -> None:
  """RequestError for arguments that fit no task."""
  found, known = sum(parts(text), []), {*KEYS, *COMPONENTS} - _FIXED
  if fixed := _FIXED.intersection(
      re.split(r'[.[=]', word)[0] for part in found
      for word in part.split(',')):
    raise RequestError(
        f'--idea={text}: {", ".join(sorted(fixed))}: of the task or of the '
        'budget, the same for all games; leave it out')
  for key in (re.split(r'[.[=]', part)[0] for part in found):
    if key not in known:
      raise RequestError(f'--idea={text}: no argument {key!r}'
                         f'{lookup.near(key, known)}')
  try:
    apply(recipe.base(), text)
  except ConfigError as e:
    raise RequestError(f'--idea={text}: {lines(e)}') from e


def lines(error: UserError) -> str:
  """What an error says of an idea, whose keys have no `config.` in front."""
  return '\n'.join(map(str, error.problems)) if isinstance(
      error, ConfigError) else str(error)


def apply(config: ConfigDict, arguments: str) -> ConfigDict:
  """Makes the game of some arguments of a plain one, in place.

  Raises:
    ConfigError: an argument that cannot be read.
  """
  behind, dotted = parts(arguments)
  try:
    recipe.finish(config, ','.join(behind))
  except RequestError as e:
    raise ConfigError.saying(str(e)) from e
  for part in dotted:
    try:
      overrides.apply(config, f'--config.{part}')
    except ValueError as e:
      raise ConfigError.saying(f'cannot read {part}: {e}') from e
  return config


def parts(arguments: str) -> tuple[list[str], list[str]]:
  """Arguments for behind the colon of --config, and those for flags."""
  found = [part for part in re.split(r',(?=[\w.\[\]]+=)', arguments) if part]
  dotted = [part for part in found if re.match(r'[^=]*[.\[]', part)
            or (key := part.partition('=')[0]) in KEYS and key not in CHOICES]
  return [part for part in found if part not in dotted], dotted


def _module(file: str, text: str) -> str:
  """Name by which a file can be imported, here and by the runs later.

  From the folder of the start where it is below that, else from its own, which
  must then be on PYTHONPATH to load the runs.
  """
  if not os.path.isfile(file):
    raise RequestError(f'--idea={text}: there is no file {file}')
  path, here = os.path.realpath(file), os.path.realpath(os.getcwd())
  parts = os.path.relpath(path, here)[:-len('.py')].split(os.sep)
  if not all(part.isidentifier() for part in parts):  # '..', say
    here, parts = os.path.dirname(path), [os.path.basename(path)[:-len('.py')]]
  if not parts[-1].isidentifier():
    raise RequestError(f'--idea={text}: {parts[-1]} is no name of a module; '
                       'rename the file')
  if here not in sys.path:
    sys.path.insert(0, here)
  name = '.'.join(parts)
  loaded = getattr(sys.modules.get(name), '__file__', None)
  if name in sys.stdlib_module_names or loaded and (
      os.path.realpath(loaded) != path):
    raise RequestError(f'--idea={text}: there is another module {name}; rename '
                       'the file')
  return name


def _kind(component: Callable, text: str, full: str) -> str:
  """'loss', 'penalty', 'generator', 'discriminator' or 'norm'."""
  try:
    made = _made(component, full)
    if isinstance(made, Loss):
      return 'loss'
    if isinstance(made, Regulariser):
      return 'penalty'
    if isinstance(made, nn.Module):
      takes = inspect.signature(type(made).__call__).parameters
      return _network(made, text) if 'train' in takes else 'norm'
    if hasattr(made, 'init') and hasattr(made, 'apply'):
      return _network(made, text)
    if callable(made) and _TERM & {*inspect.signature(made).parameters}:
      return 'penalty'
  except RequestError:
    raise
  except Exception as e:  # It may raise anything.
    raise RequestError(f'--idea={text}: {lookup.failure(e)}') from e
  raise RequestError(
      f'--idea={text}: it returns {type(made).__name__}, which is no loss '
      '(gan_jax.losses.Loss), penalty, norm or network; say what it is, as in '
      f'--idea=penalty={full}, or --idea=augment={full}')


def _made(component, full):
  """What a component returns with its defaults."""
  supplied = dict(
      batch_mean=jnp.mean, batch_all=lambda x: x, num_classes=10,
      image_range=(-1.0, 1.0), image_shape=_EXAMPLE, row_blocks=(), heads=(),
      dtype=jnp.float32, axis_name=None, train=True, momentum=0.9, cond=None)
  return lookup.build('', {'name': full}, **supplied)


def _network(network: Any, text: str) -> str:
  """Which player a network can be."""
  model, label = models.as_model(network), jnp.zeros((2,), jnp.int32)

  def out(shape):
    x = jnp.zeros((2, *shape))

    def run(key):
      params, stats = model.init(key, x, label)
      return model.apply(params, stats, x, label, train=False)[0]

    return jax.eval_shape(run, jax.random.key(0))

  errors = []
  for kind, shape in (('generator', (8,)), ('discriminator', _EXAMPLE)):
    try:
      found = out(shape)
    except Exception as e:  # The other player may fit.
      errors.append(f'as a {kind}: {lookup.failure(e)}')
      continue
    if kind == 'generator' and getattr(found, 'shape', ()) == (2, *_EXAMPLE):
      return kind
    if kind == 'discriminator' and isinstance(found, Critique):
      return kind
    errors.append(f'as a {kind}: it makes '
                  f'{getattr(found, "shape", type(found).__name__)}')
  raise RequestError(f'--idea={text}: it is no generator of images and no '
                     'discriminator:\n  ' + '\n  '.join(errors))
