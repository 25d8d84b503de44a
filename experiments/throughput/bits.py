"""Whole commands on this machine: how long they take, and if bits repeat.

  python experiments/throughput/bits.py --check=command
  python experiments/throughput/bits.py --check=bits --deterministic

`command` runs the config as it is, to its exit, with an empty compilation
cache and then with the one that this leaves. `bits` starts it twice, each time
with an empty cache, so that a GPU's kernels are chosen anew, and a third time
as half of the steps and a resume to the end, with the first one's cache. Prints
one JSON line. Bits are those of all arrays of the last checkpoint.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
COMMANDS = dict(os.environ)  # of the commands, to which the GPU is left
os.environ['JAX_PLATFORMS'] = 'cpu'
# This folder at the end: `profile` is a module of Python, too.
sys.path[0] = ROOT
sys.path.append(os.path.dirname(__file__))

import benchmark  # noqa: E402 - from this folder
import jax  # noqa: E402
import numpy as np  # noqa: E402

from gan_jax import parallel  # noqa: E402 - from the checkout
from gan_jax.run import checkpoint  # noqa: E402 - from the checkout


def main():
  """Prints the line."""
  parser = make_parser()
  args, more = parser.parse_known_args()
  if args.steps < 2 or args.steps % 2:
    parser.error(f'--steps={args.steps}: must be even and above 0, as a run '
                 'stops after half of them')
  with tempfile.TemporaryDirectory() as folder:
    row = (command if args.check == 'command' else bits)(args, more, folder)
  row = {'check': args.check, 'config': args.config} | row
  print(json.dumps(row | benchmark.machine() | {'hardware': hardware()}),
        flush=True)


def make_parser() -> argparse.ArgumentParser:
  """The arguments; others are given to the command."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--check', choices=['command', 'bits'], required=True)
  parser.add_argument('--config', default='configs/dcgan.py')
  parser.add_argument('--steps', type=int, default=400, help='of bits')
  parser.add_argument('--deterministic', action='store_true',
                      help='config.deterministic of bits')
  return parser


def command(args, more, folder) -> dict:
  """The command with an empty cache, and with that which it left."""
  runs = [run(f'{folder}/{name}', f'{folder}/cache', args.config, more)
          for name in ('cold', 'warm')]
  return _columns(runs) | {'equal': runs[0]['sha256'] == runs[1]['sha256']}


def bits(args, more, folder) -> dict:
  """Two starts, and half and half."""
  more = [*more, f'--config.deterministic={args.deterministic}',
          # A fixed length of calls compiles once.
          f'--config.log_every={max(1, args.steps // 8)}',
          f'--config.steps_per_call={max(1, args.steps // 8)}',
          '--config.sample_every=0', '--config.eval_every=0',
          '--config.checkpoint_every=0']
  whole = [*more, f'--config.train_steps={args.steps}']
  first, second = (run(f'{folder}/{name}', f'{folder}/cache_{name}',
                       args.config, whole) for name in ('first', 'second'))
  half = [*more, f'--config.train_steps={args.steps // 2}']
  resumed = f'{folder}/resumed'
  run(resumed, f'{folder}/cache_first', args.config, half)
  resumed = run(resumed, f'{folder}/cache_first', args.config, whole)
  return {'deterministic': args.deterministic} | _columns(
      [first, second, resumed]) | {
          'starts_equal': first['sha256'] == second['sha256'],
          'resume_equal': first['sha256'] == resumed['sha256']}


def _columns(runs):
  return {key: [row[key] for row in runs] for key in runs[0]}


def run(workdir, cache, config, more) -> dict:
  """Runs a command to its exit: steps, seconds, speed and bits."""
  start = time.perf_counter()
  done = subprocess.run(
      [sys.executable, '-m', 'gan_jax.main', f'--config={config}',
       f'--workdir={workdir}', *more], cwd=ROOT, text=True,
      env=COMMANDS | {'JAX_COMPILATION_CACHE_DIR': cache},
      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
  seconds = time.perf_counter() - start
  if done.returncode:
    sys.exit(f'{" ".join(done.args)}: status {done.returncode}\n'
             + done.stderr[-2000:])
  with open(os.path.join(workdir, 'scalars.jsonl')) as file:
    rows = map(json.loads, file)
    speeds = [row['perf/images_per_second'] for row in rows
              if 'perf/images_per_second' in row]
  steps, found = digest(workdir)
  return {'steps': steps, 'seconds': round(seconds, 2),
          'images_per_second': round(statistics.median(speeds), 1)
          if speeds else None, 'sha256': found}


def digest(workdir: str) -> tuple[int, str]:
  """(step, SHA-256 of names and values) of a run's last checkpoint."""
  with checkpoint.Checkpoints(workdir) as found:
    step = found.latest()
    state = found.restore(parallel.abstract(
        found.shapes(step), parallel.own_mesh()), step)
  summed = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    summed.update(checkpoint.name_of(path).encode())
    summed.update(np.asarray(leaf).tobytes())
  return step, summed.hexdigest()


def hardware() -> str:
  """As `benchmark.hardware`, of the device of the commands."""
  if COMMANDS.get('JAX_PLATFORMS') == 'cpu' or not shutil.which('nvidia-smi'):
    return benchmark.hardware()
  names = subprocess.run(
      ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'], check=True,
      stdout=subprocess.PIPE, text=True).stdout.splitlines()
  return f'{len(names)} x {names[0]}'


if __name__ == '__main__':
  main()
