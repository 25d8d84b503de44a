"""Resampling by two, with the filter [1, 3, 3, 1] of StyleGAN2 and R3GAN.

Its outer product with itself over its sum, around an image the zeros that both
papers' code puts there: Karras et al. 2020, https://arxiv.org/abs/1912.04958,
appendix B, and Huang et al. 2024, https://arxiv.org/abs/2501.05441, whose
[1, 2, 1] is for a grid of the same size: doubled, it is [1, 3, 3, 1]. Away from
the border `double` is a bilinear enlargement.

Sums of shifted images: a convolution would need one per channel. Padded by
`jnp.pad`: jax2onnx 0.17 refuses the same `lax.pad` of any number of examples.
"""

import jax.numpy as jnp
from jax import lax

_TAPS = 1 / 8, 3 / 8, 3 / 8, 1 / 8


def double(x):
  """Enlarges images: [B, H, W, C] -> [B, 2 H, 2 W, C].

  Along an axis pixels 2 i and 2 i + 1 are (x[i - 1] + 3 x[i]) / 4 and
  (3 x[i] + x[i + 1]) / 4.
  """
  for axis in (1, 2):
    near, far, size = 0.75 * x, 0.25 * x, x.shape[axis]
    before, after = (
        _padded(lax.slice_in_dim(far, *kept, axis=axis), zeros, axis)
        for kept, zeros in (((0, size - 1), (1, 0)), ((1, size), (0, 1))))
    x = jnp.stack([before + near, near + after], axis=axis + 1)
    x = x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2:])
  return x


def _padded(x, pads, axis):
  """Adds zeros before and after the images along an axis."""
  return jnp.pad(x, [pads if i == axis else (0, 0) for i in range(x.ndim)])


def halve(x):
  """Filters and keeps every second pixel: [B, H, W, C] -> [B, H / 2, W / 2, C].

  Along an axis pixel i is (x[2 i - 1] + 3 x[2 i] + 3 x[2 i + 1] + x[2 i + 2]) /
  8. H and W are even.
  """
  return smooth(x, 1, stride=2)


def smooth(x, pad: int, stride: int = 1):
  """Filters images with `pad` zeros around: H -> (H + 2 pad - 4) / stride + 1.

  Rounded down; W alike.
  """
  for axis in (1, 2):
    y = _padded(x, (pad, pad), axis)
    places = y.shape[axis] - 3
    x = sum(tap * lax.slice_in_dim(y, i, i + places, stride, axis=axis)
            for i, tap in enumerate(_TAPS))
  return x
