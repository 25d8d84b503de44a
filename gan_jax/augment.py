"""Differentiable augmentations: one factory each.

Every factory returns `(images [B, H, W, C], keys [B]) -> images`, with one
random key for each example. They are applied to real and to generated images
alike, inside the step, and gradients flow through them to the generator.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import random


def horizontal_flip() -> Callable:
  """Mirrors an image left to right with probability 1/2."""
  def augment(images, keys):
    flip = jax.vmap(random.bernoulli)(keys)[:, None, None, None]
    return jnp.where(flip, images[:, :, ::-1], images)

  return augment


def translation(*, ratio: float = 0.125) -> Callable:
  """Shifts by up to ratio * size, filling with 0.  DiffAugment.

  Zhao et al. 2020, arXiv:2006.10738; 1/8 is their value.
  """
  def augment(images, keys):
    height, width = images.shape[1:3]
    limits = jnp.array([round(height * ratio), round(width * ratio)])

    def one(image, key):
      shift = random.randint(key, (2,), -limits, limits + 1)
      rows = jnp.arange(height) - shift[0]
      cols = jnp.arange(width) - shift[1]
      inside = (((rows >= 0) & (rows < height))[:, None]
                & ((cols >= 0) & (cols < width))[None, :])
      moved = image[jnp.clip(rows, 0, height - 1)][
          :, jnp.clip(cols, 0, width - 1)]
      return jnp.where(inside[..., None], moved, 0.0)

    return jax.vmap(one)(images, keys)

  return augment


def instance_noise(*, std: float = 0.1) -> Callable:
  """Adds N(0, std^2) to every pixel.  Sonderby et al. 2017, 1610.04490, 3.2."""
  def augment(images, keys):
    noise = jax.vmap(lambda key: random.normal(key, images.shape[1:]))(keys)
    return images + std * noise

  return augment
