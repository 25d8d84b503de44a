"""Which choices of a config fit together, said before anything is compiled.

Each rule yields what is wrong with the reason and what would fit. `of_config`
needs the config alone, `of_data` the data too, `of_game` the parts that the
config names; `trace` plays one step on shapes.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax import models
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, Problem
from gan_jax.config.keys import CHOICES
from gan_jax.game.rules import Game
from gan_jax.losses import Loss
from gan_jax.parallel import AXIS, Batch
from gan_jax.penalties.term import names

_CODES = dict(categories=(10,), continuous=2)  # as latents.infogan has them


def of_config(config: Mapping, devices: int,
              known: list[Problem]) -> list[Problem]:
  """Rules that need neither data nor networks.

  Args:
    config: plain.
    devices: that a batch is divided by.
    known: what is wrong already; keys named there are not looked at.
  """
  bad = {p.path.split('.')[0].split('[')[0] for p in known}

  def fine(*keys):
    return not bad & {*keys} and all(key in config for key in keys)

  found = []
  if fine('evaluators', 'best_metric') and config['best_metric'] and (
      not config['evaluators']):
    found.append(Problem('best_metric', config['best_metric'],
                         'nothing is scored: add an evaluator, as '
                         'configs/dcgan.py:evaluator=scores does'))
  if fine('batch_size'):
    found += _batch(config['batch_size'], devices)
  if fine('packing', 'batch_size'):
    found += _pack_size(config, devices)
  if fine('unrolled_steps', 'disc_optimizer') and config['unrolled_steps']:
    found += _unrolled(config['disc_optimizer'])
  if fine('updates', 'disc_steps', 'gen_steps') and (
      config['updates'] == 'simultaneous'
      and (config['disc_steps'], config['gen_steps']) != (1, 1)):
    found.append(Problem(
        'updates', 'simultaneous', 'is one update of each player; use '
        'disc_steps=1 and gen_steps=1, or alternating'))
  if fine('latent', 'penalties'):
    found += _codes(config)
  return found


def _batch(batch_size, devices):
  if batch_size % devices:
    down = batch_size // devices * devices
    near = f'{down} or {down + devices}' if down else f'{devices}'
    yield Problem('batch_size', batch_size,
                  f'is not divisible by {devices} devices; try {near}')


def _pack_size(config, devices):
  packing = config['packing']
  if packing > 1 and config['batch_size'] % (packing * devices):
    yield Problem(
        'packing', packing, f'packs do not divide batch_size='
        f'{config["batch_size"]} on {devices} devices; a multiple of '
        f'{packing * devices} does')


def _unrolled(spec):
  """The generator's gradient goes through D's optimiser, roots and all."""
  if ':' in spec['name']:
    return
  name = spec['name']
  if name in ('adafactor', 'radam'):  # NaN, in radam once it rectifies.
    yield Problem('disc_optimizer.name', name, 'gives no gradient through '
                  'its update, which unrolled_steps needs; use adam')
    return
  known = lookup.defaults('optax', name, plain=False)
  if 'eps_root' in known and not (known | spec)['eps_root']:
    yield Problem(
        'disc_optimizer.eps_root', 0.0, 'must be above 0, 1e-12 for example, '
        f'with unrolled_steps: the gradient goes through the root in {name}')


def _codes(config):
  """InfoGAN's term must know where its codes stand in z."""
  latent = config['latent']
  for i, spec in enumerate(config['penalties']):
    if spec['name'] != 'infogan':
      continue
    found = [{key: tuple(value) if isinstance(value, (list, tuple)) else value
              for key in ('categories', 'continuous')
              for value in [part.get(key, _CODES[key])]}
             for part in (spec, latent)]
    if latent['name'] != 'infogan' or found[0] != found[1]:
      yield Problem(
          f'penalties[{i}]', spec, f'needs latent=dict(name="infogan", '
          f'categories={found[0]["categories"]}, '
          f'continuous={found[0]["continuous"]}), whose codes it finds again')


def of_data(config: Mapping, source) -> Iterator[Problem]:
  """Batches, labels and flips that the data can give."""
  count = len(source.images)
  batch, spec = config.get('batch_size', 1), config['data']
  if (repeat := spec.get('repeat', 1)) < 1:
    yield Problem('data.repeat', repeat, 'must be 1 or more')
  elif batch > count * repeat:
    yield Problem(
        'batch_size', batch, 'is more than the '
        f'{count} example{"s" * (count != 1)} of {source.name!r}; use '
        f'data.repeat={-(-batch // count)} or a smaller batch')
  if spec.get('balanced') and not source.num_classes:
    yield Problem('data.balanced', True, f'needs labels, and the data '
                  f'{source.name!r} have none')
  elif spec.get('balanced') and (source.labels < 0).any():
    yield Problem('data.balanced', True, 'needs the label of every example; '
                  'use data.labelled=1.0')
  if spec.get('flip') and len(source.images.shape) != 4:
    yield Problem('data.flip', True, f'is for images, and the data '
                  f'{source.name!r} are vectors')


def of_labels(config: Mapping, name: str) -> Iterator[Problem]:
  """Networks that look at labels, where the data `name` have none."""
  for key in ('generator', 'discriminator'):
    if path := models.conditioned_by(config[key]):
      fix = 'another network' if path == 'name' else '"none"'
      yield Problem(f'{key}.{path}', config[key].get(path),
                    f'needs labels, and the data {name!r} have none; use {fix}')


def of_best(config: Mapping, evaluators) -> Iterator[Problem]:
  """The best state is kept by a score that the evaluators will have.

  Their attribute `names` lists their scores; without it nobody knows.
  """
  names = [getattr(evaluate, 'names', None) for evaluate in evaluators]
  wanted = config.get('best_metric')
  if wanted and names and all(names) and wanted not in sum(names, []):
    yield Problem('best_metric', wanted, 'no such score'
                  + lookup.near(wanted, sum(names, [])))


def of_game(config: Mapping, disc: Any, loss: Any, penalties,
            unlabelled: int = 0) -> list[Problem]:
  """Combinations of built parts that have no meaning.

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
          latent_shape, config: Mapping) -> None:
  """Networks, losses and optimisers fit together: traced, not compiled.

  Args:
    game: what is played.
    step: (state, batch, key) -> (state, scalars), under the axis of devices.
    init: () -> TrainState.
    image_shape: of an example of the data.
    latent_shape: of a z.
    config: that names the parts.

  Raises:
    ConfigError: whatever the trace raises, a size of 0, or a state that a step
      changes in shape.
  """
  float32, int32 = (partial(jax.ShapeDtypeStruct, dtype=t)
                    for t in (jnp.float32, jnp.int32))
  few = 2 * game.packing
  batch = Batch(float32((1, game.disc_steps, few, *image_shape)),
                int32((1, game.disc_steps, few)), int32((1, few)))

  def on_one_device(state, batch):
    return jax.vmap(lambda batch: step(state, batch, jax.random.key(0))[0],
                    axis_name=AXIS)(batch)

  try:
    state = jax.eval_shape(init)
    # They would train, and could not be saved.
    if empty := [jax.tree_util.keystr(path) for path, leaf in
                 jax.tree_util.tree_leaves_with_path(state)
                 if not all(leaf.shape)]:
      raise ValueError(f'{empty[0]} has a size of 0')
    image, _ = jax.eval_shape(
        partial(game.gen.apply, train=False), state.gen.params,
        state.gen.stats, float32((2, *latent_shape)), int32((2,)))
    if image.shape[1:] != image_shape:
      raise ValueError(f'the generator makes images {image.shape[1:]}, the '
                       f'data are {image_shape}')
    after = jax.eval_shape(on_one_device, state, batch)
    if jax.tree.map(lambda x: (x.shape[1:], x.dtype), after) != jax.tree.map(
        lambda x: (x.shape, x.dtype), state):
      raise ValueError('a step changes the shapes or types of the state')
    if any(jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
           for x in jax.tree.leaves(state)):
      raise ValueError('an optimiser keeps a random key in its state, which '
                       'cannot be checkpointed')
  except Exception as e:  # Whatever the user's parts raise is the problem.
    if sizes := _sizes_below_one(config):
      raise ConfigError(sizes) from e
    hint = ('a term needs a head that the discriminator has not: '
            if isinstance(e, KeyError) else '')
    raise ConfigError([Problem(
        '', None, f'the game cannot be played: {hint}{lookup.failure(e)}'
    )]) from e


def _sizes_below_one(config):
  found = []
  for key in ('latent', 'generator', 'discriminator'):
    spec, choice = config[key], CHOICES[key]
    defaults = lookup.defaults(choice.module, spec['name'], choice.kind)
    for name, value in spec.items():
      sizes = value if isinstance(value, tuple) else (value,)
      if value != defaults.get(name) and any(
          type(size) is int and size < 1 for size in sizes):
        found.append(Problem(f'{key}.{name}', value, 'must be 1 or more'))
  return found
