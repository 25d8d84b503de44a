"""What is found out about an idea before anything trains, task by task."""

import time
from functools import partial

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, population
from gan_jax.config.build import make_game
from gan_jax.config.experiment import Experiment
from gan_jax.config.population import Population
from gan_jax.game.step import step_of
from gan_jax.parallel import Batch
from gan_jax.studies.judge import tasks
from gan_jax.studies.judge.tasks import ROWS, Task

_BATCH = 8
_TRAINED = 30  # seconds, which only the training of a classifier takes
# A program that runs once need not be fast.
_QUICK = {'xla_backend_optimization_level': 0,
          'xla_llvm_disable_expensive_passes': True}


def load(task: Task, arguments: str, **changes) -> Population:
  """Builds and traces the game of some arguments, without compiling.

  Raises:
    ConfigError, DataError: as `population.load`.
  """
  config = tasks.game(task, arguments)
  steps = ROWS * task.chunk
  return population.load(config | {
      'train_steps': steps, 'log_every': steps, 'eval_every': steps,
      'seed': (0, 1)} | changes)


def check(task: Task, arguments: str) -> None:
  """Builds a game, and plays one step of it on a few examples.

  Raises:
    ConfigError: what does not fit together, or is not finite, with the line of
      the user's file.
    DataError: the data are not there.
  """
  one = load(task, arguments, batch_size=_BATCH, seed=0).alone(
      'an idea is one game: give one value')
  if bad := _not_finite(*_step(one)):
    said = ', '.join(bad[:4]) + ' ...' * (len(bad) > 4)
    raise ConfigError.saying(
        f'{said} not finite in the first step{_where(one)}')


def prepare(task: Task) -> float:
  """Trains the classifier that scores a task, once on a machine.

  Returns:
    The seconds that it took, 0.0 if it was there.
  """
  one, start = load(task, '').members[0], time.monotonic()
  for evaluate in one.evaluators:
    evaluate(lambda a, b: (one.source.images[a:b], None))
  seconds = time.monotonic() - start
  return seconds if seconds > _TRAINED else 0.0


def _batch(one: Experiment):
  steps = one.config['disc_steps'] * (1 + one.game.draws_labelled)
  rows = np.arange(steps * _BATCH).reshape(steps, _BATCH) % len(
      one.source.images)
  return Batch(parallel.scale(jax.numpy.asarray(one.source.images[rows]),
                              one.config['image_range']),
               one.source.labels[rows], np.arange(_BATCH, dtype=np.int32))


def _step(one: Experiment):
  """(state, scalars) after a step, compiled as fast as can be."""
  mesh = parallel.own_mesh()
  play = parallel.everywhere(
      lambda state, batch: one.step(state, batch, jax.random.key(0),
                                    pmean=parallel.mean_over(mesh)), mesh)
  arguments = one.init(), _batch(one)
  options = _QUICK if jax.default_backend() == 'cpu' else None
  return play.lower(*arguments).compile(compiler_options=options)(*arguments)


def _not_finite(state, scalars) -> list[str]:
  bad = [name for name, value in scalars.items()
         if not np.isfinite(value).all()]
  for player in ('gen', 'disc'):
    if not all(np.isfinite(x).all() for x in jax.tree.leaves(
        getattr(state, player).params)):
      bad.append(f'weights of {player}')
  return bad


def _where(one: Experiment) -> str:
  """The user's line that makes a NaN, as operation by operation finds it."""
  game = make_game(one.config, one.info, one.train_steps, axis_name=None)
  step = partial(step_of(game, one.config['updates']), pmean=lambda tree: tree)
  try:
    with jax.disable_jit(), jax.debug_nans(True), jax.debug_infs(True):
      step(experiment.first_state(game, one.info, np.uint32(0)), _batch(one),
           jax.random.key(0))
  except Exception as e:  # FloatingPointError, or what disable_jit brings up
    return f':\n    {lookup.failure(e)}'
  return ''
