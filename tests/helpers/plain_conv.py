"""Plain convolutions, and how close to them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# By the number of axes.
SPECS = {1: ('NWC', 'WIO', 'NWC'), 2: ('NHWC', 'HWIO', 'NHWC'),
         3: ('NDHWC', 'DHWIO', 'NDHWC')}

# (H, W), I, O, kernel, stride, padding: each CPU form at an odd and even size
CASES = [
    ((8, 8), 16, 64, (4, 4), 2, 'SAME'),             # Winograd
    ((30, 7), 17, 64, (4, 3), 2, ((1, 1), (1, 2))),  # Winograd, odd, blocks
    ((8, 6), 3, 5, (4, 4), 2, 'SAME'),               # product of patches
    ((9, 8), 33, 4, (5, 3), (2, 1), 'VALID'),        # direct
    ((5, 7), 40, 3, (3, 3), 1, 'SAME'),              # direct, stride 1
    ((8, 11), 12, 66, (4, 5), 3, ((1, 2), (0, 3))),  # image: Winograd
    ((9, 10), 2, 3, (2, 3), 3, 'VALID'),             # rows that no patch sees
    ((6, 6), 4, 2, (1, 1), 2, 'SAME'),
    ((4, 4), 40, 3, (4, 4), 1, 'VALID'),             # one output
    ((6, 5), 2, 3, (3, 3), 2, ((-1, 1), (0, -1))),   # padding that crops
]


def plain(x, kernel, stride, padding):
  axes = x.ndim - 2
  stride = (stride,) * axes if isinstance(stride, int) else stride
  return lax.conv_general_dilated(x, kernel, stride, padding,
                                  dimension_numbers=SPECS[axes])


def plain_transpose(y, kernel, size, stride, padding):
  x = jax.ShapeDtypeStruct((len(y), *size, kernel.shape[-1]), y.dtype)
  kernel = kernel.swapaxes(-2, -1)
  return jax.linear_transpose(
      lambda x: plain(x, kernel, stride, padding), x)(y)[0]


def normal(seed, *shape):
  return np.float32(np.random.default_rng(seed).normal(size=shape))


def to_second_order(function, x, kernel):
  """Value, gradients, and gradients of a gradient penalty."""
  weight = normal(3, *jax.eval_shape(function, x, kernel).shape)

  def loss(x, kernel):
    return jnp.sum(jnp.tanh(function(x, kernel)) * weight)

  def penalty(x, kernel):
    return sum(jnp.sum(g ** 2) for g in jax.grad(loss, (0, 1))(x, kernel))

  return (function(x, kernel), jax.grad(loss, (0, 1))(x, kernel),
          jax.grad(penalty, (0, 1))(x, kernel))


def both_to_second_order(conv, transpose, x, y, kernel):
  """`to_second_order` of a convolution of x and of its transpose of y."""
  return jax.jit(lambda x, y, kernel, swapped: [
      *to_second_order(conv, x, kernel), *to_second_order(transpose, y, swapped)
  ])(x, y, kernel, kernel.swapaxes(-2, -1))


def assert_close(got, want, tolerance=2e-5):
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0,
                               atol=tolerance * (np.abs(b).max() + 1e-6))
