"""Test error with few labels, and of the same network without the others.

python experiments/semi_supervised/labels.py --seeds=5 --out=results.jsonl

Trains `configs/semi_supervised.py:small` for each number of labels and seed,
which chooses the labels too, and its discriminator alone on the same labels.
A line for each run; those that
are in the file are not made again.
"""

import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from experiments.trainer import Trainer  # noqa: E402
from gan_jax.config import recipe  # noqa: E402
from gan_jax.losses import Loss  # noqa: E402


def no_loss() -> Loss:
  """0 for both players: D learns from its terms alone."""
  return Loss(lambda real, fake: 0.0 * (real + fake),
              lambda real, fake: 0.0 * fake)


def config_of(kind, labels, seed, *, name, steps, alone):
  """The config of a run of the kind 'semi_supervised' or 'supervised'.

  name: of the recipe. steps: of the first kind, 0 for the recipe's; alone: of
  the second.
  """
  config = recipe.get_config(name)
  config.seed = config.data.labelled_seed = seed
  config.data.labelled = float(labels)
  if steps:
    config.train_steps = steps
  if kind == 'supervised':
    config.loss = dict(name=f'{__name__}:no_loss')
    config.penalties = config.penalties[:1]
    config.train_steps = alone
  config.loggers = ()
  return config


def result(trainer, kind, labels, seed, **more) -> dict:
  """Trains one; its test error and seconds."""
  start = time.time()
  run, state, scalars = trainer(config_of(kind, labels, seed, **more))
  score, = trainer.evaluator.scores(state)
  return {'kind': kind, 'labels': labels, 'seed': seed,
          'steps': run.train_steps, 'error': score.value, 'low': score.low,
          'high': score.high, 'test': score.protocol['num_real'],
          'unlabelled': run.info.unlabelled, 'loss/disc': scalars['loss/disc'],
          'seconds': round(time.time() - start, 1)}


def main():
  """Makes all runs that are missing."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--config', default='semi_supervised:small')
  parser.add_argument('--labels', type=int, nargs='+', default=[20, 50, 100])
  parser.add_argument('--seeds', type=int, default=10)
  parser.add_argument('--steps', type=int, default=0)
  parser.add_argument('--alone', type=int, default=500,
                      help='steps without unlabelled images')
  parser.add_argument('--out', required=True, help='results.jsonl')
  asked = parser.parse_args()
  done = set()
  if os.path.exists(asked.out):
    with open(asked.out) as file:
      done = {(row['kind'], row['labels'], row['seed'])
              for row in map(json.loads, file)}
  for kind in ('supervised', 'semi_supervised'):
    trainer = Trainer()
    for seed in range(asked.seeds):
      for labels in asked.labels:
        if (kind, labels, seed) in done:
          continue
        row = json.dumps(result(trainer, kind, labels, seed, name=asked.config,
                                steps=asked.steps, alone=asked.alone))
        print(row, flush=True)
        with open(asked.out, 'a') as file:
          file.write(row + '\n')


if __name__ == '__main__':
  main()
