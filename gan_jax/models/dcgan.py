"""DCGAN, for signals, images and volumes of any size from 8 up.

A size is divided by the stride (rounding up) until its smallest side is the
stride's square or less: 64 -> 32 -> 16 -> 8 -> 4 as in the paper, 28 -> 14 -> 7
-> 4; the generator mirrors this. Signals with a kernel of 25 and a stride of 4
make WaveGAN (Donahue et al. 2019, https://arxiv.org/abs/1802.04208): 16384 ->
4096 -> 1024 -> 256 -> 64 -> 16.
"""

import math
from functools import partial

from flax import linen as nn

from gan_jax.models import base, layers, norms
from gan_jax.ops.keys import folded

_KINDS = ('signals', 'images', 'volumes')


def sizes(space: tuple[int, ...], stride: int = 2) -> list[tuple[int, ...]]:
  """Sizes of the feature maps, from the example of size `space` down.

  Raises:
    ValueError: a side below 2 stride^2, or a stride below 2.
  """
  least = 2 * stride ** 2
  if stride < 2:
    raise ValueError(f'DCGAN needs a stride of 2 or more, not {stride}')
  if min(space) < least:
    raise ValueError(
        f'DCGAN of stride {stride} needs sides of {least} or more, not '
        f'{"x".join(map(str, space))}; enlarge the examples, images with '
        'data.resize or data.pad' + ', or use stride=2' * (stride > 2))
  found = [tuple(space)]
  while min(found[-1]) > stride ** 2:
    found.append(tuple(-(-side // stride) for side in found[-1]))
  return found


class Generator(base.AnyGenerator, kw_only=True):
  """Strided transposed convolutions (DCGAN).  Radford et al. 2016, 1511.06434.

  z [B, Z] -> base x base x width * 2^(n-1) -> n enlargements -> signals [B, T,
  C], images [B, H, W, C] or volumes [B, D, H, W, C].

  Further fields: `base.AnyGenerator`.

  width: channels before the last layer, doubling towards the base.
  kernel, stride: of the convolutions along each axis.
  norm, activation: after every layer but the last.
  weight_std: weights start from normal(0, weight_std), scales of the norms from
    normal(1, weight_std).
  """

  width: int = 64
  kernel: int = 4
  stride: int = 2
  norm: norms.AnyNorm = 'batch'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, z, label, *, train):
    self.check_kind(self.image_shape, *_KINDS)
    path = sizes(self.image_shape[:-1], self.stride)[::-1]
    weights = dict(kernel_init=_start(self), **self.arithmetic())
    bias = norms.shiftless(self.norm)
    climb = partial(layers.ConvTranspose, size=self.kernel, stride=self.stride,
                    **weights)
    norm = self.norms(train, scale_std=self.weight_std)
    x, cond = self.enter(z, label)
    channels = self.width * 2 ** (len(path) - 2)
    x = layers.Dense(math.prod(path[0]) * channels, bias=bias, **weights)(x)
    x = x.reshape(x.shape[0], *path[0], channels)
    x = self.act(norm(self.norm)(x, cond))
    for size in path[1:-1]:
      channels //= 2
      x = climb(channels, to=size, bias=bias)(x)
      x = self.act(norm(self.norm)(x, cond))
    x = climb(self.image_shape[-1], to=path[-1])(x)
    return layers.squash(x, self.image_range)


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Strided convolutions (DCGAN).  Radford et al. 2016, arXiv:1511.06434.

  Signals [B, T, C], images [B, H, W, C] or volumes [B, D, H, W, C] -> n
  reductions, width * 2^i channels -> Critique. Fields: of the generator and of
  `base.AnyDiscriminator`. No norm in the first layer; the label joins the
  example as further channels.

  phase_shuffle: of signals, by how many places the output of each layer but the
    last is shifted at most in training; 2 in WaveGAN, see
    `layers.phase_shuffle`.
  """

  width: int = 64
  kernel: int = 4
  stride: int = 2
  phase_shuffle: int = 0
  norm: norms.AnyNorm = 'batch'
  activation: layers.ActivationName = 'leaky_relu'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, images, label, *, train, keys=None):
    if self.phase_shuffle and images.ndim != 3:
      raise ValueError(f'phase_shuffle={self.phase_shuffle} shifts signals [T, '
                       f'C] in time, the data are {list(images.shape[1:])}; '
                       'use phase_shuffle=0')
    x = _reduced(self, images, label, train, self.phase_shuffle, keys)
    return self.judge(x, label, kernel_init=_start(self))


class Encoder(base.AnyEncoder, kw_only=True):
  """Strided convolutions, as of the discriminator.  Donahue et al. 2017.

  https://arxiv.org/abs/1605.09782, appendix C. Signals, images or volumes -> n
  reductions, width * 2^i channels -> Posterior. Fields: of the generator and of
  `base.AnyEncoder`; the label joins the example as further channels.
  """

  width: int = 64
  kernel: int = 4
  stride: int = 2
  activation: layers.ActivationName = 'leaky_relu'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, images, label, *, train):
    x = _reduced(self, images, label, train)
    return self.answer(x, kernel_init=_start(self))


def _reduced(network, images, label, train, phase_shuffle=0, keys=None):
  """What the last convolution makes of examples and their labels."""
  network.check_kind(images.shape[1:], *_KINDS)
  norm = network.norms(train, scale_std=network.weight_std)
  x = network.enter(images, label)
  count = len(sizes(images.shape[1:-1], network.stride)) - 1
  for i in range(count):
    name = network.norm if i else 'none'
    x = layers.Conv(network.width * 2 ** i, size=network.kernel,
                    stride=network.stride, bias=norms.shiftless(name),
                    kernel_init=_start(network), **network.arithmetic())(x)
    x = network.act(norm(name)(x))
    if phase_shuffle and keys is not None and i < count - 1:
      x = layers.phase_shuffle(x, folded(keys, i), phase_shuffle)
  return x


def _start(network):
  return nn.initializers.normal(network.weight_std)
