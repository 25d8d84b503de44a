"""R3GAN: residual blocks of grouped convolutions, without norm.

Huang et al. 2024, https://arxiv.org/abs/2501.05441, section 3 and appendix D,
and the authors' brownvc/R3GAN. A stage for each side from 4 px to the image:
two blocks, and a bilinear resampling with a 1x1 convolution where channels
change. No layer has a bias but those before an activation.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import base, layers
from gan_jax.ops import conv as ops
from gan_jax.ops import resample

# Of a leaky ReLU of slope 0.2, that keeps the variance (He et al. 2015).
_GAIN = math.sqrt(2.0 / (1.0 + 0.2 ** 2))


def scaled(gain: float = 1.0) -> Callable:
  """Kernels [..., I, O] start from normal(0, gain^2 / inputs)."""
  def start(key, shape, dtype=jnp.float32):
    std = gain / math.sqrt(math.prod(shape[:-1]))
    return nn.initializers.normal(std)(key, shape, dtype)

  return start


class Conv(nn.Module):
  """Convolution without bias, [B, H, W, I] -> [B, H, W, features]."""

  features: int
  size: int = 1
  groups: int = 1
  start: Callable = scaled()

  @nn.compact
  def __call__(self, x):
    kernel = self.param('kernel', self.start, (
        self.size, self.size, x.shape[-1] // self.groups, self.features))
    kernel = kernel.astype(x.dtype)
    if self.groups == 1:
      return ops.conv(x, kernel)
    return ops.conv_groups(x, kernel, self.groups)


class Activation(nn.Module):
  """Leaky ReLU of x and a learnt bias."""

  @nn.compact
  def __call__(self, x):
    bias = self.param('bias', nn.initializers.zeros, x.shape[-1:])
    return nn.leaky_relu(x + layers.spread(bias, x), negative_slope=0.2)


class Block(nn.Module):
  """x + a 1x1, a grouped 3x3 and a 1x1 convolution, twice as wide between.

  Fix-up (Zhang et al. 2019, https://arxiv.org/abs/1901.09321): the last kernel
  starts as 0, the others times (blocks of the network)^-1/4.

  group_width: channels of a group.
  """

  depth: int
  group_width: int

  @nn.compact
  def __call__(self, x):
    inner = 2 * x.shape[-1]
    if inner % self.group_width:
      raise ValueError(f'group_width={self.group_width} does not divide the '
                       f'{inner} channels of a block')
    groups = inner // self.group_width
    start = scaled(_GAIN * self.depth ** -0.25)
    y = Activation()(Conv(inner, start=start)(x))
    y = Activation()(Conv(inner, size=3, groups=groups, start=start)(y))
    return x + Conv(x.shape[-1], start=nn.initializers.zeros)(y)


class Stage(nn.Module):
  """Blocks of the same size."""

  blocks: int
  depth: int
  group_width: int

  @nn.compact
  def __call__(self, x):
    for _ in range(self.blocks):
      x = Block(self.depth, self.group_width)(x)
    return x


def stages(network, sides) -> dict[int, nn.Module]:
  """{side: its stage}."""
  make = partial(Stage, network.stage_blocks,
                 network.stage_blocks * len(sides), network.group_width)
  return {side: make(name=f'b{side}') for side in sides}


class Linear(nn.Module):
  """Linear layer without bias, [B, I] -> [B, features]."""

  features: int
  gain: float = 1.0

  @nn.compact
  def __call__(self, x):
    return x @ self.param('kernel', scaled(self.gain),
                          (x.shape[-1], self.features))


class Generator(base.PyramidGenerator, kw_only=True):
  """Grouped residual blocks (R3GAN).  Huang et al. 2024, arXiv:2501.05441.

  z [B, Z] -> a learnt 4x4 image, weighted by channel -> stages -> square images
  of 2^n px. The output is linear, as published.

  width, max_width: channels at the image, doubled by each halving, and at most.
  stage_blocks: blocks of each stage.
  group_width: channels of a group: 16, for ImageNet 32.
  conditioning: 'embedding' of the label, as large as z, beside z.
  """

  width: int = 768
  max_width: int = 768
  stage_blocks: int = 2
  group_width: int = 16
  conditioning: Literal['none', 'embedding'] = 'none'

  @nn.compact
  def __call__(self, z, label, *, train):
    del train
    channels, z = self.channels(self.image_shape), z.astype(jnp.float32)
    if classes := self.classes():
      code = layers.label_code(label, classes)
      z = jnp.concatenate([z, Linear(z.shape[-1], name='label')(code)], -1)
    basis = self.param('basis', nn.initializers.normal(1.0),
                       (4, 4, channels[4]))
    x = basis[None] * Linear(channels[4], name='weights')(z)[:, None, None]
    x = x.astype(self.dtype)
    for side, stage in stages(self, channels).items():
      if channels[side] != x.shape[-1]:
        x = Conv(channels[side], name=f'b{side}_channels')(x)
      x = stage(x if side == 4 else resample.double(x))
    image = Conv(self.image_shape[2], name='image')(x)
    return self.scaled(image.astype(jnp.float32))


class Discriminator(base.Pyramid, kw_only=True):
  """Grouped residual blocks (R3GAN).  Huang et al. 2024, arXiv:2501.05441.

  Square images of 2^n px -> stages -> a learnt weight of each channel and place
  of 4x4, summed over the places -> Critique. Fields: of the generator, and

  conditioning: 'projection' on an embedding of the label.
  code: size of that embedding.
  heads: (name, size) of further outputs, see `layers.Heads`.
  """

  width: int = 768
  max_width: int = 768
  stage_blocks: int = 2
  group_width: int = 16
  conditioning: Literal['none', 'projection'] = 'none'
  code: int = 768
  heads: tuple[tuple[str, int], ...] = ()
  autoencoder = False

  @nn.compact
  def __call__(self, images, label, *, train):
    del train
    channels = self.channels(images.shape[1:])
    x = Conv(channels[images.shape[1]], name='image')(images.astype(self.dtype))
    for side, stage in reversed(stages(self, channels).items()):
      x = stage(x)
      if side > 4:
        x = resample.halve(x)
        if channels[side // 2] != x.shape[-1]:
          x = Conv(channels[side // 2], name=f'b{side}_channels')(x)
    basis = self.param('basis', nn.initializers.normal(0.25), x.shape[1:])
    x = jnp.sum(x.astype(jnp.float32) * basis[None], axis=(1, 2))
    classes = self.classes()
    out = Linear(self.code if classes else 1, name='logits')(x)
    if classes:
      out *= Linear(self.code, 1 / math.sqrt(self.code), name='label')(
          layers.label_code(label, classes))
    return layers.Heads(self.num_classes, heads=self.heads)(
        x, label, jnp.sum(out, axis=-1))
