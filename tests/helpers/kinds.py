"""A data set of floats in [-1, 1] with units, of any kind of examples."""

import numpy as np

from gan_jax.data.prepare import make_source

UNITS = (-1000.0, 3000.0)


def floats(*, shape=(8, 8, 1), count=40, rate=0.0, names=()):
  """Noise in [-1, 1], which stands for -1,000 to 3,000, of named classes."""
  images = np.random.default_rng(0).uniform(-1, 1, (count, *shape))
  labels = np.arange(count) % len(names) if names else ()
  return make_source(images.astype(np.float32), labels, len(names),
                     name='floats', class_names=tuple(names), units=UNITS,
                     rate=rate)


def _data(**kwargs):
  return dict(name='kinds:floats', **kwargs)


def _noise(*shape):
  return dict(name='noise', shape=shape, num_examples=40)


DATA = {
    'signals': _data(shape=(256, 2), rate=8000.0, names=('low', 'high')),
    'unrated': _data(shape=(30, 1)), 'floats': _data(),
    'float_colours': _data(shape=(8, 8, 3)), 'volumes': _noise(4, 6, 5, 1),
    'float_volumes': _data(shape=(4, 5, 6, 2)), 'many': _noise(8, 8, 12),
    'two': _noise(8, 8, 2)}
