"""Layers that mix or thin out the places of an image."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models.layers.choices import one_of
from gan_jax.models.layers.weights import Conv, WeightNormName


def max_pool(x):
  """2x2 maximum, [B, H, W, C] -> [B, H // 2, W // 2, C].

  Written as comparisons: the gradient of XLA's reduce_window is a
  select_and_scatter, slow on CPU and without a second derivative, and that of a
  reduction divides by the number of inputs that equal the maximum, which is 0
  where the compiler computes an input twice, with two roundings.
  """
  x = _blocks(x)
  x = _larger(x[:, :, 0], x[:, :, 1])
  return _larger(x[:, :, :, 0], x[:, :, :, 1])


def _larger(a, b):
  return jnp.where(a >= b, a, b)


def average_pool(x):
  """2x2 mean, [B, H, W, C] -> [B, H // 2, W // 2, C]."""
  return _blocks(x).mean(axis=(2, 4))


def _blocks(x):
  batch, height, width, channels = x.shape
  x = x[:, :height // 2 * 2, :width // 2 * 2]
  return x.reshape(batch, height // 2, 2, width // 2, 2, channels)


def upsample(x):
  """Each pixel as 2x2, [B, H, W, C] -> [B, 2 H, 2 W, C]."""
  batch, height, width, channels = x.shape
  x = jnp.broadcast_to(x[:, :, None, :, None],
                       (batch, height, 2, width, 2, channels))
  return x.reshape(batch, 2 * height, 2 * width, channels)


class BlurPool(nn.Module):
  """Low-pass filter, then every second pixel: [B, H, W, C] -> halves.

  Zhang 2019, https://arxiv.org/abs/1904.11486. The filter is the outer product
  of `taps` with itself, divided by its sum, on the image mirrored at its edge.
  The height and width come out rounded up.
  """

  taps: tuple[int, ...] = (1, 2, 1)

  @nn.compact
  def __call__(self, x):
    before = (len(self.taps) - 1) // 2
    after = len(self.taps) - 1 - before
    for axis in (1, 2):
      pads = [(before, after) if i == axis else (0, 0) for i in range(4)]
      size = x.shape[axis]
      y = jnp.pad(x, pads, mode='reflect')
      # A sum of shifted images: a convolution would need one per channel.
      x = sum(tap / sum(self.taps) * _every_second(y, axis, i, size)
              for i, tap in enumerate(self.taps))
    return x


def _every_second(x, axis, start, size):
  index = [slice(None)] * 4
  index[axis] = slice(start, start + size, 2)
  return x[tuple(index)]


DownName = Literal['average', 'blur']


def downsampling(name: str) -> Callable:
  """The halving of a name: [B, H, W, C] -> [B, H / 2, W / 2, C]."""
  one_of(name, DownName, 'down')
  return average_pool if name == 'average' else lambda x: BlurPool()(x)


class SelfAttention(nn.Module):
  """x + gamma attention(x), [B, H, W, C] -> the same; gamma starts at 0.

  Zhang et al. 2019 (SAGAN), https://arxiv.org/abs/1805.08318, eq. 1-3: queries
  and keys of C / 8 channels, values of C / 2, all by 1x1 convolutions. Keys and
  values are max-pooled by 2x2, as in its published code and in BigGAN's.
  """

  weight_norm: WeightNormName = 'none'
  kernel_init: Any = nn.initializers.glorot_uniform()
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    batch, _, _, channels = x.shape

    def project(features, name, x):
      return Conv(features, size=1, bias=False, name=name,
                  kernel_init=self.kernel_init, weight_norm=self.weight_norm,
                  dtype=self.dtype)(x)

    few, some = max(channels // 8, 1), max(channels // 2, 1)
    query = project(few, 'query', x)
    key = max_pool(project(few, 'key', x))
    value = max_pool(project(some, 'value', x))
    flat = [v.reshape(batch, -1, v.shape[-1]) for v in (query, key, value)]
    scores = jnp.einsum('bqc,bkc->bqk', *flat[:2])
    weights = nn.softmax(scores.astype(jnp.float32), axis=-1)
    out = jnp.einsum('bqk,bkc->bqc', weights.astype(self.dtype), flat[2])
    out = project(channels, 'out', out.reshape(*x.shape[:3], some))
    gamma = self.param('gamma', nn.initializers.zeros, ())
    return x + gamma.astype(self.dtype) * out
