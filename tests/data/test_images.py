"""Pixels: formats, depths, palettes, EXIF; resizing, padding, channels."""

import io
import types
import zlib

import numpy as np
import pytest
from image_files import (
  BLUE,
  GREEN,
  GREY,
  NOISE,
  RED,
  chunk,
  encoded,
  only,
  png_header,
  put,
)
from PIL import Image, PngImagePlugin
from sets import folder

from gan_jax.base.errors import ArgumentError
from gan_jax.data import images as codec
from gan_jax.data.geometry import Geometry


def test_format_is_told_by_content(root):
  put(root / 'a.jpg', encoded(GREY, 'PNG'))
  put(root / 'b.png', encoded(GREY, 'BMP'))
  put(root / 'c.gif', encoded(GREY, 'TIFF'))
  put(root / 'D.JPEG', encoded(GREY, 'WEBP', lossless=True))
  put(root / 'e.pgm', b'P5 3 2 255\n' + GREY.tobytes())
  images = folder(path=root, geometry=Geometry(channels=1)).images
  assert images.shape == (5, 2, 3, 1)
  assert all((image[..., 0] == GREY).all() for image in images)


def test_modes(root):
  def mode(name, colour):
    return encoded(Image.new(name, (2, 2), colour))

  assert only(root, mode('1', 1)).tolist() == [[[255]] * 2] * 2
  assert only(root, mode('L', 7))[0, 0].tolist() == [7]
  assert only(root, mode('RGB', RED))[0, 0].tolist() == [255, 0, 0]
  # Alpha over black: 200 * 51 / 255; over 100: 200 * .2 + 100 * .8.
  assert only(root, mode('LA', (200, 51)))[0, 0].tolist() == [40]
  assert only(root, mode('LA', (200, 51)), background=(100,))[0, 0] == [120]
  rgba = mode('RGBA', (255, 0, 0, 51))
  assert only(root, rgba)[0, 0].tolist() == [51, 0, 0]
  assert only(root, rgba, background=(0, 0, 255))[0, 0].tolist() == [51, 0, 204]
  assert only(root, rgba, channels=4)[0, 0].tolist() == [255, 0, 0, 51]
  assert only(root, mode('LA', (9, 51)), channels=4)[0, 0].tolist() == [
      9, 9, 9, 51]
  cmyk = encoded(Image.new('CMYK', (8, 8), (0, 255, 255, 0)), 'JPEG')
  assert np.abs(only(root, cmyk)[0, 0].astype(int) - RED).max() <= 3


def test_palette_with_a_transparent_colour(root):
  image = Image.new('P', (2, 2), 0)
  image.putpalette([*GREEN, *BLUE])
  image.putpixel((1, 0), 1)
  data = encoded(image, transparency=1)
  assert only(root, data, background=(9,))[0].tolist() == [[0, 255, 0], [9] * 3]
  assert only(root, data, channels=4)[0].tolist() == [
      [0, 255, 0, 255], [0, 0, 255, 0]]


def test_16_bits_are_divided_by_257(root):
  values = np.array([[0, 128, 129, 257], [385, 386, 65406, 65535]])
  wanted = [[0, 0, 1, 1], [1, 2, 254, 255]]
  for form in ('PNG', 'TIFF'):
    image = only(root, encoded(values.astype(np.uint16), form))
    assert image[..., 0].tolist() == wanted
  image = only(root, encoded(values.astype(np.int32), 'TIFF'))
  assert image[..., 0].tolist() == wanted
  big_endian = b'P5 4 2 65535\n' + values.astype('>u2').tobytes()
  assert only(root, big_endian)[..., 0].tolist() == wanted


def test_16_bit_colours_keep_their_upper_bits(root):
  rows = np.array([[[0x12FF, 0x3400, 0xFFFF]] * 2] * 2, '>u2')
  raw = b''.join(b'\x00' + row.tobytes() for row in rows)
  data = png_header(2, 2, 16, 2).replace(
      chunk(b'IDAT', zlib.compress(b'')), chunk(b'IDAT', zlib.compress(raw)))
  put(root / 'a.png', data)
  source = folder(path=root)
  assert source.images[0, 0, 0].tolist() == [0x12, 0x34, 0xFF]
  assert '16-bit' in source.report['notices'][0]


def test_first_frame_of_an_animation(root):
  frames = [Image.new('RGB', (4, 4), colour) for colour in (RED, BLUE)]
  for name, form in (('a.gif', 'GIF'), ('b.webp', 'WEBP'), ('c.png', 'PNG'),
                     ('d.tif', 'TIFF')):
    lossless = {'lossless': True} if form == 'WEBP' else {}
    put(root / name, encoded(frames[0], form, save_all=True,
                             append_images=frames[1:], **lossless))
  source = folder(path=root)
  assert (source.images[:] == RED).all()
  assert source.report['notices'][0].startswith('4 of 4 images animated')


@pytest.mark.parametrize('form', ['PNG', 'TIFF', 'WEBP', 'JPEG'])
def test_exif_turns_the_image(root, form):
  exif = Image.Exif()
  exif[0x0112] = 6  # to be turned clockwise by 90 degrees
  options = {'WEBP': {'lossless': True}, 'JPEG': {'quality': 95}}.get(form, {})
  data = encoded(GREY, form, exif=exif, **options)
  image = only(root, data, channels=1)[..., 0]
  assert image.shape == (3, 2)
  wanted = np.rot90(GREY, -1).astype(int)
  assert np.abs(image - wanted).max() <= (30 if form == 'JPEG' else 0)
  assert 'turned upright' in str(folder(path=root).report['notices'])


def test_exif_behind_the_pixels_of_a_png(root):
  exif = Image.Exif()
  exif[0x0112] = 3
  data = encoded(GREY)
  late = chunk(b'eXIf', exif.tobytes()[6:])
  image = only(root, data[:-12] + late + data[-12:])
  assert (image[..., 0] == GREY[::-1, ::-1]).all()


def test_damaged_exif_costs_no_image(root):
  data = encoded(GREY)
  late = chunk(b'eXIf', b'MM\x00\x2a\xff\xff\xff\xff')
  assert (only(root, data[:-12] + late + data[-12:])[..., 0] == GREY).all()


def test_channels_are_those_that_all_can_have(root):
  put(root / 'a.png', encoded(GREY))
  assert folder(path=root).images.shape == (1, 2, 3, 1)
  put(root / 'b.png', encoded(Image.new('RGB', (3, 2), BLUE)))
  source = folder(path=root)
  assert source.images.shape == (2, 2, 3, 3)
  assert source.images[0, 0, 1].tolist() == [50] * 3
  assert source.images[1, 0, 1].tolist() == [0, 0, 255]


# Geometry.


def prepared(pixels, **kwargs):
  return Geometry(**kwargs).checked().images(np.asarray(pixels, np.uint8), '')


def test_resize_is_antialiased_bilinear():
  pixels = np.tile([0, 0, 70, 210], (1, 4, 1))[..., None]
  # A triangle of half width 2 around 1 and 3: weights 3/7, 3/7, 1/7, and the
  # mirror image of that.  Without antialiasing these would be 0 and 140.
  result = prepared(pixels, resize=(2, 2))
  assert result[0, :, :, 0].tolist() == [[10, 120]] * 2
  # Height comes first.
  assert prepared(pixels, resize=(2, 3)).shape == (1, 2, 3, 1)


def test_floats_that_ring_are_clipped():
  step = np.sign(np.arange(8) - 3.5).astype(np.float32).reshape(1, 1, 8, 1)
  for resample in ('lanczos', 'bicubic'):
    found = Geometry(resize=(1, 32), resample=resample).images(step, '')
    assert found.min() == -1 and found.max() == 1


def test_resize_treats_channels_apart():
  pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 5), np.uint8)
  pixels[..., 3] = 0  # as alpha, it would blank the colours
  together = prepared(pixels, resize=(4, 4))
  for c in range(5):
    alone = prepared(pixels[..., c:c + 1], resize=(4, 4))
    np.testing.assert_array_equal(together[..., c:c + 1], alone)
  four = prepared(pixels[..., :4], resize=(4, 4))
  np.testing.assert_array_equal(four, together[..., :4])


@pytest.mark.parametrize('resample', ['bilinear', 'box'])
def test_what_is_clear_gives_its_neighbours_no_colour(resample):
  """Resized and put on white is as put on white and resized."""
  y, x = np.mgrid[:32, :32] - 15.5
  disc = np.where((x * x + y * y < 100)[..., None], (255, 60, 0, 255),
                  (0, 0, 200, 0)).astype(np.uint8)
  how = dict(resize=(8, 8), resample=resample)
  small = prepared(disc[None], channels=4, **how)[0].astype(float)
  share = small[..., 3:] / 255
  on_white = prepared(disc[None], channels=3, background=(255,), **how)[0]
  np.testing.assert_allclose(share * small[..., :3] + (1 - share) * 255,
                             on_white, atol=1.5)
  half = prepared([[[(255, 60, 0, 255), (0, 0, 200, 0)]]], channels=4,
                  resize=(1, 1), resample='box')
  assert half.ravel().tolist() == [255, 60, 0, 128]  # 127.5 to even
  opaque = disc | np.array([0, 0, 0, 255], np.uint8)
  np.testing.assert_array_equal(prepared(opaque[None], channels=4, **how),
                                prepared(opaque[None], **how))


def test_pad_is_centred_on_zero():
  pixels = np.array([[[7, 8], [9, 10]]])[..., None]
  padded = prepared(pixels, pad=(3, 4))[0, :, :, 0]
  assert padded.tolist() == [[0, 7, 8, 0], [0, 9, 10, 0], [0, 0, 0, 0]]
  # Resized first: the mean of 6, 8, 10 and 12 between two black columns.
  both = prepared(pixels * 2 - 8, resize=(1, 1), pad=[1, 3])[0, :, :, 0]
  assert both.tolist() == [[0, 9, 0]]


def test_crop_is_the_middle():
  pixels = np.arange(20).reshape(1, 4, 5, 1)
  assert prepared(pixels, crop=(2, 3))[0, :, :, 0].tolist() == [
      [6, 7, 8], [11, 12, 13]]


def test_fit_keeps_the_aspect():
  # 2 x 4, left half 10 and right half 90, into 2 x 2.
  pixels = np.repeat([[10, 90]], 2, axis=1).reshape(1, 1, 4, 1).repeat(2, 1)
  square = dict(resize=(2, 2), resample='box')
  assert prepared(pixels, **square)[0, 0, :, 0].tolist() == [10, 90]
  assert prepared(pixels, fit='crop', **square)[0, :, :, 0].tolist() == [
      [10, 90], [10, 90]]
  padded = prepared(pixels, fit='pad', background=(7,), **square)[0, :, :, 0]
  assert sorted(map(tuple, padded.tolist())) == [(7, 7), (10, 90)]
  # Of 3 x 5 into 2 x 2: 1.2 rows are 1; a stripe of 1 x 9 keeps its row.
  for shape, rows in (((1, 3, 5, 1), 1), ((1, 4, 5, 1), 2), ((1, 1, 9, 1), 1)):
    full = prepared(np.full(shape, 90), fit='pad', **square)[0, :, :, 0]
    assert (full == 90).all(1).sum() == rows
  # Of 5 x 8 into 2 x 3 all 7.5, or 8, columns are kept; of 9 x 1 one row.
  ramp = 30 * np.arange(8)[None, None, :, None].repeat(5, 1)
  np.testing.assert_array_equal(prepared(ramp, fit='crop', resize=(2, 3)),
                                prepared(ramp, resize=(2, 3)))
  assert prepared(np.full((1, 9, 1, 1), 90), fit='crop', resize=(1, 20)).shape[
      1:3] == (1, 20)


def test_channels():
  grey = np.full((1, 2, 2, 1), 60)
  assert prepared(grey, channels=3).tolist() == np.full((1, 2, 2, 3),
                                                        60).tolist()
  red = np.zeros((1, 1, 1, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
  assert prepared(red, channels=1).ravel().tolist() == [76]  # 0.299 * 255
  assert prepared(red, channels=4).ravel().tolist() == [255, 0, 0, 255]


def test_alpha_is_composited_on_the_background():
  pixel = np.array([200, 100, 0, 51], np.uint8).reshape(1, 1, 1, 4)
  # A fifth of the colour, four fifths of the background.
  assert prepared(pixel, channels=3).ravel().tolist() == [40, 20, 0]
  assert prepared(pixel, channels=3, background=(0, 100, 200)).ravel(
      ).tolist() == [40, 100, 160]
  grey = np.array([200, 51], np.uint8).reshape(1, 1, 1, 2)
  assert prepared(grey, channels=1, background=(255,)).ravel().tolist() == [244]
  # As grey, blue is 29: 0.2 * 200 + 0.8 * 29; among colours it stays blue.
  blue = dict(background=(0, 0, 255))
  assert prepared(grey, channels=1, **blue).ravel().tolist() == [63]
  assert prepared(grey, channels=3, **blue).ravel().tolist() == [40, 40, 244]
  assert prepared(grey[..., :1], pad=(1, 2), **blue).ravel().tolist() == [
      200, 29]


@pytest.mark.parametrize('given, argument', [
    (dict(crop=(6, 6)), 'crop'), (dict(crop=(5, 7)), 'crop'),
    (dict(pad=(4, 6)), 'pad'), (dict(pad=(5, 5)), 'pad'),
    (dict(crop=(5, 5), pad=(5, 4)), 'pad'), (dict(background=(256,)), ''),
    (dict(background=(-1,)), ''), (dict(resize=(0, 5)), 'resize'),
    (dict(resize=(2.5, 3)), 'resize')])
def test_what_does_not_fit_is_refused(given, argument):
  with pytest.raises(ArgumentError, match=argument or 'background'):
    Geometry(**given).checked().check(5, 6, 4)


def test_what_just_fits_is_not_refused():
  for given in (dict(crop=(5, 6)), dict(pad=(5, 6)),
                dict(background=(0, 255, 0), pad=(9, 9))):
    Geometry(**given).checked().check(5, 6, 4)
  Geometry(background=(9,)).check_unused('there is nothing to be put on it')


def test_images_that_have_their_size_are_not_copied():
  pixels = np.zeros((2, 5, 6, 1), np.uint8)
  for given in (dict(resize=(5, 6)), dict(crop=(5, 6), channels=1)):
    assert Geometry(**given).images(pixels, '') is pixels


def test_four_channels_of_an_array_are_alpha_only_if_the_user_says_so():
  given, array = Geometry(resize=(2, 3)), types.SimpleNamespace(
      height=4, width=5, channels=4, colour=True)
  assert given.settled([array], '') == (given, (2, 3, 4))
  # The channels of a file are chosen here.
  array.channels = 0
  assert given.settled([array], '') == (given._replace(channels=3), (2, 3, 3))


def test_what_older_versions_made_otherwise_has_another_key():
  assert 'weighted' in Geometry(channels=4, resize=(2, 2)).key()
  assert 'coloured' in Geometry(background=(0, 0, 255)).key()
  for other in (dict(channels=4), dict(channels=3, resize=(2, 2))):
    assert Geometry(**other).key() == Geometry(**other)


# Plain PNG and JPEG files, which are decoded without Pillow.


def pillows(data):
  """What Pillow makes of a file, uint8 [h, w, c]."""
  with Image.open(io.BytesIO(data)) as image:
    array = np.asarray(image)
  return array if array.ndim == 3 else array[..., None]


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA'])
@pytest.mark.parametrize('form', ['PNG', 'JPEG'])
def test_plain_files_are_as_pillow_decodes_them(form, mode):
  if form == 'JPEG' and 'A' in mode:
    return
  image = Image.fromarray(NOISE).resize((50, 31), 3).convert('RGBA')
  image.putalpha(Image.fromarray(NOISE[..., 0]).resize((50, 31)))
  for more in ({}, dict(optimize=True), dict(progressive=True)):
    data = encoded(image.convert(mode), form, **more)
    header = codec.read_header(data)
    assert header[:3] == (31, 50, 'RGB' in mode)
    assert header.notes == ('alpha',) * ('A' in mode)
    np.testing.assert_array_equal(codec.decode(data), pillows(data))
  # A text makes it a file for Pillow; the pixels are the same.
  if form == 'PNG':
    info = PngImagePlugin.PngInfo()
    info.add_text('Author', 'somebody')
    other = encoded(image.convert(mode), pnginfo=info)
    assert codec.read_header(other) == header
    np.testing.assert_array_equal(codec.decode(other), codec.decode(data))


@pytest.mark.parametrize('progressive', [False, True])
def test_a_jpeg_that_is_cut_off_is_damaged(progressive):
  """The library makes grey of what is missing."""
  data = encoded(NOISE, 'JPEG', progressive=progressive)
  scan = data.index(b'\xff\xda')
  for size in (scan + 200, (scan + len(data)) // 2, len(data) - 2):
    codec.read_header(data[:size])
    with pytest.raises(codec.BadImageError, match='truncated'):
      codec.decode(data[:size])


def test_deep_grey_is_as_pillow_decodes_it():
  deep = (NOISE[..., 0].astype(np.uint16) << 8) + NOISE[..., 1]
  data = encoded(deep)
  assert codec.read_header(data).kind == 'bits'
  rounded = (deep[..., None].astype(int) * 510 + 65535) // 131070
  np.testing.assert_array_equal(codec.decode(data, 0, 65535), rounded)
  assert codec.span(data)[:3] == ('bits', deep.min(), deep.max())


def test_every_flipped_bit_of_a_plain_png_is_found():
  data = encoded(GREY)
  for i in range(8, len(data) - 12):  # between the signature and the end
    for bit in range(8):
      flipped = bytearray(data)
      flipped[i] ^= 1 << bit
      with pytest.raises(codec.BadImageError):
        codec.read_header(bytes(flipped))
        codec.decode(bytes(flipped))
  for size in range(len(data) - 12):
    with pytest.raises(codec.BadImageError):
      codec.read_header(data[:size])
      codec.decode(data[:size])
