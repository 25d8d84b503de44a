"""Priors of the latent vector: one factory each.

Every factory returns `latent(keys [B]) -> z [B, size]`, with one random key for
each example, so that a batch does not depend on the number of devices.
"""

from collections.abc import Callable

import jax
from jax import random


def normal(*, size: int = 100) -> Callable:
  """Z ~ N(0, I) of `size` dimensions."""
  def latent(keys):
    return jax.vmap(lambda key: random.normal(key, (size,)))(keys)

  return latent


def uniform(*, size: int = 100) -> Callable:
  """Z ~ U(-1, 1)^size, as in the first GAN papers."""
  def latent(keys):
    def draw(key):
      return random.uniform(key, (size,), minval=-1.0, maxval=1.0)

    return jax.vmap(draw)(keys)

  return latent
