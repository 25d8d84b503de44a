"""A data set with label vectors: points that their labels say."""

import numpy as np

from gan_jax.data.prepare import LabelColumn, Source


def points(*, count=32):
  """Vectors [N, 2] of labels float32 [N, 3]."""
  rng = np.random.default_rng(0)
  labels = np.float32(rng.uniform(size=(count, 3)))
  images = np.float32(labels[:, :2] - labels[:, 2:])
  columns = tuple(LabelColumn(name) for name in ('a', 'b', 'c'))
  return Source(images, labels, 0, 'described', 'f' * 64, '',
                label_columns=columns)
