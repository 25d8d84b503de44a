"""Pictures: pixels worked out by hand, and files read back with Pillow."""

import io

import numpy as np
import pytest
from PIL import Image
from tiny import decoded

from gan_jax import pictures

RNG = np.random.default_rng(0)
SHAPES = [(8, 8, 1), (7, 13, 3), (200, 90, 4), (60, 5, 1), (5, 60, 2)]


def test_to_uint8_at_the_borders():
  # x = k / 127.5 - 1 is byte k; halves go to the even neighbour.
  values = [-1.0, 1.0, 0.0, -2.0, 2.0, np.inf, -np.inf, np.nan,
            0.5 / 127.5 - 1 + 1e-4, 0.5 / 127.5 - 1 - 1e-4,
            1 - 0.5 / 127.5 + 1e-4, 1 - 0.5 / 127.5 - 1e-4]
  got = pictures.to_uint8(np.float32(values))
  assert got.dtype == np.uint8
  #  0 * 127.5 + 127.5 = 127.5 -> 128 (even)
  assert got.tolist() == [0, 255, 128, 0, 255, 255, 0, 0, 1, 0, 255, 254]


def test_to_uint8_undoes_the_scaling_of_every_byte():
  every = np.arange(256, dtype=np.uint8)
  assert (pictures.to_uint8(every / np.float32(127.5) - 1) == every).all()


def test_to_uint8_takes_jax_arrays_of_half_precision():
  jnp = pytest.importorskip('jax.numpy')
  got = pictures.to_uint8(jnp.array([[-1, 0, 1]], jnp.bfloat16))
  assert got.tolist() == [[0, 128, 255]]
  # Calculated in float32: bfloat16 has steps of 1 beyond 128.
  many = np.asarray(jnp.linspace(-1, 1, 200, dtype=jnp.bfloat16))
  np.testing.assert_array_equal(pictures.to_uint8(many),
                                pictures.to_uint8(np.float32(many)))


@pytest.mark.parametrize('dtype', ['uint8', 'bool'])
def test_to_uint8_refuses_what_are_no_floats(dtype):
  with pytest.raises(ValueError, match=f'dtype {dtype}; to_uint8 takes floats'):
    pictures.to_uint8(np.zeros(3, dtype))


def test_grid_pixel_by_pixel():
  images = np.uint8([10, 20, 30]).reshape(3, 1, 1, 1)
  got = pictures.grid(images, 2, padding=1, side=1)
  w = 255
  assert got[..., 0].tolist() == [[w, w, w, w, w],
                                  [w, 10, w, 20, w],
                                  [w, w, w, w, w],
                                  [w, 30, w, w, w],
                                  [w, w, w, w, w]]


def test_grid_keeps_the_orientation_and_enlarges_by_repeating():
  image = np.uint8([[1, 2, 3], [4, 5, 6]]).reshape(1, 2, 3, 1)
  got = pictures.grid(image, 8, padding=1, side=9)  # (9 - 2) / 3: twice
  assert got.shape == (6, 8, 1)
  assert got[1:-1, 1:-1, 0].tolist() == [[1, 1, 2, 2, 3, 3]] * 2 + [
      [4, 4, 5, 5, 6, 6]] * 2
  two = pictures.grid(image.repeat(2, 0), 2, padding=0, side=13)
  assert two.shape == (2 * 2, 2 * 6, 1)  # 13 / 6 = 2 times, though 13 / 2 = 6


@pytest.mark.parametrize('size, count, columns, length', [
    (28, 64, 8, 8 * 28 * 3 + 9 * 2),  # 690; twice would be 466
    (32, 64, 8, 8 * 32 * 2 + 9 * 2),  # 530; three times would be 786
    (64, 64, 8, 8 * 64 + 9 * 2),
    (28, 100, 10, 10 * 28 * 2 + 11 * 2),
    (256, 64, 8, 8 * 256 + 9 * 2),  # never made smaller
])
def test_grid_side(size, count, columns, length):
  images = np.zeros((count, size, size, 1), np.uint8)
  assert pictures.grid(images, columns).shape == (length, length, 1)


@pytest.mark.parametrize('channels, shown', [
    (1, [0]), (2, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [0, 1, 2])])
def test_grid_channels(channels, shown):
  images = np.arange(channels, dtype=np.uint8).reshape(1, 1, 1, -1)
  got = pictures.grid(images, 1, padding=1, side=1)
  assert got[1, 1].tolist() == shown
  assert got[0, 0].tolist() == [255] * len(shown)


@pytest.mark.parametrize('count, rows, columns', [
    (1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 2), (5, 1, 5), (6, 2, 3),
    (7, 2, 4), (10, 2, 5), (12, 3, 4), (13, 2, 7), (64, 8, 8)])
def test_grid_chooses_columns_that_leave_few_places_empty(
    count, rows, columns):
  images = np.zeros((count, 3, 3, 1), np.uint8)
  assert pictures.grid(images, padding=0, side=1).shape == (
      3 * rows, 3 * columns, 1)


@pytest.mark.parametrize('images, columns, message', [
    (np.zeros((1, 2, 2, 1)), 1, r'float64 \[1, 2, 2, 1\].*pictures.to_uint8'),
    (np.zeros((2, 2, 1), np.uint8), 1, 'N, H, W, C'),
    (np.zeros((0, 2, 2, 1), np.uint8), 1, 'no empty axis'),
    (np.zeros((1, 2, 2, 1), np.uint8), -1, 'columns=-1; .* 0 columns or more'),
])
def test_grid_refuses(images, columns, message):
  with pytest.raises(ValueError, match=message):
    pictures.grid(images, columns)


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_png_reads_back_equal(channels):
  image = np.random.RandomState(0).randint(0, 256, (5, 7, channels), np.uint8)
  data = pictures.png(image)
  got = np.asarray(decoded(data)).reshape(image.shape)
  assert (got == image).all()
  again = pictures.read_png(data)
  assert again.shape == image.shape and (again == image).all()


def test_read_png_refuses_damaged_and_16_bit_files():
  image = np.random.RandomState(0).randint(0, 256, (9, 9, 1), np.uint8)
  data = pictures.png(image)
  for bad in (b'', b'text', data[:-40], data[:60] + b'xx' + data[62:]):
    with pytest.raises(ValueError, match='no readable PNG'):
      pictures.read_png(bad)
  buffer = io.BytesIO()
  pictures.pillow(image).save(buffer, 'BMP')
  with pytest.raises(ValueError, match='no readable PNG'):
    pictures.read_png(buffer.getvalue())
  buffer = io.BytesIO()
  Image.fromarray(np.zeros((2, 2), np.uint16)).save(buffer, 'PNG')
  with pytest.raises(ValueError, match='no readable PNG.*mode is I;16'):
    pictures.read_png(buffer.getvalue())


def test_png_refuses_floats_and_two_channels():
  with pytest.raises(ValueError, match='float64.*pictures.to_uint8'):
    pictures.png(np.zeros((2, 2, 3)))
  with pytest.raises(ValueError, match=r'C in \(1, 3, 4\)'):
    pictures.png(np.zeros((2, 2, 2), np.uint8))


def _frames(data):
  """[(array, milliseconds)] of a GIF."""
  result = []
  with decoded(data) as file:
    for i in range(file.n_frames):
      file.seek(i)
      result.append((np.asarray(file.convert('RGB')), file.info['duration']))
  return result


def test_gif_of_greys_is_exact_and_loops():
  frames = np.random.RandomState(0).randint(0, 256, (4, 16, 16, 1), np.uint8)
  data = pictures.gif(frames)
  assert decoded(data).info['loop'] == 0  # for ever
  got = _frames(data)
  assert [time for _, time in got] == [100, 100, 100, 1000]
  for (image, _), frame in zip(got, frames, strict=True):
    assert (image == frame).all()


@pytest.mark.parametrize('channels', [3, 4])
def test_gif_of_few_colours_is_exact(channels):
  frames = np.full((3, 8, 8, channels), 255, np.uint8)
  for i in range(3):
    frames[i, :4, :, :3] = np.eye(3, dtype=np.uint8)[i] * 255
  if channels == 4:
    frames[0, :4, :, 3] = 0  # transparent red is the white behind it
  got = _frames(pictures.gif(iter(frames)))
  assert len(got) == 3
  assert got[1][0][0, 0].tolist() == [0, 255, 0]
  assert got[1][0][7, 0].tolist() == [255, 255, 255]
  red = [255, 255, 255] if channels == 4 else [255, 0, 0]
  assert got[0][0][0, 0].tolist() == red


def test_gif_colours_are_near():
  ramp = np.linspace(0, 255, 32).astype(np.uint8)
  image = np.stack(np.broadcast_arrays(
      ramp[:, None], ramp, np.uint8(128)), -1)
  for frame, _ in _frames(pictures.gif([image, image[::-1]])):
    assert np.abs(frame[..., 2].astype(int) - 128).max() <= 8
    error = np.minimum(np.abs(frame.astype(int) - image).mean(),
                       np.abs(frame.astype(int) - image[::-1]).mean())
    assert error < 8


def test_gif_refuses():
  image = np.zeros((2, 2, 1), np.uint8)
  with pytest.raises(ValueError, match='0 frames.*at least one'):
    pictures.gif([])
  with pytest.raises(ValueError, match='all of one shape'):
    pictures.gif([image, np.zeros((2, 3, 1), np.uint8)])


# Images with words beside them.


def _noise(count, height, width, channels):
  return RNG.integers(0, 256, (count, height, width, channels)).astype(np.uint8)


def _ink(picture):
  """Whether each pixel differs from the paper: [H', W']."""
  assert picture.dtype == np.uint8 and picture.shape[2] == 3
  return (picture != 255).any(2)


@pytest.mark.parametrize('shape', SHAPES)
def test_examples_stand_in_their_rows(shape):
  images = np.zeros((4, *shape), np.uint8)
  if shape[2] == 4:
    images[..., 3] = 255
  picture = pictures.contact_sheet([images, images[:3]], ['', ''], columns=4)
  black = (picture == 0).all(2).sum()
  assert black % 7 == 0  # all of them are there, in one size
  ink = _ink(picture)
  assert black == ink.sum() and ink.mean() > 0.5
  corner = picture[len(picture) // 2 + 2:, 3 * picture.shape[1] // 4 + 2:]
  assert (corner == 255).all()


def test_an_image_is_shown_as_it_is():
  images = _noise(10, 96, 96, 3)
  picture = pictures.contact_sheet([images], ['name'], columns=10)

  def holds(image):
    at = np.argwhere((picture == image[0, 0]).all(2))
    return any((picture[y:y + 96, x:x + 96].shape == image.shape)
               and (picture[y:y + 96, x:x + 96] == image).all() for y, x in at)

  assert all(map(holds, images))
  assert not holds(255 - images[0])


def test_contact_sheets_of_any_kind_of_images():
  for shape, count in (((3, 200, 300, 1), 1), ((10, 5, 7, 4), 2),
                       ((2, 6, 6, 2), 1), ((4, 9, 5, 7), 3)):
    rows = [_noise(*shape)] * count
    # A letter that the font lacks is no warning, nor a line break an error.
    got = pictures.contact_sheet(rows, ['$a_$ \u6f22\nb'] * count, columns=10,
                                 title='$x$')
    assert got.dtype == np.uint8 and got.shape[2] == 3
    assert max(got.shape) < 1700


@pytest.mark.parametrize('size', [9, 28, 64, 200])
def test_words_can_be_read_on_a_phone(size):
  """A page 360 pixels wide shows capitals of 5 pixels or more."""
  white = np.full((10, size, size, 1), 255, np.uint8)
  plain = pictures.contact_sheet([white] * 8, ['0 HHH'] * 8, columns=10)
  titled = pictures.contact_sheet([white] * 8, [''] * 8, columns=10,
                                  title='HHH')
  for picture, rows in ((plain, slice(len(plain) // 8)), (titled, slice(60))):
    height = np.ptp(np.flatnonzero(_ink(picture)[rows].any(1))) + 1
    assert height * 360 / picture.shape[1] >= 5


def test_names_stand_beside_their_rows():
  rows = [np.full((3, 28, 28, 1), 255, np.uint8)] * 3
  ink = _ink(pictures.contact_sheet(rows, ['', 'HHH', ''], columns=3))
  third = len(ink) // 3
  assert ink[third:2 * third].any()
  assert not ink[:third].any() and not ink[2 * third:].any()


def test_a_long_title_is_cut_off():
  rows = [np.full((3, 28, 28, 1), 255, np.uint8)] * 3
  short, long = (_ink(pictures.contact_sheet(rows, [''] * 3, columns=3,
                                             title='a_name_' * n))
                 for n in (1, 99))
  assert short.shape == long.shape
  assert not long[:, -4:].any() and long.any()
