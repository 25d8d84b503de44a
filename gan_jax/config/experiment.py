"""From a config to all that a run needs, or to all that is wrong with it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import models, parallel
from gan_jax.augment.base import compose
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, DataError, Problem
from gan_jax.config import durations, keys
from gan_jax.config import rules as fit
from gan_jax.config.keys import NUMBERS, ROOMS
from gan_jax.data import load as data
from gan_jax.data.pipeline import Batches
from gan_jax.data.prepare import Source
from gan_jax.game.optimizers import make_optimizer
from gan_jax.game.rules import Game
from gan_jax.game.state import init_state, pack
from gan_jax.game.step import simultaneous_step, train_step
from gan_jax.losses import Loss
from gan_jax.penalties import Term

# Keys of a config that the game takes over under the same name.
_SAME = ('disc_steps', 'gen_steps', 'reuse_fakes', 'disc_weight_clip',
         'ema_rampup', 'gradient_normalization', 'packing',
         'unrolled_steps')


class Facts(NamedTuple):
  """What networks, schedules and readers must know of a data set.

  image_shape: (H, W, C), or (D,) for vectors.
  classes: the label values that occur, () for data without labels.
  manifest: path of a list of the files that the data were read from, or ''.
  unlabelled: examples without a label, among others that have one.
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


def facts_of(source: Source) -> Facts:
  """The facts of a data set in memory."""
  known = source.labels[source.labels >= 0]
  classes = np.unique(known).tolist() if source.num_classes else ()
  return Facts(source.name, tuple(source.images.shape[1:]), len(source.images),
               source.num_classes, tuple(classes), source.fingerprint,
               source.licence, source.report.get('manifest', ''),
               len(source.labels) - len(known))


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
  units = units_of(config, facts, train_steps)._replace(multiple=1)
  build = _Builder(config, facts, axis_name, units)
  penalties = build.penalties()
  rules = dict(
      gen=build.network('generator'), disc=build.network('discriminator'),
      latent=build.one('latent'), loss=build.loss(),
      penalties=penalties, augment=build.augment(),
      gen_optimizer=build.optimizer('gen', penalties),
      disc_optimizer=build.optimizer('disc', penalties),
      ema_decay=build.number('ema_decay', config['ema_decay'],
                             *NUMBERS['ema_decay']))
  build.problems += fit.problems(config, build.built.get('discriminator'),
                                 rules['loss'], penalties, facts.unlabelled)
  if build.problems:
    raise ConfigError(build.problems)
  return Game(**rules, **{key: config[key] for key in _SAME})


def initial_state(game: Game, image_shape, seed: int):
  """The state before the first step, from the seed alone."""
  # The networks look at shapes only.
  few = 2 * game.packing
  image = jnp.zeros((few, *image_shape))
  label = jnp.zeros((few,), jnp.int32)
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

  def __init__(self, config, facts, axis_name, units):
    self.config, self.problems, self.built = config, [], {}
    self.units = units
    self.available = dict(
        image_shape=facts.image_shape, image_range=config['image_range'],
        num_classes=facts.num_classes, dtype=jnp.dtype(config['dtype']),
        axis_name=axis_name, batch_size=config['batch_size'], heads=(),
        batch_mean=parallel.batch_mean if axis_name else jnp.mean,
        batch_all=parallel.batch_all if axis_name else lambda x: x)

  def network(self, key):
    """Generator or discriminator as a Model."""
    network = self.one(key)
    self.built[key] = network
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
    terms = tuple(
        Term(name, fn, self.number(f'penalties[{i}].weight', spec['weight']),
             spec.get('every', 1))
        for i, (name, spec, fn) in enumerate(zip(
            _distinct(specs), specs, self.many('penalties'), strict=True)))
    # The discriminator that is built after them must have their heads.
    self.available['heads'] = tuple(dict.fromkeys(
        head for term in terms if term.fn for head in term.parts.heads))
    return terms

  def augment(self):
    """All augmentations, one after the other, as one."""
    names = _distinct(self.config['augment'])
    return compose({name: part for name, part in zip(
        names, self.many('augment'), strict=True) if part})

  def optimizer(self, player, terms):
    """Any optimiser of optax, of 'gen' or 'disc'."""
    key = f'{player}_optimizer'
    own = [term for term in terms if term.fn and getattr(term.parts, player)]
    spec = self._numbers(key, self.config[key], key,
                         updates=self.config[f'{player}_steps'],
                         every=self.config['accumulate_steps'])
    return spec and self._try(
        lambda: make_optimizer(key, spec, self.config, own), key)

  def number(self, path, value, *bounds, **counting):
    """A number, or the function of the step that its schedule is."""
    return self._try(lambda: durations.number(
        value, self.units, *bounds, **counting), path, value)

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
    spec = self._numbers(key, spec, path)
    return spec and self._try(lambda: lookup.build(
        room.module, spec, kind=room.kind, **supplied), path)

  def _numbers(self, key, spec, path, **counting):
    """A spec with functions of the step for its schedules, or None."""
    numbers = {k: self.number(f'{path}.{k}', spec[k], **counting)
               for k in durations.scheduled_arguments(ROOMS[key], spec)}
    return None if None in numbers.values() else {**spec, **numbers}

  def _try(self, build, path, value=None):
    try:
      return build()
    except Exception as e:  # Whatever a choice raises is what is wrong.
      if value is None:
        value = self.config.get(path.split('[')[0])
      self.problems.append(Problem(path, value, str(e)))


def _distinct(specs) -> list[str]:
  """The names of specs, numbered where one occurs twice."""
  names = [spec['name'] for spec in specs]
  return [name if names.count(name) == 1 else f'{name}_{i}'
          for i, name in enumerate(names)]


# Keys without which no game can be built.
_GAME = {'generator', 'discriminator', 'latent', 'loss', 'penalties', 'augment',
         'gen_optimizer', 'disc_optimizer', 'batch_size', 'disc_steps',
         'gen_steps', 'steps_per_call', 'dtype', 'image_range',
         'max_grad_norm', 'packing', 'unrolled_steps', 'updates',
         'gradient_normalization', 'accumulate_steps', 'disc_frozen',
         'lazy_correction', 'ema_decay'}
_STEPS = {'alternating': train_step, 'simultaneous': simultaneous_step}


class Experiment(NamedTuple):
  """Everything static of a run.

  config: plain dict, as written in config.json.
  facts: of the data.
  source: the data.
  batches: the stream of their indices.
  resident: whether all data lie on the device.
  game: the rules.
  step: train_step of these rules, (state, batch, key, *, pmean).
  init: () -> TrainState before the first step.
  train_steps, log_every, sample_every, eval_every, checkpoint_every: in steps.
  evaluators: each evaluate(sample) -> [Score], see `gan_jax.evaluators`.
  """

  config: dict
  facts: Facts
  source: Source
  batches: Batches
  resident: bool
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
  problems = keys.check(config, parallel.device_count())
  source = _source(config, problems)
  facts = source and facts_of(source)
  times, game, evaluators = {}, None, []
  if facts:
    times = _collect(problems, _times, config, facts) or {}
    _check_labels(config, facts, problems)
    if not any(p.path.startswith('evaluators') for p in problems):
      evaluators = _collect(problems, _evaluators, config, source)
    if not any(p.path.split('.')[0].split('[')[0] in _GAME for p in problems):
      game = _collect(problems, make_game, config, facts,
                      times.get('train_steps', 1))
  if problems:
    raise ConfigError(problems)
  init = partial(initial_state, game, facts.image_shape, config['seed'])
  one = make_game(config, facts, times['train_steps'], axis_name=None)
  step = _STEPS[config['updates']]
  fit.trace(one, step, init, facts.image_shape, latent_shape(one))
  sampling = data.sampling_of(config['data'])
  batches = Batches(
      facts.num_examples, config['batch_size'], config['seed'],
      flip=sampling.flip, repeat=sampling.repeat,
      labels=source.labels if sampling.balanced else None)
  resident = source.images.nbytes <= sampling.resident_limit * 2 ** 20
  return Experiment(config, facts, source, batches, resident, game,
                    partial(step, game=game), init,
                    evaluators=evaluators, **times)


def game_of_run(config: Mapping, facts: Facts) -> Game:
  """The game of a run that has been checked, without its data."""
  return make_game(config, facts, _times(config, facts)['train_steps'])


def plain(config: Any) -> Any:
  """ConfigDicts as dicts, sequences as tuples, all the way down."""
  if hasattr(config, 'to_dict'):
    config = config.to_dict()
  if isinstance(config, Mapping):
    return {k: plain(v) for k, v in config.items()}
  if isinstance(config, (list, tuple)):
    return tuple(plain(v) for v in config)
  return config


def _collect(problems, build, *args):
  """What `build` returns, or None with its problems added."""
  try:
    return build(*args)
  except ConfigError as e:
    problems += e.problems


def _source(config, problems):
  """The data, or None with the problem added.

  Raises:
    DataError: with the data, and nothing else, being wrong.
  """
  if any(p.path.split('.')[0] == 'data' for p in problems):
    return None
  try:
    source = data.load(config['data'])
    _check_batch(config, source, problems)
    return source
  except DataError as e:
    if not problems:
      raise
    problems.append(Problem('data', config['data'], str(e)))
  except (ValueError, TypeError) as e:
    problems.append(Problem('data', config['data'], str(e)))
  return None


def _check_batch(config, source, problems):
  count = len(source.images)
  batch, repeat = config.get('batch_size', 1), config['data'].get('repeat', 1)
  if repeat < 1:
    problems.append(Problem('data.repeat', repeat, 'must be 1 or more'))
  elif batch > count * repeat:
    problems.append(Problem(
        'batch_size', batch, f'is more than the {count} examples of '
        f'{source.name}; use data.repeat={-(-batch // count)} or a smaller '
        f'batch'))
  if config['data'].get('balanced') and not source.num_classes:
    problems.append(Problem('data.balanced', True, f'needs labels, and the '
                            f'data {source.name!r} have none'))
  elif config['data'].get('balanced') and (source.labels < 0).any():
    problems.append(Problem('data.balanced', True, 'needs the label of every '
                            'example; use data.labelled=1.0'))
  if config['data'].get('flip') and len(source.images.shape) != 4:
    problems.append(Problem('data.flip', True, 'is for images, and the data '
                            f'{source.name!r} are vectors'))


def _times(config, facts):
  """{key: steps} of train_steps and of all intervals."""
  times, problems = {}, []
  if any(not isinstance(n := config.get(key), int) or n < 1
         for key in ('batch_size', 'disc_steps', 'steps_per_call')):
    return times  # Nothing can be counted in these units.
  units = units_of(config, facts, 0)
  for key in ('train_steps', *keys.DURATIONS):
    if key not in config:
      continue
    try:
      times[key] = durations.steps(config[key], units)
      if key in ('train_steps', 'log_every') and not times[key]:
        raise ValueError('must be above 0')
    except ValueError as e:
      problems.append(Problem(key, config[key], str(e)))
    if key == 'train_steps':
      units = units._replace(train_steps=times.get(key, 0))
  if problems:
    raise ConfigError(problems)
  return times


def _check_labels(config, facts, problems):
  """Networks and terms that look at labels have some to look at."""
  if any(p.path.split('.')[0] in ('generator', 'discriminator', 'penalties')
         for p in problems):
    return
  for key in ('generator', 'discriminator'):
    path = models.conditioned_by(config[key])
    if path and not facts.num_classes:
      fix = 'another network' if path == 'name' else '"none"'
      problems.append(Problem(
          f'{key}.{path}', config[key].get(path),
          f'needs labels, and the data {facts.name!r} have none; use {fix}'))


def _evaluators(config, source):
  found, problems = [], []
  for i, spec in enumerate(config['evaluators']):
    try:
      found.append(lookup.build(ROOMS['evaluators'].module, spec,
                                source=source, seed=config['seed']))
    except (ValueError, TypeError) as e:
      problems.append(Problem(f'evaluators[{i}]', spec, str(e)))
  if problems:
    raise ConfigError(problems)
  return found


def describe(experiment: Experiment) -> str:
  """Networks layer by layer, durations, memory."""
  config, facts, game = experiment.config, experiment.facts, experiment.game
  batch = config['batch_size']
  z = jnp.zeros((batch, *latent_shape(game)))
  label = jnp.zeros((batch,), jnp.int32)
  image = pack(jnp.zeros((batch, *facts.image_shape)), game.packing)
  state = jax.eval_shape(experiment.init)
  seen = experiment.train_steps * batch * config['disc_steps']
  source = experiment.source
  data = source.images.nbytes + source.labels.nbytes
  where = ('on each device' if experiment.resident
           else 'streamed from the host')
  return '\n'.join([
      'Generator', game.gen.describe(z, label),
      'Discriminator', game.disc.describe(image, label[:len(image)]),
      f'data: {facts.name}, {facts.num_examples:,} '
      f'{"images" if len(facts.image_shape) == 3 else "vectors"} '
      f'{facts.image_shape}, {len(facts.classes)} classes'
      + (f', {facts.unlabelled:,} without a label' if facts.unlabelled else ''),
      f'train: {experiment.train_steps:,} steps = {seen:,} real examples = '
      f'{seen / facts.num_examples:.1f} epochs',
      f'memory: data {data / 2**20:.1f} MiB, {where}; state '
      f'{_bytes(state) / 2**20:.1f} MiB on each device'])


def _bytes(tree) -> int:
  return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))
