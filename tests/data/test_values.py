"""How stored numbers become bytes: depth, floats, black and white."""

import numpy as np
import pytest
from arrays import fails, load, npz
from image_files import GREY, encoded, put
from sets import folder

from gan_jax.base.errors import ArgumentError
from gan_jax.data import values


def write(root, arrays, form='PNG', **more):
  for i, array in enumerate(arrays):
    put(root / f'{i}.{form.lower()}', encoded(array, form, **more))


def read(root, **options):
  source = folder(path=root, **options)
  return np.asarray(source.images[..., 0]), source.report['notices']


def test_the_bits_that_a_set_uses_are_its_range(root):
  """12 bits of a detector in 16: white is 4095, not 65535."""
  write(root, [GREY.astype(np.uint16) * 16, np.full((2, 3), 1, np.uint16)])
  images, notices = read(root)
  np.testing.assert_array_equal(images[0], np.rint(GREY * (16 * 255 / 4095)))
  assert len(notices) == 1 and '12 are used' in notices[0]
  assert '4095 is white' in notices[0]
  images, notices = read(root, value_range=(0, 65535))
  np.testing.assert_array_equal(images[0], np.rint(GREY * (16 / 257)))
  assert 'nearly black' in notices[0] and '(0, 4095)' in notices[0]
  images, notices = read(root, value_range='data')
  assert images.max() == 255 and images[1, 0, 0] == 0
  assert '0..4080 are black and white' in notices[0]


def test_each_depth_of_a_mixed_folder_has_its_own_white(root):
  write(root, [GREY, GREY.astype(np.uint16) * 16])
  images, notices = read(root)
  np.testing.assert_array_equal(images[0], GREY)
  assert np.abs(images[1].astype(int) - GREY).max() <= 1
  assert notices[0].startswith('1 of 2 images: of 16 bits 12')
  # What it advises makes the others black.
  assert notices[0].endswith('otherwise, for all images: to scale these alone, '
                             'save them as 8 bits')
  assert read(root, value_range=(0, 65535))[0][0].max() <= 1


def test_a_nearly_black_set_is_said(root):
  write(root, [np.array([[0, 1], [2, 2]], np.uint8)])
  images, notices = read(root)
  assert images.max() == 2 and 'largest value is 2, white is 255' in notices[0]
  images, notices = read(root, value_range=(0, 2))
  assert images[0].tolist() == [[0, 128], [255, 255]]
  write(root, [GREY])
  assert read(root)[1] == []


def test_floating_point_files_need_a_range(root):
  write(root, [GREY / np.float32(255), GREY / np.float32(510)], 'TIFF')
  for options in ({}, {'on_bad_image': 'skip', 'max_bad': 0.9}):
    fails('2 of 2 images with floating-point values 0..1 of unknown range: '
          "value_range=(0, 1) or 'data' says it",
          call=lambda options=options: folder(path=root, **options))
  for value_range in ((0, 1), '(0, 1)', 'data'):
    images, _ = read(root, value_range=value_range)
    np.testing.assert_array_equal(images[0], GREY)
    assert images[1].max() == 128
    assert folder(path=root, value_range=value_range).images.shape[3] == 1
  spec = dict(name='folder', path=str(root), value_range=(0.0, 2.0))
  assert load(**spec).images[:].max() == 128
  write(root, [np.full((2, 3), np.nan, np.float32)], 'TIFF')
  fails('0.tiff', 'NaN', call=lambda: folder(path=root, value_range=(0, 1)))


def test_signed_and_wide_integers_need_a_range(root):
  write(root, [np.array([[-1000, 0], [1000, 3000]], np.int32)], 'TIFF')
  fails('-1000..3000', 'value_range=(-1024, 3071)',
        call=lambda: folder(path=root))
  images, _ = read(root, value_range=(-1000, 1000))
  assert images[0].tolist() == [[0, 128], [255, 255]]


def test_white_is_zero_at_any_depth(root):
  """PhotometricInterpretation 0, which Pillow heeds for 8 bits only."""
  # Pillow inverts 8 bits as it writes, too.
  for array, wanted in ((GREY, GREY),
                        (GREY.astype(np.uint16) * 257, 255 - GREY)):
    write(root, [array], 'TIFF', tiffinfo={262: 0})
    images, _ = read(root)
    np.testing.assert_array_equal(images[0], wanted)


@pytest.mark.parametrize('array, words', [
    (GREY / np.float32(255) - np.float32(0.5), ['-0.5..0.5', '(-0.5, 0.5)']),
    (GREY.astype(np.uint16) * 16, ['12 bits', 'value_range=(0, 4095)']),
    (GREY.astype(np.int64) - 5, ['-5..250', 'value_range']),
])
def test_arrays_of_another_range(tmp_path, array, words):
  path = npz(tmp_path, images=array[None])
  fails(*words, call=lambda: load(name='npz', path=path))
  source = load(name='npz', path=path, value_range='data')
  np.testing.assert_array_equal(source.images[0, ..., 0], GREY)
  assert 'black and white' in source.report['notices'][0]


@pytest.mark.parametrize('given', [
    'all', '', (1,), (1, 0), (0, 0), (0, float('nan')), '(0, 1', 3, None,
    ('a', 'b'), '__import__("os")'])
def test_bad_ranges(given):
  with pytest.raises(ArgumentError, match='value_range='):
    values.Scale(given).checked()


@pytest.mark.parametrize('shape, words', [
    ((2, 28, 28, 28), ['volumes', "slices='axial'", '28 channels']),
    ((2, 9, 6, 6), ['volumes', 'the 9 slices']),
    ((64, 12, 64, 64), ['[N, C, H, W]', 'transpose(0, 2, 3, 1)', 'slices']),
])
def test_volumes_and_channels_first(tmp_path, shape, words):
  pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  path = npz(tmp_path, images=pixels, labels=np.arange(shape[0]))
  fails(*words, call=lambda: load(name='npz', path=path))
  assert load(name='npz', path=path, holds='images').images.shape == shape
  for axis, slices in enumerate(('axial', 'coronal', 'sagittal'), 1):
    source = load(name='npz', path=path, slices=slices)
    moved = np.moveaxis(pixels, axis, 1)
    np.testing.assert_array_equal(
        source.images[..., 0], moved.reshape(-1, *moved.shape[2:]))
    assert (source.labels == np.repeat(np.arange(shape[0]),
                                       moved.shape[1])).all()


def test_one_of_several_labels(tmp_path):
  labels = np.random.default_rng(0).integers(0, 2, (9, 14), np.uint8)
  path = npz(tmp_path, images=np.zeros((9, 5, 6), np.uint8), labels=labels)
  source = load(name='npz', path=path)
  np.testing.assert_array_equal(source.labels, labels)
  assert 'label_index=0 to 13' in source.report['notices'][-1]
  for wrong in (14, -2):
    fails(f'label_index={wrong}', 'from 0 to K - 1', call=lambda i=wrong: load(
        name='npz', path=path, label_index=i))
  source = load(name='npz', path=path, label_index=3)
  assert source.labels.tolist() == labels[:, 3].tolist()


def test_units_by_hand():
  floats = np.float32([-1, 0, 0.5, 1])
  got = values.in_units(floats, (-1000, 3000))
  assert got.dtype == np.float32 and got.tolist() == [-1000, 1000, 2000, 3000]
  assert values.from_units(got, (-1000, 3000)).tolist() == floats.tolist()
  assert values.in_units(floats, ()) is floats
  assert values.from_units(floats, ()) is floats


def test_numbers_of_64_bits():
  wide = np.array([0, 2 ** 59, 2 ** 60], np.uint64)
  assert values.scaled(wide, 0, 2 ** 60).tolist() == [0, 128, 255]
