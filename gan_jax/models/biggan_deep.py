"""BigGAN-deep: BigGAN of bottleneck blocks, with all of z in every norm.

Brock et al. 2019, https://arxiv.org/abs/1809.11096, appendix B, figure 16. Two
blocks at each size, each of convolutions 1x1, 3x3, 3x3, 1x1 with a quarter of
the channels within. No shortcut has a projection: where channels become fewer
the last ones are dropped, where they become more a 1x1 convolution adds the new
ones.

For 128 px width=128, max_width=2048 and attention=64, for 64 px the same with
attention=32; for 32 px width=max_width=256, and in the discriminator to=8 and
flat_blocks=1 (BigGANdeep.py of ajbrock/BigGAN-PyTorch).
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import biggan, layers, resnet


class Up(nn.Module):
  """Bottleneck [B, H, W, C] -> [B, H, W, features <= C], or doubled sides."""

  features: int
  conv: Callable
  norm: Callable
  act: Callable
  double: bool = False

  @nn.compact
  def __call__(self, x, cond):
    few = max(x.shape[-1] // 4, 1)
    resize = layers.upsample if self.double else lambda x: x
    # The order in which the norms and convolutions are numbered.
    y = self.conv(few, size=1)(self.act(self.norm()(x, cond)))
    y = self.conv(few)(resize(self.act(self.norm()(y, cond))))
    y = self.conv(few)(self.act(self.norm()(y, cond)))
    y = self.conv(self.features, size=1)(self.act(self.norm()(y, cond)))
    return y + resize(x[..., :self.features])


class Down(nn.Module):
  """Bottleneck [B, H, W, C] -> [B, H, W, features >= C], or halved sides."""

  features: int
  conv: Callable
  norm: Callable
  act: Callable
  halve: Callable | None = None

  @nn.compact
  def __call__(self, x):
    few = max(self.features // 4, 1)
    halve = self.halve or (lambda x: x)
    y = self.conv(few, size=1)(self.act(self.norm()(x)))
    y = self.conv(few)(self.act(self.norm()(y)))
    y = self.conv(few)(self.act(self.norm()(y)))
    y = self.conv(self.features, size=1)(halve(self.act(self.norm()(y))))
    x = halve(x)
    if self.features > x.shape[-1]:
      more = self.conv(self.features - x.shape[-1], size=1)(x)
      x = jnp.concatenate([x, more], -1)
    return y + x


class Generator(biggan.Generator, kw_only=True):
  """Bottlenecks, all of z in every norm.  Brock et al. 2019, arXiv:1809.11096.

  z [B, Z], with the shared embedding of the label if norm='conditional_batch',
  enters the first layer and every norm but the last. Fields:
  `resnet.Generator`.
  """

  width: int = 128
  max_width: int = 2048

  def inputs(self, z, label, blocks):
    """Z and the embedding, for the first layer and for each block."""
    x, cond = self.enter(z, label)
    if self.norm != 'conditional_batch':
      return x, [cond] * blocks
    shared = layers.embedding(label, self.num_classes, self.embed_dim,
                              name='embedding').astype(self.dtype)
    x = jnp.concatenate([shared, x], -1)
    return x, [x] * blocks

  def double(self, x, features, cond, conv, norm):
    """A block that keeps the size and the channels, and one that changes."""
    x = Up(x.shape[-1], conv, norm, self.act)(x, cond)
    return Up(features, conv, norm, self.act, double=True)(x, cond)


class Discriminator(resnet.Halving, kw_only=True):
  """Bottlenecks with a projection.  Brock et al. 2019, arXiv:1809.11096.

  A convolution to `width` channels, then stages of two blocks, of twice the
  channels of the stage before, up to `max_width`; the first block of a stage
  halves the sides. `flat_blocks` are stages at the last size, none for 128 px.
  Fields: `resnet.Halving`.
  """

  width: int = 128
  max_width: int = 2048
  to: int = 4
  flat_blocks: int = 0
  weight_norm: layers.WeightNormName = 'spectral'
  conditioning: layers.Conditioning = 'projection'
  start = staticmethod(nn.initializers.orthogonal())

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_kind(images.shape[1:])
    path = resnet.sizes(*images.shape[1:3], self.to)
    resnet.check_attention(self.attention, path[1:])
    weights = dict(kernel_init=self.start, **self.arithmetic())
    conv = partial(layers.Conv, **weights)
    block = partial(Down, conv=conv, act=self.act,
                    norm=partial(self.norms(train), self.norm))
    x = conv(self.width)(self.enter(images, label))
    stages = len(path) - 1 + self.flat_blocks
    for i in range(stages):
      features = min(self.width * 2 ** (i + 1), self.max_width)
      halves = i < len(path) - 1
      x = block(features,
                halve=layers.downsampling(self.down) if halves else None)(x)
      x = block(features)(x)
      if halves and path[i + 1][0] == self.attention:
        x = layers.SelfAttention(**weights)(x)
    x = self.act(self.norms(train)(self.norm)(x))
    return self.judge(x.sum((1, 2)), label, kernel_init=self.start)
