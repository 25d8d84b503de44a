"""Builds the components of a config into a `Game`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gan_jax import models, parallel
from gan_jax.augment.base import Augmentation, compose
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, Problem, blaming
from gan_jax.base.examples import kind_of
from gan_jax.config import durations, fields, game_rules
from gan_jax.config.keys import CHOICES, NUMBERS
from gan_jax.data.prepare import Source, blocks_of
from gan_jax.game.latent_steps import LatentStep
from gan_jax.game.optimizers import make_optimizer
from gan_jax.game.rules import Game
from gan_jax.game.sampling import latent_shape
from gan_jax.losses import Loss
from gan_jax.penalties import Regulariser, Term

# Config keys that are fields of `Game`.
OF_GAME = ('disc_steps', 'gen_steps', 'reuse_fakes', 'disc_weight_clip',
           'ema_rampup', 'gradient_normalization', 'packing',
           'unrolled_steps', 'joint', 'gen_frozen', 'disc_frozen')

# Type of what a function of a key must return, and that in words.
_RETURNS = {
    'loss': (Loss, 'gan_jax.losses.Loss(disc, gen)'),
    'latent_steps': (LatentStep, 'gan_jax.game.latent_steps.LatentStep(move, '
                     'share, weight, bound)'),
    'penalties': (Callable | Regulariser, 'a function of the arguments that it '
                  'needs, or gan_jax.penalties.Regulariser(disc, gen)'),
    'augment': (Callable | Augmentation, '(images, keys) -> images, or '
                'gan_jax.augment.Augmentation'),
    'latent': (Callable, 'a function: keys [B] -> z [B, size]'),
}


class DataInfo(NamedTuple):
  """Properties of a data set that networks, schedules and readers need.

  image_shape: of an example, see `base.examples.KINDS`.
  classes: the label values that occur, () for data without labels.
  manifest: path of the list of the data's files, or ''.
  unlabelled: number of examples without a label in a labelled set.
  notices: what may surprise in how the data were read.
  class_names, label_columns, units, rate, columns: as of a
    `data.prepare.Source`.
  """

  name: str
  image_shape: tuple[int, ...]
  num_examples: int
  num_classes: int
  classes: tuple[int, ...]
  fingerprint: str
  licence: str
  manifest: str = ''
  unlabelled: int = 0
  notices: tuple[str, ...] = ()
  class_names: tuple[str, ...] = ()
  label_columns: tuple[tuple, ...] = ()
  units: tuple[float, ...] = ()
  rate: float = 0.0
  columns: tuple[tuple, ...] = ()

  @property
  def label_size(self) -> int:
    """Number of classes, or of numbers in a label vector."""
    return self.num_classes or len(self.label_columns)


def info_of(source: Source) -> DataInfo:
  """`DataInfo` of a source."""
  known = source.labels >= 0  # Numbers of label vectors are in [0, 1].
  classes = (np.unique(source.labels[known]).tolist() if source.num_classes
             else ())
  return DataInfo(
      source.name, tuple(source.images.shape[1:]), len(source.images),
      source.num_classes, tuple(classes), source.fingerprint, source.licence,
      source.report.get('manifest', ''), int((~known).sum()),
      tuple(source.report.get('notices', ())), source.class_names,
      source.label_columns, source.units, source.rate,
      source.columns)


def labels_like(info: DataInfo, count: int):
  """Labels of zeros, of the shape and type that the networks get."""
  if info.label_columns:
    return jnp.zeros((count, len(info.label_columns)))
  return jnp.zeros((count,), jnp.int32)


def units_of(config: Mapping, info: DataInfo, train_steps: int):
  """Conversion of examples, epochs and percentages to steps."""
  length = config['steps_per_call']
  return durations.Units(config['batch_size'] * config['disc_steps'],
                         info.num_examples, train_steps,
                         1 if length == 'auto' else length)


def make_game(config: Mapping, info: DataInfo, train_steps: int, *,
              axis_name: str | None = parallel.AXIS,
              numbers: Mapping | None = None) -> Game:
  """Builds the `Game`.

  Args:
    config: plain dict, validated.
    info: of the data.
    train_steps: what '100%' means in a schedule.
    axis_name: device axis of the step, None for none.
    numbers: {path: float32 []} in place of those of the config, which was
      built before with each member's own.

  Raises:
    ConfigError: with the error of every component that cannot be built.
  """
  if config.get('shard') == 'state':
    axis_name = None  # XLA divides the step of the whole batch.
  for path, number in (numbers or {}).items():
    config = fields.put(config, path, number)
  build = _Builder(config, info, axis_name,
                   units_of(config, info, train_steps)._replace(multiple=1))
  terms = build.terms()
  latent = build.latent()
  disc = build.discriminator(latent)
  parts = dict(
      gen=build.generator(latent), disc=build.model('discriminator', disc),
      latent=latent, loss=build.loss(),
      penalties=terms, augment=build.augment(),
      latent_steps=build.latent_steps(),
      gen_optimizer=build.optimizer('gen', terms),
      disc_optimizer=build.optimizer('disc', terms),
      ema_decay=build.number('ema_decay', config['ema_decay'],
                             *NUMBERS['ema_decay']))
  if not numbers:
    build.problems += game_rules.of_game(config, disc, parts['loss'], terms,
                                         info)
  if build.problems:
    raise ConfigError(build.problems)
  return Game(**parts, **{key: config[key] for key in OF_GAME})


class _Builder:
  """Builds components and collects their errors."""

  def __init__(self, config, info, axis_name, units):
    self.config, self.units, self.problems = config, units, []
    self.supplied = dict(
        image_shape=info.image_shape, image_range=config['image_range'],
        num_classes=info.label_size, row_blocks=blocks_of(info.columns),
        dtype=jnp.dtype(config['dtype']),
        axis_name=axis_name, batch_size=config['batch_size'], heads=(),
        batch_mean=parallel.batch_mean if axis_name else jnp.mean,
        batch_all=parallel.batch_all if axis_name else lambda x: x)

  def latent(self):
    """The prior, whose shape the networks are told."""
    latent = self.one('latent')
    return latent and self._try(lambda: latent_shape(latent) and latent,
                                'latent')

  def discriminator(self, latent):
    """The discriminator's network, told of codes in a joint game."""
    labels = self.supplied['num_classes']
    if latent and self.config['joint'] != 'none':
      self.supplied['num_classes'] = latent_shape(latent)[-1]
    try:
      return self.one('discriminator')
    finally:
      self.supplied['num_classes'] = labels

  def generator(self, latent):
    """The generator, with its encoder if there is one."""
    gen = self.one('generator')
    if latent:
      self.supplied['latent_size'] = latent_shape(latent)[-1]
      if encoder := self.model('encoder', self.one('encoder')):
        frozen = 'generator' in self.config['gen_frozen']
        return self.model('generator', gen, lambda model: models.with_encoder(
            model, encoder, frozen=frozen))
    return self.model('generator', gen)

  def model(self, key, network, make=lambda model: model):
    """The model that `make` makes of a network's, None of none."""
    model = network and self._try(lambda: models.as_model(network), key)
    model = model and make(model._replace(
        init=blaming(key)(model.init), apply=blaming(key)(model.apply)))
    if model and self.config.get('shard') == 'state':
      model = model._replace(**{
          name: parallel.gathering(getattr(model, name))
          for name in ('apply', 'encode') if getattr(model, name)})
      if model.styles:
        model = model._replace(styles=model.styles._replace(**{
            name: parallel.gathering(getattr(model.styles, name))
            for name in ('mapping', 'synthesis')}))
    return model

  def loss(self):
    loss = self.one('loss')
    if loss and self.config['joint'] != 'none':
      # G changes fake pairs, its encoder real ones: D's loss with sides turned.
      disc = loss.disc
      loss = loss._replace(gen=lambda real, fake, *memory: disc(
          fake, real, *memory))
    return loss

  def terms(self):
    specs, scale = self.config['penalties'], self.supplied['image_range']
    if kind_of(self.supplied['image_shape']) == 'vectors':
      self.supplied['image_range'] = (0.0, 1.0)  # Points are not scaled.
    built = self.many('penalties')
    self.supplied['image_range'] = scale
    terms = tuple(
        Term(name, fn, self.number(f'penalties[{i}].weight', spec['weight']),
             spec.get('every', 1))
        for i, (name, spec, fn) in enumerate(zip(
            _distinct(specs), specs, built, strict=True)))
    # The discriminator, built later, must have their heads.
    self.supplied['heads'] = tuple(dict.fromkeys(
        head for term in terms if term.fn for head in term.parts.heads))
    return terms

  def latent_steps(self):
    return tuple(self.many('latent_steps'))

  def augment(self):
    names = _distinct(self.config['augment'])
    return compose({name: part for name, part in zip(
        names, self.many('augment'), strict=True) if part})

  def optimizer(self, player, terms):
    """The optimiser of 'gen' or 'disc'."""
    key = f'{player}_optimizer'
    own = [term for term in terms if term.fn and getattr(term.parts, player)]
    spec = self._with_schedules(key, self.config[key], key,
                                updates=self.config[f'{player}_steps'],
                                every=self.config['accumulate_steps'])
    made = spec and self._try(
        lambda: make_optimizer(spec, self.config, own), key)
    return made and made._replace(init=blaming(key)(made.init),
                                  update=blaming(key)(made.update))

  def number(self, path, value, *bounds, **counting):
    """A number, or a schedule as a function of the step."""
    return self._try(lambda: durations.number(
        value, self.units, *bounds, **counting), path, value)

  def many(self, key):
    """The components of a key that holds a tuple."""
    extra = CHOICES[key].extra
    return [self._build(key, {k: v for k, v in spec.items() if k not in extra},
                        f'{key}[{i}]')
            for i, spec in enumerate(self.config[key])]

  def one(self, key):
    return self._build(key, self.config[key], key)

  def _build(self, key, spec, path):
    choice = CHOICES[key]
    supplied = {k: self.supplied[k] for k in choice.supplied}
    spec = self._with_schedules(key, spec, path)
    if spec is None:
      return None

    def make():
      made = lookup.build(choice.module, spec, kind=choice.kind, **supplied)
      if key in _RETURNS and not isinstance(made, _RETURNS[key][0]):
        raise ValueError(f'must return {_RETURNS[key][1]}')
      return made

    return self._try(make, path)

  def _with_schedules(self, key, spec, path, **counting):
    """A spec with its schedules built, or None if one fails."""
    numbers = {k: self.number(f'{path}.{k}', spec[k], **counting)
               for k in durations.scheduled_arguments(CHOICES[key], spec)}
    return None if None in numbers.values() else {**spec, **numbers}

  def _try(self, build, path, value: Any = None):
    try:
      return build()
    except Exception as e:  # Components may raise anything.
      if value is None:
        value = self.config.get(path.split('[')[0])
      self.problems.append(Problem(path, value, lookup.failure(
          e, self._component(path))))

  def _component(self, path):
    """The function that a config names at a path, None if there is none."""
    home, spec = CHOICES.get(path.split('[')[0]), fields.at(self.config, path)
    if not home or home.module == 'optax':
      return None
    return lookup.found(home.module, spec['name'], home.kind)


def _distinct(specs) -> list[str]:
  names = [spec['name'] for spec in specs]
  return [name if names.count(name) == 1 else f'{name}_{i}'
          for i, name in enumerate(names)]
