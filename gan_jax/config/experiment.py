"""Builds an `Experiment` from a config, or reports all config errors."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, ConfigError, DataError, Problem
from gan_jax.base.examples import kind_of
from gan_jax.config import durations, key_rules, keys, rules, tracing
from gan_jax.config.build import (
  OF_GAME,
  DataInfo,
  info_of,
  labels_like,
  make_game,
  units_of,
)
from gan_jax.config.fields import at, own_code, plain
from gan_jax.data import files
from gan_jax.data import load as data
from gan_jax.data.pipeline import Batches
from gan_jax.data.prepare import Source
from gan_jax.game.rules import Game
from gan_jax.game.sampling import latent_shape
from gan_jax.game.state import init_state, pack
from gan_jax.game.step import step_of

# Keys that must be valid to build a `Game`.
_GAME = {*OF_GAME, 'generator', 'discriminator', 'encoder', 'latent', 'loss',
         'penalties', 'augment', 'gen_optimizer', 'disc_optimizer',
         'batch_size', 'steps_per_call', 'dtype', 'image_range',
         'max_grad_norm', 'updates', 'latent_steps', 'accumulate_steps',
         'lazy_correction', 'ema_decay', 'init_from'}


class Experiment(NamedTuple):
  """Everything static of a run.

  config: plain dict, as written in config.json.
  batches: index batches of the data.
  labelled: those of the examples with a label, where a term asks for them.
  resident: whether all data fit on the device.
  step: train_step of the game, (state, batch, key, *, pmean).
  init: () -> TrainState before the first step; a `partial` function of all
    arrays that it reads.
  train_steps, log_every, sample_every, eval_every, checkpoint_every: in steps.
  evaluators: each evaluate(sample) -> [Score], see `gan_jax.evaluators`.
  loggers: see `gan_jax.loggers`.
  """

  config: dict
  info: DataInfo
  source: Source
  batches: Batches
  labelled: Batches | None
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
  loggers: list


def load(config: Any, *, devices: int = 0,
         like: Experiment | None = None) -> Experiment:
  """Builds all components of a config, without compiling.

  Args:
    config: ConfigDict or mapping with the keys of `config.keys`, one run;
      `config.population.load` reads one that may be several.
    devices: number that share a batch, 0 for all.
    like: an experiment of the same data and networks, whose data are taken.

  Raises:
    ConfigError: with all problems.
    DataError: the config is valid, the data are not.
  """
  config = plain(config)
  config.pop('population', None)
  problems = key_rules.check(config)
  problems += rules.of_config(config, devices or parallel.device_count(),
                              problems)
  bad = {p.path.split('.')[0].split('[')[0] for p in problems}
  source = like and like.source
  if not like and 'data' not in bad:
    source = _source(config, problems)
  times, game, evaluators, loggers = {}, None, [], []
  if 'loggers' not in bad:
    loggers = _collect(problems, _choices, config, 'loggers')
  if source:
    info = info_of(source)
    times = _times(config, info, bad)
    if not info.label_size and not bad & {'generator', 'discriminator',
                                           'encoder', 'joint'}:
      problems += rules.of_labels(config, info.name)
    if not bad & {'evaluators', 'seed'}:
      evaluators = _collect(problems, _choices, config, 'evaluators',
                            source=source, seed=config['seed'])
      problems += rules.of_scores(config, evaluators or ())
      if not bad & {'generator', 'best_metric'}:
        problems += rules.of_best(config, evaluators or (), info)
    if not bad & _GAME:
      game = _collect(problems, make_game, config, info,
                      times.get('train_steps', 1))
  if problems:
    raise ConfigError(problems)
  # Traced once, by the check here: the runner, inside whose program it is
  # inlined, and `init` find the trace of the same shapes.
  step = jax.jit(step_of(game, config['updates']), inline=True,
                 static_argnames='pmean')
  init = partial(jax.jit(partial(first_state, game, info)),
                 np.uint32(config['seed']))
  if not like:
    count = config['batch_size'] // rules.parts_of_batch(
        config, devices or parallel.device_count())
    tracing.trace(game, step, init, info, labels_like(info, count), config)
  limit = data.sampling_of(config['data']).resident_limit * 2 ** 20
  return Experiment(
      config, info, source, *_batches(config, source, game),
      source.images.nbytes <= limit, game, step, init,
      evaluators=evaluators, loggers=loggers, **times)


def _batches(config, source, game) -> tuple[Batches, Batches | None]:
  """`Experiment.batches` and `labelled`."""
  sampling, size = data.sampling_of(config['data']), config['batch_size']
  draw = partial(Batches, batch_size=size, seed=config['seed'],
                 flip=sampling.flip)
  batches = draw(len(source.images), repeat=sampling.repeat,
                 labels=source.labels if sampling.balanced else None)
  if not game.draws_labelled:
    return batches, None
  rows = np.flatnonzero(source.labels >= 0)
  return batches, draw(len(rows), repeat=-(-size // len(rows)), rows=rows)


def game_of_run(config: Mapping, info: DataInfo) -> Game:
  """The `Game` of a run with a validated config, without its data.

  Raises:
    ConfigError: code of the user's own that is not found from here, or no
      device.
  """
  parallel.check_devices()
  problems = []
  for path, name in own_code(config).items():
    try:
      lookup.find('', name)
    except ValueError as e:
      problems.append(Problem(path, name, str(e)))
  if problems:
    raise ConfigError(problems)
  return make_game(config, info, _times(config, info)['train_steps'])


def initial_state(game: Game, info: DataInfo, seed: int):
  """The state before the first step, from the seed alone."""
  return jax.jit(partial(first_state, game, info))(np.uint32(seed))


def first_state(game: Game, info: DataInfo, seed):
  """As `initial_state`, to be traced: seed uint32 []."""
  few = 2 * game.packing  # Only shapes matter.
  image, label = jnp.zeros((few, *info.image_shape)), labels_like(info, few)
  key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
  return init_state(game, key, image, label)


def _collect(problems, build, *args, **kwargs):
  """Result of `build`, or None with its problems added."""
  try:
    return build(*args, **kwargs)
  except ConfigError as e:
    problems += e.problems


def _source(config, problems):
  """The data, or None with the problem added; DataError if it is alone."""
  try:
    source = load_data(config['data'])
    problems += rules.of_data(config, source)
    return source
  except ConfigError as e:
    problems += e.problems
  except DataError as e:
    if not problems:
      raise
    problems.append(Problem('', None, str(e)))  # It names what it is of.


def load_data(spec: Mapping) -> Source:
  """Loads the data of a spec that `data.check` has passed.

  Raises:
    ConfigError: an argument does not suit the files, or a data set of the
      user's own failed.
    DataError: a problem of the files.
  """
  try:
    return data.load(spec)
  except ArgumentError as e:
    raise ConfigError(e.problems) from e
  except DataError:
    raise
  except Exception as e:  # A user's data set may raise anything.
    if files.lacks_memory(e):
      raise DataError(f'data {spec["name"]}: {files.NO_MEMORY}') from e
    raise ConfigError([Problem('data.name', spec['name'], lookup.failure(
        e, lookup.found(data.ROOM, spec['name'])))]) from e


def _times(config, info, bad=()):
  """{key: steps} of all durations, {} if keys that they need are `bad`."""
  if {*bad} & {'batch_size', 'disc_steps', 'steps_per_call', *keys.DURATIONS}:
    return {}  # The units are undefined.
  units = units_of(config, info, 0)
  length = durations.steps(config['train_steps'], units)
  units = units._replace(train_steps=length)
  times = {key: durations.steps(config[key], units)
           for key in keys.DURATIONS} | {'train_steps': length}
  # A short run has one row, at its end.
  return times | {'log_every': min(times['log_every'], length)}


def _choices(config, key, **available):
  """Builds the components of a key."""
  found, problems, room = [], [], keys.CHOICES[key].module
  for i, spec in enumerate(config[key]):
    try:
      found.append(lookup.build(room, spec, **available))
    except Exception as e:  # Components may raise anything.
      made = lookup.found(room, spec['name'])
      arguments = lookup.parameters(made).items() if made else ()
      problems.append(_at_argument(
          Problem(f'{key}[{i}].name', spec['name'], lookup.failure(e, made)),
          {name: one.default for name, one in arguments
           if name not in available} | dict(spec)))
  if problems:
    raise ConfigError(problems)
  return found


def _at_argument(problem, spec) -> Problem:
  """A problem of a component's name, at the argument that its text begins with.

  Such as 'chains=0: must be 1 or more'; the component does not know its place.
  """
  words = re.match(r'\w+(?:\.\w+)*', problem.rule)
  if not words or words[0].split('.')[0] not in spec:
    return problem
  value = at(spec, words[0])
  shown = f"{re.escape(repr(value))}|'[^']*'|[^\\s,:]+"
  return Problem(
      f'{problem.path.removesuffix("name")}{words[0]}', value,
      re.sub(rf'^[\w.]+( ?= ?({shown}))?: ', '', problem.rule))


def describe(experiment: Experiment) -> str:
  """Text of --dry_run: layers, durations, memory."""
  config, info, game = experiment.config, experiment.info, experiment.game
  batch = config['batch_size']
  # Takes no memory, however large a z may be.
  z = np.broadcast_to(np.float32(0), (batch, *latent_shape(game.latent)))
  label = labels_like(info, batch)
  image = pack(jnp.zeros((batch, *info.image_shape)), game.packing)
  seen = experiment.train_steps * batch * config['disc_steps']
  source = experiment.source
  in_data = source.images.nbytes + source.labels.nbytes
  where = ('on each device' if experiment.resident
           else 'streamed from the host')
  return '\n'.join([
      'Generator', game.gen.describe(z, label),
      *(('Discriminator', game.disc.describe(image, label[:len(image)]))
        if game.disc else ()),
      f'data: {info.name}, {info.num_examples:,} '
      f'{kind_of(info.image_shape)} {info.image_shape}, '
      + (f'{len(info.label_columns)} numbers as label' if info.label_columns
         else f'{len(info.classes)} classes')
      + (f', {info.unlabelled:,} without a label' if info.unlabelled else ''),
      f'train: {experiment.train_steps:,} steps = {seen:,} real examples = '
      f'{seen / info.num_examples:.1f} epochs',
      f'memory: data {in_data / 2**20:.1f} MiB, {where}; state '
      f'{bytes_of_state(experiment) / 2**20:.1f} MiB on each device'])


def bytes_of_state(experiment: Experiment) -> int:
  """Bytes that the state takes on each device."""
  return parallel.bytes_of(parallel.abstract(
      jax.eval_shape(experiment.init), parallel.own_mesh(),
      sharded=experiment.config['shard'] == 'state'))
