"""What the networks are made of."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.ops import conv as ops

# The values that the fields of a network may have: a config is checked by them.
NormName = Literal['none', 'batch', 'layer']
ActivationName = Literal['relu', 'leaky_relu', 'tanh', 'sigmoid', 'elu', 'gelu',
                         'silu']
Conditioning = Literal['none', 'onehot', 'embedding']


def one_of(value: str, known: Any, what: str) -> str:
  """Returns `value`, or raises a ValueError that lists the Literal `known`."""
  if value not in get_args(known):
    raise ValueError(
        f'{what} {value!r} is not one of {", ".join(get_args(known))}')
  return value


def activation(name: str, leak: float) -> Callable:
  """The activation of a name; `leak` is the slope of leaky_relu below 0."""
  one_of(name, ActivationName, 'activation')
  if name == 'leaky_relu':
    return lambda x: nn.leaky_relu(x, leak)
  return getattr(nn, name)


def squash(x, image_range):
  """Maps the last layer to images: tanh for (-1, 1), sigmoid for (0, 1)."""
  x = x.astype(jnp.float32)
  return jnp.tanh(x) if tuple(image_range) == (-1.0, 1.0) else nn.sigmoid(x)


class Norm(nn.Module):
  """Normalisation by name, before the activation.

  batch: over batch and space, of the whole batch across devices; the running
    averages keep `momentum` of their past.
  layer: over all of an example but the batch (Ba et al. 2016, 1607.06450).
  """

  name_of: str
  train: bool
  momentum: float = 0.9
  scale_std: float = 0.0
  axis_name: str | None = None
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    one_of(self.name_of, NormName, 'norm')
    if self.name_of == 'none':
      return x
    scale_init = (nn.initializers.ones if not self.scale_std
                  else normal_around_one(self.scale_std))
    if self.name_of == 'batch':
      return nn.BatchNorm(
          use_running_average=not self.train, momentum=self.momentum,
          epsilon=1e-5, dtype=self.dtype, scale_init=scale_init,
          axis_name=self.axis_name)(x)
    axes = tuple(range(1, x.ndim))
    return nn.LayerNorm(epsilon=1e-5, dtype=self.dtype, reduction_axes=axes,
                        feature_axes=-1, scale_init=scale_init)(x)


def normal_around_one(std: float) -> Callable:
  """N(1, std^2), DCGAN's start of the scale of a normalisation."""
  def init(key, shape, dtype=jnp.float32):
    return 1.0 + std * jax.random.normal(key, shape, dtype)

  return init


class Conv(nn.Module):
  """Convolution, [B, H, W, I] -> [B, ceil(H / stride), ceil(W / stride), O]."""

  features: int
  kernel: int
  stride: int = 1
  bias: bool = True
  kernel_init: Callable = nn.initializers.lecun_normal()
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    shape = (self.kernel, self.kernel, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape)
    y = ops.conv(x.astype(self.dtype), kernel.astype(self.dtype),
                 stride=self.stride)
    return _add_bias(self, y)


class ConvTranspose(nn.Module):
  """The transpose of a `Conv` from `size`: [B, h, w, I] -> [B, H, W, O]."""

  features: int
  kernel: int
  size: tuple[int, int]
  stride: int = 2
  bias: bool = True
  kernel_init: Callable = nn.initializers.lecun_normal()
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    shape = (self.kernel, self.kernel, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape)
    y = ops.conv_transpose(x.astype(self.dtype), kernel.astype(self.dtype),
                           stride=self.stride, size=self.size)
    return _add_bias(self, y)


def _add_bias(module, y):
  if not module.bias:
    return y
  bias = module.param('bias', nn.initializers.zeros, (module.features,))
  return y + bias.astype(module.dtype).reshape(1, 1, 1, -1)


class LabelCode(nn.Module):
  """Labels [B] -> [B, num_classes] one-hot, or [B, embed_dim] learnt.

  Mirza & Osindero 2014, arXiv:1411.1784, concatenate it to the input.
  """

  conditioning: str
  num_classes: int
  embed_dim: int

  @nn.compact
  def __call__(self, label):
    if self.num_classes < 1:
      raise ValueError(
          f'conditioning {self.conditioning!r} needs labels, and the data have '
          "none; use conditioning='none' or data with labels")
    if self.conditioning == 'onehot':
      return jax.nn.one_hot(label, self.num_classes)
    return nn.Embed(self.num_classes, self.embed_dim)(label)


def concat_label(x, label, *, conditioning: str, num_classes: int,
                 embed_dim: int):
  """Concatenates the label's code to vectors [B, D] or images [B, H, W, C]."""
  if one_of(conditioning, Conditioning, 'conditioning') == 'none':
    return x
  code = LabelCode(conditioning, num_classes, embed_dim)(label)
  code = code.reshape(code.shape[:1] + (1,) * (x.ndim - 2) + code.shape[1:])
  code = jnp.broadcast_to(code, x.shape[:-1] + code.shape[-1:])
  return jnp.concatenate([x, code.astype(x.dtype)], axis=-1)
