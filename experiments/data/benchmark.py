"""Reading of data sets, beside the loaders of other code bases.

  python experiments/data/benchmark.py --case=zip

Writes a set of random pictures, and lets gan_jax and a peer read it in turn.
Prints one JSON line per case.
"""

import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import zipfile

import numpy as np
from absl import app, flags
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
import peers  # noqa: E402 - beside this file

from gan_jax.data import load as data  # noqa: E402 - from the checkout
from gan_jax.data.pipeline import Batches  # noqa: E402

CASES = ('zip', 'folder', 'hdf5')
BATCH = 64

_CASE = flags.DEFINE_enum('case', 'all', [*CASES, 'all'], 'The format.')
_COUNT = flags.DEFINE_integer('count', 20_000, 'Pictures.', lower_bound=BATCH)
_SIDE = flags.DEFINE_integer('side', 64, 'Pixels.', lower_bound=2)
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'Rounds, the medians of which are '
                               'compared.', lower_bound=1)
_WORKERS = flags.DEFINE_integer('workers', 3, "The peer's processes.")


def main(argv):
  """Measures and prints the cases asked for."""
  del argv
  for case in CASES if _CASE.value == 'all' else [_CASE.value]:
    with tempfile.TemporaryDirectory() as folder:
      path = write(case, folder)
      for place, _, names in os.walk(folder):
        for name in names:  # as old as files are that nobody writes
          os.utime(os.path.join(place, name), (0, 0))
      os.environ['GAN_JAX_CACHE'] = os.path.join(folder, 'cache')
      print('\n' + json.dumps(measure(case, path)), flush=True)


def write(case: str, folder: str) -> str:
  """Writes a set of smooth random pictures with ten classes."""
  path, rng = os.path.join(folder, 'set'), np.random.default_rng(0)
  if case == 'hdf5':
    import h5py
    with h5py.File(path, 'w') as file:
      images = file.create_dataset(
          'imgs', (_COUNT.value, 3, _SIDE.value, _SIDE.value), 'u1',
          chunks=(500, 3, _SIDE.value, _SIDE.value))
      for i, image in enumerate(pictures(rng)):
        images[i] = image.transpose(2, 0, 1)
      file['labels'] = np.arange(_COUNT.value) % 10
    return path
  if case == 'zip':
    with zipfile.ZipFile(path, 'w') as archive:
      names = []
      for i, image in enumerate(pictures(rng)):
        names.append(f'{i // 1000:05d}/img{i:08d}.png')
        archive.writestr(names[-1], png(image))
      archive.writestr('dataset.json', json.dumps(
          {'labels': [[name, i % 10] for i, name in enumerate(names)]}))
    return path
  for i, image in enumerate(pictures(rng)):
    name = os.path.join(path, f'class{i % 10}', f'{i:08d}.png')
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, 'wb') as file:
      file.write(png(image))
  return path


def pictures(rng):
  """Smooth random pictures, which compress as photographs do."""
  for _ in range(_COUNT.value):
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    large = np.asarray(small.resize((_SIDE.value,) * 2, Image.BICUBIC), int)
    yield (large + rng.integers(-4, 5, large.shape)).clip(0, 255).astype('u1')


def png(image) -> bytes:
  """Encodes one, uncompressed effort as StyleGAN3's tool has it."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'PNG', compress_level=0, optimize=False)
  return file.getvalue()


def measure(case: str, path: str) -> dict:
  """Images per second of both in turn, each epoch read to its end."""
  peer = peers.LOADERS[case](path, BATCH, _WORKERS.value)
  found = {'first': [], 'start': [], 'cached': [], 'peer': []}
  for _ in range(_ROUNDS.value):
    shutil.rmtree(os.environ['GAN_JAX_CACHE'], ignore_errors=True)
    found['first'].append(rate(lambda: len(load(case, path).images)))
    found['start'].append(rate(lambda: len(load(case, path).images)))
    source = load(case, path)
    found['cached'].append(rate(lambda: epoch(source)))  # noqa: B023
    found['peer'].append(rate(lambda: sum(len(x) for x, _ in peer)))
  middle = {name: statistics.median(values) for name, values in found.items()}
  return {'case': case, 'count': _COUNT.value, 'side': _SIDE.value,
          'workers_of_peer': _WORKERS.value, 'peer': peers.VERSIONS[case](),
          'images_per_second': {n: round(v) for n, v in middle.items()},
          'first_to_peer': round(middle['first'] / middle['peer'], 2),
          'cached_to_peer': round(middle['cached'] / middle['peer'], 1)}


def load(case: str, path: str):
  """The data set, from the cache if it is there."""
  return data.load(dict(name=case, path=path))


def epoch(source) -> int:
  """Reads an epoch of shuffled batches, as a streamed run does."""
  batches = Batches(len(source.images), BATCH, 0)
  return sum(len(source.images[batches(i, 1)[0]])
             for i in range(len(source.images) // BATCH))


def rate(work) -> float:
  """Images per second of `work`, which returns how many it read."""
  start = time.perf_counter()
  return work() / (time.perf_counter() - start)


if __name__ == '__main__':
  app.run(main)
