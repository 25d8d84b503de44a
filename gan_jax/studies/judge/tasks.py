"""The tasks on which games are compared, and the games that they are beside.

Each task has one pair of networks for all of its games. D is without batch norm
there, under which neither a spectral norm nor a penalty on the gradient of each
image would be itself.
"""

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from ml_collections import ConfigDict

from gan_jax.config import fields, overrides, recipe
from gan_jax.studies import trials
from gan_jax.studies.judge import ideas

ROWS = 10  # of a run, which the watchdog looks at
SEEDS = 8  # of a test, unless asked for others
# What an idea is compared with; `ideas.apply` reads the arguments.
BASELINES = {
    'non_saturating': 'loss=non_saturating',
    'hinge_spectral': 'loss=hinge,discriminator.weight_norm=spectral',
    'rpgan_r1_r2': 'loss=relativistic,penalty=r1+r2',
}
TITLES = {'non_saturating': 'non-saturating',
          'hinge_spectral': 'hinge + spectral norm',
          'rpgan_r1_r2': 'RpGAN + R1 + R2'}


class Task(NamedTuple):
  """A data set with networks, rates and a score.

  what: the data, in words.
  recipe: --config of the plain game.
  changes: 'path=value' of it, as flags give them.
  gamma: weight of the terms r1 and r2, unless a game says another.
  score: the one by which games are compared.
  unit: that score in words.
  chunk: steps of a compiled call; steps of a run are multiples of ROWS chunks.
  least, most: steps of a run.
  seconds: of one core of a Xeon for a verdict of the least steps with SEEDS.
  """

  what: str
  recipe: str
  changes: tuple[str, ...]
  gamma: float
  score: str
  unit: str
  chunk: int
  least: int
  most: int
  seconds: float


_OVERLAP = dict(
    changes=('batch_size=256',), gamma=0.1, score='overlap_2500',
    unit='overlap with the modes, 0 to 1', chunk=20, least=600, most=4000,
    seconds=110)
_IMAGES = (
    'batch_size=16', 'latent.size=24', 'generator.width=16',
    'discriminator.width=16', 'discriminator.norm=none',
    'discriminator.weight_std=0.08', 'gen_optimizer.learning_rate=2e-3',
    'disc_optimizer.learning_rate=2e-3', 'evaluators[0].bare=True')
_FD = ("evaluators[0].metrics=('fd','prdc')",)
_PICTURES = dict(gamma=1.0, chunk=10, least=400, most=8000, seconds=330)

# In the order in which they are played; the last are the first to be cut.
TASKS = {
    'ring': Task('8 Gaussians on a ring', 'ring', **_OVERLAP),
    'digits': Task(
        '10,000 handwritten digits', 'dcgan:paper,evaluator=scores',
        _IMAGES + _FD,
        score='fd_classifier_2k_train',
        unit='Frechet distance of 2,000 samples by a classifier of the digits',
        **_PICTURES),
    'grid': Task('25 Gaussians on a grid', 'ring:data=grid', **_OVERLAP),
    'clothes': Task(
        '60,000 pictures of clothes (Fashion-MNIST)',
        'dcgan:paper,data=fashion_mnist,evaluator=scores', _IMAGES + _FD,
        score='fd_classifier_2k_train',
        unit='Frechet distance of 2,000 samples by a classifier of the clothes',
        **_PICTURES),
    'stacked': Task(
        'three digits in the channels of a picture, 1,000 modes',
        'dcgan:paper,data=stacked_mnist,evaluator=stacked_coverage',
        (*_IMAGES, 'data.num_examples=20000',
         'evaluators[0].num_samples=2000'),
        score='divergence_2k',
        unit='KL of 2,000 samples over the 1,000 modes to uniform, in nats',
        **_PICTURES),
}


def plain(task: Task) -> ConfigDict:
  """The plain game of a task: non_saturating, without a penalty."""
  config = recipe.get_config(task.recipe)
  for change in task.changes:
    overrides.apply(config, f'--config.{change}')
  return config


def game(task: Task, arguments: str) -> dict:
  """The config of a game on a task, without a length or seeds.

  Raises:
    ConfigError: an argument that cannot be read.
  """
  config = plain(task)
  ideas.apply(config, arguments)
  found = fields.plain(config)
  for i, term in enumerate(found['penalties']):
    if term['name'] in ('r1', 'r2') and (
        f'penalties[{i}].weight=' not in arguments):
      found = fields.put(found, f'penalties[{i}].weight', task.gamma)
  return found | {
      'sample_every': 0, 'checkpoint_every': 0, 'keep_checkpoints': 1,
      'loggers': (), 'steps_per_call': task.chunk, 'best_metric': task.score}


def points(config: dict) -> list[dict]:
  """The games {path: number} among which each game's own is chosen.

  Four for every game: as it is; a third of the rates; three times the rates;
  and a tenth of its penalties, or of the rates where it has none. Of schedules
  the values are scaled, not the durations.
  """
  def scaled(paths, factor):
    return {path: fields.at(config, path) * factor for path in paths}

  rates = [path for player in ('gen', 'disc') for path in trials.numbers(
      config, f'{player}_optimizer.learning_rate')]
  weights = _weights(config)
  own = scaled(rates + weights, 1.0)
  return [own, own | scaled(rates, 1 / 3), own | scaled(rates, 3.0),
          own | scaled(weights or rates, 0.1)]


def command(task: Task, arguments: str, numbers: Mapping) -> str:
  """The command that plays a game alone, with further {path: number}."""
  behind, dotted = ideas.parts(arguments)
  replaced = tuple(f'{part.partition("=")[0]}.' for part in behind
                   if part.startswith(('generator=', 'discriminator=')))
  name = (task.recipe if ':' in task.recipe else f'{task.recipe}:'
          ) + ''.join(f',{part}' for part in behind)
  flags = [change for change in task.changes
           if not change.startswith(replaced)
           and change.partition('=')[0] not in numbers] + dotted + [
               f'{path}={value:.9g}' if isinstance(value, float) else
               f'{path}={value}' for path, value in numbers.items()]
  return shlex.join(['python', '-m', 'gan_jax.main',
                     f'--config={name.replace(":,", ":").rstrip(":")}',
                     *(f'--config.{flag}' for flag in flags)])


def words(config: dict) -> list[str]:
  """Names of the `points`."""
  return ['as given', 'rates / 3', 'rates x 3',
          f'{"weights" if _weights(config) else "rates"} / 10']


def _weights(config) -> list[str]:
  return [path for i in range(len(config['penalties']))
          for path in trials.numbers(config, f'penalties[{i}].weight')]
