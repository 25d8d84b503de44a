"""TFDS sets prepared without TensorFlow."""

import gzip
import os
import time

import arrays
import numpy as np
import tensorflow_datasets
from PIL import Image

from gan_jax.data import sources

FASHION = '/usr/share/datasets/fashion-mnist'
CLASSES = ('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal',
           'Shirt', 'Sneaker', 'Bag', 'Ankle boot')
kinds = tensorflow_datasets.features


class Prepared(tensorflow_datasets.core.GeneratorBasedBuilder):
  """What TFDS's own builders do, without their need of TensorFlow."""

  VERSION = tensorflow_datasets.core.Version('3.0.1')

  def _info(self):
    return tensorflow_datasets.core.DatasetInfo(
        builder=self, features=kinds.FeaturesDict(self.features()),
        license='MIT', disable_shuffling=True)

  def _split_generators(self, dl_manager):
    return {split: enumerate(self.examples(split)) for split in self.splits}

  def _generate_examples(self):
    raise NotImplementedError

  @classmethod
  def prepare(cls, root):
    builder = cls(data_dir=str(root), file_format='array_record')
    builder.download_and_prepare()
    return str(root)


class FashionMnist(Prepared):
  """Every tenth example of both splits."""

  splits = ('train', 'test')

  def features(self):
    return {'image': kinds.Image(shape=(28, 28, 1)),
            'label': kinds.ClassLabel(names=CLASSES)}

  def examples(self, split):
    stem = os.path.join(FASHION, 't10k' if split == 'test' else split)
    with gzip.open(f'{stem}-images-idx3-ubyte.gz') as file:
      images = np.frombuffer(file.read(), np.uint8, offset=16)
    with gzip.open(f'{stem}-labels-idx1-ubyte.gz') as file:
      labels = file.read()[8:]
    images = images.reshape(-1, 28, 28)
    assert len(images) == len(labels)
    for image, label in zip(images[::10], labels[::10], strict=True):
      yield {'image': Image.fromarray(image), 'label': label}


def picture(i):
  """Image i of the set `pairs`: 8 wide and high, every third 12 wide."""
  size = (8, 12) if i % 3 == 2 else (8, 8)
  return np.full((*size, 3), 10 * i, np.uint8) + np.arange(3, dtype=np.uint8)


class Pairs(Prepared):
  splits = ('train',)

  def features(self):
    return {'photo': kinds.Image(),
            'sketch': kinds.Image(shape=(6, 6, 1)),
            'depth': kinds.Image(shape=(6, 6, 1), dtype=np.uint16),
            'mask': kinds.LabeledImage(shape=(6, 6, 1), labels=2),
            'weight': np.int64, 'name': kinds.Text()}

  def examples(self, split):
    grey = Image.fromarray(np.full((6, 6), 77, np.uint8))
    for i in range(7):
      yield {'photo': Image.fromarray(picture(i)), 'sketch': grey,
             'depth': grey, 'mask': grey, 'weight': i % 4, 'name': f'n{i}'}


def read(root, **arguments):
  return sources.tfds(**{'dataset': 'pairs', 'data_dir': str(root),
                         **arguments})


def fails(*words, root='', **arguments):
  """One DataError that has all the words, within 5 seconds."""
  start = time.perf_counter()
  arrays.fails(*words, call=lambda: read(root, **arguments))
  assert time.perf_counter() - start < 5
