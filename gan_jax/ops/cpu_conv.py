"""The three maps of `conv` in the forms that XLA:CPU runs fast.

Two facts rule this file. Inside a `lax.scan` XLA:CPU runs a convolution fast
only where its dimension numbers are ('NHWC', 'HWIO', 'NHWC') as written: the
kernel's gradient in any other order runs at 1 to 3 GFLOP/s. And dilated
operands run at half speed or less.

A convolution of stride s is one of stride 1 between images cut into s x s
blocks that count as channels; a kernel of side k keeps m = ceil(k / s) taps
each way. On the blocks there are three forms, float32, batch 64, in GFLOP/s of
the plain convolution on 2 cores (conv, image, kernel):

  stride 2, kernel 4       direct         product        Winograd
  64x64x3 -> 64            115  82  30    147 103  68     56  59  38
  32x32x64 -> 128          170 193  58     95  82  72    192 192 135
  16x16x128 -> 256         174 191 140    146 145 126    242 279 203
  8x8x256 -> 512           171 150 180    215 169 180    250 291 272
  14x14x64 -> 128          185 180 174    155 165 122    166 220 115
"""

import math

import jax.numpy as jnp
from jax import lax

DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
_CHUNK_BYTES = 10_000_000


def conv(x, k, geometry):
  """[B, H, W, I], [kh, kw, I, O] -> [B, h, w, O]."""
  form = _form(geometry, x.dtype, *k.shape[2:], geometry.out)
  if form == 'product':
    y = _patches(x, geometry) @ _taps_first(k, geometry).reshape(
        -1, k.shape[3])
    return y.reshape(len(x), *geometry.out, -1)
  if form == 'winograd':
    products = [u.reshape(-1, k.shape[3]) for u in _kernel_sums(k, geometry)]
    return _in_chunks(lambda x: _output_sums(
        [v @ u for v, u in zip(_tiles(x, geometry), products, strict=True)],
        len(x), geometry), x, geometry)
  return lax.conv_general_dilated(x, k, geometry.stride, geometry.pads,
                                  dimension_numbers=DIMENSIONS)


def image(y, k, geometry):
  """[B, h, w, O], [kh, kw, I, O] -> [B, H, W, I]."""
  # The direct form computes the blocks at the border too.
  counts = tuple(n + m - 1 for n, m in zip(geometry.out, geometry.taps,
                                           strict=True))
  form = _form(geometry, y.dtype, *k.shape[2:], counts)
  if form == 'product':
    x = y.reshape(-1, y.shape[3]) @ _taps_first(k, geometry).reshape(
        -1, k.shape[3]).T
    return _add_patches(x.reshape(*y.shape[:3], -1), geometry, k.shape[2])
  if form == 'winograd':
    products = [u.reshape(-1, k.shape[3]).T for u in _kernel_sums(k, geometry)]
    return _in_chunks(lambda y: _add_tiles(
        [v @ u for v, u in zip(_output_spread(y), products, strict=True)],
        len(y), geometry), y, geometry, k.shape[2])
  return _phases(y, k, geometry)


def kernel(x, y, geometry):
  """[B, H, W, I], [B, h, w, O] -> [kh, kw, I, O]."""
  form = _form(geometry, x.dtype, x.shape[3], y.shape[3], geometry.out)
  if form == 'product':
    k = _patches(x, geometry).T @ y.reshape(-1, y.shape[3])
    return _taps_back(k, geometry, x.shape[3])
  if form == 'winograd':
    chunks = _in_chunks(lambda x, y: _kernel_spread(
        [v.T @ u for v, u in zip(_tiles(x, geometry), _output_spread(y),
                                 strict=True)], geometry), x, y, geometry)
    return chunks
  return _direct_kernel(x, y, geometry)
