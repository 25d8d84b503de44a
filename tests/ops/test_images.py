"""Warps of images: copies, their order, interpolation."""

import jax
import jax.numpy as jnp
import numpy as np
from augmented import pictures, shifted

from gan_jax.ops import images


@jax.jit
def chained(image, moves):
  warp = images.chain(*moves)
  return images.warp(image, *warp), warp


def moved(image, *moves):
  return np.asarray(chained(image, moves)[0])


@jax.jit
def turn(degrees):
  angle = jnp.deg2rad(degrees)
  return images.rotation(jnp.cos(angle), jnp.sin(angle))


def test_warps_of_whole_pixels_are_copies():
  image = pictures(1, (8, 8, 2))[0]
  want = np.asarray(image)
  np.testing.assert_array_equal(moved(image), want)
  np.testing.assert_array_equal(
      moved(image, images.diagonal(1.0, -1.0)), want[:, ::-1])
  exact = images.rotation(jnp.float32(0.0), jnp.float32(1.0))
  np.testing.assert_array_equal(
      moved(image, exact), np.rot90(want))
  np.testing.assert_array_equal(
      moved(image, jnp.array([2.0, -3.0]))[2:, :5],
      shifted(want, 2, -3)[2:, :5])
  # Beyond the border: 2 1 0 1 2 ...
  np.testing.assert_array_equal(
      moved(image, jnp.array([2.0, -3.0])),
      np.pad(want, ((2, 0), (0, 3), (0, 0)), mode='reflect')[:8, 3:])


def test_warps_are_done_in_their_order():
  """A bright pixel goes where the movements, one by one, take its centre."""
  image = np.zeros((21, 31, 1), np.float32)
  image[8, 18] = 1.0
  moves = [jnp.array([1.0, 2.0]), turn(35.0), images.diagonal(1.6, 0.8),
           jnp.array([2.0, -1.0])]
  point = np.array([8 - 10, 18 - 15], np.float64)
  for move in map(np.float64, moves):
    point = move + point if move.ndim == 1 else move @ point
  out = moved(image, *moves)[..., 0]
  centre = [(out.sum(1 - i) * np.arange(n)).sum() / out.sum()
            for i, n in enumerate(out.shape)]
  np.testing.assert_allclose(centre, point + [10, 15], atol=0.15)


def test_interpolation_is_exact_on_a_plane():
  rows, cols = np.mgrid[0:12, 0:15]
  image = np.float32(2.0 * rows - cols)[..., None]
  out, (matrix, offset) = chained(image, (turn(20.0), jnp.array([0.3, -0.6])))
  out = np.asarray(out)[..., 0]
  points = np.stack([rows - 5.5, cols - 7.0])
  source = (np.einsum('ij,jhw->ihw', np.float64(matrix), points)
            + np.float64(offset)[:, None, None]
            + np.array([5.5, 7.0])[:, None, None])
  last = np.array([11, 14])[:, None, None]
  inside = ((source >= 0) & (source <= last)).all(0)
  assert inside.sum() > 90
  np.testing.assert_allclose(out[inside], (2 * source[0] - source[1])[inside],
                             atol=1e-4)
