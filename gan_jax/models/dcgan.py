"""DCGAN.  Radford et al. 2016, https://arxiv.org/abs/1511.06434.

For any height and width from 8 px up and any number of channels: a size is
halved (rounding up) until its smaller side is 4 or less, which gives 64 -> 32
-> 16 -> 8 -> 4 as in the paper and 28 -> 14 -> 7 -> 4, and the generator climbs
the same sizes.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Critique, layers


def sizes(height: int, width: int) -> list[tuple[int, int]]:
  """The sizes of the feature maps, from the image down to the base.

  Raises:
    ValueError: a side below 8 px.
  """
  if min(height, width) < 8:
    raise ValueError(f'DCGAN needs images of 8 px or more, not {height}x{width}'
                     '; enlarge them with data.resize or data.pad')
  found = [(height, width)]
  while min(found[-1]) > 4:
    found.append(tuple(-(-side // 2) for side in found[-1]))
  return found


class Generator(nn.Module):
  """z [B, Z] -> base x base x width * 2^(n-1) -> n doublings -> images.

  width: channels before the last layer, doubling towards the base.
  kernel: side of the kernels, stride 2.
  norm, norm_momentum, activation, leak: after every layer but the last.
  weight_std: weights start from normal(0, weight_std), the scales of the
    normalisation from normal(1, weight_std).
  conditioning: 'none', 'onehot' or 'embedding' of the label, joined to z.
  """

  image_shape: tuple[int, int, int]
  image_range: tuple[float, float]
  num_classes: int
  width: int = 64
  kernel: int = 4
  norm: layers.NormName = 'batch'
  norm_momentum: float = 0.9
  activation: layers.ActivationName = 'relu'
  leak: float = 0.2
  weight_std: float = 0.02
  conditioning: layers.Conditioning = 'none'
  embed_dim: int = 32
  axis_name: str | None = None
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, z, label, *, train):
    act = layers.activation(self.activation, self.leak)
    init = nn.initializers.normal(self.weight_std)
    path = sizes(*self.image_shape[:2])[::-1]
    has_norm = self.norm != 'none'

    def norm(x):
      return act(layers.Norm(self.norm, train, self.norm_momentum,
                             self.weight_std, self.axis_name, self.dtype)(x))

    x = layers.concat_label(
        z.astype(self.dtype), label, conditioning=self.conditioning,
        num_classes=self.num_classes, embed_dim=self.embed_dim)
    channels = self.width * 2 ** (len(path) - 2)
    x = nn.Dense(path[0][0] * path[0][1] * channels, use_bias=not has_norm,
                 kernel_init=init, dtype=self.dtype)(x)
    x = norm(x.reshape(x.shape[0], *path[0], channels))
    for size in path[1:-1]:
      channels //= 2
      x = norm(layers.ConvTranspose(
          channels, self.kernel, size, bias=not has_norm, kernel_init=init,
          dtype=self.dtype)(x))
    x = layers.ConvTranspose(self.image_shape[2], self.kernel, path[-1],
                             kernel_init=init, dtype=self.dtype)(x)
    return layers.squash(x, self.image_range)


class Discriminator(nn.Module):
  """Images [B, H, W, C] -> n halvings, width * 2^i channels -> Critique.

  The fields are those of the generator; the normalisation spares the first
  layer, and the label joins the image as further channels.
  """

  num_classes: int
  width: int = 64
  kernel: int = 4
  norm: layers.NormName = 'batch'
  norm_momentum: float = 0.9
  activation: layers.ActivationName = 'leaky_relu'
  leak: float = 0.2
  weight_std: float = 0.02
  conditioning: layers.Conditioning = 'none'
  embed_dim: int = 32
  axis_name: str | None = None
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, label, *, train):
    act = layers.activation(self.activation, self.leak)
    init = nn.initializers.normal(self.weight_std)
    x = layers.concat_label(
        images.astype(self.dtype), label, conditioning=self.conditioning,
        num_classes=self.num_classes, embed_dim=self.embed_dim)
    for i in range(len(sizes(*images.shape[1:3])) - 1):
      norm = self.norm if i else 'none'
      x = layers.Conv(self.width * 2 ** i, self.kernel, stride=2,
                      bias=norm == 'none', kernel_init=init,
                      dtype=self.dtype)(x)
      x = act(layers.Norm(norm, train, self.norm_momentum, self.weight_std,
                          self.axis_name, self.dtype)(x))
    features = x.reshape(x.shape[0], -1)
    logits = nn.Dense(1, kernel_init=init, dtype=self.dtype)(features)
    return Critique(logits[:, 0].astype(jnp.float32), features, {})
