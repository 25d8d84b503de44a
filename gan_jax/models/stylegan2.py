"""StyleGAN2 with the constants of StyleGAN2-ADA, for square images of 2^n px.

Karras et al. 2020, https://arxiv.org/abs/1912.04958, section 2 and appendix B,
and https://arxiv.org/abs/2006.06676. z is mapped to a style w; the generator
starts from a learnt 4x4 image and each of its layers is modulated by w. All
kernels start from normal(0, 1) and are scaled when used, by one over the
root of their inputs (Karras et al. 2018, https://arxiv.org/abs/1710.10196,
section 4.1), and activations are leaky ReLUs times sqrt(2).

Channels: `width` at the image, doubled by each halving up to `max_width`. The
authors' 32768 / side and 512 are width=128 for 256 px, their `paper256` and
`auto` for up to 256 px half of that.
"""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax, random

from gan_jax.models import Noise, base, batch_layers, layers
from gan_jax.ops import conv as ops
from gan_jax.ops import resample


def activated(x, gain: float = 1.0):
  """Leaky ReLU times sqrt(2), which keeps the variance of normal inputs."""
  return nn.leaky_relu(x, negative_slope=0.2) * (math.sqrt(2.0) * gain)


def normalised(x):
  """Rows of mean square 1, [B, N] -> the same."""
  return x * lax.rsqrt(jnp.mean(x ** 2, axis=-1, keepdims=True) + 1e-8)


class Linear(nn.Module):
  """Equalised linear layer, [B, I] -> [B, features].

  rate: what the learning rate of its parameters is multiplied by, in effect:
    they are stored divided by it.
  start: of the bias.
  active: whether an activation follows.
  """

  features: int
  rate: float = 1.0
  start: float = 0.0
  active: bool = False

  @nn.compact
  def __call__(self, x):
    shape = x.shape[-1], self.features
    kernel = self.param('kernel', nn.initializers.normal(1.0 / self.rate),
                        shape) * (self.rate / math.sqrt(shape[0]))
    bias = self.param('bias', nn.initializers.constant(
        self.start / self.rate), shape[1:]) * self.rate
    y = x @ kernel.astype(x.dtype)
    y = y + layers.spread(bias, y)
    return activated(y) if self.active else y


class Conv(nn.Module):
  """Equalised convolution of images, halved by `down`.

  bias, active: whether both follow, or the bias alone, or neither.
  gain: of the output.
  """

  features: int
  size: int = 3
  down: bool = False
  active: bool = True
  gain: float = 1.0

  @nn.compact
  def __call__(self, x):
    shape = self.size, self.size, x.shape[-1], self.features
    kernel = self.param('kernel', nn.initializers.normal(1.0), shape)
    kernel = (kernel / math.sqrt(math.prod(shape[:3]))).astype(x.dtype)
    if self.down and self.size == 1:
      x = resample.halve(x)
    if self.down and self.size == 3:
      # As many zeros as leave H / 2 px.
      x = ops.conv(resample.smooth(x, 2), kernel, stride=2, padding='VALID')
    else:
      x = ops.conv(x, kernel)
    if not self.active:
      return x * self.gain
    bias = self.param('bias', nn.initializers.zeros, shape[-1:])
    return activated(x + layers.spread(bias, x), self.gain)


class Modulated(nn.Module):
  """Convolution whose kernel is scaled by a style, with noise and activation.

  Arxiv 1912.04958, eq. 1-3: the kernel k of an example is s_i k_i, over its
  norm by output (demodulation). The same is here the input times s, and the
  output over that norm: no example needs a kernel of its own. noise: [B, H W],
  or [1, H W] for all.

  up: doubles the image, by a transposed convolution and a filter.
  """

  features: int
  up: bool = False

  @nn.compact
  def __call__(self, x, w, noise):
    style = Linear(x.shape[-1], start=1.0, name='style')(w)
    kernel = self.param('kernel', nn.initializers.normal(1.0),
                        (3, 3, x.shape[-1], self.features))
    norm = lax.rsqrt(style ** 2 @ jnp.sum(kernel ** 2, (0, 1)) + 1e-8)
    x = x * layers.spread(style[:, None, None], x)
    if self.up:
      size = [2 * side + 1 for side in x.shape[1:3]]
      x = ops.conv_transpose(x, kernel.astype(x.dtype), padding='VALID',
                             size=size)
      x = resample.smooth(4.0 * x, 1)
    else:
      x = ops.conv(x, kernel.astype(x.dtype))
    strength = self.param('noise', nn.initializers.zeros, ())
    noise = (strength * noise).reshape(-1, *x.shape[1:3], 1)
    x = x * layers.spread(norm[:, None, None], x) + layers.spread(noise, x)
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return activated(x + layers.spread(bias, x))


def _convs(image_shape) -> list[tuple[int, bool]]:
  """(Side of the output, whether doubled) of the modulated convolutions."""
  return [(side, up) for side in base.sides(image_shape)
          for up in (True, False)][1:]  # None to 4 px.


def _noise(image_shape) -> Noise:
  """Of all layers: each for itself would compile for seconds."""
  return Noise('normal', sum(side ** 2 for side, _ in _convs(image_shape)))


class ToImage(nn.Module):
  """Image [B, H, W, channels] of features: modulated, 1x1, no demodulation."""

  channels: int

  @nn.compact
  def __call__(self, x, w):
    inputs = x.shape[-1]
    style = Linear(inputs, start=1.0, name='style')(w) / math.sqrt(inputs)
    kernel = self.param('kernel', nn.initializers.normal(1.0),
                        (1, 1, inputs, self.channels))
    y = ops.conv(x * layers.spread(style[:, None, None], x),
                 kernel.astype(x.dtype))
    bias = self.param('bias', nn.initializers.zeros, (self.channels,))
    y = y.astype(jnp.float32)
    return y + layers.spread(bias, y)


class Mapping(nn.Module):
  """Z [B, Z], or None, and labels, if there are classes -> [B, size].

  Both are normalised; the layers learn at a hundredth of the rate.
  """

  size: int
  layers: int
  num_classes: int = 0

  @nn.compact
  def __call__(self, z, label):
    parts = [] if z is None else [normalised(z.astype(jnp.float32))]
    if self.num_classes:
      code = layers.label_code(label, self.num_classes)
      parts.append(normalised(Linear(self.size, name='embed')(code)))
    x = jnp.concatenate(parts, axis=-1)
    for i in range(self.layers):
      x = Linear(self.size, rate=0.01, active=True, name=f'fc{i}')(x)
    return x


class Synthesis(nn.Module):
  """Styles [B, L, W] of L layers -> images [B, *image_shape], linear.

  By keys [B], or the noise [B, ...] itself, see `layers.noise`.
  """

  image_shape: tuple[int, ...]
  channels: dict[int, int]
  dtype: Any

  @nn.compact
  def __call__(self, w, keys):
    x = self.param('start', nn.initializers.normal(1.0),
                   (4, 4, self.channels[4]))
    x = jnp.broadcast_to(x, (w.shape[0], *x.shape)).astype(self.dtype)
    convs = _convs(self.image_shape)
    noise = layers.noise(_noise(self.image_shape), (
        random.key(0)[None] if keys is None else keys))
    ends = np.cumsum([size ** 2 for size, _ in convs])[:-1]
    noises, image = jnp.split(noise, ends, axis=1), None
    for i, ((size, up), noise) in enumerate(zip(convs, noises, strict=True)):
      x = Modulated(self.channels[size], up, name=f'b{size}_conv{int(not up)}')(
          x, w[:, i], noise)
      if not up:
        part = ToImage(self.image_shape[2], name=f'b{size}_image')(
            x, w[:, i + 1])
        image = part if image is None else resample.double(image) + part
    return image


class Generator(base.PyramidGenerator, kw_only=True):
  """Styles, noise and skips (StyleGAN2).  Karras et al. 2020, arXiv:1912.04958.

  z [B, Z] -> w [B, style] -> square images of 2^n px. The output is linear, as
  published. In training noise and the mixing of styles are drawn anew in each
  pass; when sampling the noise follows from z.

  Departures: each example has its own place where styles are mixed, as it has
  its own key, the authors' whole batch has one; the average of w, which starts
  at 0, is updated once in a step, theirs in each pass; the averaged generator
  has an average of it.

  width, max_width: channels at the image, and at most, see `stylegan2`.
  style: size of w.
  mapping_layers: 8, or 2 as in the authors' `auto` and `cifar`.
  mixing: probability that a second style makes the layers from a random one on;
    its z is of a standard normal prior, the authors' latent.
  conditioning: 'embedding' of the label beside z.
  """

  width: int = 64
  max_width: int = 512
  style: int = 512
  mapping_layers: int = 8
  mixing: float = 0.9
  conditioning: Literal['none', 'embedding'] = 'none'
  # See `models.Styles`.
  style_space = True

  def setup(self):
    channels = self.channels(self.image_shape)
    self.num_layers = 2 * len(channels)
    self.mapping_network = Mapping(self.style, self.mapping_layers,
                                   self.classes())
    self.synthesis_network = Synthesis(self.image_shape, channels, self.dtype)
    self.mean = self.variable('styles', 'mean', jnp.zeros, (self.style,))

  def __call__(self, z, label, *, train, keys=None):
    w = self.mapping(z, label, keys if train else None)
    return self.synthesis(w, layers.keys_of(z) if keys is None else keys)

  def input_noise(self) -> Noise:
    """A number for each pixel of each layer, from 4 px on, row by row."""
    return _noise(self.image_shape)

  def mapping(self, z, label, keys=None):
    """Styles [B, L, W], with keys mixed as in training."""
    if not 0 <= self.mixing <= 1:
      raise ValueError(f'mixing={self.mixing} must be a probability')
    w = self.mapping_network(z, label)
    if self.is_mutable_collection('styles') and not self.is_initializing():
      mean = jnp.mean(lax.stop_gradient(w), axis=0)
      self.mean.value = mean + 0.995 * (self.mean.value - mean)
    w = jnp.repeat(w[:, None], self.num_layers, axis=1)
    if keys is None or not self.mixing:
      return w
    place, other = jax.vmap(self._mixed_at, (0, None))(keys, z.shape[-1])
    other = self.mapping_network(other, label)[:, None]
    before = jnp.arange(self.num_layers)[None] < place[:, None]
    return jnp.where(before[..., None], w, other)

  def _mixed_at(self, key, size):
    """(Layer from which on another z acts, that z)."""
    # The noise is drawn from the key itself.
    place, mixed = random.uniform(random.fold_in(key, 0), (2,))
    place = 1 + jnp.floor(place * (self.num_layers - 1))
    return (jnp.where(mixed < self.mixing, place, self.num_layers),
            random.normal(random.fold_in(key, 1), (size,)))

  def synthesis(self, w, keys=None):
    """Images of styles; without keys, or noise, all with the same noise."""
    return self.scaled(self.synthesis_network(w, keys))


class Discriminator(base.Pyramid, kw_only=True):
  """Residual network (StyleGAN2).  Karras et al. 2020, arXiv:1912.04958.

  Square images of 2^n px -> blocks that halve them to 4x4 -> Critique.

  width, max_width: channels at the image, and at most, see `stylegan2`.
  residual: False for the plain blocks of the authors' `cifar`.
  minibatch: 'std' or 'none', before the last convolution, see
    `batch_layers.minibatch_std`.
  group: examples compared by 'std'.
  conditioning: 'projection', with the label behind a mapping of 8 layers.
  heads: (name, size) of further outputs, see `layers.Heads`.
  """

  width: int = 64
  max_width: int = 512
  residual: bool = True
  minibatch: Literal['none', 'std'] = 'std'
  group: int = 4
  conditioning: Literal['none', 'projection'] = 'none'
  heads: tuple[tuple[str, int], ...] = ()
  autoencoder = False

  @nn.compact
  def __call__(self, images, label, *, train):
    del train
    channels = self.channels(images.shape[1:])
    side, last = images.shape[1], channels[4]
    x = Conv(channels[side], size=1, name=f'b{side}_image')(
        images.astype(self.dtype))
    while side > 4:
      x = self._block(x, channels[side // 2], f'b{side}')
      side //= 2
    x = x.astype(jnp.float32)
    if self.minibatch == 'std':
      x = batch_layers.minibatch_std(x, self.group)
    x = Conv(last, name='b4_conv')(x)
    x = Linear(last, active=True, name='b4_dense')(x.reshape(len(x), -1))
    return layers.Heads(self.num_classes, heads=self.heads)(
        x, label, self._logits(x, label))

  def _block(self, x, features, name):
    gain = math.sqrt(0.5) if self.residual else 1.0
    y = Conv(x.shape[-1], name=f'{name}_conv0')(x)
    y = Conv(features, down=True, gain=gain, name=f'{name}_conv1')(y)
    if not self.residual:
      return y
    return y + Conv(features, size=1, down=True, active=False, gain=gain,
                    name=f'{name}_skip')(x)

  def _logits(self, x, label):
    classes = self.classes()
    if not classes:
      return Linear(1, name='logits')(x)[:, 0]
    size = x.shape[-1]
    code = Mapping(size, 8, classes, name='mapping_network')(None, label)
    return jnp.sum(Linear(size, name='logits')(x) * code, -1) / math.sqrt(size)
