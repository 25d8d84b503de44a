"""Multi-layer perceptrons, as in the first GAN paper (arXiv:1406.2661)."""

import math
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Critique, layers


class Generator(nn.Module):
  """z [B, Z] -> dense layers -> images [B, H, W, C].

  widths: units of the hidden layers.
  activation, leak: between them; norm comes after the activation, as in the
    Keras recipe, with `norm_momentum`.
  first_std: if not 0, the first layer starts from normal(0, first_std); all
    others from Glorot's uniform.
  conditioning: 'none', 'onehot' or 'embedding' of the label, joined to z.
  """

  image_shape: tuple[int, int, int]
  image_range: tuple[float, float]
  num_classes: int
  widths: tuple[int, ...] = (128, 256, 512)
  activation: layers.ActivationName = 'leaky_relu'
  leak: float = 0.2
  norm: layers.NormName = 'none'
  norm_momentum: float = 0.8
  first_std: float = 0.0
  conditioning: layers.Conditioning = 'none'
  embed_dim: int = 32
  axis_name: str | None = None
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, z, label, *, train):
    act = layers.activation(self.activation, self.leak)
    x = layers.concat_label(
        z.astype(self.dtype), label, conditioning=self.conditioning,
        num_classes=self.num_classes, embed_dim=self.embed_dim)
    for i, width in enumerate(self.widths):
      x = act(nn.Dense(width, dtype=self.dtype,
                       kernel_init=_init(i, self.first_std))(x))
      x = layers.Norm(self.norm, train, self.norm_momentum,
                      axis_name=self.axis_name, dtype=self.dtype)(x)
    x = nn.Dense(math.prod(self.image_shape), dtype=self.dtype,
                 kernel_init=_init(len(self.widths), self.first_std))(x)
    x = layers.squash(x, self.image_range)
    return x.reshape(x.shape[0], *self.image_shape)


class Discriminator(nn.Module):
  """Images [B, H, W, C] -> dense layers -> Critique.

  The fields are those of the generator; the label joins the flat image.
  """

  num_classes: int
  widths: tuple[int, ...] = (512, 256, 128)
  activation: layers.ActivationName = 'leaky_relu'
  leak: float = 0.2
  norm: layers.NormName = 'none'
  norm_momentum: float = 0.8
  first_std: float = 0.0
  conditioning: layers.Conditioning = 'none'
  embed_dim: int = 32
  axis_name: str | None = None
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, label, *, train):
    act = layers.activation(self.activation, self.leak)
    x = images.reshape(images.shape[0], -1).astype(self.dtype)
    x = layers.concat_label(
        x, label, conditioning=self.conditioning,
        num_classes=self.num_classes, embed_dim=self.embed_dim)
    for i, width in enumerate(self.widths):
      x = act(nn.Dense(width, dtype=self.dtype,
                       kernel_init=_init(i, self.first_std))(x))
      x = layers.Norm(self.norm, train, self.norm_momentum,
                      axis_name=self.axis_name, dtype=self.dtype)(x)
    logits = nn.Dense(1, dtype=self.dtype,
                      kernel_init=_init(len(self.widths), self.first_std))(x)
    return Critique(logits[:, 0].astype(jnp.float32), x, {})


def _init(layer: int, first_std: float):
  if layer == 0 and first_std:
    return nn.initializers.normal(first_std)
  return nn.initializers.glorot_uniform()
