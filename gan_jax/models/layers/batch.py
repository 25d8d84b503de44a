"""Layers by which a discriminator compares the examples of its batch.

An example's logit then depends on the others of its batch. On several devices
each compares those it holds, so that results depend on how many there are.
"""

import math
from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models.layers.choices import one_of
from gan_jax.models.layers.weights import Dense, WeightNormName

MinibatchName = Literal['none', 'std', 'discrimination']


class MinibatchStd(nn.Module):
  """Appends a group's standard deviation as one more channel.

  Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 3: the deviation
  over the group's examples of each feature at each place, averaged to one
  number. [B, ..., C] -> [B, ..., C + 1]. The groups are of `group` examples,
  strided (i, i + n, ...), or of the greatest common divisor of it and B.
  """

  group: int = 4

  @nn.compact
  def __call__(self, x):
    batch, *rest = x.shape
    size = math.gcd(batch, self.group)
    y = x.astype(jnp.float32).reshape(size, batch // size, -1)
    y = y - jnp.mean(y, 0, keepdims=True)
    y = jnp.mean(jnp.sqrt(jnp.mean(y ** 2, 0) + 1e-8), -1)
    y = jnp.tile(y, size).reshape(batch, *(1 for _ in rest)).astype(x.dtype)
    return jnp.concatenate(
        [x, jnp.broadcast_to(y, (batch, *rest[:-1], 1))], axis=-1)


class MinibatchDiscrimination(nn.Module):
  """Appends each example's closeness to its batch: [B, F] -> [B, F + kernels].

  Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 3.2: with M_i
  [kernels, dim] linear in the features, sum_j exp(-|M_i - M_j|_1), j = i
  included.
  """

  kernels: int = 100
  dim: int = 5
  weight_norm: WeightNormName = 'none'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    x = x.reshape(x.shape[0], -1)
    m = Dense(self.kernels * self.dim, bias=False, weight_norm=self.weight_norm,
              dtype=self.dtype)(x)
    m = m.astype(jnp.float32).reshape(-1, self.kernels, self.dim)
    distance = jnp.sum(jnp.abs(m[:, None] - m[None]), axis=-1)
    closeness = jnp.sum(jnp.exp(-distance), axis=1)
    return jnp.concatenate([x, closeness.astype(x.dtype)], axis=-1)


class Minibatch(nn.Module):
  """One of the two by name, or none."""

  name_of: str
  weight_norm: WeightNormName = 'none'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    name = one_of(self.name_of, MinibatchName, 'minibatch')
    if name == 'std':
      return MinibatchStd()(x)
    if name == 'discrimination':
      return MinibatchDiscrimination(weight_norm=self.weight_norm,
                                     dtype=self.dtype)(x)
    return x
