"""Resampling by two against its definition: zeros, a filter, every second."""

import jax
import numpy as np
import pytest

from gan_jax.ops import resample

TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64.0


def images(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def filtered(x, pads):
  """Correlation of padded images [B, H, W, C] with the filter, in float64."""
  x = np.pad(np.float64(x), ((0, 0), pads, pads, (0, 0)))
  height, width = x.shape[1] - 3, x.shape[2] - 3
  return sum(TAPS[i, j] * x[:, i:i + height, j:j + width]
             for i in range(4) for j in range(4))


@pytest.mark.parametrize('shape', [(2, 4, 4, 3), (1, 5, 2, 1)])
def test_doubled_is_zeros_between_the_pixels_filtered_times_four(shape):
  x = images(*shape)
  batch, height, width, channels = shape
  apart = np.zeros((batch, 2 * height, 2 * width, channels))
  apart[:, ::2, ::2] = x
  np.testing.assert_allclose(jax.jit(resample.double)(x),
                             4.0 * filtered(apart, (2, 1)), rtol=1e-5,
                             atol=1e-6)
  flat = np.asarray(jax.jit(resample.double)(np.ones((1, 6, 6, 1), 'f')))
  np.testing.assert_allclose(flat[:, 1:-1, 1:-1], 1.0)


def test_halved_is_every_second_pixel_of_the_filtered():
  x = images(2, 6, 8, 3)
  np.testing.assert_allclose(jax.jit(resample.halve)(x),
                             filtered(x, (1, 1))[:, ::2, ::2], rtol=1e-5,
                             atol=1e-6)


@pytest.mark.parametrize('pad', [0, 1, 2])
def test_smoothed(pad):
  x = images(2, 6, 5, 1)
  np.testing.assert_allclose(jax.jit(resample.smooth, static_argnums=1)(x, pad),
                             filtered(x, (pad, pad)), rtol=1e-5, atol=1e-6)


def test_doubling_is_four_times_the_transpose_of_halving():
  """So that G and D see the same frequencies."""
  x, y = images(1, 4, 4, 2), images(1, 8, 8, 2, seed=1)
  back, = jax.jit(jax.linear_transpose(resample.halve, y))(x)
  np.testing.assert_allclose(jax.jit(resample.double)(x), 4.0 * back, rtol=1e-5,
                             atol=1e-6)
