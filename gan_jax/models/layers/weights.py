"""Dense layers and convolutions, whose kernels may be reparametrised."""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from gan_jax.models.layers.choices import one_of
from gan_jax.ops import conv as ops

WeightNormName = Literal['none', 'spectral', 'weight', 'equalized']


class Weighted(nn.Module):
  """A layer with a kernel [..., I, O] and a bias [O].

  weight_norm: what the layer multiplies by, with W the kernel as a matrix
    [..I, O]:
    none: W.
    spectral: W / sigma, sigma its largest singular value, by one step of the
      power iteration per training forward pass. Miyato et al. 2018,
      https://arxiv.org/abs/1802.05957, algorithm 1.
    weight: g W / |W|, norms and the learnt g by output. Salimans & Kingma 2016,
      https://arxiv.org/abs/1602.07868, eq. 2; g starts as |W|, so that the
      layer starts as without, and not from a batch of data.
    equalized: W sqrt(2 / fan_in), W from normal(0, 1) whatever `kernel_init`.
      Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 4.1; in the
      last layer too, where they leave out the 2.
  """

  features: int
  bias: bool = True
  kernel_init: Callable = nn.initializers.lecun_normal()
  weight_norm: WeightNormName = 'none'
  dtype: Any = jnp.float32

  def kernel(self, shape):
    """The kernel of a shape [..., I, O], reparametrised, in `dtype`."""
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
    return kernel.astype(self.dtype)

  def _sigma(self, matrix):
    """Largest singular value, |W u| with u [O] close to the singular vector.

    Both are kept in the collection 'spectral', where sigma can be logged. They
    move where the collection may change: in `Model.apply` with train=True.
    The kernel is the same on all devices, hence u too. An average of several u
    serves as well as one, since only its direction counts.
    """
    features = matrix.shape[-1]
    u = self.variable('spectral', 'u', lambda: jax.random.normal(
        self.make_rng('params'), (features,)))
    sigma = self.variable('spectral', 'sigma', jnp.ones, ())
    fixed, direction = lax.stop_gradient((matrix, u.value))
    direction = direction / _norm(direction)
    if self.is_mutable_collection('spectral'):
      direction = fixed.T @ (fixed @ direction)
      direction = direction / _norm(direction)
      u.value, sigma.value = direction, _norm(fixed @ direction)
    return _norm(matrix @ direction)

  def add_bias(self, y):
    """Adds the bias to the last axis, where there is one."""
    if not self.bias:
      return y
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return y + bias.astype(self.dtype).reshape((1,) * (y.ndim - 1) + (-1,))


def _norm(x, axis=None):
  """Euclidean norm, with a gradient at 0."""
  return jnp.sqrt(jnp.sum(x ** 2, axis) + 1e-24)


class Dense(Weighted):
  """Linear layer, [B, I] -> [B, O]."""

  @nn.compact
  def __call__(self, x):
    kernel = self.kernel((x.shape[-1], self.features))
    return self.add_bias(x.astype(self.dtype) @ kernel)


class Conv(Weighted):
  """Convolution, [B, H, W, I] -> [B, ceil(H / stride), ceil(W / stride), O].

  size: side of the kernel.
  """

  size: int = 3
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    kernel = self.kernel((self.size, self.size, x.shape[-1], self.features))
    return self.add_bias(
        ops.conv(x.astype(self.dtype), kernel, stride=self.stride))


class ConvTranspose(Weighted):
  """The transpose of a `Conv` from `to`: [B, h, w, I] -> [B, *to, O]."""

  size: int = 4
  stride: int = 2
  to: tuple[int, int] = (0, 0)

  @nn.compact
  def __call__(self, x):
    kernel = self.kernel((self.size, self.size, x.shape[-1], self.features))
    return self.add_bias(ops.conv_transpose(
        x.astype(self.dtype), kernel, stride=self.stride, size=self.to))
