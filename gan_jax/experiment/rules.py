"""From the names in a config to the rules of the game."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import durations, lookup, models, parallel
from gan_jax.data.sources import Source
from gan_jax.lookup import Problem
from gan_jax.losses import Loss
from gan_jax.penalties import Term
from gan_jax.state import init_state
from gan_jax.step import Game
from gan_jax.validation import ROOMS, ConfigError

# Keys of a config that the game takes over under the same name.
_SAME = ('disc_steps', 'gen_steps', 'reuse_fakes', 'disc_weight_clip',
         'ema_decay', 'ema_rampup')


class Facts(NamedTuple):
  """What networks, schedules and readers must know of a data set.

  classes: the label values that occur, () for data without labels.
  """

  name: str
  image_shape: tuple[int, int, int]
  num_examples: int
  num_classes: int
  classes: tuple[int, ...]
  fingerprint: str
  licence: str


def facts_of(source: Source) -> Facts:
  """The facts of a data set in memory."""
  classes = np.unique(source.labels).tolist() if source.num_classes else ()
  return Facts(source.name, tuple(source.images.shape[1:]), len(source.images),
               source.num_classes, tuple(classes), source.fingerprint,
               source.licence)


def make_game(config: Mapping, facts: Facts, train_steps: int, *,
              axis_name: str | None = parallel.AXIS) -> Game:
  """The rules of the game.

  Args:
    config: plain and checked.
    facts: of the data.
    train_steps: what '100%' means in a schedule.
    axis_name: the device axis that the step runs under, None for none.

  Raises:
    ConfigError: with every part that refuses its arguments.
  """
  build = _Builder(config, facts, axis_name)
  units = units_of(config, facts, train_steps)._replace(multiple=1)
  rules = dict(
      gen=build.network('generator'), disc=build.network('discriminator'),
      latent=build.one('latent'), loss=build.loss(),
      penalties=build.penalties(), augment=_compose(build.many('augment')),
      gen_optimizer=build.optimizer('gen_optimizer', units,
                                    config['gen_steps']),
      disc_optimizer=build.optimizer('disc_optimizer', units,
                                     config['disc_steps']))
  if build.problems:
    raise ConfigError(build.problems)
  return Game(**rules, **{key: config[key] for key in _SAME})


def initial_state(game: Game, image_shape, seed: int):
  """The state before the first step, from the seed alone."""
  # The networks look at shapes only.
  image = jnp.zeros((2, *image_shape))
  label = jnp.zeros((2,), jnp.int32)
  key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
  return jax.jit(partial(init_state, game))(key, image, label)


def latent_shape(game: Game) -> tuple[int, ...]:
  """Shape of one z."""
  keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
  return jax.eval_shape(game.latent, keys).shape[1:]


def units_of(config: Mapping, facts: Facts, train_steps: int):
  """What examples, epochs and percentages are worth in steps."""
  return durations.Units(config['batch_size'] * config['disc_steps'],
                         facts.num_examples, train_steps,
                         config['steps_per_call'])


class _Builder:
  """Builds what the keys of a config name, and collects what refuses."""

  def __init__(self, config, facts, axis_name):
    self.config, self.problems = config, []
    self.available = dict(
        image_shape=facts.image_shape, image_range=config['image_range'],
        num_classes=facts.num_classes, dtype=jnp.dtype(config['dtype']),
        axis_name=axis_name,
        batch_mean=parallel.batch_mean if axis_name else jnp.mean)

  def network(self, key):
    """Generator or discriminator as a Model."""
    network = self.one(key)
    return network and self._try(lambda: models.as_model(network), key)

  def loss(self):
    """The adversarial loss."""
    loss = self.one('loss')
    if loss is not None and not isinstance(loss, Loss):
      self.problems.append(Problem(
          'loss', self.config['loss'],
          'must return gan_jax.losses.Loss(disc, gen)'))
    return loss

  def penalties(self):
    """The penalties with their weights and intervals."""
    specs = self.config['penalties']
    names = [spec['name'] for spec in specs]
    return tuple(
        Term(name if names.count(name) == 1 else f'{name}_{i}', fn,
             float(spec['weight']), spec.get('every', 1))
        for i, (name, spec, fn) in enumerate(
            zip(names, specs, self.many('penalties'), strict=True)))

  def optimizer(self, key, units, updates):
    """Any optimiser of optax; `updates` of it are made in a step."""
    bound = self.config['max_grad_norm']
    return self._try(lambda: _optimizer(dict(self.config[key]), bound, units,
                                        updates), key)

  def many(self, key):
    """What a tuple of specs names."""
    extra = ROOMS[key].extra
    return [self._build(key, {k: v for k, v in spec.items() if k not in extra},
                        f'{key}[{i}]')
            for i, spec in enumerate(self.config[key])]

  def one(self, key):
    """What a spec names."""
    return self._build(key, self.config[key], key)

  def _build(self, key, spec, path):
    room = ROOMS[key]
    supplied = {k: self.available[k] for k in room.available}
    return self._try(lambda: lookup.build(room.module, spec, kind=room.kind,
                                          **supplied), path)

  def _try(self, build, path):
    try:
      return build()
    except Exception as e:  # Whatever a choice raises is what is wrong.
      self.problems.append(
          Problem(path, self.config.get(path.split('[')[0]), str(e)))


def _compose(functions) -> Callable:
  def augment(images, keys):
    for i, function in enumerate(functions):
      images = function(images, jax.vmap(
          lambda key, i=i: jax.random.fold_in(key, i))(keys))
    return images

  return augment


def _optimizer(spec, max_grad_norm, units, updates):
  """An optimiser with its schedule, behind a bound on the gradient."""
  rate = spec.get('learning_rate')
  if isinstance(rate, Mapping):
    spec['learning_rate'] = lookup.build('optax', {
        k: durations.steps(v, units) * updates
        if durations.is_text(v) else v for k, v in rate.items()})
  if ':' not in spec['name'] and 'learning_rate' not in lookup.defaults(
      'optax', spec['name'], plain=False):
    raise ValueError(f'optax.{spec["name"]} takes no learning_rate: it is a '
                     'transformation, not an optimiser')
  optimizer = lookup.build('optax', spec)
  if not isinstance(optimizer, optax.GradientTransformation):
    raise ValueError(f'optax.{spec["name"]} is not an optimiser')
  if not max_grad_norm:
    return optimizer
  return optax.chain(optax.clip_by_global_norm(max_grad_norm), optimizer)
