"""Mirroring and noise."""

from collections.abc import Callable

import jax
from jax import random

from gan_jax.augment.base import Augmentation
from gan_jax.base.lookup import Number
from gan_jax.ops.images import check_images, random_flip


def horizontal_flip() -> Callable:
  """Mirrors an image left to right with probability 1/2."""
  def augment(images, keys):
    check_images(images, 'horizontal_flip')
    return random_flip(images, keys)

  return augment


def instance_noise(*, std: Number = 0.1) -> Augmentation:
  """Adds N(0, std^2) to every value.  Sonderby et al. 2017, 1610.04490, 3.2.

  Args:
    std: of the noise, in units of the images; a schedule that falls to 0 is the
      paper's annealing.
  """
  def apply(images, keys, memory):
    size = std(memory['step']) if callable(std) else std
    noise = jax.vmap(lambda key: random.normal(key, images.shape[1:]))(keys)
    return (images + size * noise).astype(images.dtype)

  return Augmentation(apply)
