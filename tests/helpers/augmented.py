"""Images whose pixels tell where they were, and augmentations as configs do."""

import jax.numpy as jnp
import numpy as np
from jax import random

from gan_jax import augment
from gan_jax.base import lookup

NAMES = lookup.names('gan_jax.augment')
SHAPE = (8, 16, 2)
# A memory of the midst of training, in which everything has its part.
LATER = {'ada': {'p': 0.7}}


def build(name, **arguments):
  """(images, keys) -> images, with the memory of later if it has one."""
  return bound(lookup.build('gan_jax.augment', dict(name=name, **arguments)),
               **LATER.get(name, {}))


def bound(augmentation, **memory):
  if not isinstance(augmentation, augment.Augmentation):
    return augmentation
  kept = {**augmentation.memory,
          **{k: jnp.float32(v) for k, v in memory.items()}}
  return lambda images, keys: augmentation.apply(images, keys, kept)


def pictures(batch, shape=SHAPE):
  """No two pixels alike, none 0."""
  values = np.random.default_rng(0).permutation(batch * np.prod(shape)) + 1.0
  return np.float32(values.reshape(batch, *shape))


def keys_of(batch, seed=0):
  return random.wrap_key_data(np.random.default_rng(seed).integers(
      0, 2**32, (batch, 2), np.uint32))


def shifted(image, down, right):
  """By hand: pixel (y, x) comes from (y - down, x - right), or is 0."""
  out = np.zeros_like(image)
  height, width = image.shape[:2]
  for y in range(height):
    for x in range(width):
      if 0 <= y - down < height and 0 <= x - right < width:
        out[y, x] = image[y - down, x - right]
  return out
