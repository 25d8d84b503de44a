"""Starts a new run from the weights of another one."""

import logging
import math
import os
import re
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import models, parallel
from gan_jax.base import lookup
from gan_jax.base.errors import CheckpointError
from gan_jax.config import fields
from gan_jax.config.keys import CHOICES
from gan_jax.data.files import some
from gan_jax.models import dcgan
from gan_jax.run import files
from gan_jax.run.checkpoint import Checkpoints, arrays, name_of

_LOG = logging.getLogger(__name__)
_LITTLE = 0.1  # share of a network's weights that triggers a warning
# {config key: parts of the state to copy}, without optimiser state and step.
_PLAYERS = {'generator': ('gen/params/', 'gen/stats/', 'ema/'),
            'discriminator': ('disc/params/', 'disc/stats/')}


def start_from(experiment, *, strict: bool = False) -> tuple[Callable, dict]:
  """Copies the newest valid weights of config['init_from'] into a fresh state.

  Arrays of generator, discriminator and EMA with the same path, shape and dtype
  are copied. Layers of two DCGANs for different image sizes are matched by
  resolution, counted from the image or from the base, whichever copies more. A
  generator with an encoder takes the EMA of one without.
  The log lists what is copied and what is not, and warns if few of a network's
  weights match, or if classes have other names. `strict` does not fall back to
  an older checkpoint.

  Returns:
    (`Experiment.init`, {'workdir', 'step', 'sha256', 'taken', 'left'} for the
    launch record).

  Raises:
    CheckpointError: no checkpoint, no match, or another prior, image range,
      number of channels, or frozen generator.
  """
  workdir = os.path.abspath(os.path.expanduser(experiment.config['init_from']))
  if not os.path.isdir(os.path.join(workdir, 'checkpoints')):
    raise CheckpointError(
        f'init_from={workdir}: '
        + ('a file, and weights of other programs are not read; give the '
           'folder of a run' if os.path.isfile(workdir) else
           files.members_of(workdir)
           or 'no run with a checkpoint is there; give the folder of one'))
  with Checkpoints(workdir, strict=strict) as checkpoints:
    step = checkpoints.latest()
    shapes = checkpoints.shapes(step, verified=True)
    config, info = (files.read_json(workdir, f'{name}.json')
                    for name in ('config', 'data'))
    if config and info:
      _check_meaning(workdir, config, info, experiment)
      _say_classes(workdir, info, experiment)
    values = {name_of(path): leaf for path, leaf in
              jax.tree_util.tree_leaves_with_path(checkpoints.restore(
                  parallel.abstract(shapes, parallel.make_mesh(1)), step,
                  verified=True))}
    digest = checkpoints.digest(step)
  here, there = arrays(jax.eval_shape(experiment.init)), arrays(shapes)
  source, left = _taken(workdir, config, info, experiment, here, there)
  if not source:
    raise CheckpointError(
        f'init_from={workdir}: none of its arrays fits this run; use the same '
        'networks, or no init_from:\n  ' + '\n  '.join(left[:10]))
  _LOG.info('init_from %s, step %d: took %d arrays and left %d, see '
            'launches.jsonl%s', workdir, step, len(source), len(left), ''.join(
                f'\n  {line}' for line in left[:10]) + '\n  ...' * (
                    len(left) > 10))

  # On the host, and no more than what is taken: they are kept long.
  values = {name: np.asarray(values[name]) for name in set(source.values())}

  def init(values):
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: (jnp.array(values[source[name]], copy=True) if (
            name := name_of(path)) in source else leaf), experiment.init())

  return partial(init, values), {
      'workdir': workdir, 'step': step, 'sha256': digest,
      'taken': list(source), 'left': left}


def _taken(workdir, config, info, experiment, here, there):
  """Which arrays are copied, and which of both runs are not.

  config, info: of the other run, {} if they are not there; here, there: {name:
  kind} of the arrays of both runs.

  Returns:
    ({name here: name there}, lines that say what is left).
  """
  source, names = {}, []
  for key, parts in _PLAYERS.items():
    mine = {name: here[name] for name in here if name.startswith(parts)}
    theirs = {name: there[name] for name in there if name.startswith(parts)}
    found = _match(theirs, mine, _levels(key, config, info, experiment))
    if key == 'generator' and 'generator' in experiment.config['gen_frozen']:
      found = {name: _averaged(other, there) for name, other in found.items()}
    # An encoder's game has no discriminator, and takes its generator whole.
    if mine and key not in experiment.config['gen_frozen']:
      share = _size(found, here) / _size(mine, here)
      _LOG.log(logging.WARNING if share < _LITTLE else logging.INFO,
               'init_from %s: %.0f %% of the weights of the %s are taken',
               workdir, 100 * share, key)
    source |= found
    names += sorted(mine | theirs)
  _check_frozen(workdir, experiment, here, source)
  return source, [
      f'{name}: {there.get(name, "absent")} (there) -> '
      f'{here.get(name, "absent")} (here)' for name in names
      if name not in source and (name in here or name not in source.values())]


def _averaged(name, there):
  """The averaged array of an array of the generator, if there is one."""
  average = name.replace('gen/', 'ema/', 1)
  return average if name.startswith('gen/') and average in there else name


def _check_frozen(workdir, experiment, here, source):
  """Raises CheckpointError if a generator that is not trained is not taken."""
  if 'generator' not in experiment.config['gen_frozen']:
    return
  absent = [f'{name}: {kind}' for name, kind in here.items()
            if name.startswith(('gen/params/generator/', 'gen/stats/'))
            and name not in source]
  if absent:
    raise CheckpointError(
        f'init_from={workdir}: the generator is frozen, and arrays of it are '
        'not there; use the generator of that run:\n  '
        + '\n  '.join(absent[:10]))


def _check_meaning(workdir, config, info, experiment):
  """Raises CheckpointError if prior, image range or channels differ.

  Or the generator, if it is frozen: with another activation its weights fit,
  and draw other images.
  """
  keys = ['latent'] + ['generator'] * (
      'generator' in experiment.config['gen_frozen'])

  def meaning(config, shape):
    found = {key: config[key] for key in keys}
    for key, spec in found.items():
      if spec['name'] == experiment.config[key]['name']:
        found[key] = lookup.defaults(CHOICES[key].module, spec['name'],
                                     CHOICES[key].kind) | spec
    return {'image_range': config['image_range'], **found,
            'channels': shape[-1]}

  lines = fields.diff(meaning(config, info['image_shape']), meaning(
      experiment.config, experiment.info.image_shape))
  if lines:
    fix = ('start from the recipe of that run, as configs/encoder.py:of=NAME '
           'does' if 'generator' in experiment.config['gen_frozen'] else
           'use the same values, or no init_from')
    raise CheckpointError(
        f'init_from={workdir}: its weights mean something else; {fix}:\n  '
        + '\n  '.join(lines))


def _say_classes(workdir, info, experiment):
  """Warns where a number of a class is another class than it was there."""
  there, here = info.get('class_names', ()), experiment.info.class_names
  other = [f'{old} -> {new}' for old, new in zip(there, here, strict=False)
           if str(old) != str(new)]
  if other and any(models.is_conditional(experiment.config[player])
                   for player in ('generator', 'discriminator')):
    _LOG.warning(
        'init_from %s: classes are taken by their numbers, so that weights of '
        'another class are taken, %s; name the classes so that they sort as '
        'there', workdir, some(other))


def _levels(key, config, info, experiment):
  """How many more layers a DCGAN has here than there."""
  names = {run.get(key, {}).get('name') for run in (config, experiment.config)}
  if names != {f'dcgan.{key.capitalize()}'} or not info:
    return 0
  there, here = (len(dcgan.sizes(shape[:-1], run[key].get('stride', 2)))
                 for shape, run in (
                     (info['image_shape'], config),
                     (experiment.info.image_shape, experiment.config)))
  return here - there


def _match(there, here, levels):
  """{name here: name there} of the matching arrays of a network."""
  def moved(name, by):  # DCGAN layers are numbered from the input.
    return re.sub(r'\b(Conv|ConvTranspose|Norm)_(\d+)',
                  lambda m: f'{m[1]}_{int(m[2]) + by}', name)

  ways = [{moved(name, by): name for name in there} for by in (0, levels)]
  # For an encoder of a trained generator: the averaged weights.
  ways.append({})
  for name in there:
    player, _, rest = name.partition('/')
    if player == 'ema':
      rest = rest.replace('params/', 'params/generator/', 1)
      ways[-1] |= {f'{part}/{rest}': name for part in ('gen', 'ema')}
  return max(({name: way[name] for name in here
               if name in way and there[way[name]] == here[name]}
              for way in ways), key=lambda found: _size(found, here))


def _size(names, kinds):
  return sum(math.prod(map(int, re.findall(r'\d+', kinds[name].partition(
      '[')[2]))) for name in names)
