"""Traces a step before it compiles, to find what does not fit together."""

import traceback
from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
from flax.errors import InvalidRngError
from jax.interpreters.partial_eval import dce_jaxpr

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, Problem, blaming
from gan_jax.config import fields, repeatable
from gan_jax.config.build import DataInfo
from gan_jax.config.keys import CHOICES
from gan_jax.game.rules import Game
from gan_jax.game.sampling import latent_shape
from gan_jax.models import is_conditional
from gan_jax.parallel import Batch


def trace(game: Game, step: Callable, init: Callable, info: DataInfo, label,
          config: Mapping) -> None:
  """Traces one step, to find mismatched networks, losses and optimisers.

  Args:
    game: the built components.
    step: (state, batch, key, *, pmean) -> (state, scalars), by jax.jit.
    init: () -> TrainState.
    info: of the data.
    label: labels [B, ...] of what a step sees of a batch: a device's part, or
      all of it if the state is sharded. For their shape and type.
    config: that names the components.

  Raises:
    ConfigError: an error of the trace, an array of size 0, a number of layers
      below 0, a step that changes the shapes of the state, or code of the
      user's own that changes from call to call, see `repeatable`.
  """
  batch = shapes_of_batch(game, info.image_shape, label)
  z = jax.ShapeDtypeStruct((len(label), *latent_shape(game.latent)),
                           jnp.float32)
  mesh = parallel.own_mesh()

  # As in `parallel.make_runner`, which then finds this trace.
  def on_one_device(step):
    return parallel.everywhere(lambda state, batch, seed: step(
        state, batch, jax.random.key(seed),
        pmean=parallel.mean_over(mesh))[0], mesh)

  try:
    state = jax.eval_shape(init)
    # Arrays of size 0 cannot be saved.
    if empty := [jax.tree_util.keystr(path) for path, leaf in
                 jax.tree_util.tree_leaves_with_path(state)
                 if not all(leaf.shape)]:
      raise ValueError(f'{empty[0]} has a size of 0')
    _check_networks(game, state, info.image_shape, jax.typeof(label), z)
    seed = jax.ShapeDtypeStruct((), jnp.uint32)
    after = jax.eval_shape(on_one_device(step), state, batch, seed)
    if jax.tree.map(lambda x: (x.shape, x.dtype), after) != jax.tree.map(
        lambda x: (x.shape, x.dtype), state):
      raise ValueError('a step changes the shapes or types of the state')
    if any(jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
           for x in jax.tree.leaves(state)):
      raise ValueError('an optimiser keeps a random key in its state, which '
                       'cannot be checkpointed')
    if info.label_size:
      _check_labels(game, state, info.image_shape, jax.typeof(label), z, config)
    if lookup.names_own(config['latent']['name']):
      with blaming('latent'):
        repeatable.check_prior(game.latent)
    if fields.own_code(config):
      repeatable.check(lambda *args: on_one_device(step.__wrapped__)(*args),
                       state, batch, seed)
  except Exception as e:  # User components may raise anything.
    if not _is_told(e):
      _check_sizes(config, 1, e)
    raise ConfigError([_problem(config, e)]) from e
  _check_sizes(config, 0)  # range(-1) of layers is no error, and none.


def _is_told(error) -> bool:
  """Whether a network itself says what it does not take.

  Then a size of 0, which may be right, such as flat_blocks, is not to blame.
  """
  *_, (frame, _) = traceback.walk_tb(error.__traceback__)
  return isinstance(error, ValueError) and frame.f_globals.get(
      '__name__', '').startswith('gan_jax.models')


def _check_networks(game, state, image_shape, label, z):
  """Raises ValueError if generator or encoder return other shapes."""
  image, _ = jax.eval_shape(partial(game.gen.apply, train=False),
                            state.gen.params, state.gen.stats, z, label)
  with blaming('generator'):
    if (made := getattr(image, 'shape', (type(image),))[1:]) != image_shape:
      raise ValueError(f'the generator makes images {made}, the data are '
                       f'{image_shape}')
    if not jnp.issubdtype(image.dtype, jnp.floating):
      raise ValueError(f'the generator makes {image.dtype}, through which no '
                       'gradient passes; floats in image_range are needed')
  if not game.gen.encode:
    return
  with blaming('encoder'):
    code = jax.eval_shape(partial(game.gen.encode, train=False),
                          state.gen.params, state.gen.stats, image, label)
    mean = getattr(getattr(code, 'mean', None), 'shape', type(code))
    if mean != z.shape:
      raise ValueError('must return a gan_jax.models.Posterior(mean [B, Z], '
                       f'log_var [B, Z]); its mean is {mean}, and z {z.shape}')


def _check_labels(game, state, image_shape, label, z, config):
  """Raises ValueError if a network of the user's own hides that it has labels.

  Rules, samples and scores go by what a network says of itself.
  """
  pack = (len(z), *image_shape[:-1], image_shape[-1] * game.packing)
  inputs = {'generator': (game.gen, state.gen, z.shape),
            'discriminator': (game.disc, state.disc, pack)}
  if config['joint'] != 'none':
    del inputs['discriminator']  # It is told codes in place of labels.
  for key, (model, net, shape) in inputs.items():
    if not lookup.names_own(config[key]['name']) or is_conditional(config[key]):
      continue
    program = jax.make_jaxpr(lambda label, x, params, stats, model=model: (
        model.apply(params, stats, x, label, train=False)[0]))(
            label, jax.ShapeDtypeStruct(shape, jnp.float32), net.params,
            net.stats)
    _, used = dce_jaxpr(program.jaxpr, [True] * len(program.jaxpr.outvars))
    if used[0]:
      with blaming(key):
        raise ValueError('uses the label, and does not say so: write '
                         '`conditional = True` in its class')


def _problem(config, error):
  """That of an exception, of the component that it is blamed on, if any."""
  key, name, component = getattr(error, 'component', ''), None, None
  if key:
    choice, name = CHOICES[key.split('[')[0]], fields.at(config, key)['name']
    component = lookup.find(choice.module, name, choice.kind)
  said = lookup.failure(error, component)
  hint = ('needs a head that the discriminator does not have: '
          if isinstance(error, KeyError) and key.startswith('penalties')
          and ':' not in name else '')
  if isinstance(error, InvalidRngError):
    said += ('\n    a network draws with the argument `keys` of its call, PRNG '
             'keys [B], see "A network" in docs/add.md')
  return Problem(f'{key}.name' * bool(key), name,
                 f'the components do not fit together: {hint}{said}')


def shapes_of_batch(game: Game, image_shape, label) -> Batch:
  """Shapes of a step's `Batch`, with as many examples as labels."""
  steps, count = game.disc_steps * (1 + game.draws_labelled), len(label)
  return Batch(
      jax.ShapeDtypeStruct((steps, count, *image_shape), jnp.float32),
      jax.ShapeDtypeStruct((steps, *label.shape), label.dtype),
      jax.ShapeDtypeStruct((count,), jnp.int32))


def _check_sizes(config, least, cause=None):
  """ConfigError of all sizes of networks and latents below `least`."""
  found = []
  for key in ('latent', 'generator', 'discriminator', 'encoder'):
    spec, choice = config[key], CHOICES[key]
    if not least and ':' in spec['name']:  # One of a user's own may mean it.
      continue
    defaults = lookup.defaults(choice.module, spec['name'], choice.kind)
    for name, value in spec.items():
      sizes = value if isinstance(value, tuple) else (value,)
      if value != defaults.get(name) and any(
          type(size) is int and size < least for size in sizes):
        found.append(Problem(f'{key}.{name}', value,
                             f'must be {least} or more'))
  if found:
    raise ConfigError(found) from cause
