"""Residual networks of WGAN-GP, SNGAN and SAGAN, from 28 px up.

Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, appendix F; Miyato et
al. 2018, https://arxiv.org/abs/1802.05957, appendix B.4; Zhang et al. 2019,
https://arxiv.org/abs/1805.08318. They differ in `norm`, `weight_norm` and
`attention`. Channels: `width` at the image, doubled by each halving up to
`max_width`. The defaults are SNGAN's for 32 px; its other sizes have width=64
and max_width=1024, and in the discriminator to=2 and flat_blocks=0 for 64 px,
to=4 and flat_blocks=1 for 128 px.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from flax import linen as nn

from gan_jax.models import base, layers, norms


def sizes(height: int, width: int, to: int = 4) -> list[tuple[int, int]]:
  """Sizes of the feature maps, from the image down.

  Halved until the smaller side is `to` or less, or a side is odd: 32 -> 16 -> 8
  -> 4, 28 -> 14 -> 7.

  Raises:
    ValueError: the smallest side is above 8 px (or `to`), as of 50x30.
  """
  found = [(height, width)]
  while min(found[-1]) > to and not any(side % 2 for side in found[-1]):
    found.append(tuple(side // 2 for side in found[-1]))
  if min(found[-1]) > max(8, to):
    odd = 'x'.join(map(str, found[-1]))
    raise ValueError(
        f'residual networks halve images exactly, and {height}x{width} ends '
        f'at {odd}; bring them to a multiple of 16 with data.resize or '
        'data.pad')
  return found


class Up(nn.Module):
  """norm, act, double, conv, norm, act, conv; plus a doubled 1x1 shortcut."""

  features: int
  conv: Callable
  norm: Callable
  act: Callable

  @nn.compact
  def __call__(self, x, cond):
    y = layers.upsample(self.act(self.norm()(x, cond)))
    y = self.conv(self.features)(y)
    y = self.conv(self.features)(self.act(self.norm()(y, cond)))
    return y + self.conv(self.features, size=1)(layers.upsample(x))


HiddenName = Literal['in', 'out']


class Down(nn.Module):
  """norm, act, conv, norm, act, conv, halve; plus a halved 1x1 shortcut.

  hidden: channels between the convolutions; `features`, the block's output, or
    those of its input.
  first: the block that sees the image; without norm and activation before.
  halve: None to keep the size; the shortcut is then the input if the channels
    allow it.
  """

  features: int
  conv: Callable
  norm: Callable
  act: Callable
  halve: Callable | None
  first: bool = False
  hidden: HiddenName = 'out'

  @nn.compact
  def __call__(self, x):
    halve = self.halve or (lambda x: x)
    y = x if self.first else self.act(self.norm()(x))
    narrow = self.hidden == 'in' and not self.first
    y = self.conv(x.shape[-1] if narrow else self.features)(y)
    y = halve(self.conv(self.features)(self.act(self.norm()(y))))
    if self.halve or x.shape[-1] != self.features:
      # A mean and a 1x1 convolution commute: the cheaper order.
      x = self.conv(self.features, size=1)(halve(x))
    return y + x


class Generator(base.AnyGenerator, kw_only=True):
  """Residual network (SNGAN and others).  Miyato et al. 2018, arXiv:1802.05957.

  z [B, Z] -> base -> doubling blocks -> norm, activation, conv -> images. The
  last norm is not conditional on the label, as in the authors' code.

  Further fields: `base.AnyGenerator`.

  width, max_width: channels at the image, and at most.
  attention: height of the feature maps before self-attention, 0 for none.
  """

  width: int = 256
  max_width: int = 256
  attention: int = 0
  norm: norms.AnyNorm = 'batch'
  # Not a field: what the weights start from.
  start = staticmethod(nn.initializers.glorot_uniform())

  @nn.compact
  def __call__(self, z, label, *, train):
    self.check_kind(self.image_shape)
    path = sizes(*self.image_shape[:2])[::-1]
    check_attention(self.attention, path[1:])
    weights = dict(kernel_init=self.start, **self.arithmetic())
    conv, norm = partial(layers.Conv, **weights), self.norms(train)
    widths = [min(self.width * 2 ** i, self.max_width)
              for i in reversed(range(len(path)))]
    x, conds = self.inputs(z, label, len(path) - 1)
    x = layers.Dense(path[0][0] * path[0][1] * widths[0], **weights)(x)
    x = x.reshape(x.shape[0], *path[0], widths[0])
    for size, features, cond in zip(path[1:], widths[1:], conds, strict=True):
      x = self.double(x, features, cond, conv, partial(norm, self.norm))
      if size[0] == self.attention:
        x = layers.SelfAttention(**weights)(x)
    x = self.act(self.last_norm(norm, x, conds))
    return layers.squash(conv(self.image_shape[2])(x), self.image_range)

  def inputs(self, z, label, blocks):
    """Input of the first layer, and of each block's norms."""
    x, cond = self.enter(z, label)
    return x, [cond] * blocks

  def double(self, x, features, cond, conv, norm):
    """[B, H, W, C] -> [B, 2 H, 2 W, features]."""
    return Up(features, conv, norm, self.act)(x, cond)

  def last_norm(self, norm, x, conds):
    """The norm before the last convolution."""
    if self.norm == 'conditional_batch':
      return norm('batch')(x)
    return norm(self.norm)(x, conds[-1] if conds else None)


class Halving(base.AnyDiscriminator, kw_only=True):
  """Fields of residual discriminators.

  Further fields: `base.AnyDiscriminator`.

  width, max_width: channels of the first block, and at most.
  to: side down to which images are halved.
  flat_blocks: blocks at that size.
  attention: height of the feature maps before self-attention, 0 for none.
  down: halving by 'average' of 2x2 pixels or 'blur' (`layers.blur_pool`).
  """

  width: int = 128
  max_width: int = 128
  to: int = 8
  flat_blocks: int = 2
  attention: int = 0
  down: layers.DownName = 'average'
  # Not a field: what the weights start from.
  start = staticmethod(nn.initializers.glorot_uniform())


class Discriminator(Halving, kw_only=True):
  """Residual network (SNGAN and others).  Miyato et al. 2018, arXiv:1802.05957.

  Images -> halving blocks -> flat blocks -> sum over space -> Critique.

  Further fields: `Halving`.

  hidden: channels within a block, see `Down`: those of its input in the
    authors' code (dis_models/resblocks.py of pfnet-research/sngan_projection);
    of its output in BigGAN and PyTorch-StudioGAN.
  """

  hidden: HiddenName = 'in'

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_kind(images.shape[1:])
    path = sizes(*images.shape[1:3], self.to)
    check_attention(self.attention, path[1:])
    weights = dict(kernel_init=self.start, **self.arithmetic())
    block = partial(Down, conv=partial(layers.Conv, **weights),
                    norm=partial(self.norms(train), self.norm), act=self.act,
                    hidden=layers.one_of(self.hidden, HiddenName, 'hidden'))
    x = self.enter(images, label)
    features = self.width
    for i, size in enumerate(path[1:]):
      features = min(self.width * 2 ** i, self.max_width)
      x = block(features, halve=layers.downsampling(self.down),
                first=i == 0)(x)
      if size[0] == self.attention:
        x = layers.SelfAttention(**weights)(x)
    for i in range(self.flat_blocks):
      x = block(features, halve=None, first=i == 0 and len(path) == 1)(x)
    x = self.act(self.norms(train)(self.norm)(x))
    return self.judge(x.sum((1, 2)), label, kernel_init=self.start)


def check_attention(height: int, sizes: list[tuple[int, int]]) -> None:
  """Raises ValueError if no feature map has this height, unless it is 0."""
  known = [size[0] for size in sizes]
  if height and height not in known:
    raise ValueError(f'attention={height} is the height of no feature map; '
                     f'they have {", ".join(map(str, known)) or "none"}, and 0 '
                     'stands for no attention')
