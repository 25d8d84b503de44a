"""From a config to all that a run needs, or to all that is wrong with it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax import durations, lookup, parallel, validation
from gan_jax.data.pipeline import Batches
from gan_jax.data.sources import DataError, Source
from gan_jax.experiment.rules import (
    Facts,
    facts_of,
    initial_state,
    latent_shape,
    make_game,
    units_of,
)
from gan_jax.lookup import Problem
from gan_jax.step import Game, train_step
from gan_jax.validation import ROOMS, ConfigError


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
    except DataError as e:
      if not problems:
        raise
      problems.append(Problem('data', config['data'], str(e)))
    except ValueError as e:
      problems.append(Problem('data', config['data'], str(e)))
  facts = source and facts_of(source)
  times = {}
  if facts and not any(p.path.startswith(('generator', 'discriminator'))
                       for p in problems):
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


def game_of_run(config: Mapping, facts: Facts) -> Game:
  """The game of a run that has been checked, without its data."""
  times, problems = _times(config, facts, [])
  if problems:
    raise ConfigError(problems)
  return make_game(config, facts, times['train_steps'])


def plain(config: Any) -> Any:
  """ConfigDicts as dicts, sequences as tuples, all the way down."""
  if hasattr(config, 'to_dict'):
    config = config.to_dict()
  if isinstance(config, Mapping):
    return {k: plain(v) for k, v in config.items()}
  if isinstance(config, (list, tuple)):
    return tuple(plain(v) for v in config)
  return config


def _times(config, facts, known_problems):
  """({key: steps}, problems) of train_steps and of all intervals."""
  times, problems = {}, []
  bad = {p.path for p in known_problems}
  if any(not isinstance(n := config.get(key), int) or n < 1
         for key in ('batch_size', 'disc_steps', 'steps_per_call')):
    return times, problems  # Nothing can be counted in these units.
  units = units_of(config, facts, 0)
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
    z = jax.ShapeDtypeStruct((2, *latent_shape(game)), jnp.float32)
    label = jax.ShapeDtypeStruct((2,), jnp.int32)
    image, _ = jax.eval_shape(partial(game.gen.apply, train=False),
                              state.gen.params, state.gen.stats, z, label)
    if image.shape[1:] != shape:
      raise ValueError(f'makes images {image.shape[1:]}, the data are {shape}')
  except (ValueError, TypeError) as e:
    raise ConfigError(
        [Problem('generator/discriminator', shape, str(e))]) from e


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


