"""What compares generated with real examples, in numbers."""

import numpy as np
import pytest

from gan_jax.metrics.neighbours import nearest_of_parts
from gan_jax.metrics.spectrum import power_spectrum

RNG = np.random.default_rng(0)


def _noise(count, height, width, channels):
  return RNG.integers(0, 256, (count, height, width, channels)).astype(np.uint8)


# --- nearest ---------------------------------------------------------------


def test_nearest_by_hand():
  parts = np.array([[[3.0, 4.0], [0.0, 1.0]], [[6.0, 8.0], [0.0, -1.0]]])
  index, distance = nearest_of_parts(np.zeros((1, 2)), parts, 3)
  # Of two at distance 1 the first in the set.
  assert index.tolist() == [[1, 3, 0]]
  assert distance.tolist() == [[1.0, 1.0, 5.0]]


@pytest.mark.parametrize('part', [1, 3, 7, 50])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_nearest_is_what_all_distances_say(part, dtype):
  data = _noise(50, 1, 1, 12).reshape(50, 12).astype(dtype)
  queries = _noise(4, 1, 1, 12).reshape(4, 12).astype(dtype)
  index, distance = nearest_of_parts(
      queries, (data[i:i + part] for i in range(0, 50, part)), 5)
  every = np.sqrt(((queries[:, None].astype(float) - data[None]) ** 2).sum(-1))
  np.testing.assert_array_equal(index, np.argsort(every, 1, 'stable')[:, :5])
  np.testing.assert_allclose(distance, np.sort(every, 1)[:, :5], rtol=1e-12)


@pytest.mark.parametrize('scale', [1, 1e-3])
def test_a_copy_is_at_distance_0(scale):
  data = _noise(30, 8, 8, 1).reshape(30, -1)
  data = data if scale == 1 else data * np.float32(scale)
  index, distance = nearest_of_parts(data[[17, 4]], [data[:10], data[10:]], 2)
  assert index[:, 0].tolist() == [17, 4]
  assert distance[:, 0].tolist() == [0.0, 0.0]
  assert (distance[:, 1] > 0).all()


def test_fewer_examples_than_neighbours():
  index, distance = nearest_of_parts(np.zeros((2, 3)), [np.ones((2, 3))], 5)
  assert index.shape == distance.shape == (2, 2)


# --- spectrum --------------------------------------------------------------


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('vertical', [True, False])
def test_a_sinusoid_has_its_power_in_its_ring(vertical, channels):
  wave = 127.5 + 100.0 * np.cos(2 * np.pi * 5 * np.arange(32) / 32)
  image = np.broadcast_to(wave[:, None] if vertical else wave, (32, 32))
  image = np.repeat(np.rint(image).astype(np.uint8)[None, ..., None], channels,
                    axis=3)
  frequency, power = power_spectrum(image)
  assert frequency[4] == 5 / 32
  # |F|^2 = (amplitude * H W / 2)^2 at two points of the ring, over H W.
  k = np.fft.fftfreq(32, 1 / 32)
  points = (np.rint(np.hypot(k[:, None], k[None])) == 5).sum()
  expected = 2 * (100 / 255 * 1024 / 2) ** 2 / 1024 / points
  np.testing.assert_allclose(power[0, 4], expected, rtol=1e-2)  # of rounding
  assert np.delete(power[0], 4).max() < 1e-4 * expected


def test_a_checkerboard_is_beyond_one_half():
  image = np.uint8(255 * (np.indices((16, 16)).sum(0) % 2))[None, ..., None]
  frequency, power = power_spectrum(image)
  assert power[0].argmax() == len(frequency) - 1
  assert frequency[-1] == 11 / 16  # 16 / sqrt(2) = 11.3 cycles
  assert np.allclose(power[0, :-1], 0.0, atol=1e-20)


@pytest.mark.parametrize('height, width', [(31, 31), (16, 40), (33, 18)])
def test_noise_is_flat_at_its_variance(height, width):
  images = _noise(40, height, width, 2)
  frequency, power = power_spectrum(images)
  assert power.shape == (40, len(frequency))
  assert (np.diff(frequency) > 0).all() and 0 < frequency[0] < 0.07
  np.testing.assert_allclose(power.mean(0)[2:-2], (256**2 - 1) / 12 / 255**2,
                             rtol=0.15)


def test_brightness_has_no_frequency():
  flat = np.full((1, 8, 8, 1), 200, np.uint8)
  assert power_spectrum(flat)[1].max() < 1e-20
  assert power_spectrum(flat[:, :1, :1])[1].shape == (1, 0)


def test_chunks_change_nothing(monkeypatch):
  images = _noise(7, 6, 9, 3)
  whole = power_spectrum(images)[1]
  monkeypatch.setattr('gan_jax.metrics.spectrum._VALUES', 2 * images[0].size)
  np.testing.assert_array_equal(power_spectrum(images)[1], whole)
