"""Small data for extractors."""

import numpy as np

from gan_jax.base import lookup
from gan_jax.data.prepare import make_source

ROOM = 'gan_jax.extractors'


def build(name, **more):
  source = more.pop('source', None)
  return lookup.build(ROOM, dict(name=name, **more), source=source)


def source_of(shape=(8, 8, 1), count=60, classes=3, seed=0):
  """Noise around a grey level: class k has the level 40 + 80 k."""
  draw = np.random.RandomState(seed)
  labels = np.arange(count) % classes
  images = draw.randint(0, 40, (count, *shape)) + 40 + 80 * labels.reshape(
      -1, *[1] * len(shape))
  return make_source(np.minimum(images, 255).astype(np.uint8), labels, classes,
                     name='levels')
