"""A line of results.jsonl for each run: what its rows say, and the watchdog.

python experiments/watchdog/summarise.py runs/watchdog/*
"""

import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax.base import lookup  # noqa: E402  (after the line above)
from gan_jax.run.detectors import Watchdog  # noqa: E402
from gan_jax.run.evaluator import equilibrium  # noqa: E402

_SHOWN = ('loss/disc', 'loss/gen', 'prob/real', 'prob/fake', 'auc',
          'grad_norm/gen', 'update_ratio/gen', 'gap/logits', 'gap/sign',
          'pairwise/fake', 'pairwise/real', 'saturation/fake',
          'grad_x/real', 'grad_x/fake')


def summarise(folder):
  """{'run', 'steps', 'findings', medians of the last 20 rows}."""
  with open(os.path.join(folder, 'scalars.jsonl')) as file:
    rows = [json.loads(line) for line in file]
  with open(os.path.join(folder, 'config.json')) as file:
    config = json.load(file)
  levels = equilibrium(lookup.build('gan_jax.losses', config['loss']))
  dog = Watchdog(levels, config['train_steps'])
  found = [(f.step, f.name, f.text) for row in rows for f in dog.see(row)]

  def last(name):
    values = [row[name] for row in rows[-20:] if row.get(name) is not None]
    return float(f'{np.median(values):.4g}') if values else None

  return {'run': os.path.basename(os.path.normpath(folder)),
          'steps': rows[-1]['step'], 'findings': found,
          **{name: last(name) for name in _SHOWN}}


if __name__ == '__main__':
  for folder in sys.argv[1:]:
    print(json.dumps(summarise(folder)))
