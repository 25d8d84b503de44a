"""Modes captured of ring, grid or stacked digits, by loss and penalty.

  python experiments/modes/modes.py --data=ring --seeds=5 >> results.jsonl

Trains the seeds of a method as one population, in one program, and scores the
averaged generators after the last step by the data's own evaluator. A JSON line
per method.
"""

import argparse
import json
import os
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from configs import dcgan, ring  # noqa: E402  (after the line above)
from gan_jax import parallel
from gan_jax.config import experiment  # noqa: E402
from gan_jax.data.pipeline import Batches  # noqa: E402
from gan_jax.game.step import train_step  # noqa: E402
from gan_jax.parallel import Batch
from gan_jax.run.evaluator import Sampler  # noqa: E402

LOSSES = ('minimax', 'non_saturating', 'least_squares', 'hinge', 'wasserstein',
          'relativistic', 'relativistic_average', 'softmax_gan', 'fgan',
          'dual_contrastive', 'relativistic_average_hinge')
PENALTIES = ('', 'r1', 'r1+r2', 'wgan_gp')
EXTRAS = {'wasserstein clip': ('wasserstein', dict(disc_weight_clip=0.01)),
          'pacgan2': ('non_saturating', dict(packing=2)),
          'pacgan4': ('non_saturating', dict(packing=4)),
          'unrolled5': ('non_saturating', dict(unrolled_steps=5))}
_CHUNK = 500  # of steps in a call, and of images drawn at once


def methods():
  """(name, config argument, further keys) of each row of the table."""
  for loss in LOSSES:
    for penalty in PENALTIES:
      argument = f',penalty={penalty}' if penalty else ''
      yield f'{loss} {penalty}'.strip(), f'loss={loss}{argument}', {}
  for name, (loss, keys) in EXTRAS.items():
    yield name, f'loss={loss}', keys


def gaussians(data: str, argument: str):
  """The networks of configs/ring.py, batch 256."""
  config = ring.get_config(f'data={data},{argument}')
  config.batch_size = 256
  for penalty in config.penalties:
    penalty.weight = 10.0 if penalty.name == 'wgan_gp' else 0.1
  return config


def stacked(data: str, argument: str):
  """A DCGAN of an eighth of the width, no norm in D, 3,000 samples.

  At five times the paper's rate, to be there in a thousand steps.
  """
  config = dcgan.get_config(
      f'paper,data={data},evaluator=stacked_coverage,{argument}')
  config.generator.width = config.discriminator.width = 8
  config.discriminator.norm = 'none'
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = 1e-3
  config.evaluators[0].num_samples = 3000
  for penalty in config.penalties:
    penalty.weight = 10.0 if penalty.name == 'wgan_gp' else 1.0
  return config


def train(run: experiment.Experiment, seeds: int, steps: int):
  """A sampler and the averages of a population's generators, stacked."""
  game = experiment.make_game(run.config, run.info, steps, axis_name=None)
  size, scale_to = run.config['batch_size'], run.config['image_range']
  images = jnp.asarray(run.source.images)
  states = jax.tree.map(lambda *x: jnp.stack(x), *(
      experiment.initial_state(game, run.info, seed)
      for seed in range(seeds)))
  streams = [Batches(len(images), size, seed) for seed in range(seeds)]

  @partial(jax.jit, donate_argnums=0)
  @partial(jax.vmap, in_axes=(0, None, 0, 0))
  def play(state, images, index, seed):
    def body(state, index):
      batch = Batch(parallel.scale(images[index], scale_to)[None],
                    jnp.zeros((1, size), jnp.int32), jnp.arange(size))
      return train_step(state, batch, jax.random.key(seed), game=game)

    return jax.lax.scan(body, state, index)[0]

  for start in range(0, steps, _CHUNK):
    count = min(_CHUNK, steps - start)
    index = np.stack([stream(start, count) for stream in streams])
    states = play(states, images, index, jnp.arange(seeds, dtype=jnp.uint32))
  return Sampler(game, scale_to), states.ema


def score(run, sampler, average, seed: int) -> dict:
  """{metric: Score} of the one evaluator of a run."""
  def sample(start, stop):
    z = sampler.latents(jax.random.key(seed + 1000), stop - start, start)
    labels = np.zeros(stop - start, np.int32)
    return sampler.images(average, z, labels, chunk=_CHUNK), None

  evaluate, = run.evaluators
  return {found.protocol['metric']: found for found in evaluate(sample)}


def main():
  """Prints a line per method."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--data', choices=('ring', 'grid', 'stacked_mnist'),
                      default='ring')
  parser.add_argument('--seeds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=5000)
  parser.add_argument('--only', nargs='*', default=[], help='names of rows')
  args = parser.parse_args()
  base = stacked if args.data == 'stacked_mnist' else gaussians
  for name, argument, keys in methods():
    if args.only and name not in args.only:
      continue
    config = base(args.data, argument)
    config.train_steps = args.steps
    for key, value in keys.items():
      config[key] = value
    if config.unrolled_steps:  # One goes through the root in Adam.
      with config.unlocked():
        config.disc_optimizer.eps_root = 1e-12
    start = time.perf_counter()
    run = experiment.load(config)
    sampler, averages = train(run, args.seeds, args.steps)
    found = [score(run, sampler, jax.tree.map(lambda x, i=i: x[i], averages), i)
             for i in range(args.seeds)]
    print(json.dumps({
        'data': args.data, 'method': name, 'seeds': args.seeds,
        'steps': args.steps,
        **{metric: [round(one[metric].value, 4) for one in found]
           for metric in found[0]},
        'real': {metric: one.floor for metric, one in found[0].items()},
        'seconds': round(time.perf_counter() - start, 1)}), flush=True)


if __name__ == '__main__':
  main()
