"""Peak memory of reading a set into the cache, and of streaming it from there.

  python experiments/data/memory.py --side=64

Writes npy files of random images, reads each in processes of their own, and
prints a JSON line each: MiB after the imports, after the first start, and, of
another process, after the next start and after an epoch of batches of 64 as a
streamed run reads them.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax.data import load as data  # noqa: E402  (after the line above)
from gan_jax.data.pipeline import Batches  # noqa: E402
from gan_jax.run import loader  # noqa: E402

SIZES = (0.5, 1, 2, 4)  # GB
BATCH = 64

_SIDE = flags.DEFINE_integer('side', 64, 'Pixels.')
_CALL = flags.DEFINE_integer('call', 10, 'Batches that are read at once.')
_READ = flags.DEFINE_string('read', '', 'A file: reads it and prints.')


def write(path: str, size: float):
  """An npy file of `size` GB."""
  shape = _SIDE.value, _SIDE.value, 3
  count = round(size * 1e9 / np.prod(shape))
  images = np.lib.format.open_memmap(path, 'w+', 'u1', (count, *shape))
  rng = np.random.default_rng(0)
  for i in range(0, count, 512):
    images[i:i + 512] = rng.integers(0, 256, images[i:i + 512].shape, 'u1')


def measure(path: str) -> dict:
  """Reads and streams it in this process."""
  found = {'imported': peak()}
  source = data.load(dict(name='npy', path=path))
  found['started'] = peak()
  batches = Batches(len(source.images), BATCH, 0)
  for call in loader.read_ahead(
      lambda i: loader.examples(source, batches(i, _CALL.value)),
      ((i,) for i in range(0, len(source.images) // BATCH, _CALL.value)),
      ahead=loader.calls_ahead(_CALL.value * BATCH * source.images[0].nbytes)):
    del call
  found['streamed'] = peak()
  return found


def peak() -> int:
  """MiB that this process has held at most."""
  # Not ru_maxrss, which a process inherits from the one that started it.
  with open('/proc/self/status') as file:
    line, = (line for line in file if line.startswith('VmHWM'))
  return int(line.split()[1]) // 1024


def main(argv):
  """Prints a line per size."""
  del argv
  if _READ.value:
    print(json.dumps(measure(_READ.value)))
    return
  for size in SIZES:
    with tempfile.TemporaryDirectory() as folder:
      path = os.path.join(folder, 'set.npy')
      write(path, size)
      os.utime(path, (0, 0))  # as old as files are that nobody writes
      first, later = (json.loads(subprocess.run(
          [sys.executable, __file__, f'--read={path}', f'--call={_CALL.value}'],
          check=True,
          stdout=subprocess.PIPE, env=os.environ | {
              'GAN_JAX_CACHE': os.path.join(folder, 'cache')}).stdout)
          for _ in range(2))
      print(json.dumps({
          'gb': size, 'side': _SIDE.value, 'imported': first['imported'],
          'first_start': first['started'], 'next_start': later['started'],
          'streamed': later['streamed']}), flush=True)


if __name__ == '__main__':
  app.run(main)
