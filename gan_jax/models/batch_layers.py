"""Layers by which a discriminator compares the examples of its batch.

An example's logit then depends on the others. On several devices each compares
those it holds, so that results depend on how many there are; with shard='state'
all are compared.
"""

from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import layers

MinibatchName = Literal['none', 'std', 'discrimination']


def minibatch_std(x, group: int = 4):
  """Appends a group's standard deviation: [B, ..., C] -> [B, ..., C + 1].

  Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 3: the deviation
  over the group's examples of each feature at each place, averaged. Groups,
  strided (i, i + n, ...), are of min(group, B) examples, as in StyleGAN2-ADA
  (Karras et al. 2020, arXiv:2006.06676), or of the largest divisor of B below.

  Raises:
    ValueError: the only divisor is 1: the channel would be constant.
  """
  batch, *rest = x.shape
  size = max(n for n in range(1, min(group, batch) + 1) if not batch % n)
  if size == 1 < batch:
    raise ValueError(f'a batch of {batch} does not divide into groups of 2 to '
                     f'{group} examples; use a multiple of {group}')
  y = x.astype(jnp.float32).reshape(size, batch // size, -1)
  y = y - jnp.mean(y, 0, keepdims=True)
  y = jnp.mean(jnp.sqrt(jnp.mean(y ** 2, 0) + 1e-8), -1)
  y = jnp.tile(y, size).reshape(batch, *(1 for _ in rest)).astype(x.dtype)
  return jnp.concatenate(
      [x, jnp.broadcast_to(y, (batch, *rest[:-1], 1))], axis=-1)


class MinibatchDiscrimination(nn.Module):
  """Appends each example's closeness to its batch: [B, F] -> [B, F + kernels].

  Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 3.2: with M_i
  [kernels, dim] linear in the features, sum_j exp(-|M_i - M_j|_1), including j
  = i.
  """

  kernels: int = 100
  dim: int = 5
  weight_norm: layers.WeightNormName = 'none'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    x = x.reshape(x.shape[0], -1)
    m = layers.Dense(self.kernels * self.dim, bias=False, dtype=self.dtype,
                     weight_norm=self.weight_norm)(x)
    m = m.astype(jnp.float32).reshape(-1, self.kernels, self.dim)
    distance = jnp.sum(jnp.abs(m[:, None] - m[None]), axis=-1)
    closeness = jnp.sum(jnp.exp(-distance), axis=1)
    return jnp.concatenate([x, closeness.astype(x.dtype)], axis=-1)


class Minibatch(nn.Module):
  """A minibatch layer by name, or none."""

  name_of: str
  weight_norm: layers.WeightNormName = 'none'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    name = layers.one_of(self.name_of, MinibatchName, 'minibatch')
    if name == 'discrimination':
      return MinibatchDiscrimination(weight_norm=self.weight_norm,
                                     dtype=self.dtype)(x)
    return minibatch_std(x) if name == 'std' else x
