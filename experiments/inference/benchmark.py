"""Speed of inference beside plain PyTorch loops of the same mathematics.

  pip install torch==2.13.0        # the peer only
  python experiments/inference/benchmark.py --images=20 >> results.jsonl

Both run in one process, in turn, round by round. A line for each job has the
seconds per image of gan_jax, of the loop over images and of the loop that takes
as many images at a time as gan_jax, medians of the rounds. --cpu counts time of
the CPU on one core.
"""

import argparse
import json
import os
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch_peer
from jax.tree_util import Partial
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax import inference, models  # noqa: E402
from gan_jax.base import lookup  # noqa: E402

SIZE = {'dcgan': 24, 'mlp': 50}


def network(name, kind, shape=(28, 28, 1), **fields):
  """apply(x) of a network with its first weights."""
  model = models.as_model(lookup.build('gan_jax.models', dict(
      name=f'{name}.{kind}', **fields), kind=kind, image_shape=shape,
      image_range=(0.0, 1.0), num_classes=0, axis_name=None))
  x = jnp.zeros((1, SIZE[name]) if kind == 'Generator' else (1, *shape))
  return model.apply, model.init(jax.random.key(0), x, jnp.zeros(1, jnp.int32))


def drawing(name, **fields):
  """A decoder, see `gan_jax.inference`."""
  apply, (params, stats) = network(name, 'Generator', **fields)
  return Partial(lambda params, stats, u, label: apply(
      params, stats, u, label, train=False)[0], params, stats)


def jobs(count, chains, temperatures):
  """{job: (seconds of gan_jax, of a loop, of a loop by chunks), images each}.

  Each is a function that waits for its result.
  """
  rng = np.random.default_rng(0)
  x = rng.random((count, 28, 28, 1)).astype(np.float32)
  many = np.resize(x, (1000, 28, 28, 1))
  label = np.zeros(len(many), np.int32)
  key = jax.random.key(0)
  conv = dict(decode=drawing('dcgan', width=24), size=SIZE['dcgan'])
  apply, (params, stats) = network('dcgan', 'Discriminator', width=24,
                                   norm='none')
  features = Partial(lambda params, x, label: apply(
      params, {}, x, label, train=False)[0].features, params)
  project = jnp.asarray(rng.normal(size=(features(x[:1], label[:1]).shape[1],
                                         24)) * 0.01, jnp.float32)
  encode = Partial(lambda params, project, x, label: apply(
      params, {}, x, label, train=False)[0].features @ project, params, project)
  dense = drawing('mlp', widths=(200, 200), activation='tanh')

  draw = torch_peer.frozen(torch_peer.generator())
  judge = torch_peer.frozen(torch_peer.features())
  flat = judge(torch.zeros(1, 1, 28, 28)).shape[1]
  inverse = torch_peer.frozen(nn.Sequential(torch_peer.features(),
                                            nn.Linear(flat, 24, bias=False)))
  deep = torch_peer.frozen(torch_peer.mlp((50, 200, 200, 784), nn.Sigmoid()))
  there, all_there = (torch.from_numpy(a.transpose(0, 3, 1, 2).copy())
                      for a in (x, many))

  def loops(run, **how):
    return [lambda together=together: run(together=together, **how)
            for together in (1, 50)]

  yield 'invert', count, [lambda: inference.invert(
      conv['decode'], x, label[:count], key, size=conv['size']).error,
      *loops(lambda together: torch_peer.invert(
          draw, there, size=24, together=together))]
  yield 'f_anogan', 1000, [lambda: inference.f_anogan(
      conv['decode'], encode, features, many, label).score,
      *loops(lambda together: torch_peer.f_anogan(
          draw, inverse, judge, all_there, together=2 * together - 1))]
  few = max(1, count // 10)
  yield 'ais', few, [lambda: inference.log_density(
      dense, inference.gaussian(0.2), x[:few], label[:few], key,
      size=SIZE['mlp'], chains=chains, temperatures=temperatures).log_p,
      *loops(lambda together: torch_peer.ais(
          deep, there[:few].flatten(1), size=SIZE['mlp'], chains=chains,
          temperatures=temperatures, together=min(together, 10)))]


def seconds(run, clock):
  """Time of a call, until its result is there."""
  start = clock()
  np.asarray(run())
  return clock() - start


def main():
  """Prints a line of JSON for each job."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--images', type=int, default=20, help='of invert; a '
                      'tenth of ais')
  parser.add_argument('--chains', type=int, default=100)
  parser.add_argument('--temperatures', type=int, default=1000)
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument('--jobs', default='invert,f_anogan,ais')
  parser.add_argument('--cpu', action='store_true', help='time of the CPU, on '
                      'one core: for a machine that does other work too')
  flags = parser.parse_args()
  if flags.cpu:  # Before JAX starts its threads.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  torch.set_num_threads(len(os.sched_getaffinity(0)))
  clock = time.process_time if flags.cpu else time.perf_counter
  for name, count, runs in jobs(flags.images, flags.chains,
                                flags.temperatures):
    if name not in flags.jobs.split(','):
      continue
    compiled = seconds(runs[0], clock)
    rounds = [[seconds(run, clock) / count for run in runs]
              for _ in range(flags.rounds)]
    own, loop, chunks = (statistics.median(each)
                         for each in zip(*rounds, strict=True))
    print(json.dumps({
        'job': name, 'chains': flags.chains,
        'temperatures': flags.temperatures, 'images': count,
        'rounds': flags.rounds, 'clock': 'cpu' if flags.cpu else 'wall',
        'gan_jax_s_per_image': round(own, 5),
        'loop_s_per_image': round(loop, 5),
        'chunks_s_per_image': round(chunks, 5),
        'ratio_to_loop': round(loop / own, 2),
        'ratio_to_chunks': round(chunks / own, 2),
        'first_call_s': round(compiled, 1),
        'load_average': os.getloadavg()[0],
        'cores': len(os.sched_getaffinity(0)),
        'jax': jax.__version__, 'torch': torch.__version__,
        'python': sys.version.split()[0]}), flush=True)


if __name__ == '__main__':
  main()
