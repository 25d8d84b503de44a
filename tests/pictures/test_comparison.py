"""What compares generated with real examples: numbers, then pictures."""

import numpy as np
import pytest

from gan_jax import pictures
from gan_jax.metrics.images import power_spectrum
from gan_jax.metrics.neighbours import nearest

RNG = np.random.default_rng(0)


def _noise(count, height, width, channels):
  return RNG.integers(0, 256, (count, height, width, channels)).astype(np.uint8)


# --- nearest ---------------------------------------------------------------


def test_nearest_by_hand():
  parts = np.array([[[3.0, 4.0], [0.0, 1.0]], [[6.0, 8.0], [0.0, -1.0]]])
  index, distance = nearest(np.zeros((1, 2)), parts, 3)
  # Of two at distance 1 the first in the set.
  assert index.tolist() == [[1, 3, 0]]
  assert distance.tolist() == [[1.0, 1.0, 5.0]]


@pytest.mark.parametrize('part', [1, 3, 7, 50])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_nearest_is_what_all_distances_say(part, dtype):
  data = _noise(50, 1, 1, 12).reshape(50, 12).astype(dtype)
  queries = _noise(4, 1, 1, 12).reshape(4, 12).astype(dtype)
  index, distance = nearest(
      queries, (data[i:i + part] for i in range(0, 50, part)), 5)
  every = np.sqrt(((queries[:, None].astype(float) - data[None]) ** 2).sum(-1))
  np.testing.assert_array_equal(index, np.argsort(every, 1, 'stable')[:, :5])
  np.testing.assert_allclose(distance, np.sort(every, 1)[:, :5], rtol=1e-12)


@pytest.mark.parametrize('scale', [1, 1e-3])
def test_a_copy_is_at_distance_0(scale):
  data = _noise(30, 8, 8, 1).reshape(30, -1)
  data = data if scale == 1 else data * np.float32(scale)
  index, distance = nearest(data[[17, 4]], [data[:10], data[10:]], 2)
  assert index[:, 0].tolist() == [17, 4]
  assert distance[:, 0].tolist() == [0.0, 0.0]
  assert (distance[:, 1] > 0).all()


def test_fewer_examples_than_neighbours():
  index, distance = nearest(np.zeros((2, 3)), [np.ones((2, 3))], 5)
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
  monkeypatch.setattr('gan_jax.metrics.images._VALUES', 2 * images[0].size)
  np.testing.assert_array_equal(power_spectrum(images)[1], whole)


# --- principal axes --------------------------------------------------------


def test_principal_axes_are_the_eigenvectors_of_the_covariance():
  real = RNG.normal(size=(200, 5)) @ RNG.normal(size=(5, 5)) + 3.0
  mean, axes, share = pictures.principal_axes(real)
  values, vectors = np.linalg.eigh(np.cov(real.T))
  np.testing.assert_allclose(mean, real.mean(0))
  np.testing.assert_allclose(share, values[::-1][:2] / values.sum())
  np.testing.assert_allclose(np.abs(axes @ vectors[:, ::-1][:, :2]),
                             np.eye(2), atol=1e-8)
  # The sign is a convention, not an accident.
  assert (axes[np.arange(2), np.abs(axes).argmax(1)] > 0).all()


def test_a_line_has_all_of_its_variance_on_one_axis():
  real = np.outer(np.arange(5.0), [0.6, -0.8])
  _, axes, share = pictures.principal_axes(real)
  np.testing.assert_allclose(axes[0], [-0.6, 0.8], atol=1e-12)
  np.testing.assert_allclose(share, [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize('shape', [(1, 3), (4, 1), (1, 1)])
def test_what_has_no_plane(shape):
  _, axes, share = pictures.principal_axes(np.ones(shape))
  assert axes.shape == (2, shape[1]) and share.tolist() == [0.0, 0.0]


# --- pictures --------------------------------------------------------------

SHAPES = [(8, 8, 1), (7, 13, 3), (200, 90, 4), (60, 5, 1), (5, 60, 2)]


def _ink(picture):
  """Whether each pixel differs from the paper: [H', W']."""
  assert picture.dtype == np.uint8 and picture.shape[2] == 3
  return (picture != 255).any(2)


@pytest.mark.parametrize('shape', SHAPES)
def test_beside_shows_both_sides(shape):
  left = np.zeros((5, *shape), np.uint8)
  left[..., -1] = 255 if shape[2] == 4 else 0
  picture = pictures.beside(left, left, columns=3, titles=('real', 'fake'))
  ink = _ink(picture)
  half = picture.shape[1] // 2
  below = ink[34:]  # the titles are above
  np.testing.assert_array_equal(below[:, :half - 14], below[:, half + 14:])
  assert ink[:34, :half].any() and ink[:34, half:].any()
  assert below[:, :half].mean() > 0.03


def test_long_titles_do_not_run_into_each_other():
  images = np.full((4, 30, 3, 1), 255, np.uint8)
  picture = pictures.beside(images, images, columns=2,
                         titles=('real: a_name_' * 9, 'generated'))
  assert not _ink(picture)[:34, 303:326].any()


@pytest.mark.parametrize('shape', SHAPES)
def test_neighbours_stand_in_their_rows(shape):
  images = np.zeros((3, *shape), np.uint8)
  near = np.repeat(images[:, None], 4, axis=1)
  if shape[2] == 4:
    images[..., 3] = near[..., 3] = 255
  distances = np.arange(12.0).reshape(3, 4) * 1000
  one = pictures.neighbours(images, [('a', near, distances)], title='t')
  two = pictures.neighbours(images, [('a', near, distances),
                                  ('b', near[:, :2], distances[:, :2])],
                         title='t')
  assert two.shape[0] == one.shape[0] and two.shape[1] > one.shape[1]
  black = (two == 0).all(2).sum()
  cells = 3 * (1 + 4 + 2)
  assert black % cells == 0  # all of them are there, in one size
  assert black >= cells * 90 * 5


def test_an_image_is_shown_as_it_is():
  images = _noise(1, 96, 96, 3)
  near = _noise(2, 96, 96, 3)[None]
  picture = pictures.neighbours(images, [('a', near, [[0.0, 1.0]])], title='')

  def holds(image):
    at = np.argwhere((picture == image[0, 0]).all(2))
    return any((picture[y:y + 96, x:x + 96].shape == image.shape)
               and (picture[y:y + 96, x:x + 96] == image).all() for y, x in at)

  assert all(map(holds, [*images, *near[0]]))
  assert not holds(255 - images[0])


def test_the_plane_shows_both_and_leaves_out_what_is_not_finite():
  real = RNG.normal(size=(300, 4))
  fake = np.concatenate([RNG.normal(size=(50, 4)) + 20, np.full((9, 4),
                                                                np.nan)])
  picture = pictures.plane(real, fake, title='$x')
  red, _, blue = np.moveaxis(picture.astype(int), 2, 0)
  assert (blue - red > 50).sum() > 1000  # real
  assert (red - blue > 50).sum() > 300  # generated, far away
  np.testing.assert_array_equal(
      picture, pictures.plane(real, fake[:50], title='$x'))


@pytest.mark.parametrize('shape', [*SHAPES, (1, 9, 1)])
def test_a_spectrum_of_any_shape(shape):
  real, fake = _noise(6, *shape), np.zeros((4, *shape), np.uint8)
  frequency, power = power_spectrum(real)
  black = power_spectrum(fake)[1]
  same = pictures.spectrum(frequency, power, power, title='')
  other = pictures.spectrum(frequency, power, black, title='')
  assert _ink(other).any() and (same != other).any()
