"""Priors of the latent vector: factories of `latent(keys [B]) -> z [B, size]`.

One random key per example: a batch does not depend on the number of devices.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import random


def normal(*, size: int = 100) -> Callable:
  """Standard normal, N(0, I) of `size` dimensions."""
  return jax.vmap(lambda key: random.normal(key, (size,)))


def uniform(*, size: int = 100) -> Callable:
  """Uniform in (-1, 1) in each dimension, as in the first GAN papers."""
  return jax.vmap(lambda key: random.uniform(key, (size,), minval=-1.0,
                                             maxval=1.0))


def truncated_normal(*, size: int = 100, bound: float = 2.0) -> Callable:
  """Standard normal within [-bound, bound].

  Brock et al. 2019, arXiv:1809.11096, E.
  """
  return jax.vmap(lambda key: random.truncated_normal(key, -bound, bound,
                                                      (size,)))


def sphere(*, size: int = 100) -> Callable:
  """Uniform on the sphere of radius sqrt(size), as N(0, I) nearly is.

  Karras et al. 2018, arXiv:1710.10196, A.1.
  """
  def latent(keys):
    z = normal(size=size)(keys)
    return z * jax.lax.rsqrt(jnp.mean(z ** 2, axis=-1, keepdims=True) + 1e-8)

  return latent


def infogan(*, categories: tuple[int, ...] = (10,), continuous: int = 2,
            noise: int = 62) -> Callable:
  """Codes to be recovered by InfoGAN's penalty, and noise.

  Chen et al. 2016, arXiv:1606.03657, C.1. z is one-hot for each of the
  categories, then continuous ~ U(-1, 1), then noise ~ N(0, 1).
  """
  def one(key):
    code_key, continuous_key, noise_key = random.split(key, 3)
    parts = [jax.nn.one_hot(random.randint(
        random.fold_in(code_key, i), (), 0, count), count)
        for i, count in enumerate(categories)]
    parts.append(random.uniform(continuous_key, (continuous,), minval=-1.0))
    parts.append(random.normal(noise_key, (noise,)))
    return jnp.concatenate(parts)

  return jax.vmap(one)
