"""A discriminator of the classical kind: convolution, ReLU, max-pooling."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Critique, layers


class Discriminator(nn.Module):
  """Images -> (conv, activation, 2x2 max-pool) per width -> dense -> Critique.

  widths: channels of the convolutions.
  kernel: side of their kernels, stride 1.
  activation, leak: 'relu' or 'leaky_relu' with a slope of 0.01.
  dense: units of the hidden dense layer.
  conditioning: 'none', 'onehot' or 'embedding', joined as further channels.
  """

  num_classes: int
  widths: tuple[int, ...] = (32, 64)
  kernel: int = 5
  activation: layers.ActivationName = 'leaky_relu'
  leak: float = 0.01
  dense: int = 256
  conditioning: layers.Conditioning = 'none'
  embed_dim: int = 32
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, label, *, train):
    del train
    act = layers.activation(self.activation, self.leak)
    x = layers.concat_label(
        images.astype(self.dtype), label, conditioning=self.conditioning,
        num_classes=self.num_classes, embed_dim=self.embed_dim)
    for width in self.widths:
      x = layers.Conv(width, self.kernel, dtype=self.dtype)(x)
      x = max_pool(act(x))
    x = x.reshape(x.shape[0], -1)
    features = act(nn.Dense(self.dense, dtype=self.dtype)(x))
    logits = nn.Dense(1, dtype=self.dtype)(features)
    return Critique(logits[:, 0].astype(jnp.float32), features, {})


def max_pool(x):
  """2x2 maximum, [B, H, W, C] -> [B, H // 2, W // 2, C].

  Written as a reduction: the gradient of XLA's reduce_window is a
  select_and_scatter, slow on CPU and without a second derivative.
  """
  batch, height, width, channels = x.shape
  x = x[:, :height // 2 * 2, :width // 2 * 2]
  x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
  return x.max(axis=(2, 4))
