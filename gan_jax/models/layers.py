"""Layers of the networks: kernels, activations, pooling, attention, outputs."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax, random

from gan_jax.models import Critique, Noise
from gan_jax.ops import conv_nd as ops
from gan_jax.ops.keys import per_example

# The values that a field of a network may have: a config is checked by them.
ActivationName = Literal['relu', 'leaky_relu', 'tanh', 'sigmoid', 'elu', 'gelu',
                         'silu']
WeightNormName = Literal['none', 'spectral', 'weight', 'equalized']
Conditioning = Literal['none', 'onehot', 'embedding', 'projection']
DownName = Literal['average', 'blur']


def one_of(value: str, known: Any, what: str) -> str:
  """Returns `value`, or raises ValueError if it is not in the Literal."""
  if value not in get_args(known):
    raise ValueError(
        f'{what} {value!r} is not one of {", ".join(get_args(known))}')
  return value


def check_labels(num_classes: int, who: str, instead: str) -> None:
  """Raises ValueError if `who` needs labels and the data have none."""
  if num_classes < 1:
    raise ValueError(f'{who} needs labels, and the data have none; use '
                     f'{instead} or data with labels')


def activation(name: str, leak: float) -> Callable:
  """An activation by name; `leak` is the slope of leaky_relu below 0."""
  one_of(name, ActivationName, 'activation')
  if name == 'leaky_relu':
    return lambda x: nn.leaky_relu(x, negative_slope=leak)
  return getattr(nn, name)


def squash(x, image_range):
  """Output activation: tanh for (-1, 1), sigmoid for (0, 1)."""
  x = x.astype(jnp.float32)
  return jnp.tanh(x) if tuple(image_range) == (-1.0, 1.0) else nn.sigmoid(x)


def spread(v, x):
  """Numbers v, broadcast to the shape of x and of its type.

  Broadcast in float32 at least: the gradient by v is a sum, and XLA sums those
  of bfloat16 in bfloat16, where 512 + 1 is 512.
  """
  v = v.astype(jnp.promote_types(v.dtype, jnp.float32))
  return jnp.broadcast_to(v, x.shape).astype(x.dtype)


# Layers with a kernel.


class Weighted(nn.Module):
  """A layer with a kernel [..., I, O] and a bias [O].

  weight_norm: reparametrisation of the kernel, a matrix W [..I, O]:
    none: W.
    spectral: W / sigma, sigma its largest singular value, by one step of the
      power iteration per training forward pass. Miyato et al. 2018,
      https://arxiv.org/abs/1802.05957, algorithm 1.
    weight: g W / |W|, norms and the learnt g by output. Salimans & Kingma 2016,
      https://arxiv.org/abs/1602.07868, eq. 2; g starts as |W|, not from data.
    equalized: W sqrt(2 / fan_in), W from normal(0, 1) whatever `kernel_init`.
      Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 4.1; in the
      last layer too, where they leave out the 2.
  """

  features: int
  bias: bool = True
  kernel_init: Callable = nn.initializers.lecun_normal()
  weight_norm: WeightNormName = 'none'
  dtype: Any = jnp.float32

  def weighted(self, x, window, multiply):
    """multiply(x [..., I], kernel [*window, I, O]) plus the bias."""
    kernel = self._kernel((*window, x.shape[-1], self.features))
    y = multiply(x.astype(self.dtype), kernel.astype(self.dtype))
    if not self.bias:
      return y
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return y + spread(bias, y)

  def _kernel(self, shape):
    one_of(self.weight_norm, WeightNormName, 'weight_norm')
    init = (nn.initializers.normal(1.0) if self.weight_norm == 'equalized'
            else self.kernel_init)
    kernel = self.param('kernel', init, shape)
    if self.weight_norm == 'spectral':
      kernel = kernel / self._sigma(kernel.reshape(-1, shape[-1]))
    elif self.weight_norm == 'weight':
      size = _norm(kernel, tuple(range(kernel.ndim - 1)))
      scale = self.param('scale', lambda _: size)
      kernel = kernel * (scale / size).reshape((1,) * (kernel.ndim - 1) + (-1,))
    elif self.weight_norm == 'equalized':
      kernel = kernel * math.sqrt(2.0 / math.prod(shape[:-1]))
    return kernel

  def _sigma(self, matrix):
    """Largest singular value, |W u| with u [O] close to the singular vector.

    Both are in the collection 'spectral', updated in `Model.apply` with
    train=True. The kernel is the same on all devices, hence u too. An average
    of several u is as good as one, since only its direction counts.
    """
    features = matrix.shape[-1]
    u = self.variable('spectral', 'u', lambda: random.normal(
        self.make_rng('params'), (features,)))
    sigma = self.variable('spectral', 'sigma', jnp.ones, ())
    fixed, direction = lax.stop_gradient((matrix, u.value))
    direction = direction / _norm(direction)
    if self.is_mutable_collection('spectral'):
      direction = fixed.T @ (fixed @ direction)
      direction = direction / _norm(direction)
      u.value, sigma.value = direction, _norm(fixed @ direction)
    return _norm(matrix @ direction)


def _norm(x, axis=None):
  """Euclidean norm with a finite gradient at 0."""
  return jnp.sqrt(jnp.sum(x ** 2, axis) + 1e-24)


class Dense(Weighted):
  """Linear layer, [B, I] -> [B, O]."""

  @nn.compact
  def __call__(self, x):
    return self.weighted(x, (), jnp.matmul)


class Conv(Weighted):
  """Convolution over one to three axes.

  [B, *space, I] -> [B, *ceil(space / stride), O]; `size` is the kernel's side.
  """

  size: int = 3
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    return self.weighted(x, (self.size,) * (x.ndim - 2),
                         partial(ops.conv, stride=self.stride))


class ConvTranspose(Weighted):
  """The transpose of a `Conv` from `to`: [B, *space, I] -> [B, *to, O]."""

  size: int = 4
  stride: int = 2
  to: tuple[int, ...] = ()

  @nn.compact
  def __call__(self, x):
    return self.weighted(x, (self.size,) * (x.ndim - 2), partial(
        ops.conv_transpose, stride=self.stride, size=self.to))


# Layers that mix or thin out the places of an image.


def max_pool(x):
  """2x2 maximum, [B, H, W, C] -> [B, H // 2, W // 2, C].

  By comparisons: the gradient of XLA's reduce_window is slow on CPUs and has no
  second derivative, and that of a reduction divides by the number of inputs
  that equal the maximum, which may be 0 if an input is computed twice.
  """
  def larger(a, b):
    return jnp.where(a >= b, a, b)

  x = _blocks(x)
  x = larger(x[:, :, 0], x[:, :, 1])
  return larger(x[:, :, :, 0], x[:, :, :, 1])


def average_pool(x):
  """2x2 mean, [B, H, W, C] -> [B, H // 2, W // 2, C]."""
  return _blocks(x).mean(axis=(2, 4))


def _blocks(x):
  batch, height, width, channels = x.shape
  x = x[:, :height // 2 * 2, :width // 2 * 2]
  return x.reshape(batch, height // 2, 2, width // 2, 2, channels)


def upsample(x):
  """Repeats each pixel 2x2, [B, H, W, C] -> [B, 2 H, 2 W, C]."""
  batch, height, width, channels = x.shape
  x = jnp.broadcast_to(x[:, :, None, :, None],
                       (batch, height, 2, width, 2, channels))
  return x.reshape(batch, 2 * height, 2 * width, channels)


def blur_pool(x, taps: tuple[int, ...] = (1, 2, 1)):
  """Low-pass filter, then every second pixel: [B, H, W, C] -> halves (ceil).

  Zhang 2019, https://arxiv.org/abs/1904.11486. The filter is the outer product
  of `taps` with itself over its sum, on the image mirrored at its edge.
  """
  before = (len(taps) - 1) // 2
  for axis in (1, 2):
    pads = [(before, len(taps) - 1 - before) if i == axis else (0, 0)
            for i in range(4)]
    y = jnp.pad(x, pads, mode='reflect')
    # A sum of shifted images: a convolution would need one per channel.
    x = sum(tap / sum(taps) * lax.slice_in_dim(
        y, i, i + x.shape[axis], stride=2, axis=axis)
            for i, tap in enumerate(taps))
  return x


def downsampling(name: str) -> Callable:
  """A halving by name: [B, H, W, C] -> [B, H / 2, W / 2, C]."""
  return {'average': average_pool, 'blur': blur_pool}[
      one_of(name, DownName, 'down')]


def keys_of(z):
  """Keys [B] that follow from the bits of z [B, Z].

  For a generator that draws, where it has no keys of a step: the same z makes
  the same example.
  """
  bits = lax.bitcast_convert_type(
      lax.stop_gradient(z.astype(jnp.float32)), jnp.int32)
  number = jnp.sum(bits, axis=1, dtype=jnp.int32)
  return per_example(random.key(0), number)


def noise(kind: Noise, keys):
  """Noise [B, kind.size] by keys [B], or what stands in their place."""
  if jnp.issubdtype(keys.dtype, jnp.floating):
    return keys
  return jax.vmap(lambda key: getattr(random, kind.name)(key, (kind.size,)))(
      keys)


def phase_shuffle(x, keys, radius: int):
  """Shifts each signal in time, mirrored at its ends: [B, T, C] -> the same.

  Donahue, McAuley & Puckette 2019, https://arxiv.org/abs/1802.04208: by
  -radius..radius places, drawn from keys [B], so that a discriminator cannot
  tell generated signals by the phase of their artefacts.
  """
  if not 0 <= radius < x.shape[1]:
    raise ValueError(f'phase_shuffle={radius} of {x.shape[1]} places: must be '
                     f'0 or more, and less than these')
  shift = jax.vmap(lambda key: random.randint(
      key, (), -radius, radius + 1))(keys)
  last = x.shape[1] - 1
  places = jnp.abs(jnp.arange(last + 1)[None] + shift[:, None])
  places = jnp.minimum(places, 2 * last - places)
  return jax.vmap(lambda x, places: x[places])(x, places)


class SelfAttention(nn.Module):
  """x + gamma attention(x), [B, H, W, C] -> the same; gamma starts at 0.

  Zhang et al. 2019 (SAGAN), https://arxiv.org/abs/1805.08318: queries
  and keys of C / 8 channels, values of C / 2, by 1x1 convolutions; keys and
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
    return x + spread(gamma, out) * out


# Where labels enter a network, and what leaves a discriminator.


def label_code(label, size: int):
  """Labels as numbers [B, size]: classes one-hot, label vectors as they are.

  label: classes int32 [B], or label vectors float32 [B, size].
  """
  return label if label.ndim == 2 else jax.nn.one_hot(label, size)


def embedding(label, num_classes: int, size: int, **kwargs):
  """A layer's learnt code [B, size] of labels as in `label_code`.

  A vector per class; of label vectors a linear map without bias, which is the
  same of one-hot ones. For continuous labels: Ding et al. 2021 (CcGAN),
  arXiv:2011.07466, who put a deeper network here.
  """
  if label.ndim == 2:
    return nn.Dense(size, use_bias=False, **kwargs)(label)
  return nn.Embed(num_classes, size, **kwargs)(label)


class LabelCode(nn.Module):
  """Joins labels to examples [B, *space, C], as channels; see `label_code`.

  Mirza & Osindero 2014, arXiv:1411.1784: 'onehot' joins [B, num_classes], the
  class one-hot or the label vector; 'embedding' [B, embed_dim], learnt. For
  'projection' see `Heads`.
  """

  conditioning: Conditioning
  num_classes: int
  embed_dim: int

  @nn.compact
  def __call__(self, x, label):
    kind = one_of(self.conditioning, Conditioning, 'conditioning')
    if kind in ('none', 'projection'):
      return x
    check_labels(self.num_classes, f'conditioning {kind!r}',
                 "conditioning='none'")
    code = (label_code(label, self.num_classes) if kind == 'onehot'
            else embedding(label, self.num_classes, self.embed_dim))
    code = code.reshape(code.shape[:1] + (1,) * (x.ndim - 2) + code.shape[1:])
    code = jnp.broadcast_to(code, x.shape[:-1] + code.shape[-1:])
    return jnp.concatenate([x, code.astype(x.dtype)], axis=-1)


class Heads(nn.Module):
  """Last layers of a discriminator: features [B, F], labels -> Critique.

  logits = <w, features> + b; with the conditioning 'projection' also
  + <e_label, features>, e [num_classes, F] learnt. Miyato & Koyama 2018,
  https://arxiv.org/abs/1802.05637, eq. 3; for a label vector y, e_label = y e.
  In float32. A network with logits [B] of its own gives them.

  heads: (name, size) of further linear layers, {name: [B, size]}; ('proxies',
    size) is a learnt vector per class instead, [num_classes, size].
  """

  num_classes: int = 0
  conditioning: Conditioning = 'none'
  heads: tuple[tuple[str, int], ...] = ()
  kernel_init: Callable = nn.initializers.lecun_normal()
  weight_norm: WeightNormName = 'none'

  @nn.compact
  def __call__(self, features, label, logits=None):
    def linear(size, name, x=features, bias=True):
      # In float32: bfloat16 would round a logit to three digits.
      return Dense(size, bias=bias, kernel_init=self.kernel_init, name=name,
                   weight_norm=self.weight_norm)(x)

    given = logits is not None
    logits = logits if given else linear(1, 'logits')[:, 0]
    if self.conditioning == 'projection' and not given:
      check_labels(self.num_classes, "conditioning 'projection'",
                   "conditioning='none'")
      # A linear layer of the one-hot label is a table with weight_norm.
      embedded = linear(features.shape[-1], 'projection',
                        label_code(label, self.num_classes), bias=False)
      logits += jnp.sum(embedded * features.astype(jnp.float32), axis=-1)
    out = {}
    for name, size in self.heads:
      if name in ('logits', 'projection') or name in out:
        raise ValueError(f'a head cannot be named {name!r}: it is taken')
      if name == 'proxies':
        check_labels(self.num_classes, "the head 'proxies'", 'another loss')
        out[name] = self.param(name, nn.initializers.normal(1.0),
                               (self.num_classes, size))
      else:
        out[name] = linear(size, name)
    return Critique(logits, features, out)
