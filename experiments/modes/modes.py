"""Modes captured on the ring or grid, of losses with and without penalties.

  python experiments/modes/modes.py --data=ring --seeds=5 >> results.jsonl

Trains the seeds of a method as one population, in one program: the networks of
configs/ring.py, 2,500 samples of the averaged generator after the last step. A
JSON line per method.
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
from configs import ring  # noqa: E402  (after the line above)
from gan_jax import experiment, sampling  # noqa: E402
from gan_jax.data.pipeline import Batches  # noqa: E402
from gan_jax.game import Batch  # noqa: E402
from gan_jax.metrics.coverage import modes_captured  # noqa: E402
from gan_jax.step import train_step  # noqa: E402

LOSSES = ('minimax', 'non_saturating', 'least_squares', 'hinge', 'wasserstein',
          'relativistic', 'relativistic_average', 'softmax_gan', 'fgan',
          'dual_contrastive', 'relativistic_average_hinge')
PENALTIES = ('', 'r1', 'r1+r2', 'wgan_gp')
EXTRAS = {'pacgan2': dict(packing=2), 'pacgan4': dict(packing=4),
          'unrolled5': dict(unrolled_steps=5)}


def methods():
  """(name, config argument, further keys) of each row of the table."""
  for loss in LOSSES:
    for penalty in PENALTIES:
      argument = f',penalty={penalty}' if penalty else ''
      yield f'{loss} {penalty}'.strip(), f'loss={loss}{argument}', {}
  for name, keys in EXTRAS.items():
    yield name, 'loss=non_saturating', keys


def train(config, seeds: int, steps: int):
  """Points [seeds, 2500, 2] of a population's averaged generators."""
  run = experiment.load(config)
  game = experiment.make_game(run.config, run.facts, steps, axis_name=None)
  size, chunk = run.config['batch_size'], 500
  data = jnp.asarray(run.source.images)
  states = jax.tree.map(lambda *x: jnp.stack(x), *(
      experiment.initial_state(game, run.facts.image_shape, seed)
      for seed in range(seeds)))
  streams = [Batches(len(data), size, seed) for seed in range(seeds)]

  @partial(jax.jit, donate_argnums=0)
  @jax.vmap
  def play(state, index, seed):
    def body(state, index):
      batch = Batch(data[index][None], jnp.zeros((1, size), jnp.int32),
                    jnp.arange(size))
      return train_step(state, batch, jax.random.key(seed), game=game)

    return jax.lax.scan(body, state, index)[0]

  for start in range(0, steps, chunk):
    index = np.stack([stream(start, chunk) for stream in streams])
    states = play(states, index, jnp.arange(seeds, dtype=jnp.uint32))

  @jax.jit
  @jax.vmap
  def draw(average, seed):
    z = sampling.latents(game.latent, jax.random.key(seed + 1000), 2500)
    return sampling.generate(game.gen, average, z, jnp.zeros(2500, jnp.int32))

  points = draw(states.ema, jnp.arange(seeds, dtype=jnp.uint32))
  return np.asarray(points), run.source


def main():
  """Prints a line per method."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--data', choices=('ring', 'grid'), default='ring')
  parser.add_argument('--seeds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=5000)
  parser.add_argument('--only', default='')
  args = parser.parse_args()
  for name, argument, keys in methods():
    if args.only and args.only not in name:
      continue
    config = ring.get_config(f'data={args.data},{argument}')
    config.train_steps = args.steps
    config.batch_size = 256
    for key, value in keys.items():
      config[key] = value
    for penalty in config.penalties:
      penalty.weight = 10.0 if penalty.name == 'wgan_gp' else 0.1
    start = time.perf_counter()
    points, source = train(config, args.seeds, args.steps)
    found = [modes_captured(p, source.report['centres'], source.report['std'])
             for p in points]
    modes, quality = (np.array(values) for values in zip(*found, strict=True))
    print(json.dumps({
        'data': args.data, 'method': name, 'seeds': args.seeds,
        'steps': args.steps, 'modes': modes.tolist(),
        'modes_mean': round(float(modes.mean()), 2),
        'modes_std': round(float(modes.std(ddof=1)), 2) if args.seeds > 1
        else None, 'high_quality': round(float(quality.mean()), 4),
        'seconds': round(time.perf_counter() - start, 1)}), flush=True)


if __name__ == '__main__':
  main()
