"""Memory of one device as the model and its share of the batch grow.

  python experiments/cluster/memory.py

Compiles a call of one step of dcgan.py:paper at 64 px for several widths and
batches, and prints what XLA says that it takes: a JSON line each.
"""

import json
import os
import sys

import jax
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from configs import dcgan  # noqa: E402  (after the line above)
from gan_jax import parallel
from gan_jax.config import experiment  # noqa: E402

SIZES = [(32, 64), (64, 64), (128, 64), (256, 64), (64, 16), (64, 256)]


def memory(width: int, batch: int) -> dict:
  """Bytes of the state, and of all else that a step needs at once."""
  config = dcgan.get_config('paper,data=noise')
  config.data.shape = (64, 64, 3)
  config.batch_size, config.steps_per_call = batch, 1
  config.generator.width = config.discriminator.width = width
  run = experiment.load(config)
  mesh = parallel.make_mesh(1)
  runner = parallel.make_runner(run.step, mesh, seed=0, image_range=(-1., 1.))
  state = parallel.abstract(jax.eval_shape(run.init), mesh)
  images = jax.ShapeDtypeStruct((batch, 64, 64, 3), np.uint8)
  labels = jax.ShapeDtypeStruct((batch,), np.int32)
  call = np.zeros((1, 1, batch), np.int32)
  found = jax.jit(runner, donate_argnums=0).lower(
      state, parallel.Data(images, labels), call).compile().memory_analysis()
  held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
  return {'width': width, 'batch': batch,
          'parameters_m': round(_count(state) / 1e6, 1),
          'state_mb': round(held / 1e6, 1),
          'step_mb': round(found.temp_size_in_bytes / 1e6, 1)}


def _count(state):
  return sum(x.size for player in (state.gen, state.disc)
             for x in jax.tree.leaves(player.params))


if __name__ == '__main__':
  for size in SIZES:
    print(json.dumps(memory(*size)), flush=True)
