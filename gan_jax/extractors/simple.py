"""Extractors that need neither labels nor files."""

import numpy as np

from gan_jax.extractors.base import Extractor, check_images, digest
from gan_jax.metrics.features import random_features, random_weights

_ROWS = 4096  # images in memory at a time


def random() -> Extractor:
  """A fixed random network, 64 features: see `metrics.features`.

  Naeem et al. 2020, https://arxiv.org/abs/2002.09797.  It has no logits.
  """
  def extract(images):
    check_images(images, 'random')
    return np.concatenate([
        random_features(np.asarray(images[start:start + _ROWS]))
        for start in range(0, len(images), _ROWS)]), None

  # The rule that draws the weights for any number of channels, seen at 3.
  weights = {str(i): w for i, w in enumerate(random_weights(3))}
  return Extractor('random', digest('random 1', weights), extract, {})


def points() -> Extractor:
  """Vectors as they are: float32 [N, D] -> the same, without logits."""
  def extract(vectors):
    shape, dtype = getattr(vectors, 'shape', ()), getattr(vectors, 'dtype', '?')
    if dtype != np.float32 or len(shape) != 2 or 0 in shape:
      raise ValueError(f'vectors {dtype} {list(shape)}: points takes float32 '
                       '[N, D], each 1 or more; of images take random')
    return np.array(vectors[:]), None

  return Extractor('points', digest('points 1', {}), extract, {})
