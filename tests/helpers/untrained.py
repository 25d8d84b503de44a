"""Folders of runs with checkpoints, made without training: in seconds."""

import json
import os

import jax
import jax.numpy as jnp
import pytest

from gan_jax.config import experiment
from gan_jax.run import drawn_labels
from gan_jax.run.checkpoint import Checkpoints


def write_run(config, folder, steps=(2, 4)):
  """A run's folder with checkpoints of two states that differ.  -> str.

  The averaged generator is another one than that which was trained.
  """
  with pytest.MonkeyPatch.context() as patch:
    # Nobody steps: that all fits together is half of the time.
    patch.setattr(experiment.tracing, 'trace', lambda *_: None)
    run = experiment.load(config)
  state = run.init()
  os.makedirs(folder)
  checkpoints = Checkpoints(folder, keep=len(steps))
  for step in steps:
    scaled = jax.tree.map(lambda x, by=1 + 0.1 * step: x * by, state.ema)
    checkpoints.save(step, state.replace(
        ema=scaled, step=jnp.asarray(step, state.step.dtype)))
  checkpoints.close()
  for name, value in (('config', run.config), ('data', run.info._asdict())):
    with open(os.path.join(folder, f'{name}.json'), 'w') as file:
      json.dump(value, file)
  drawn_labels.write(folder, run)
  with open(os.path.join(folder, 'launches.jsonl'), 'w') as file:
    file.write(json.dumps({'train_steps': steps[-1], 'argv': ['main']}) + '\n')
  return str(folder)
