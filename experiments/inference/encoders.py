"""How well the encoders of runs invert their generators, by one pass.

  python experiments/inference/encoders.py runs/vae runs/bigan >> results.jsonl

A JSON line per run: the error of 1,000 digits (held-out ones, if the run has
some) and, of 1,000 images that the run draws itself, how often the latent that
the encoder finds is nearer to the right one than to all others, and its rank.
"""

import json
import os
import sys

import jax
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax.config import experiment  # noqa: E402
from gan_jax.data import values  # noqa: E402
from gan_jax.views.trained import Trained  # noqa: E402

COUNT = 1000


def measure(folder: str) -> dict:
  """The line of a run."""
  run = Trained(folder)
  decoder, source = run.decoder, experiment.load(run.config).source
  real = source.held_out or source
  x = values.unit(np.asarray(real.images[:COUNT]))
  label = run.labels(len(x))
  call = jax.jit(lambda function, *args: function(*args))
  found = np.asarray(call(decoder.decode, call(decoder.encode, x, label),
                          label))
  error = ((found - x) ** 2).reshape(len(x), -1).mean(1)
  mean = ((x - x.mean(0)) ** 2).mean()
  known = jax.random.normal(jax.random.key(5), (COUNT, decoder.size))
  label = run.labels(COUNT)
  back = call(decoder.encode, call(decoder.decode, known, label), label)
  far = np.linalg.norm(np.asarray(back)[:, None] - np.asarray(known)[None],
                       axis=2)
  rank = 1 + (far < np.diag(far)[:, None]).sum(1)
  return {'run': os.path.basename(os.path.normpath(folder)), 'step': run.step,
          'held_out': source.held_out is not None, 'images': len(x),
          'error': float(error.mean()),
          'error_95': float(1.96 * error.std(ddof=1) / len(x) ** 0.5),
          'error_of_the_mean_image': float(mean),
          'right_nearest': float((rank == 1).mean()),
          'median_rank': float(np.median(rank))}


if __name__ == '__main__':
  for path in sys.argv[1:]:
    print(json.dumps(measure(path)), flush=True)
