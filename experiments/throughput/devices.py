"""Scaling of one run over the devices of this machine.

  python experiments/throughput/devices.py --devices=1,2,4,8

A process for each number: the first GPUs of that number, or so many CPU
devices, which share the same cores. Runs a small DCGAN of 32 x 32 pixels with
the batch shared by the devices (strong scaling), with a batch for each (weak),
and shared with `shard='state'`, and prints a JSON line for each.
"""

import glob
import json
import math
import os
import subprocess
import sys
import tempfile
import time

# This folder at the end: `profile` is a module of Python, too.
sys.path[0] = os.path.join(os.path.dirname(__file__), '..', '..')
sys.path.append(os.path.dirname(__file__))

import benchmark  # noqa: E402 - from this folder
import jax  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags  # noqa: E402

from experiments.throughput import profile  # noqa: E402 - from the checkout
from gan_jax import parallel  # noqa: E402 - from the checkout
from gan_jax.config import experiment  # noqa: E402 - from the checkout

FLAGS = flags.FLAGS
flags.DEFINE_list('devices', ['1', '2', '4', '8'], 'Numbers of devices.')
flags.DEFINE_integer('batch', benchmark.BATCH, 'Of all devices; of each in '
                     'weak scaling.', lower_bound=1)
flags.DEFINE_integer('of', 0, 'Measures in this process, which has so many '
                     'devices.')
WIDTH = 16  # a small one, so that eight devices on two cores end
KINDS = ('strong', 'weak', 'sharded')
COLLECTIVES = ('all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all',
               'collective-permute')


def main(argv):
  """Measures here, or starts a process for each number of devices."""
  del argv
  if FLAGS.of:
    parallel.use_compilation_cache()
    for kind in KINDS:
      print(json.dumps(measure(kind, FLAGS.of)), flush=True)
    return
  seen = os.environ.get('CUDA_VISIBLE_DEVICES')
  for count in map(int, FLAGS.devices):
    gpus = seen.split(',') if seen else map(str, range(count))
    done = subprocess.run(
        [sys.executable, *sys.argv, f'--of={count}'], env=os.environ | {
            'CUDA_VISIBLE_DEVICES': ','.join([*gpus][:count]),
            'JAX_NUM_CPU_DEVICES': str(count),
            # Threads of XLA: the same for all, and no fewer than devices, or
            # collectives can dead-lock.
            'NPROC': str(max(16, *map(int, FLAGS.devices)))})
    if done.returncode:  # It has said why.
      raise SystemExit(done.returncode)


def measure(kind: str, count: int) -> dict:
  """Images per second on all devices of this process, and their state."""
  if jax.device_count() != count:
    raise SystemExit(f'--devices={count}: this machine has '
                     f'{jax.device_count()}')
  batch = FLAGS.batch * (count if kind == 'weak' else 1)

  def load(config):
    with config.unlocked():
      config.batch_size = batch
      config.shard = 'state' if kind == 'sharded' else 'none'
      config.generator.width = config.discriminator.width = WIDTH
    return experiment.load(config)

  loaded, _ = benchmark.prepare('dcgan32', load)
  ours, speeds = benchmark.Ours(loaded), []
  state = sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
              for x in jax.tree.leaves(ours.state))
  for number in range(FLAGS.rounds + 1):  # The first one compiles.
    calls = benchmark.indices(loaded, number, FLAGS.calls)
    start = time.perf_counter()
    ours.run(calls)
    speeds.append(sum(call.size for call in calls)
                  / (time.perf_counter() - start))
  return {'scaling': kind, 'devices': count, 'batch_size': batch,
          'images_per_second': round(float(np.median(speeds[1:])), 1),
          'collectives': round(collectives(ours, calls[:1]), 4),
          'state_bytes_on_a_device': state} | benchmark.machine()


def collectives(ours, calls) -> float:
  """Share of the devices' busy time in collectives, waiting included."""
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      ours.run(calls)
    path, = glob.glob(f'{folder}/**/*.xplane.pb', recursive=True)
    times = profile.durations(jax.profiler.ProfileData.from_file(path))
  total = sum(map(sum, times.values()))
  return sum(sum(own) for name, own in times.items()
             if name.startswith(COLLECTIVES)) / max(1, total)


if __name__ == '__main__':
  app.run(main)
