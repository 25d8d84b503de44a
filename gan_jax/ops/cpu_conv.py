"""The three maps of `conv` in the forms that XLA:CPU runs fast.

Two info rule this file. Inside a `lax.scan` XLA:CPU runs a convolution fast
only where its dimension numbers are ('NHWC', 'HWIO', 'NHWC') as written: the
kernel's gradient in any other order runs at 1 to 3 GFLOP/s. And dilated
operands run at half speed or less.

On images cut into s x s `blocks` there are three forms; in GFLOP/s of the plain
convolution (conv, image, kernel), float32, batch 64, in a scan, the product and
the first row by wall time on 2 idle cores, the rest by CPU time on 2 busy ones,
so that differences below 20 % mean little:

  stride 2, kernel 4       direct         product        Winograd
  64x64x3 -> 64            115  82  30    147 103  68     56  59  38
  32x32x64 -> 128          170 193  58     95  82  72    192 192 135
  16x16x128 -> 256         174 191 140    146 145 126    242 279 203
  8x8x256 -> 512           171 150 180    215 169 180    250 291 272
  14x14x64 -> 128          185 180 174    155 165 122    166 220 115

Winograd reads and writes more than the direct form: where other programs take
the memory's bandwidth, its gain over a whole step of DCGAN 64 shrinks to none.
"""

import math

import jax.numpy as jnp
from jax import lax

from gan_jax.ops import blocks, winograd

DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')


def conv(x, k, geometry):
  """[B, H, W, I], [kh, kw, I, O] -> [B, h, w, O]."""
  form = _form(geometry, x.dtype, *k.shape[2:], geometry.out)
  if form == 'direct':
    return lax.conv_general_dilated(x, k, geometry.stride, geometry.pads,
                                    dimension_numbers=DIMENSIONS)
  if form == 'product':
    y = _patches(x, geometry) @ _kernel_matrix(k, geometry)
    return y.reshape(len(x), *geometry.out, -1)
  return winograd.conv(x, k, geometry)


def image(y, k, geometry):
  """[B, h, w, O], [kh, kw, I, O] -> [B, H, W, I]."""
  # The direct form computes the blocks around the border too.
  counts = [n + m - 1 for n, m in zip(geometry.out, geometry.taps, strict=True)]
  form = _form(geometry, y.dtype, *k.shape[2:], counts)
  if form == 'direct':
    return _image_by_phases(y, k, geometry)
  if form == 'product':
    x = y.reshape(-1, y.shape[3]) @ _kernel_matrix(k, geometry).T
    return _add_patches(x, len(y), geometry, k.shape[2])
  return winograd.image(y, k, geometry)


def kernel(x, y, geometry):
  """[B, H, W, I], [B, h, w, O] -> [kh, kw, I, O]."""
  form = _form(geometry, x.dtype, x.shape[3], y.shape[3], geometry.out)
  if form == 'direct':
    return _direct_kernel(x, y, geometry)
  if form == 'product':
    k = _patches(x, geometry).T @ y.reshape(-1, y.shape[3])
    k = k.reshape(*geometry.taps, *geometry.blocks, x.shape[3], -1)
    return blocks.join_kernel(k, geometry)
  return winograd.kernel(x, y, geometry)


def _form(geometry, dtype, inputs, outputs, counts):
  """Which form: 'direct', 'product' or 'winograd'; see the table above.

  A product where there is nothing to slide, or too few channels for the direct
  form's inner loop. Winograd where it saves 40 % of the multiplications that
  the direct form spends on `counts` positions, which an odd size may not, and
  the matrices are large enough to pay for the sums; in bfloat16 the sums would
  lose digits.
  """
  channels = inputs * math.prod(geometry.blocks)
  if geometry.taps == (1, 1) or channels < 32:
    return 'product'
  tiles = math.prod(winograd.tile_counts(geometry))
  saves = 9 * tiles <= 0.6 * 4 * math.prod(counts)
  if (geometry.taps == (2, 2) and saves and channels >= 64 and outputs >= 64
      and dtype == jnp.float32):
    return 'winograd'
  return 'direct'


# The direct form


def _image_by_phases(y, k, geometry):
  """All s x s phases of the image by one convolution, then interleaved."""
  (mh, mw), (sh, sw) = geometry.taps, geometry.blocks
  inputs, outputs = k.shape[2:]
  k = jnp.flip(blocks.split_kernel(k, geometry), (0, 1))
  k = k.transpose(0, 1, 5, 2, 3, 4)
  x = lax.conv_general_dilated(
      y, k.reshape(mh, mw, outputs, -1), (1, 1),
      [(mh - 1, mh - 1), (mw - 1, mw - 1)], dimension_numbers=DIMENSIONS)
  x = x.reshape(*x.shape[:3], sh, sw * inputs).swapaxes(2, 3)
  return blocks.join(x, geometry, inputs)


def _direct_kernel(x, y, geometry):
  """Examples in the place of channels and channels in that of examples."""
  pads = [(p[0], k + (n - 1) * s - size - p[0]) for p, k, n, s, size in zip(
      geometry.pads, geometry.kernel, geometry.out, geometry.stride,
      geometry.size, strict=True)]
  k = lax.conv_general_dilated(
      x.transpose(3, 1, 2, 0), y.transpose(1, 2, 0, 3), (1, 1), pads,
      rhs_dilation=geometry.stride, dimension_numbers=DIMENSIONS)
  return k.transpose(1, 2, 0, 3)


# The product of patches


def _patches(x, geometry):
  """[B, H, W, I] -> [B h w, m m s s I]."""
  (h, w), (mh, mw) = geometry.out, geometry.taps
  x = blocks.cut(x, geometry, h + mh - 1, w + mw - 1).swapaxes(2, 3)
  x = x.reshape(*x.shape[:3], -1)
  x = [x[:, a:a + h, b:b + w] for a in range(mh) for b in range(mw)]
  return jnp.concatenate(x, -1).reshape(len(x[0]) * h * w, -1)


def _add_patches(x, batch, geometry, channels):
  """The transpose of `_patches`: [B h w, m m s s I] -> [B, H, W, I]."""
  (h, w), (mh, mw), (sh, _) = geometry.out, geometry.taps, geometry.blocks
  x = x.reshape(batch, h, w, mh, mw, -1)
  x = sum(jnp.pad(x[:, :, :, a, b], ((0, 0), (a, mh - 1 - a),
                                     (b, mw - 1 - b), (0, 0)))
          for a in range(mh) for b in range(mw))
  return blocks.join(x.reshape(*x.shape[:3], sh, -1).swapaxes(2, 3), geometry,
               channels)


def _kernel_matrix(k, geometry):
  """[kh, kw, I, O] -> [m m s s I, O]."""
  return blocks.split_kernel(k, geometry).reshape(-1, k.shape[3])
