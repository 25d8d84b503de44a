"""Rehearses the commands of the published runs, on random images.

  python experiments/published/rehearse.py            # all of README.md
  python experiments/published/rehearse.py sngan      # those with this word
  python experiments/published/rehearse.py r3gan --images 1  # where memory ends

Writes data sets of random images of the right shape, as TFDS and as a folder,
to a temporary folder; starts each command of the table in README.md there, with
four images for each device and two steps, on one device and on four; and says
for each what came out. The commands are the real ones: who has the data runs
them without what this adds.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.join(_HERE, '..', '..')
_COUNT = 40  # images
_SHORT = ('--config.train_steps=2', '--config.eval_every=0',
          '--config.log_every=1', '--config.sample_grid=(2,2)',
          '--config.steps_per_call=1',
         # Half-lives of a million of such batches are none in float32.
         '--config.ema_decay=0.9')


class _Random(tfds.core.GeneratorBasedBuilder):
  """Random images with classes; what TFDS prepares, without TensorFlow."""

  VERSION = tfds.core.Version('3.0.2')
  side, classes = 32, 10

  def _info(self):
    return tfds.core.DatasetInfo(
        builder=self, license='none', disable_shuffling=True,
        features=tfds.features.FeaturesDict({
            'image': tfds.features.Image(shape=(self.side, self.side, 3)),
            'label': tfds.features.ClassLabel(num_classes=self.classes)}))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    rng = np.random.default_rng(0)
    for i in range(_COUNT):
      yield i, {'image': Image.fromarray(_picture(rng, self.side)),
                'label': i % self.classes}


class Cifar10(_Random):
  """Of the shape of CIFAR-10."""


class ImagenetResized(_Random):
  """Of the shape of ImageNet at 64 px."""

  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name='64x64', version='0.1.0')]
  side, classes = 64, 1000


def _picture(rng, side):
  return rng.integers(0, 256, (side, side, 3), np.uint8)


def prepare(folder: str) -> None:
  """Writes the data: two sets of TFDS, and the folder ffhq64."""
  for builder in (Cifar10, ImagenetResized):
    builder(data_dir=folder, file_format='array_record').download_and_prepare()
  os.makedirs(os.path.join(folder, 'ffhq64'))
  rng = np.random.default_rng(1)
  for i in range(_COUNT):
    Image.fromarray(_picture(rng, 64)).save(
        os.path.join(folder, 'ffhq64', f'{i}.png'))


def commands(text: str) -> list[str]:
  """Commands of the Markdown table, from --config on."""
  return re.findall(r'\| `(--config=[^`]+)` \|', text)


def play(command: str, devices: int, images: int,
         folder: str) -> tuple[int, float, str]:
  """(exit status, seconds, last line if it failed) of a short run."""
  words = [word.replace('=ffhq64', f'={folder}/ffhq64')
           for word in command.split()]
  start = time.monotonic()
  found = subprocess.run(
      [sys.executable, '-m', 'gan_jax.main', *words, *_SHORT,
       f'--config.batch_size={images * devices}',
       f'--workdir={tempfile.mkdtemp(dir=folder)}'], cwd=_ROOT, text=True,
      capture_output=True, env=os.environ | {
          'TFDS_DATA_DIR': folder, 'JAX_PLATFORMS': 'cpu',
          'JAX_NUM_CPU_DEVICES': str(devices)})
  lines = found.stderr.strip().splitlines()
  return (found.returncode, time.monotonic() - start,
          lines[-1] if found.returncode and lines else '')


def main() -> int:
  """Prints a row for each command and number of devices."""
  parser = argparse.ArgumentParser()
  parser.add_argument('words', nargs='*', help='only commands with one of them')
  parser.add_argument('--devices', type=int, nargs='*', default=[1, 4])
  parser.add_argument('--images', type=int, default=4, help='for each device')
  args = parser.parse_args()
  with open(os.path.join(_HERE, 'README.md')) as file:
    chosen = [one for one in commands(file.read())
              if not args.words or any(word in one for word in args.words)]
  status = 0
  with tempfile.TemporaryDirectory() as folder:
    prepare(folder)
    for command in chosen:
      for devices in args.devices:
        code, seconds, said = play(command, devices, args.images, folder)
        status |= code
        print(f'{"failed" if code else "ok":6} {devices} devices '
              f'{seconds:5.0f} s  {command}  {said}', flush=True)
  return status


if __name__ == '__main__':
  sys.exit(main())
