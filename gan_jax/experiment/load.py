"""From a config to all that a run needs, or to all that is wrong with it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from gan_jax import durations, lookup, models, parallel, validation
from gan_jax.data import load as data
from gan_jax.data.files import DataError
from gan_jax.data.pipeline import Batches
from gan_jax.data.prepare import Source
from gan_jax.experiment import fit
from gan_jax.experiment.rules import (
  Facts,
  facts_of,
  initial_state,
  latent_shape,
  make_game,
  units_of,
)
from gan_jax.game import Game
from gan_jax.lookup import Problem
from gan_jax.step import simultaneous_step, train_step
from gan_jax.validation import ROOMS, ConfigError

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
  evaluators: each evaluate(sample) -> [Score], see `gan_jax.evaluation`.
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
  problems = validation.check(config, parallel.device_count())
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
  for key in ('train_steps', *validation.DURATIONS):
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
