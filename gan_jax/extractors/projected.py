"""Projected discriminator, on the features of a network that is not trained.

Sauer et al. 2021, https://arxiv.org/abs/2111.01007. In a config

  discriminator = dict(name='gan_jax.extractors.projected:Discriminator',
                       weights='tf_efficientnet_lite0.safetensors', size=224)

It reads a file and uses the networks of this room, which `models` may not, so
it is named as a network of one's own is.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gan_jax.extractors import backbones
from gan_jax.models import base, layers, norms
from gan_jax.ops.conv import conv

# Uniform within 1 / sqrt(fan in), as layers of PyTorch start.
_START = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')
_END = 8  # side from which a head judges
_CODE, _EMBEDDING = 64, 128  # numbers that are compared with the class


def resize(x, height: int, width: int):
  """Linear in both axes, corners kept: [B, h, w, C] -> [B, height, width, C].

  PyTorch's 'bilinear' with align_corners=True.
  """
  for axis, size in ((1, height), (2, width)):
    matrix = _line(x.shape[axis], size).astype(x.dtype)
    x = jnp.moveaxis(jnp.tensordot(x, matrix, ((axis,), (1,))), -1, axis)
  return x


def _line(old, new):
  """[new, old]: shares of the old places in the new ones."""
  place = np.linspace(0.0, old - 1.0, new)
  return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(old)))


class _Last(layers.Weighted):
  """Convolution of up to 4x4 without padding."""

  @nn.compact
  def __call__(self, x):
    window = tuple(min(4, side) for side in x.shape[1:3])
    return self.weighted(x, window, partial(conv, padding='VALID'))


class Head(nn.Module):
  """Judges one feature map: [B, h, w, C] -> logits [B, places].

  Convolutions 4x4 of stride 2 to a side of 8 or less, the last of them to
  `width` channels, those before to halves of it, at least 64; then a
  convolution 4x4 to one number, or with classes to 64, compared with a code of
  the label.
  """

  width: int
  norm: partial
  act: partial
  weights: dict
  num_classes: int = 0

  @nn.compact
  def __call__(self, x, label):  # noqa: D102 (the class says it)
    args = dict(kernel_init=_START, **self.weights)
    count, side = 0, min(x.shape[1:3])
    while side > _END:
      side, count = side // 2, count + 1
    for i in reversed(range(count)):
      features = max(self.width >> i, min(64, self.width))
      x = layers.Conv(features, size=4, stride=2, **args)(x)
      x = self.act(self.norm()(x))
    # In float32: bfloat16 would round a logit to three digits.
    last = partial(_Last, bias=False, **args | dict(dtype=jnp.float32))
    if not self.num_classes:
      return last(1)(x).reshape(len(x), -1)
    x = last(_CODE)(x)
    code = layers.embedding(label, self.num_classes, _EMBEDDING,
                            name='embedding')
    code = nn.leaky_relu(layers.Dense(_CODE, kernel_init=_START)(code), 0.2)
    x = jnp.einsum('bhwc,bc->bhw', x, code)
    return x.reshape(len(x), -1) / np.sqrt(_CODE)


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Heads on mixed features of a fixed network.  Sauer et al. 2021, 2111.01007.

  Images -> feature maps of the network -> 1x1 convolutions (mixing of channels)
  -> from the smallest map up, doubled, convolved by 1x1 and added to the next
  (mixing of scales) -> a head for each, see `Head`. The network and the mixing,
  of random weights, are in the collection 'frozen': they are saved with a run
  and not trained. Only the heads are.

  features [B, places of all heads] are all logits, for loss='hinge_each', which
  is the paper's; logits [B] are their means.

  Further fields: `base.AnyDiscriminator`; conditioning 'none' or 'projection'.

  weights: path of the network's file, see `backbones`.
  size: side to which images are resized first, 0 to leave them.
  mix: channels of the largest map after mixing, doubled with each smaller one.
  width: channels of the heads in the end.
  """

  weights: str = ''
  size: int = 0
  mix: int = 64
  width: int = 512
  image_range: tuple[float, float] = (-1.0, 1.0)
  norm: norms.AnyNorm = 'batch'
  activation: layers.ActivationName = 'leaky_relu'
  weight_norm: layers.WeightNormName = 'spectral'
  many_logits = True

  @nn.compact
  def __call__(self, images, label, *, train):  # noqa: D102 (as above)
    self._check(images)
    backbone = backbones.read(self.weights)
    if backbone.channels and images.shape[3] not in backbone.channels:
      raise ValueError(
          f'{self.weights!r} is a network, {backbone.name}, for images of '
          f'{" or ".join(map(str, backbone.channels))} channels, the data have '
          f'{images.shape[3]}; use data.channels={backbone.channels[-1]}')
    weights = self.variable('frozen', 'network', lambda: jax.tree.map(
        jnp.asarray, backbone.weights)).value
    low, high = self.image_range
    x = (images.astype(jnp.float32) - low) * (2.0 / (high - low)) - 1.0
    if self.size:
      x = jax.image.resize(x, (len(x), self.size, self.size, x.shape[3]),
                           'bilinear', antialias=False)
    x = jax.tree.map(lambda w: w.astype(self.dtype), weights), x.astype(
        self.dtype)
    conditional = self.conditioning == 'projection'
    if conditional:
      layers.check_labels(self.num_classes, "conditioning 'projection'",
                          "conditioning='none'")
    logits = jnp.concatenate([
        Head(self.width, norm=partial(self.norms(train), self.norm),
             act=self.act, weights=self.arithmetic(),
             num_classes=self.num_classes * conditional)(y, label)
        for y in self._mixed(backbone.maps(*x))], -1)
    return self.answer(logits, label, logits.mean(-1))

  def _mixed(self, maps):
    """Mixes channels, then scales: maps of twice the sides."""
    count = len(maps)
    maps = [self._fixed(f'channels_{i}', x, self.mix << i)
            for i, x in enumerate(maps)]
    found = [None] * count
    x = maps[-1]
    for i in reversed(range(count)):
      x = x + maps[i] if i < count - 1 else x
      sides = maps[i - 1].shape[1:3] if i else [2 * n for n in x.shape[1:3]]
      x = found[i] = self._fixed(f'scales_{i}', resize(x, *sides),
                                 self.mix << max(i - 1, 0))
    return found

  def _fixed(self, name, x, features):
    """A 1x1 convolution of random weights that stay."""
    def start():
      kernel, bias = jax.random.split(self.make_rng('params'))
      shape = (x.shape[-1], features)
      # The bias too is within 1 / sqrt(fan in).
      return {'kernel': _START(kernel, shape),
              'bias': _START(bias, shape)[0]}

    layer = self.variable('frozen', name, start).value
    return x @ layer['kernel'].astype(x.dtype) + layer['bias'].astype(
        x.dtype).reshape(1, 1, 1, -1)

  def _check(self, images):
    self.check_kind(images.shape[1:])
    if not self.weights:
      raise ValueError(
          'projected.Discriminator needs the features of a network: use '
          'weights=FILE of tf_efficientnet_lite0, InceptionV3 or a classifier, '
          'see gan_jax/extractors/backbones.py')
    if self.conditioning not in ('none', 'projection'):
      raise ValueError(f'conditioning {self.conditioning!r} joins the label to '
                       "the image, which a fixed network cannot read; use "
                       "'projection' or 'none'")
    if self.minibatch != 'none':
      raise ValueError(f'minibatch {self.minibatch!r} needs features that are '
                       "learnt; use minibatch='none'")
