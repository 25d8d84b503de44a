"""Mirroring and noise."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from gan_jax.augment.base import Augmentation, check_images


def horizontal_flip() -> Callable:
  """Mirrors an image left to right with probability 1/2."""
  def augment(images, keys):
    check_images(images, 'horizontal_flip')
    flip = jax.vmap(random.bernoulli)(keys)[:, None, None, None]
    return jnp.where(flip, images[:, :, ::-1], images)

  return augment


def instance_noise(*, std: float = 0.1,
                   decay_steps: int = 0) -> Callable | Augmentation:
  """Adds N(0, std^2) to every value.  Sonderby et al. 2017, 1610.04490, 3.2.

  Args:
    std: of the noise, in units of the images.
    decay_steps: steps in which std goes linearly to 0, as in the paper's
      annealing; 0 leaves it constant.

  Raises:
    ValueError: negative decay_steps.
  """
  if decay_steps < 0:
    raise ValueError(f'decay_steps {decay_steps} is negative')

  def augment(images, keys):
    return _add(images, keys, std)

  def apply(images, keys, memory):
    left = jnp.maximum(1.0 - memory['step'] / decay_steps, 0.0)
    return _add(images, keys, std * left)

  def remember(memory, real_logits, step):
    del memory, real_logits
    return {'step': jnp.asarray(step, jnp.float32)}

  if not decay_steps:
    return augment
  return Augmentation(apply, {'step': np.float32(0.0)}, remember)


def _add(images, keys, std):
  noise = jax.vmap(lambda key: random.normal(key, images.shape[1:]))(keys)
  return (images + std * noise).astype(images.dtype)
