"""Images in HDF5 and npy: pixels, labels, and what is refused."""

import os

import numpy as np
import pytest
import sets
from arrays import fails, load
from set_files import hdf5

from gan_jax.data import cache

h5py = pytest.importorskip('h5py')

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), np.uint8)
LABELS = np.arange(300) % 3


@pytest.mark.parametrize('chunks', [None, 7, 200])
def test_biggans_hdf5(tmp_path, chunks):
  path = hdf5(tmp_path / 'a.hdf5', chunks, imgs=np.moveaxis(PIXELS, -1, 1),
              labels=LABELS)
  source = sets.hdf5(path=path)
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.labels.tolist() == LABELS.tolist() and source.num_classes == 3
  assert 'turned' in source.report['notices'][0]
  source = load(name='hdf5', path=path, holdout=0.3, resize=(4, 4))
  assert 0 < len(source.held_out.images) < 300


def test_layouts_and_numbers_of_hdf5(tmp_path):
  path = hdf5(tmp_path / 'a.h5', x=PIXELS / np.float32(255), y=LABELS)
  np.testing.assert_array_equal(sets.hdf5(path=path).images, PIXELS)
  path = hdf5(tmp_path / 'b.h5', data=PIXELS[..., 0].astype(np.uint16) * 16)
  fails('value_range=(0, 4095)', call=lambda: sets.hdf5(path=path))
  source = sets.hdf5(path=path, value_range=(0, 4080))
  np.testing.assert_array_equal(source.images[..., 0], PIXELS[..., 0])
  many = np.concatenate([PIXELS] * 4, -1)
  path = hdf5(tmp_path / 'c.h5', **{'train/data': many, 'names': LABELS})
  np.testing.assert_array_equal(sets.hdf5(
      path=path, label_key='none', holds='images').images, many)
  path = hdf5(tmp_path / 'd.h5', imgs=many[:, :5, :5] > 99,
              labels=np.array([b'a', b'b', b'c'])[LABELS].astype('O'))
  source = sets.hdf5(path=path)
  np.testing.assert_array_equal(source.images, 255 * (many[:, :5, :5] > 99))
  assert source.class_names == ('a', 'b', 'c')


def test_arrays_of_one_file_are_not_mixed_up(tmp_path):
  """They have one path, size and date, and the second start trusts these."""
  path = hdf5(tmp_path / 'a.h5', a=PIXELS, b=PIXELS[::-1])
  os.utime(path, (0, 0))
  for key, wanted in (('a', PIXELS), ('b', PIXELS[::-1]), ('a', PIXELS)):
    np.testing.assert_array_equal(
        sets.hdf5(path=path, image_key=key).images, wanted)


def test_bytes_after_an_array_are_no_damage(tmp_path):
  np.save(tmp_path / 'a.npy', PIXELS)
  with open(tmp_path / 'a.npy', 'ab') as file:
    file.write(b'more')
  np.testing.assert_array_equal(sets.npy(path=tmp_path / 'a.npy').images,
                                PIXELS)


def test_slices_of_volumes(tmp_path):
  volumes = np.random.default_rng(1).integers(0, 256, (4, 5, 6, 6), np.uint8)
  path = hdf5(tmp_path / 'a.h5', images=volumes, labels=np.arange(4))
  fails('slices', call=lambda: sets.hdf5(path=path))
  np.save(tmp_path / 'a.npy', volumes)
  for axis, slices in enumerate(('axial', 'coronal', 'sagittal'), 1):
    source = sets.hdf5(path=path, slices=slices)
    moved = np.moveaxis(volumes, axis, 1)
    np.testing.assert_array_equal(
        source.images[..., 0], moved.reshape(-1, *moved.shape[2:]))
    assert source.labels.tolist() == np.repeat(
        np.arange(4), moved.shape[1]).tolist()
    other = sets.npy(path=tmp_path / 'a.npy', slices=slices)
    np.testing.assert_array_equal(other.images, source.images)


def test_bad_hdf5(tmp_path):
  path = tmp_path / 'a.h5'
  def call(**options):
    return lambda: sets.hdf5(path=path, **options)
  hdf5(path, imgs=PIXELS, labels=LABELS[:9])
  fails('[9]', '300 images', call=call())
  fails("image_key='faces': is no array in", call=call(image_key='faces'))
  hdf5(path, a=PIXELS, b=PIXELS)
  fails('image_key', "'b' uint8", call=call())
  data = path.read_bytes()
  path.write_bytes(data[:len(data) // 2])
  fails('damaged, truncated', call=call())
  path.write_bytes(b'')
  fails('empty', call=call())
  np.save(tmp_path / 'b.npy', PIXELS)
  fails('use data=npy', call=lambda: sets.hdf5(path=tmp_path / 'b.npy'))
  with h5py.File(path, 'w') as file:
    file.create_dataset('imgs', (4, 8, 8), 'u1', external=[('raw', 0, 256)])
  fails('other files', call=call())
  with h5py.File(path, 'w') as file:
    file['imgs'] = h5py.ExternalLink('other.h5', 'imgs')
    file['images'] = h5py.Empty('f')
  fails('0 arrays', call=call())


def test_a_bomb_is_told_by_its_header(tmp_path):
  path = tmp_path / 'a.h5'
  with h5py.File(path, 'w') as file:
    file.create_dataset('imgs', (10 ** 9, 64, 64), 'u1', chunks=(1, 64, 64))
  fails('4,096,000,000,000 bytes', 'bomb', call=lambda: sets.hdf5(path=path))


def test_a_damaged_chunk_and_nan_are_named(tmp_path):
  path = hdf5(tmp_path / 'a.h5', 100, imgs=PIXELS)
  with h5py.File(path) as file:
    where = file['imgs'].id.get_chunk_info(1).byte_offset
  data = bytearray((tmp_path / 'a.h5').read_bytes())
  data[where:where + 50] = bytes(50)
  (tmp_path / 'a.h5').write_bytes(data)
  fails('100 of 300', "'image 100' cannot be read", 'and 80 more',
        call=lambda: sets.hdf5(path=path))
  source = sets.hdf5(path=path, on_bad_image='skip', max_bad=0.5)
  np.testing.assert_array_equal(source.images,
                                np.delete(PIXELS, slice(100, 200), 0))
  values = PIXELS / np.float32(255)
  values[7, 0, 0, 0] = np.nan
  np.save(tmp_path / 'a.npy', values)
  fails('1 of 300', "'image 007' NaN",
        call=lambda: sets.npy(path=tmp_path / 'a.npy'))


def test_npy(tmp_path):
  path = tmp_path / 'a.npy'
  np.save(path, PIXELS)
  np.save(tmp_path / 'b.npy', LABELS)
  source = sets.npy(path=path)
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.num_classes == 0 and isinstance(source.images, cache.Stored)
  source = sets.npy(path=path, labels=str(tmp_path / 'b.npy'))
  assert source.labels.tolist() == LABELS.tolist()
  np.save(path, np.asfortranarray(PIXELS / 127.5 - 1))
  np.testing.assert_array_equal(sets.npy(path=path).images, PIXELS)


def test_bad_npy(tmp_path):
  path = tmp_path / 'a.npy'
  def call(**options):
    return lambda: sets.npy(path=path, **options)
  np.save(path, np.array([PIXELS[0], None], object))
  fails('a.npy', call=call())
  np.save(path, PIXELS)
  path.write_bytes(path.read_bytes()[:-9])
  fails('damaged, truncated', call=call())
  path.write_bytes(b'')
  fails('empty', call=call())
  path.write_bytes(b'text')
  fails('a.npy', call=call())
  np.save(path, np.moveaxis(PIXELS, -1, 1))
  fails('[N, C, H, W]', call=call())
  np.save(path, np.array(['a', 'b']))
  fails('are these the labels', call=call())


def test_a_fourth_channel_is_alpha_only_where_that_is_said(tmp_path):
  pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 4), np.uint8)
  def read(**options):
    np.save(tmp_path / 'a.npy', pixels)
    return load(name='npy', path=str(tmp_path / 'a.npy'), resize=(4, 4),
                **options).images[:]
  bands = read()
  assert (read(channels=4)[..., :3] != bands[..., :3]).any()
  pixels[..., 3] = 255
  np.testing.assert_array_equal(read(channels=4)[..., :3], bands[..., :3])
