"""Inversion and densities where the answer is known.

  python experiments/inference/known.py --workdir=runs/dcgan >> results.jsonl

Images that a run has drawn: how well descent finds them, and whether the latent
that it finds is theirs (its rank among all of theirs, by distance; 1 is right).
Digits that the run has not seen, if its data hold some out. A linear decoder:
annealed importance sampling beside the closed form.
"""

import argparse
import json
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import multivariate_normal
from jax.tree_util import Partial

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax import inference  # noqa: E402
from gan_jax.data import load, values  # noqa: E402
from gan_jax.views.trained import Trained  # noqa: E402


def drawn(run, count):
  """Errors and ranks of images of known latents, found from their pixels."""
  decoder, label = run.decoder, run.labels(count)
  u = jax.random.normal(jax.random.key(1), (count, decoder.size))
  x = np.asarray(jax.jit(lambda d, *a: d(*a))(decoder.decode, u, label))
  found = inference.invert(decoder.decode, x, label, jax.random.key(0),
                           size=decoder.size, prior=0.0, starts=8)
  near = np.linalg.norm(found.u[:, :1] - u[None], axis=2)
  rank = 1 + (near < np.diag(near)[:, None]).sum(1)
  return {'what': 'drawn', 'images': count, **errors(found),
          'rank_1': float((rank == 1).mean()), 'worst_rank': int(rank.max()),
          'distance': float(np.median(np.diag(near))),
          'distance_of_others': float(np.median(near))}


def unseen(run, count):
  """Errors of held-out examples, or of those trained on."""
  source = load.load(run.config['data'])
  real = source.held_out or source
  rows = np.random.default_rng(0).permutation(len(real.images))[:count]
  x, label = values.unit(np.asarray(real.images[rows])), real.labels[rows]
  found = inference.invert(run.decoder.decode, x, label, jax.random.key(0),
                           size=run.decoder.size, starts=8)
  return {'what': 'held_out' if source.held_out else 'trained_on',
          'images': count, **errors(found)}


def errors(found):
  """Quartiles of the root mean squared error of pixels in [0, 1]."""
  low, middle, high = np.percentile(np.sqrt(found.error), [25, 50, 75])
  return {'rmse': round(float(middle), 4),
          'quartiles': [round(float(low), 4), round(float(high), 4)]}


def linear(chains=256, temperatures=1000):
  """Largest error of log p(x) of eight x, in nats."""
  rng = np.random.default_rng(0)
  w, b = rng.normal(size=(3, 6)), rng.normal(size=6)
  found = inference.bounds(
      Partial(lambda w, b, u, label: u @ w + b, jnp.float32(w), jnp.float32(b)),
      inference.gaussian(0.3), np.zeros(8, np.int32), jax.random.key(0), size=3,
      chains=chains, temperatures=temperatures)
  truth = jax.vmap(lambda x: multivariate_normal.logpdf(
      x, b, w.T @ w + 0.09 * np.eye(6)))(found.x)
  return {'what': 'linear', 'images': 8, 'chains': chains,
          'temperatures': temperatures,
          'lower': [round(float(d), 3) for d in found.lower - truth],
          'upper': [round(float(d), 3) for d in found.upper - truth]}


def main():
  """Prints lines of JSON."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--workdir', default='runs/dcgan')
  parser.add_argument('--images', type=int, default=100)
  flags = parser.parse_args()
  print(json.dumps(linear()), flush=True)
  run = Trained(flags.workdir)
  for line in drawn(run, flags.images), unseen(run, flags.images):
    name = os.path.basename(os.path.abspath(flags.workdir))
    print(json.dumps({'run': name, 'step': run.step, **line}), flush=True)


if __name__ == '__main__':
  main()
