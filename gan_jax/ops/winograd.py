"""Winograd's F(2x2, 2x2), Lavin & Gray 2015, https://arxiv.org/abs/1509.09308.

For two taps: 9 products instead of 16 for a tile of 2 x 2 outputs,
  y0 = (x0 - x1) g0 + x1 (g0 + g1),   y1 = x1 (g0 + g1) + (x2 - x1) g1
along the rows and along the columns. It takes sums and differences only: the
error stays at a few units in the last place.
"""

import math

import jax.numpy as jnp
from jax import lax

from gan_jax.ops import blocks

_CHUNK_BYTES = 10_000_000  # of tiles at a time: they stay in the cache


def conv(x, k, geometry):
  """[B, H, W, I], [kh, kw, I, O] -> [B, h, w, O]."""
  sums = _kernel_sums(k, geometry)

  def chunk(x):
    products = [v @ u for v, u in zip(_tiles(x, geometry), sums, strict=True)]
    return _untile(products, len(x), geometry)

  y = _map_chunks(chunk, _tile_bytes(x.shape[3], geometry), x)
  return y.reshape(len(x), *y.shape[2:])


def image(y, k, geometry):
  """[B, h, w, O], [kh, kw, I, O] -> [B, H, W, I]."""
  sums = _kernel_sums(k, geometry)

  def chunk(y):
    products = [v @ u.T for v, u in zip(_spread(y), sums, strict=True)]
    return _add_tiles(products, len(y), geometry, k.shape[2])

  x = _map_chunks(chunk, _tile_bytes(k.shape[2], geometry), y)
  return x.reshape(len(y), *x.shape[2:])


def kernel(x, y, geometry):
  """[B, H, W, I], [B, h, w, O] -> [kh, kw, I, O]."""
  def chunk(x, y):
    products = [v.T @ u for v, u in zip(_tiles(x, geometry), _spread(y),
                                        strict=True)]
    return jnp.stack(products)

  k = _map_chunks(chunk, _tile_bytes(x.shape[3], geometry), x, y).sum(0)
  k = k.reshape(3, 3, *geometry.blocks, x.shape[3], -1)
  k = jnp.stack([k[0] + k[1], k[1] + k[2]])
  k = jnp.stack([k[:, 0] + k[:, 1], k[:, 1] + k[:, 2]], 1)
  return blocks.join_kernel(k, geometry)


def tile_counts(geometry):
  """Rows and columns of tiles, the last ones whole."""
  return tuple(-(-n // 2) for n in geometry.out)


def _tile_bytes(channels, geometry):
  """Of one example's nine tiles."""
  return 4 * 9 * channels * math.prod(tile_counts(geometry)
                                      + geometry.blocks)


def _map_chunks(function, example_bytes, *arrays):
  """Maps over groups of examples; the results are stacked, [groups, ...]."""
  batch = len(arrays[0])
  groups = next(n for n in range(1, batch + 1) if batch % n == 0
                and (batch // n * example_bytes <= _CHUNK_BYTES or n == batch))
  if groups == 1:
    return function(*arrays)[None]
  arrays = [a.reshape(groups, -1, *a.shape[1:]) for a in arrays]
  return lax.map(lambda arrays: function(*arrays), arrays)


def _tiles(x, geometry):
  """[B, H, W, I] -> 9 of [B th tw, s s I], of x0 - x1, x1 and x2 - x1."""
  th, tw = tile_counts(geometry)
  x = blocks.cut(x, geometry, 2 * th + 2, 2 * tw + 2)
  x = x.reshape(len(x), th + 1, 2, x.shape[2], tw + 1, 2, -1)
  x0, x1, x2 = x[:, :th, 0], x[:, :th, 1], x[:, 1:, 0]
  tiles = []
  for row in (x0 - x1, x1, x2 - x1):
    x0, x1, x2 = row[..., :tw, 0, :], row[..., :tw, 1, :], row[..., 1:, 0, :]
    tiles += [x0 - x1, x1, x2 - x1]
  return [v.swapaxes(2, 3).reshape(len(x) * th * tw, -1) for v in tiles]


def _add_tiles(tiles, batch, geometry, channels):
  """The transpose of `_tiles`; x2 falls onto the next tile's x0."""
  th, tw = tile_counts(geometry)
  sh, sw = geometry.blocks
  v = [v.reshape(batch, th, tw, sh, sw * channels) for v in tiles]

  def overlap(v0, v1, v2, axis):
    first, last = [[(0, 0)] * v0.ndim for _ in range(2)]
    first[axis], last[axis] = (0, 1), (1, 0)
    even = jnp.pad(v0, first) + jnp.pad(v2, last)
    odd = jnp.pad(v1 - v0 - v2, first)
    return jnp.stack([even, odd], axis + 1)

  rows = [overlap(*v[i:i + 3], 2) for i in (0, 3, 6)]
  x = overlap(*rows, 1)  # [B, th + 1, 2, tw + 1, 2, s, s I]
  x = x.reshape(batch, 2 * th + 2, 2 * tw + 2, sh, -1).swapaxes(2, 3)
  return blocks.join(x, geometry, channels)


def _kernel_sums(k, geometry):
  """[kh, kw, I, O] -> 9 of [s s I, O], of g0, g0 + g1 and g1."""
  k = blocks.split_kernel(k, geometry)
  k = [v for row in (k[0], k[0] + k[1], k[1])
       for v in (row[0], row[0] + row[1], row[1])]
  return [v.reshape(-1, v.shape[-1]) for v in k]


def _untile(products, batch, geometry):
  """9 of [B th tw, O] -> [B, h, w, O]."""
  (h, w), (th, tw) = geometry.out, tile_counts(geometry)
  v = [v.reshape(batch, th, tw, -1) for v in products]
  rows = [jnp.stack([v[i] + v[i + 1], v[i + 1] + v[i + 2]], 3)
          for i in (0, 3, 6)]
  y = jnp.stack([rows[0] + rows[1], rows[1] + rows[2]], 2)
  return y.reshape(batch, 2 * th, 2 * tw, -1)[:, :h, :w]


def _spread(y):
  """The transpose of `_untile`: [B, h, w, O] -> 9 of [B th tw, O]."""
  batch, h, w, channels = y.shape
  y = jnp.pad(y, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))
  y = y.reshape(batch, (h + 1) // 2, 2, (w + 1) // 2, 2, channels)
  spread = []
  for row in (y[:, :, 0], y[:, :, 0] + y[:, :, 1], y[:, :, 1]):
    y0, y1 = row[:, :, :, 0], row[:, :, :, 1]
    spread += [y0, y0 + y1, y1]
  return [v.reshape(-1, channels) for v in spread]
