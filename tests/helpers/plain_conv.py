"""Plain convolutions, and how close to them."""

import jax
import numpy as np
from jax import lax

SPEC = ('NHWC', 'HWIO', 'NHWC')


def plain(x, kernel, stride, padding):
  stride = (stride, stride) if isinstance(stride, int) else stride
  return lax.conv_general_dilated(x, kernel, stride, padding,
                                  dimension_numbers=SPEC)


def plain_transpose(y, kernel, size, stride, padding):
  x = jax.ShapeDtypeStruct((len(y), *size, kernel.shape[3]), y.dtype)
  kernel = kernel.swapaxes(2, 3)
  return jax.linear_transpose(
      lambda x: plain(x, kernel, stride, padding), x)(y)[0]


def normal(seed, *shape):
  return np.float32(np.random.default_rng(seed).normal(size=shape))


def assert_close(got, want, tolerance=2e-5):
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0,
                               atol=tolerance * (np.abs(b).max() + 1e-6))
