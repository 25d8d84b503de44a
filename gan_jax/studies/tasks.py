"""The tasks on which games are compared, and the games that they are beside.

Each task has one pair of networks for all of its games. D is without batch norm
there, under which neither a spectral norm nor a penalty on the gradient of each
image would be itself.
"""

from typing import NamedTuple

from ml_collections import ConfigDict

from gan_jax.config import fields, recipe
from gan_jax.studies import ideas

ROWS = 10  # of a run, which the watchdog looks at
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
  changes: {path: value} of it.
  gamma: weight of the terms r1 and r2, unless a game says another.
  score: the one by which games are compared.
  unit: that score in words.
  chunk: steps of a compiled call; steps of a run are multiples of ROWS chunks.
  least, most: steps of a run.
  seconds: of one core of a Xeon for a verdict of the least steps.
  """

  what: str
  recipe: str
  changes: dict
  gamma: float
  score: str
  unit: str
  chunk: int
  least: int
  most: int
  seconds: float


_POINTS = {'batch_size': 256}
_OVERLAP = dict(
    changes=_POINTS, gamma=0.1, score='overlap_2500',
    unit='overlap with the modes, 0 to 1', chunk=20, least=600, most=4000,
    seconds=110)
_IMAGES = {
    'batch_size': 32, 'latent.size': 24, 'generator.width': 16,
    'discriminator.width': 16, 'discriminator.norm': 'none',
    'discriminator.weight_std': 0.08, 'gen_optimizer.learning_rate': 2e-3,
    'disc_optimizer.learning_rate': 2e-3}
_FD = {'evaluators': ({'name': 'scores', 'metrics': ('fd', 'prdc'),
                       'bare': True},)}
_PICTURES = dict(gamma=1.0, chunk=5, least=200, most=4000, seconds=330)

# In the order in which they are played; the last are the first to be cut.
TASKS = {
    'ring': Task('8 Gaussians on a ring', 'ring', **_OVERLAP),
    'digits': Task(
        '10,000 handwritten digits', 'dcgan:paper', _IMAGES | _FD,
        score='fd_classifier_2k_train',
        unit='Frechet distance of 2,000 samples by a classifier of the digits',
        **_PICTURES),
    'grid': Task('25 Gaussians on a grid', 'ring:data=grid', **_OVERLAP),
    'clothes': Task(
        '60,000 pictures of clothes (Fashion-MNIST)',
        'dcgan:paper,data=fashion_mnist', _IMAGES | _FD,
        score='fd_classifier_2k_train',
        unit='Frechet distance of 2,000 samples by a classifier of the clothes',
        **_PICTURES),
    'stacked': Task(
        'three digits in the channels of a picture, 1,000 modes',
        'dcgan:paper,data=stacked_mnist',
        _IMAGES | {'data.num_examples': 20_000, 'evaluators': (
            {'name': 'stacked_coverage', 'num_samples': 2000,
             'bare': True},)},
        score='divergence_2k',
        unit='KL of 2,000 samples over the 1,000 modes to uniform, in nats',
        **_PICTURES),
}


def plain(task: Task) -> ConfigDict:
  """The plain game of a task: non_saturating, without a penalty."""
  config = recipe.get_config(task.recipe)
  for path, value in task.changes.items():
    if path in ('evaluators',):
      config[path] = value
    else:
      home, _, key = path.rpartition('.')
      (config[home] if home else config)[key] = value
  config.loss = recipe.choice('loss', 'non_saturating')
  config.penalties = ()
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
  and a tenth of its penalties, or of the rates where it has none.
  """
  def scaled(paths, factor):
    return {path: fields.at(config, path) * factor for path in paths}

  rates = [path for path in fields.flat(config) if path.startswith(
      ('gen_optimizer.learning_rate', 'disc_optimizer.learning_rate'))
      and isinstance(fields.at(config, path), float)]
  weights = [f'penalties[{i}].weight'
             for i, term in enumerate(config['penalties'])
             if isinstance(term['weight'], float)]
  own = scaled(rates + weights, 1.0)
  return [own, own | scaled(rates, 1 / 3), own | scaled(rates, 3.0),
          own | scaled(weights or rates, 0.1)]


WORDS = ('as given', 'rates / 3', 'rates x 3', 'weights / 10', 'rates / 10')


def words(config: dict) -> list[str]:
  """Names of the `points`."""
  return [*WORDS[:3], WORDS[3 if config['penalties'] else 4]]
