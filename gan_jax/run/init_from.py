"""A new run that starts from the weights of another one."""

import logging
import math
import os
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import CheckpointError
from gan_jax.config import fields
from gan_jax.config.keys import CHOICES
from gan_jax.models import dcgan
from gan_jax.run import files
from gan_jax.run.checkpoint import Checkpoints, arrays, name_of

_LOG = logging.getLogger(__name__)
_LITTLE = 0.1  # of a player's weights
# Player: its config key, and what of the state belongs to it. The optimiser's
# memory and the step are not taken.
_PLAYERS = {'gen': ('generator', ('gen/params/', 'gen/stats/', 'ema/')),
            'disc': ('discriminator', ('disc/params/', 'disc/stats/'))}


def start_from(experiment, *, strict: bool = False) -> tuple[Callable, dict]:
  """Puts the newest valid weights of another run into a fresh state.

  Of generator, discriminator and average, each array that has the same path,
  shape and dtype there and here is taken. Where both are DCGANs, for images of
  different sizes, their layers are matched by resolution: counted from the
  image or from the base, whichever takes more weights. The log names what is
  taken and what is not, and warns of a player of which next to nothing is.

  Args:
    experiment: its config's init_from is the folder of the other run.
    strict: do not fall back to an older checkpoint of that run.

  Returns:
    (() -> the state before the first step, {'workdir', 'step', 'sha256',
    'taken', 'left'} for the record of the launch).

  Raises:
    CheckpointError: nothing there, nothing that fits, or weights that mean
      something else: of another prior, range or number of channels.
  """
  workdir = os.path.abspath(os.path.expanduser(experiment.config['init_from']))
  with Checkpoints(workdir, strict=strict) as checkpoints:
    step = checkpoints.latest()
    shapes = checkpoints.shapes(step, verified=True)
    config, info = (files.read_json(workdir, f'{name}.json')
                    for name in ('config', 'data'))
    if config and info:
      _check_meaning(workdir, config, info, experiment)
    abstract = parallel.abstract(shapes, parallel.make_mesh(1))
    values = {name_of(path): leaf
              for path, leaf in jax.tree_util.tree_leaves_with_path(
                  checkpoints.restore(abstract, step, verified=True))}
    record = {'workdir': workdir, 'step': step,
              'sha256': checkpoints.digest(step)}
  here = arrays(jax.eval_shape(experiment.init))
  there, source = arrays(shapes), {}
  for key, parts in _PLAYERS.values():
    mine, theirs = ({name: kind for name, kind in tree.items()
                     if name.startswith(parts)} for tree in (here, there))
    found = _match(theirs, mine, _levels(key, config, info, experiment))
    source |= found
    share = _size(found, here) / max(_size(mine, here), 1)
    _LOG.log(logging.WARNING if share < _LITTLE else logging.INFO,
             'init_from %s: %.0f %% of the weights of the %s are taken',
             workdir, 100 * share, key)
  names = [name for name in sorted(here | there) if name.startswith(
      sum((parts for _, parts in _PLAYERS.values()), ()))]
  record['taken'] = [name for name in names if name in source]
  record['left'] = [
      f'{name}: {there.get(name, "absent")} (there) -> '
      f'{here.get(name, "absent")} (here)' for name in names
      if name not in source and (name in here or name not in source.values())]
  if not source:
    raise CheckpointError(
        f'init_from={workdir}: none of its arrays fits this run; use the same '
        'networks, or no init_from:\n  ' + '\n  '.join(record['left'][:10]))
  taken = [name if source[name] == name else f'{name}, there {source[name]}'
           for name in record['taken']]
  _LOG.info('init_from %s, step %d: took %d arrays\n  %s\nleft %d\n  %s',
            workdir, step, len(taken), '\n  '.join(taken),
            len(record['left']), '\n  '.join(record['left']) or 'none')

  def init():
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: (jnp.array(values[source[name]], copy=True) if (
            name := name_of(path)) in source else leaf), experiment.init())

  return init, record


def _check_meaning(workdir, config, info, experiment):
  """Raises a CheckpointError where the same arrays would mean another thing."""
  def meaning(config, shape):
    latent = config['latent']
    if latent['name'] == experiment.config['latent']['name']:
      latent = lookup.defaults(CHOICES['latent'].module,
                               latent['name']) | latent
    return {'image_range': config['image_range'], 'latent': latent,
            'channels': shape[-1]}

  lines = fields.diff(meaning(config, info['image_shape']), meaning(
      experiment.config, experiment.info.image_shape))
  if lines:
    raise CheckpointError(
        f'init_from={workdir}: its weights mean something else; use what is '
        'used there, or no init_from:\n  ' + '\n  '.join(lines))


def _levels(key, config, info, experiment) -> int:
  """How many layers more a DCGAN has here than there."""
  names = {run.get(key, {}).get('name') for run in (config, experiment.config)}
  if names != {f'dcgan.{key.capitalize()}'} or 'image_shape' not in info:
    return 0
  there, here = (len(dcgan.sizes(*shape[:2])) for shape in (
      info['image_shape'], experiment.info.image_shape))
  return here - there


def _match(there, here, levels) -> dict[str, str]:
  """{name here: name there} of the arrays of a player that fit."""
  def moved(name, by):
    return re.sub(r'\b(Conv|ConvTranspose|Norm)_(\d+)',
                  lambda m: f'{m[1]}_{int(m[2]) + by}', name)

  # DCGANs number their layers from the input on.
  ways = [{moved(name, by): name for name in there} for by in (0, levels)]
  found = [{name: way[name] for name in here
            if name in way and there[way[name]] == here[name]} for way in ways]
  return max(found, key=lambda names: _size(names, here))


def _size(names, kinds) -> int:
  """Numbers in some arrays; the kind of one is 'float32[100, 8]'."""
  return sum(math.prod(map(int, re.findall(r'\d+', kinds[name].partition(
      '[')[2]))) for name in names)
