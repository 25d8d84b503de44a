"""TPE beside random search on the ring, with as many trials.

  python experiments/search/compare.py FOLDER >> results.jsonl

Three keys, 24 trials, three searches with each sampler; the best three points
of each are played again with five seeds that no search has seen. A JSON line
for each search.
"""

import json
import os
import sys

import numpy as np
from optuna.samplers import RandomSampler, TPESampler

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax.studies import trials  # noqa: E402
from gan_jax.studies.search import batches, page, pruning, worker  # noqa: E402
from gan_jax.studies.search.plan import config_of  # noqa: E402
from gan_jax.studies.search.space import parse  # noqa: E402

TRIALS, TOP, FRESH = 24, 3, 5
GIVEN = ['--config=configs/ring.py', '--config.train_steps=2000',
         '--config.batch_size=256', '--config.eval_every=200',
         '--config.sample_every=0', '--config.checkpoint_every=2000',
         '--config.best_metric=high_quality_2500']
KEYS = ['gen_optimizer.learning_rate=1e-4..1e-2:log',
        'disc_optimizer.learning_rate=1e-4..1e-2:log',
        'disc_optimizer.b1=0..0.9']


def compare(kind, seed: int, folder: str) -> dict:
  """What one search found, and what its best points score with fresh seeds."""
  given = [*GIVEN, f'--config.seed={seed}']
  worker.search([*given, '--config.population=6'], KEYS, folder, trials=TRIALS,
                sampler=kind)
  study, plan = worker.open_study(folder, given, parse(KEYS))
  rows = page.rows_of(study, plan, folder)
  done = sorted((r for r in rows if r.state == 'complete'),
                key=lambda r: -r.value)
  games = [{key: float(text) for key, text in row.texts.items()}
           for row in done[:TOP]]
  config = config_of(plan.given, done[0].texts) | {'seed': 1000}
  _, fresh = trials.play(config, games, plan.train_steps, FRESH, folder,
                         'fresh')
  return {
      'sampler': kind.__name__, 'seed': seed,
      'steps': sum(r.step for r in rows),
      'states': {s: sum(r.state == s for r in rows)
                 for s in ('complete', 'pruned', 'fail')},
      'values': [r.value for r in rows],
      'best_so_far': np.maximum.accumulate(
          [r.value or 0 for r in rows]).round(4).tolist(),
      'top': [r.value for r in done[:TOP]], 'points': games,
      'fresh': fresh.values.tolist(),
      'foresight': pruning.foresight(
          batches.curves_of(study, plan), plan.train_steps)}


if __name__ == '__main__':
  for seed in range(3):
    for kind in (TPESampler, RandomSampler):
      print(json.dumps(compare(
          kind, seed, f'{sys.argv[1]}/{kind.__name__}-{seed}')), flush=True)
