"""Whether the parts of a game fit together, before anything is compiled."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax import models
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, Problem
from gan_jax.game.rules import Game
from gan_jax.losses import Loss
from gan_jax.parallel import Batch
from gan_jax.penalties.term import names


def problems(config: Mapping, disc: Any, loss: Any, penalties,
             unlabelled: int = 0) -> list[Problem]:
  """Combinations that have no meaning, with what would fit.

  Args:
    config: plain and checked.
    disc: what its discriminator names, None if that could not be built.
    loss: what its loss names, or None.
    penalties: its terms; their functions may be None.
    unlabelled: examples without a label, among others that have one.
  """
  built = tuple(term for term in penalties if term.fn)
  loss = loss if isinstance(loss, Loss) else None
  return [*_autoencoder(config, disc, loss),
          *_logits(config, disc, loss, penalties), *_packs(config, built),
          *_classes(config, penalties), *_heads(config, penalties),
          *_judges(config, loss, built),
          *_game(config),
          *(_missing_labels(config, penalties) if unlabelled else ())]


def _autoencoder(config, disc, loss) -> Iterator[Problem]:
  """A loss of reconstructions belongs to a discriminator that makes them."""
  wants = loss is not None and loss.needs == 'autoencoder'
  has = getattr(disc, 'autoencoder', False)
  if wants and not has:
    yield Problem(
        'loss.name', config['loss']['name'], 'judges by reconstruction '
        'errors; use discriminator=autoencoder.Discriminator')
  if has and not wants:
    yield Problem(
        'discriminator.name', config['discriminator']['name'],
        'gives reconstruction errors for logits; use loss=ebgan or began')


def _logits(config, disc, loss, penalties) -> Iterator[Problem]:
  """What reads logits must find logits, each of one image."""
  name, adaptive = config['loss']['name'], {'ada', 'apa'} & _augments(config)
  if loss is not None and (loss.needs or loss.inputs != 'logits'):
    for path, on in (('gradient_normalization',
                      config['gradient_normalization']),
                     ('augment', adaptive)):
      if on:
        yield Problem(path, config[path], f'reads logits, which {name} does '
                      'not train; leave it out')
  if loss is not None and loss.relative and adaptive:
    yield Problem(
        'augment', config['augment'], 'adapts by the sign of D(real), which '
        f'{name} leaves open; use bgc, which has a fixed p')
  for i, term in enumerate(penalties):
    if loss is not None and loss.inputs == 'features' and term.fn and any(
        names(side, critic) for side in (term.parts.disc, term.parts.gen)
        for critic in ('critic', 'fake_critic')):
      yield Problem(
          f'penalties[{i}].name', term.name, f'acts on logits, which {name} '
          'does not train; use disc_weight_clip')
  mixed = (getattr(disc, 'norm', 'none') == 'batch'
           or getattr(disc, 'minibatch', 'none') != 'none')
  if config['gradient_normalization'] and mixed:
    yield Problem(
        'gradient_normalization', True, 'needs the gradient of each image '
        "alone; use discriminator.norm='none' and minibatch='none'")


def _packs(config, terms) -> Iterator[Problem]:
  """A pack holds images of several classes and codes."""
  packing = config['packing']
  if packing == 1:
    return
  rule = 'a pack holds images of several classes, but '
  fix = 'use packing=1, or leave the classes out'
  if models.is_conditional(config['discriminator']):
    yield Problem('packing', packing,
                  f'{rule}the discriminator is told one; {fix}')
  for term in terms:
    if term.parts.heads:
      yield Problem('packing', packing,
                    f'{rule}{term.name} asks for one; {fix}')


def _classes(config, penalties) -> Iterator[Problem]:
  """A generator that is asked for classes must know them."""
  for i, term in enumerate(penalties):
    if not term.fn or models.is_conditional(config['generator']):
      continue
    fix = "use generator.conditioning='onehot'"
    if ':' in config['generator']['name']:
      fix += ', or conditional = True in a network of your own'
    if names(term.parts.gen, 'label'):
      yield Problem(
          f'penalties[{i}].name', term.name, 'asks the generator for classes,'
          f' which it does not know; {fix}')
    elif names(term.parts.disc, 'label') and 'apa' in _augments(config):
      yield Problem(
          'augment', config['augment'], 'apa would give the labels of real '
          f'images to generated ones, and {term.name} would learn them; leave '
          f'it out, or {fix}')


def _heads(config, penalties) -> Iterator[Problem]:
  """Terms share the heads that they name alike, which have one size."""
  first = {}
  for i, term in enumerate(penalties):
    spec = config['penalties'][i]
    for head, size in term.parts.heads if term.fn else ():
      j, other, wanted = first.setdefault(head, (i, spec['name'], size))
      if size != wanted:
        takes_size = 'size' in lookup.defaults('gan_jax.penalties',
                                               spec['name'])
        fix = (f'use penalties[{i}].size={wanted}, as there' if takes_size
               else 'leave one of them out, or give its head another name')
        yield Problem(
            f'penalties[{i}].{"size" if takes_size else "name"}',
            size if takes_size else spec['name'], f'{spec["name"]} asks for a '
            f'head {head!r} of {size} numbers, and penalties[{j}], {other}, '
            f'for one of {wanted}; {fix}')
        break  # All its heads have that size.


def _judges(config, loss, terms) -> Iterator[Problem]:
  """One term at most says what the logits are, to a loss that reads them."""
  judges = [term.name for term in terms if term.parts.judge]
  if len(judges) > 1:
    yield Problem('penalties', judges, 'each say what the logits of the '
                  'discriminator are; leave one of them')
  if judges and loss is not None and (loss.needs or loss.inputs != 'logits'):
    yield Problem(
        'penalties', judges, f'make logits, which {config["loss"]["name"]} '
        'does not read; use another loss, non_saturating for example')


def _missing_labels(config, penalties) -> Iterator[Problem]:
  """What looks at every label must find one."""
  rule = 'needs the label of every example, and some of the data have none; '
  for key in ('generator', 'discriminator'):
    if path := models.conditioned_by(config[key]):
      yield Problem(f'{key}.{path}', config[key].get(path),
                    f'{rule}use data.labelled=1.0, or a network without '
                    'conditioning and conditional norm')
  for i, term in enumerate(penalties):
    if term.fn and not term.parts.missing_labels and any(
        names(side, 'label') for side in (term.parts.disc, term.parts.gen)):
      yield Problem(f'penalties[{i}].name', term.name,
                    f'{rule}use data.labelled=1.0, or semi_supervised')


def _game(config) -> Iterator[Problem]:
  """Rules of the game that exclude each other."""
  if config['unrolled_steps'] and config['accumulate_steps'] > 1:
    yield Problem(
        'unrolled_steps', config['unrolled_steps'], 'looks ahead by updates '
        'that accumulate_steps holds back; use accumulate_steps=1')
  if config['unrolled_steps'] and config['max_grad_norm']:
    yield Problem(
        'max_grad_norm', config['max_grad_norm'], 'divides by the norm of the '
        "discriminator's gradient, through which unrolled_steps differentiates:"
        ' NaN where that gradient is 0, as of a hinge that is satisfied; use '
        'max_grad_norm=0.0, or unrolled_steps=0')
  parts = config['accumulate_steps']
  for key in ('disc_steps', 'gen_steps'):
    if config[key] % parts and parts % config[key]:
      yield Problem(
          'accumulate_steps', parts, 'makes updates of parts of two steps with '
          f'{key}={config[key]}; use a divisor or a multiple of {key}')
  pixels = _augments(config) - {'apa', 'horizontal_flip', 'instance_noise'}
  if tuple(config['image_range']) != (-1.0, 1.0) and pixels:
    yield Problem('augment', sorted(pixels), 'is made for images in [-1, 1]; '
                  'use image_range=(-1.0, 1.0)')


def _augments(config) -> set[str]:
  return {spec['name'] for spec in config['augment']}


def trace(game: Game, step: Callable, init: Callable, image_shape,
          latent_shape) -> None:
  """Networks, losses and optimisers fit together: traced, not compiled.

  Args:
    game: made for no device axis.
    step: (state, batch, key, *, game) -> (state, scalars).
    init: () -> TrainState.
    image_shape: of an example of the data.
    latent_shape: of a z.

  Raises:
    ConfigError: whatever the trace raises.
  """
  float32, int32 = (partial(jax.ShapeDtypeStruct, dtype=t)
                    for t in (jnp.float32, jnp.int32))
  few = 2 * game.packing
  batch = Batch(float32((game.disc_steps, few, *image_shape)),
                int32((game.disc_steps, few)), int32((few,)))
  try:
    state = jax.eval_shape(init)
    image, _ = jax.eval_shape(
        partial(game.gen.apply, train=False), state.gen.params,
        state.gen.stats, float32((2, *latent_shape)), int32((2,)))
    if image.shape[1:] != image_shape:
      raise ValueError(f'the generator makes images {image.shape[1:]}, the '
                       f'data are {image_shape}')
    after, _ = jax.eval_shape(
        lambda state, batch: step(state, batch, jax.random.key(0), game=game),
        state, batch)
    if jax.tree.map(_kind, after) != jax.tree.map(_kind, state):
      raise ValueError('a step changes the shapes or types of the state')
    if any(jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
           for x in jax.tree.leaves(state)):
      raise ValueError('an optimiser keeps a random key in its state, which '
                       'cannot be checkpointed')
  except Exception as e:  # Whatever the user's parts raise is the problem.
    name = '' if isinstance(e, ValueError) else f'{type(e).__name__}: '
    if isinstance(e, KeyError):
      name = 'a term needs a head that the discriminator has not: '
    raise ConfigError([Problem('py', 'the game', f'{name}{e}')]) from e


def _kind(leaf):
  return leaf.shape, leaf.dtype
