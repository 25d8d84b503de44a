"""Flips and warps of images, for augmentations, penalties and classifiers.

A warp (matrix [2, 2], offset [2]) maps a point of the result to its source:
matrix @ point + offset. Points are (row, column) in pixels from the centre.
"""

import jax
import jax.numpy as jnp
from jax import random


def check_images(images, name):
  """Raises ValueError for what is not images [B, H, W, C]."""
  if images.ndim != 4:
    raise ValueError(f'{name} moves pixels of images [H, W, C], the examples '
                     f'are {list(images.shape[1:])}; leave it out')


def each_image(function, name):
  """Maps (image, key) -> image over images [B, H, W, C] and keys [B].

  `name` is in the error for what is not images.
  """
  def apply(images, keys):
    check_images(images, name)
    return jax.vmap(function)(images, keys)

  return apply


def random_flip(images, keys):
  """Mirrors each image [B, H, W, C] left to right with probability 1/2."""
  flip = jax.vmap(random.bernoulli)(keys)[:, None, None, None]
  return jnp.where(flip, images[:, :, ::-1], images)


def rotation(cos, sin):
  """Matrix of a rotation about the centre."""
  return jnp.stack([jnp.stack([cos, -sin]), jnp.stack([sin, cos])])


def diagonal(rows, cols):
  """Matrix that scales rows and columns."""
  return jnp.diag(jnp.stack([jnp.float32(rows), jnp.float32(cols)]))


def chain(*moves):
  """Composes movements, each a matrix [2, 2] or an offset [2], into a warp."""
  total, origin = jnp.eye(2), jnp.zeros(2)
  # From result to source. Products are written out, as matrix products may be
  # rounded to fewer bits.
  for move in moves:
    if move.ndim == 1:
      origin = origin - jnp.sum(total * move[None, :], axis=1)
    else:
      (a, b), (c, d) = move
      inverse = jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])])
      inverse = inverse / (a * d - b * c)
      total = jnp.sum(total[:, :, None] * inverse[None, :, :], axis=1)
  return total, origin


def warp(image, matrix, offset):
  """Warps an image [H, W, C]: bilinear, mirrored at the border."""
  height, width = image.shape[:2]
  middle = jnp.array([(height - 1) / 2, (width - 1) / 2])
  points = jnp.stack(jnp.meshgrid(
      jnp.arange(height) - middle[0], jnp.arange(width) - middle[1],
      indexing='ij'))
  rows, cols = (
      matrix[i, 0] * points[0] + matrix[i, 1] * points[1] + offset[i]
      + middle[i] for i in range(2))
  top, left = jnp.floor(rows), jnp.floor(cols)
  down, right = (rows - top)[..., None], (cols - left)[..., None]

  def line(row):
    at = _mirror(row, height)
    return (image[at, _mirror(left, width)] * (1.0 - right)
            + image[at, _mirror(left + 1.0, width)] * right)

  return line(top) * (1.0 - down) + line(top + 1.0) * down


def _mirror(index, size):
  """Reflects indices: ..., 2, 1, 0, 1, 2, ..., n - 2, n - 1, n - 2, ..."""
  if size == 1:
    return jnp.zeros_like(index, jnp.int32)
  period = 2 * (size - 1)
  index = jnp.mod(index.astype(jnp.int32), period)
  return jnp.minimum(index, period - index)
