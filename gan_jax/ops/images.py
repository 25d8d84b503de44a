"""What augmentations and consistency terms share."""

import jax
import jax.numpy as jnp
from jax import random


def check_images(images, name):
  """Refuses vectors [B, D] where pixels are to be moved."""
  if images.ndim != 4:
    raise ValueError(f'augment {name} moves pixels of images [H, W, C], the '
                     f'data are vectors {list(images.shape[1:])}; leave it out')


def random_flip(images, keys):
  """Mirrors each image [B, H, W, C] left to right with probability 1/2."""
  flip = jax.vmap(random.bernoulli)(keys)[:, None, None, None]
  return jnp.where(flip, images[:, :, ::-1], images)
