"""From a config to what runs: the only reader of names in a config."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import durations, lookup, models, parallel, validation
from gan_jax.data.pipeline import Batches
from gan_jax.data.sources import DataError, Source
from gan_jax.lookup import Problem
from gan_jax.losses import Loss
from gan_jax.penalties import Term
from gan_jax.state import init_state
from gan_jax.step import Game, train_step
from gan_jax.validation import ROOMS, ConfigError


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


class Experiment(NamedTuple):
  """Everything static of a run.

  config: plain dict, as written in config.json.
  facts: of the data.
  source: the data.
  batches: the stream of their indices.
  game: the rules.
  step: train_step of these rules, (state, batch, key, *, pmean).
  init: () -> TrainState before the first step.
  train_steps, log_every, sample_every, eval_every, checkpoint_every: in steps.
  evaluators: each (sample: n -> uint8 images [n, H, W, C]) -> {score: float}.
  """

  config: dict
  facts: Facts
  source: Source
  batches: Batches
  game: Game
  step: Callable
  init: Callable
  train_steps: int
  log_every: int
  sample_every: int
  eval_every: int
  checkpoint_every: int
  evaluators: list[Callable]


def load(config: Any) -> Experiment:
  """Builds all that a config names; nothing is compiled.

  Args:
    config: ConfigDict or mapping with the keys of configs/common.py.

  Raises:
    ConfigError: with every problem that was found.
    DataError: the config is right, the data are not.
  """
  config = plain(config)
  problems = validation.check(config, parallel.device_count())
  source = None
  if not any(p.path.startswith('data') for p in problems):
    try:
      source = lookup.build(ROOMS['data'].module, config['data'])
    except DataError:
      if problems:
        raise ConfigError(problems) from None
      raise
    except ValueError as e:
      problems.append(Problem('data', config['data'], str(e)))
  facts = source and facts_of(source)
  times = {}
  if facts and not problems:
    problems += _check_labels(config, facts)
  if facts and 'batch_size' in config:
    times, found = _times(config, facts, problems)
    problems += found
  if problems:
    raise ConfigError(problems)
  batches = Batches(facts.num_examples, config['batch_size'], config['seed'])
  game = make_game(config, facts, times['train_steps'])
  init = partial(initial_state, game, facts.image_shape, config['seed'])
  _check_shapes(game, facts.image_shape, init)
  return Experiment(config, facts, source, batches, game,
                    partial(train_step, game=game), init,
                    evaluators=_evaluators(config, source), **times)


def rules_of(config: Mapping, facts: Facts) -> Game:
  """The game of a run that has been checked, without its data."""
  times, problems = _times(config, facts, [])
  if problems:
    raise ConfigError(problems)
  return make_game(config, facts, times['train_steps'])


def facts_of(source: Source) -> Facts:
  """The facts of a data set in memory."""
  classes = np.unique(source.labels).tolist() if source.num_classes else ()
  return Facts(source.name, tuple(source.images.shape[1:]), len(source.images),
               source.num_classes, tuple(classes), source.fingerprint,
               source.licence)


def plain(config: Any) -> Any:
  """ConfigDicts as dicts, sequences as tuples, all the way down."""
  if hasattr(config, 'to_dict'):
    config = config.to_dict()
  if isinstance(config, Mapping):
    return {k: plain(v) for k, v in config.items()}
  if isinstance(config, (list, tuple)):
    return tuple(plain(v) for v in config)
  return config


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
  problems = []
  available = dict(
      image_shape=facts.image_shape, num_classes=facts.num_classes,
      image_range=config['image_range'], dtype=jnp.dtype(config['dtype']),
      axis_name=axis_name,
      batch_mean=parallel.batch_mean if axis_name else jnp.mean)

  def build(key, spec, path):
    room = ROOMS[key]
    supplied = {k: available[k] for k in room.available}
    try:
      return lookup.build(room.module, spec, kind=room.kind, **supplied)
    except (ValueError, TypeError) as e:
      problems.append(Problem(path, spec, str(e)))

  def build_all(key):
    extra = ROOMS[key].extra
    return [build(key, {k: v for k, v in spec.items() if k not in extra},
                  f'{key}[{i}]') for i, spec in enumerate(config[key])]

  def optimizer(key, updates):
    spec = dict(config[key])
    units = _units(config, facts, train_steps)._replace(multiple=1)
    try:
      return _optimizer(spec, config['max_grad_norm'], units, updates)
    except (ValueError, TypeError) as e:
      problems.append(Problem(key, spec, str(e)))

  gen = build('generator', config['generator'], 'generator')
  disc = build('discriminator', config['discriminator'], 'discriminator')
  loss = build('loss', config['loss'], 'loss')
  if loss is not None and not isinstance(loss, Loss):
    problems.append(Problem('loss', config['loss'],
                            'must return gan_jax.losses.Loss(disc, gen)'))
  terms = tuple(
      Term(spec['name'], fn, float(spec['weight']), spec.get('every', 1))
      for spec, fn in zip(config['penalties'], build_all('penalties'),
                          strict=True))
  rules = dict(
      gen=gen and models.as_model(gen), disc=disc and models.as_model(disc),
      latent=build('latent', config['latent'], 'latent'), loss=loss,
      penalties=terms, augment=_compose(build_all('augment')),
      gen_optimizer=optimizer('gen_optimizer', config['gen_steps']),
      disc_optimizer=optimizer('disc_optimizer', config['disc_steps']))
  if problems:
    raise ConfigError(problems)
  same = ('disc_steps', 'gen_steps', 'reuse_fakes', 'disc_weight_clip',
          'ema_decay', 'ema_rampup')
  return Game(**rules, **{key: config[key] for key in same})


def initial_state(game: Game, image_shape, seed: int):
  """The state before the first step, from the seed alone."""
  # The networks look at shapes only.
  image = jnp.zeros((2, *image_shape))
  label = jnp.zeros((2,), jnp.int32)
  key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
  return jax.jit(partial(init_state, game))(key, image, label)


def _compose(functions):
  def augment(images, keys):
    for i, function in enumerate(functions):
      images = function(images, jax.vmap(
          lambda key, i=i: jax.random.fold_in(key, i))(keys))
    return images

  return augment


def _optimizer(spec, max_grad_norm, units, updates):
  """Any optimiser of optax, with a schedule, behind a bound on the gradient."""
  rate = spec.get('learning_rate')
  if isinstance(rate, Mapping):
    rate = {k: durations.steps(v, units) * updates
            if isinstance(v, str) and k != 'name' else v
            for k, v in rate.items()}
    spec['learning_rate'] = lookup.build('optax', rate)
  optimizer = lookup.build('optax', spec)
  if not isinstance(optimizer, optax.GradientTransformation):
    raise ValueError(f'optax.{spec["name"]} is not an optimiser')
  if not max_grad_norm:
    return optimizer
  return optax.chain(optax.clip_by_global_norm(max_grad_norm), optimizer)


def _units(config, facts, train_steps):
  return durations.Units(config['batch_size'] * config['disc_steps'],
                         facts.num_examples, train_steps,
                         config['steps_per_call'])


def _times(config, facts, known_problems):
  """({key: steps}, problems) of train_steps and of all intervals."""
  times, problems = {}, []
  bad = {p.path for p in known_problems}
  if bad & {'batch_size', 'disc_steps', 'steps_per_call'}:
    return times, problems  # Nothing can be counted in these units.
  units = _units(config, facts, 0)
  for key in ('train_steps', *validation.DURATIONS):
    if key in bad:
      continue
    try:
      times[key] = durations.steps(config[key], units)
      if key in ('train_steps', 'log_every') and not times[key]:
        raise ValueError('must be above 0')
    except ValueError as e:
      problems.append(Problem(key, config[key], str(e)))
    if key == 'train_steps':
      units = units._replace(train_steps=times.get(key, 0))
  return times, problems


def _check_labels(config, facts):
  wants = [key for key in ('generator', 'discriminator')
           if config[key].get('conditioning', 'none') != 'none']
  if facts.num_classes:
    return []
  return [Problem(
      f'{key}.conditioning', config[key]['conditioning'],
      f'needs labels, and the data {facts.name!r} have none; use "none"')
          for key in wants]


def _check_shapes(game, shape, init):
  """The networks fit the data and each other: traced, not compiled."""
  try:
    state = jax.eval_shape(init)
    z = jax.ShapeDtypeStruct((2, *_latent_shape(game)), jnp.float32)
    label = jax.ShapeDtypeStruct((2,), jnp.int32)
    image, _ = jax.eval_shape(partial(game.gen.apply, train=False),
                              state.gen.params, state.gen.stats, z, label)
    if image.shape[1:] != shape:
      raise ValueError(f'makes images {image.shape[1:]}, the data are {shape}')
  except (ValueError, TypeError) as e:
    raise ConfigError([Problem('generator/discriminator', shape, str(e))]) from e


def _evaluators(config, source):
  found, problems = [], []
  for i, spec in enumerate(config['evaluators']):
    try:
      found.append(lookup.build(ROOMS['evaluators'].module, spec,
                                source=source, seed=config['seed']))
    except ValueError as e:
      problems.append(Problem(f'evaluators[{i}]', spec, str(e)))
  if problems:
    raise ConfigError(problems)
  return found


def describe(experiment: Experiment) -> str:
  """For people: networks layer by layer, durations, memory."""
  config, facts, game = experiment.config, experiment.facts, experiment.game
  batch = config['batch_size']
  z = jnp.zeros((batch, *_latent_shape(game)))
  label = jnp.zeros((batch,), jnp.int32)
  image = jnp.zeros((batch, *facts.image_shape))
  state = jax.eval_shape(experiment.init)
  seen = experiment.train_steps * batch * config['disc_steps']
  megabytes = {
      'data': (experiment.source.images.nbytes
               + experiment.source.labels.nbytes) / 2**20,
      'state': sum(x.size * x.dtype.itemsize
                   for x in jax.tree.leaves(state)) / 2**20}
  return '\n'.join([
      'Generator', game.gen.describe(z, label),
      'Discriminator', game.disc.describe(image, label),
      f'parameters: generator {_count(state.gen.params):,}, '
      f'discriminator {_count(state.disc.params):,}',
      f'data: {facts.name}, {facts.num_examples:,} images '
      f'{facts.image_shape}, {len(facts.classes)} classes',
      f'train: {experiment.train_steps:,} steps = {seen:,} real images = '
      f'{seen / facts.num_examples:.1f} epochs',
      f'memory on each device: data {megabytes["data"]:.1f} MiB, '
      f'state {megabytes["state"]:.1f} MiB'])


def _latent_shape(game):
  keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
  return jax.eval_shape(game.latent, keys).shape[1:]


def _count(params) -> int:
  return sum(x.size for x in jax.tree.leaves(params))
