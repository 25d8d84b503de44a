"""Convolution and its transposes in forms that are fast in XLA:CPU.

Inside a `lax.scan` XLA:CPU runs a convolution fast only with the dimension
numbers ('NHWC', 'HWIO', 'NHWC'): the kernel's gradient in any other order runs
at 1 to 3 GFLOP/s. Dilated operands run at half speed or less.

A convolution of stride s is one of stride 1 between images cut into s x s
blocks that count as channels; a kernel of side k then has m = ceil(k / s) taps
each way. On such blocks there are three forms; in GFLOP/s of the plain
convolution (conv, image, kernel), float32, batch 64, in a scan, the product and
the first row by wall time on 2 idle cores, the rest by CPU time on 2 busy ones,
with an error of about 20 %:

  stride 2, kernel 4       direct         product        Winograd
  64x64x3 -> 64            115  82  30    147 103  68     56  59  38
  32x32x64 -> 128          170 193  58     95  82  72    192 192 135
  16x16x128 -> 256         174 191 140    146 145 126    242 279 203
  8x8x256 -> 512           171 150 180    215 169 180    250 291 272
  14x14x64 -> 128          185 180 174    155 165 122    166 220 115

Winograd needs more memory bandwidth than the direct form: if other programs
take it, nothing is gained over a whole step of DCGAN 64.

Shapes below: x [B, H, W, I], kernel k [kh, kw, I, O], y [B, h, w, O].
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
_CHUNK_BYTES = 10_000_000  # of Winograd tiles at a time, to fit the CPU cache


def conv(x, k, geometry):
  """Convolves x with k; returns y."""
  form = _form(geometry, x.dtype, *k.shape[2:], geometry.out)
  if form == 'direct':
    return lax.conv_general_dilated(x, k, geometry.stride, geometry.pads,
                                    dimension_numbers=DIMENSIONS)
  if form == 'product':
    return conv_by_product(x, k, geometry)
  sums = _kernel_sums(k, geometry)

  def chunk(x):
    return _outputs(*(v @ u for v, u in zip(_tiles(x, geometry), sums,
                                            strict=True)), geometry=geometry)

  y = _map_chunks(chunk, k.shape[2], geometry, x)
  return y.reshape(len(x), *y.shape[2:])


def image(y, k, geometry):
  """Transpose of `conv` in x: (y, k) -> x."""
  shape = len(y), *geometry.size, k.shape[2]
  # The direct form computes the blocks around the border too.
  counts = [n + m - 1 for n, m in zip(geometry.out, geometry.taps, strict=True)]
  form = _form(geometry, y.dtype, *k.shape[2:], counts)
  if form == 'direct':
    return image_by_phases(y, k, geometry)
  if form == 'product':
    return image_by_product(y, k, geometry)
  sums = _kernel_sums(k, geometry)

  def chunk(y):
    tiles = [v @ u.T for v, u in zip(_spread(y, geometry), sums, strict=True)]
    return transpose(lambda x: _tiles(x, geometry), tiles,
                     (len(y), *shape[1:]))[0]

  return _map_chunks(chunk, k.shape[2], geometry, y).reshape(shape)


def kernel(x, y, geometry):
  """Transpose of `conv` in k: (x, y) -> k."""
  shape = *geometry.kernel, x.shape[3], y.shape[3]
  form = _form(geometry, x.dtype, *shape[2:], geometry.out)
  if form == 'direct':
    return _direct_kernel(x, y, geometry)
  if form == 'product':
    return kernel_by_product(x, y, geometry)

  def chunk(x, y):
    return jnp.stack([v.T @ u for v, u in zip(
        _tiles(x, geometry), _spread(y, geometry), strict=True)])

  k = _map_chunks(chunk, x.shape[3], geometry, x, y).sum(0)
  k = k.reshape(3, 3, *geometry.blocks, x.shape[3], -1)
  k = jnp.stack([k[0] + k[1], k[1] + k[2]])
  k = jnp.stack([k[:, 0] + k[:, 1], k[:, 1] + k[:, 2]], 1)
  return transpose(lambda k: _split_kernel(k, geometry), k, shape)[0]


def transpose(linear, y, *shapes):
  """Applies the transpose of a linear map of arrays of given shapes to y."""
  like = jax.typeof(jax.tree.leaves(y)[0])
  return jax.linear_transpose(linear, *map(like.update, shapes))(y)


def _form(geometry, dtype, inputs, outputs, counts):
  """Chooses 'direct', 'product' or 'winograd'; see the table above.

  A product if nothing slides, or there are too few channels for the direct
  form. Winograd if it saves 40 % of the direct form's multiplications at
  `counts` positions (an odd size may not) and the matrices are large enough to
  pay for the sums; not in bfloat16, whose sums would lose digits.
  """
  channels = inputs * math.prod(geometry.blocks)
  if geometry.taps == (1, 1) or channels < 32:
    return 'product'
  saves = 9 * math.prod(_tile_counts(geometry)) <= 0.6 * 4 * math.prod(counts)
  if (geometry.taps == (2, 2) and saves and channels >= 64 and outputs >= 64
      and dtype == jnp.float32):
    return 'winograd'
  return 'direct'


# Blocks


def _cut(x, geometry, rows, columns):
  """Pads or crops x into blocks: [B, rows, s, columns, s * I]."""
  (batch, _, _, channels), (sh, sw) = x.shape, geometry.blocks
  pads = [(p[0], n * s - size - p[0], 0) for p, n, s, size in zip(
      geometry.pads, (rows, columns), (sh, sw), geometry.size, strict=True)]
  x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
  return x.reshape(batch, rows, sh, columns, sw * channels)


def _split_kernel(k, geometry):
  """The kernel k as [m, m, s, s, I, O], with zeros where it has no pixel."""
  (mh, mw), (sh, sw) = geometry.taps, geometry.blocks
  k = jnp.pad(k, ((0, mh * sh - k.shape[0]), (0, mw * sw - k.shape[1]),
                  (0, 0), (0, 0)))
  return k.reshape(mh, sh, mw, sw, *k.shape[2:]).swapaxes(1, 2)


# The direct form


def image_by_phases(y, k, geometry):
  """All s x s phases of the image by one convolution, then interleaved."""
  (mh, mw), (sh, sw) = geometry.taps, geometry.blocks
  inputs, outputs = k.shape[2:]
  k = jnp.flip(_split_kernel(k, geometry), (0, 1)).transpose(0, 1, 5, 2, 3, 4)
  x = lax.conv_general_dilated(
      y, k.reshape(mh, mw, outputs, -1), (1, 1),
      [(mh - 1, mh - 1), (mw - 1, mw - 1)], dimension_numbers=DIMENSIONS)
  rows, columns = x.shape[1] * sh, x.shape[2] * sw
  x = x.reshape(*x.shape[:3], sh, sw * inputs).swapaxes(2, 3)
  x = x.reshape(-1, rows, columns, inputs)
  # The transpose of `_cut`: its padding goes, and what it cropped is 0.
  before = [max(p[0], 0) for p in geometry.pads]
  x = x[:, before[0]:geometry.pads[0][0] + geometry.size[0],
        before[1]:geometry.pads[1][0] + geometry.size[1]]
  missing = [(max(-p[0], 0), n - x_n - max(-p[0], 0)) for p, n, x_n in zip(
      geometry.pads, geometry.size, x.shape[1:3], strict=True)]
  if any(map(any, missing)):
    x = jnp.pad(x, ((0, 0), *missing, (0, 0)))
  return x


def _direct_kernel(x, y, geometry):
  """Swaps examples and channels."""
  pads = [(p[0], k + (n - 1) * s - size - p[0]) for p, k, n, s, size in zip(
      geometry.pads, geometry.kernel, geometry.out, geometry.stride,
      geometry.size, strict=True)]
  k = lax.conv_general_dilated(
      x.transpose(3, 1, 2, 0), y.transpose(1, 2, 0, 3), (1, 1), pads,
      rhs_dilation=geometry.stride, dimension_numbers=DIMENSIONS)
  return k.transpose(1, 2, 0, 3)


# The product of patches


def conv_by_product(x, k, geometry):
  """`conv` as one matrix product."""
  y = _patches(x, geometry) @ _kernel_matrix(k, geometry)
  return y.reshape(len(x), *geometry.out, -1)


def image_by_product(y, k, geometry):
  """`image` as one matrix product."""
  patches = y.reshape(-1, y.shape[3]) @ _kernel_matrix(k, geometry).T
  return transpose(lambda x: _patches(x, geometry), patches,
                   (len(y), *geometry.size, k.shape[2]))[0]


def kernel_by_product(x, y, geometry):
  """`kernel` as one matrix product."""
  k = _patches(x, geometry).T @ y.reshape(-1, y.shape[3])
  return transpose(lambda k: _kernel_matrix(k, geometry), k,
                   (*geometry.kernel, x.shape[3], y.shape[3]))[0]


def _patches(x, geometry):
  """The patches of x, [B h w, m m s s I]."""
  (h, w), (mh, mw) = geometry.out, geometry.taps
  x = _cut(x, geometry, h + mh - 1, w + mw - 1).swapaxes(2, 3)
  x = x.reshape(*x.shape[:3], -1)
  # In reverse, so that the transpose sums from the first to the last.
  x = [x[:, a:a + h, b:b + w] for a in reversed(range(mh))
       for b in reversed(range(mw))]
  return jnp.concatenate(x[::-1], -1).reshape(len(x[0]) * h * w, -1)


def _kernel_matrix(k, geometry):
  return _split_kernel(k, geometry).reshape(-1, k.shape[3])


# Winograd's F(2x2, 2x2).  Lavin & Gray 2015, https://arxiv.org/abs/1509.09308.
#
# For two taps: 9 products instead of 16 for a tile of 2 x 2 outputs,
#   y0 = (x0 - x1) g0 + x1 (g0 + g1),   y1 = x1 (g0 + g1) + (x2 - x1) g1
# along the rows and along the columns. It takes sums and differences only: the
# error stays at a few units in the last place.


def _tile_counts(geometry):
  return tuple(-(-n // 2) for n in geometry.out)


def _map_chunks(function, channels, geometry, *arrays):
  """Maps over chunks of examples; stacks the results, [chunks, ...]."""
  batch = len(arrays[0])
  tile_bytes = 4 * 9 * channels * math.prod(
      (batch, *_tile_counts(geometry), *geometry.blocks))
  groups = next(n for n in range(1, batch + 1) if batch % n == 0
                and (tile_bytes <= n * _CHUNK_BYTES or n == batch))
  if groups == 1:
    return function(*arrays)[None]
  arrays = [a.reshape(groups, -1, *a.shape[1:]) for a in arrays]
  return lax.map(lambda arrays: function(*arrays), arrays)


def _tiles(x, geometry):
  """The tiles of x0 - x1, x1 and x2 - x1: 9 of [B th tw, s s I]."""
  th, tw = _tile_counts(geometry)
  x = _cut(x, geometry, 2 * th + 2, 2 * tw + 2)
  x = x.reshape(len(x), th + 1, 2, x.shape[2], tw + 1, 2, -1)
  tiles = [v for rows in _differences(x, 1) for v in _differences(rows, 3)]
  return [v.swapaxes(2, 3).reshape(len(x) * th * tw, -1) for v in tiles]


def _differences(x, axis):
  """Differences of the pairs along an axis; x2 is the next pair's first."""
  # Splitting has a fast transpose, and x2 - x1 comes first for its order.
  even, x1 = (v.squeeze(axis + 1) for v in lax.split(x, (1, 1), axis + 1))
  x0, x2 = (lax.slice_in_dim(even, i, i + x.shape[axis] - 1, axis=axis)
            for i in (0, 1))
  x1 = lax.slice_in_dim(x1, 0, x.shape[axis] - 1, axis=axis)
  late = x2 - x1
  return x0 - x1, x1, late


def _kernel_sums(k, geometry):
  """The kernel's g0, g0 + g1 and g1: 9 of [s s I, O]."""
  k = _split_kernel(k, geometry)
  k = [v for row in (k[0], k[0] + k[1], k[1])
       for v in (row[0], row[0] + row[1], row[1])]
  return [v.reshape(-1, v.shape[-1]) for v in k]


def _outputs(*products, geometry):
  """The output y of 9 products [B th tw, O]."""
  (h, w), (th, tw) = geometry.out, _tile_counts(geometry)
  v = [v.reshape(-1, th, tw, v.shape[-1]) for v in products]
  rows = [jnp.stack([v[i] + v[i + 1], v[i + 1] + v[i + 2]], 3)
          for i in (0, 3, 6)]
  y = jnp.stack([rows[0] + rows[1], rows[1] + rows[2]], 2)
  return y.reshape(len(y), 2 * th, 2 * tw, -1)[:, :h, :w]


def _spread(y, geometry):
  """The transpose of `_outputs`: from y 9 of [B th tw, O]."""
  shape = len(y) * math.prod(_tile_counts(geometry)), y.shape[3]
  return transpose(lambda *v: _outputs(*v, geometry=geometry), y, *[shape] * 9)
