"""Images in s x s blocks that count as channels, and kernels in such taps.

A convolution of stride s is one of stride 1 between images cut into s x s
blocks; a kernel of side k keeps m = ceil(k / s) taps each way.
"""

import jax.numpy as jnp
from jax import lax


def cut(x, geometry, rows, columns):
  """Pads or crops [B, H, W, I] into blocks: [B, rows, s, columns, s * I]."""
  (batch, _, _, channels), (sh, sw) = x.shape, geometry.blocks
  pads = [(p[0], n * s - size - p[0], 0) for p, n, s, size in zip(
      geometry.pads, (rows, columns), (sh, sw), geometry.size, strict=True)]
  x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])
  return x.reshape(batch, rows, sh, columns, sw * channels)


def join(x, geometry, channels):
  """The transpose of `cut`: [B, rows, s, columns, s * I] -> images."""
  batch, rows, sh, columns, _ = x.shape
  x = x.reshape(batch, rows * sh, -1, channels)
  pads = [(-p[0], p[0] + size - n, 0) for p, size, n in zip(
      geometry.pads, geometry.size, x.shape[1:3], strict=True)]
  return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *pads, (0, 0, 0)])


def split_kernel(k, geometry):
  """[kh, kw, I, O] -> [m, m, s, s, I, O], with zeros where k has no pixel."""
  (mh, mw), (sh, sw) = geometry.taps, geometry.blocks
  k = jnp.pad(k, ((0, mh * sh - k.shape[0]), (0, mw * sw - k.shape[1]),
                  (0, 0), (0, 0)))
  return k.reshape(mh, sh, mw, sw, *k.shape[2:]).swapaxes(1, 2)


def join_kernel(k, geometry):
  """The transpose of `split_kernel`."""
  mh, mw, sh, sw, *channels = k.shape
  k = k.swapaxes(1, 2).reshape(mh * sh, mw * sw, *channels)
  return k[:geometry.kernel[0], :geometry.kernel[1]]
