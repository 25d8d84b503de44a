"""One affine inverse warp for a chain of movements.

Points are (row, column) in pixels from the image's centre. A warp (matrix
[2, 2], offset [2]) says where the pixel at `point` of the result comes from:
matrix @ point + offset.
"""

import jax.numpy as jnp


def rotation(cos, sin):
  """By an angle, about the centre."""
  return jnp.stack([jnp.stack([cos, -sin]), jnp.stack([sin, cos])])


def diagonal(rows, cols):
  """Magnification of rows and of columns."""
  return jnp.diag(jnp.stack([jnp.float32(rows), jnp.float32(cols)]))


def chain(*moves):
  """The warp of movements that are done one after the other.

  Args:
    *moves: (matrix or None, offset or None) of what each does to a point:
      matrix @ point + offset.

  Returns:
    (matrix, offset): from a point of the result back to the source.
  """
  total, origin = jnp.eye(2), jnp.zeros(2)
  for matrix, offset in moves:
    # From the result of this movement back to what it was done to.
    if matrix is not None:
      total = _product(total, _inverse(matrix))
    if offset is not None:
      origin = origin - _times(total, offset)
  return total, origin


def sample(image, matrix, offset):
  """The warped image [H, W, C], bilinear, mirrored beyond the border.

  Differentiable by the image.
  """
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
  """..., 2, 1, 0, 1, 2, ..., n - 2, n - 1, n - 2, ...: the border once."""
  if size == 1:
    return jnp.zeros_like(index, jnp.int32)
  period = 2 * (size - 1)
  index = jnp.mod(index.astype(jnp.int32), period)
  return jnp.minimum(index, period - index)


def _product(a, b):
  # Written out: a matrix product may be rounded to fewer bits.
  return jnp.sum(a[:, :, None] * b[None, :, :], axis=1)


def _times(matrix, vector):
  return jnp.sum(matrix * vector[None, :], axis=1)


def _inverse(matrix):
  (a, b), (c, d) = matrix
  return jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])]) / (a * d - b * c)
