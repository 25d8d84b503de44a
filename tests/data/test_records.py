"""Images in parquet and LMDB: pixels, labels, and what is refused."""

import pickle
import sys

import numpy as np
import pytest
import sets
from arrays import fails, load
from image_files import encoded
from set_files import lmdb as database
from set_files import parquet as write

pytest.importorskip('lmdb')
pytest.importorskip('pyarrow')

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), np.uint8)
FEATURES = {'image': {'_type': 'Image'},
            'label': {'_type': 'ClassLabel', 'names': ['ant', 'bee', 'cow']}}


def images(pixels=PIXELS):
  return [{'bytes': encoded(image), 'path': None} for image in pixels]


def test_hugging_faces_parquet(tmp_path):
  path = write(tmp_path / 'a.parquet', {
      'image': images(), 'label': [i % 2 for i in range(300)]}, FEATURES,
      row_group_size=70)
  source = sets.parquet(path=path)
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.labels.tolist() == [i % 2 for i in range(300)]
  assert source.num_classes == 3
  assert source.class_names == ('ant', 'bee', 'cow')
  source = load(name='parquet', path=path, resize=(2, 2), classes=(1,))
  assert source.images.shape == (150, 2, 2, 3)
  assert sets.parquet(path=path, label_key='none').num_classes == 0


def test_shards_and_splits(tmp_path):
  for i, name in enumerate(('train-00000-of-00002', 'train-00001-of-00002',
                            'test-00000-of-00001')):
    write(tmp_path / f'{name}.parquet', {
        'picture': [encoded(image) for image in PIXELS[2 * i:2 * i + 2]],
        'class': ['dog', 'cat']})
  source = sets.parquet(path=tmp_path)
  np.testing.assert_array_equal(source.images, PIXELS[:4])
  assert source.class_names == ('cat', 'dog')
  assert source.labels.tolist() == [1, 0, 1, 0]
  assert 'split train' in source.report['notices'][0]
  source = sets.parquet(path=tmp_path, split='test')
  np.testing.assert_array_equal(source.images, PIXELS[4:6])
  fails("split='dev'", 'train',
        call=lambda: sets.parquet(path=tmp_path, split='dev'))


def test_files_of_one_name_in_several_folders(tmp_path):
  """As Hugging Face converts sets: default/train/0000.parquet."""
  for i, folder in enumerate(('default/train', 'default/test', 'a', 'b')):
    (tmp_path / folder).mkdir(parents=True)
    write(tmp_path / folder / '0000.parquet', {
        'image': images(PIXELS[2 * i:2 * i + 2]), 'label': [2 * i, 2 * i + 1]})
  source = sets.parquet(path=tmp_path / 'default')
  np.testing.assert_array_equal(source.images, PIXELS[:2])
  assert source.labels.tolist() == [0, 1]
  source = sets.parquet(path=tmp_path / 'default', split='test')
  np.testing.assert_array_equal(source.images, PIXELS[2:4])
  source = sets.parquet(path=tmp_path / 'default', split='all')
  np.testing.assert_array_equal(source.images, PIXELS[[2, 3, 0, 1]])
  for folder in ('train', 'test'):
    (tmp_path / 'default' / folder / '0000.parquet').unlink()
  source = sets.parquet(path=tmp_path)  # folders that are no splits
  np.testing.assert_array_equal(source.images, PIXELS[4:8])
  assert source.class_names == ('4', '5', '6', '7')


def test_bad_rows_are_all_named(tmp_path):
  column = images(PIXELS[:4])
  column[1], column[2] = None, {'bytes': b'<html>', 'path': None}
  column.append({'bytes': None, 'path': 'a.png'})
  path = write(tmp_path / 'a.parquet', {'image': column})
  fails('3 of 5', 'row 1', 'null', 'row 2', 'web page', 'row 4',
        call=lambda: sets.parquet(path=path))
  source = sets.parquet(path=path, on_bad_image='skip', max_bad=0.7)
  np.testing.assert_array_equal(source.images, PIXELS[[0, 3]])


def test_lists_and_several_columns_of_labels(tmp_path):
  path = tmp_path / 'a.parquet'
  def read(features=None, label_key='', **columns):
    write(path, {'image': images(PIXELS[:3]), **columns}, features)
    return load(name="parquet", path=path, label_key=label_key)
  kinds = {'_type': 'ClassLabel', 'names': ['ant', 'bee', 'cow']}
  for feature in ([kinds], {'_type': 'Sequence', 'feature': kinds}):
    source = read({'image': {'_type': 'Image'}, 'label': feature},
                  label=[[1, 2], [], [2]])
    assert source.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert source.label_columns == (('bee', 0, 1), ('cow', 0, 1))
  source = read(label=[['b', 'a'], ['a', 'b'], ['a']])
  assert source.labels.tolist() == [[1, 1], [1, 1], [1, 0]]
  source = read(label=[[0.5, 8.0], [1.5, 9.0], [1.0, 8.5]])
  assert source.labels.tolist() == [[0, 0], [1, 1], [0.5, 0.5]]
  assert source.label_columns == (('0', 0.5, 1.5), ('1', 8.0, 9.0))
  assert read(label=[0.5, 1.5, 1.0]).label_columns == (('label', 0.5, 1.5),)
  two = {'image': {'_type': 'Image'}, 'a': kinds, 'b': kinds}
  fails('several columns', "['a', 'b']", call=lambda: read(
      two, a=[0, 1, 1], b=[2, 2, 2]))
  source = read(two, 'a,b', a=[0, 1, 1], b=[2, 2, 0])
  assert source.labels.tolist() == [[1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0]]
  assert [column.name for column in source.label_columns] == [
      'a=ant', 'a=bee', 'b=ant', 'b=cow']
  source = read(two, 'b', a=[0, 1, 1], b=[2, 2, 2])
  assert source.labels.tolist() == [2, 2, 2] and source.num_classes == 3


def test_bad_parquet(tmp_path):
  path = tmp_path / 'a.parquet'
  def call(**options):
    return lambda: sets.parquet(path=path, **options)
  write(path, {'x': [1.0, 2.0]})
  fails('0 columns may be the images', "'x'", call=call())
  write(path, {'image': images(PIXELS[:2]), 'label': [0, None]})
  fails('1 images without a label', call=call())
  fails("names 'kind', no column of", call=call(label_key='kind'))
  write(path, {'image': images(PIXELS[:0])})
  fails('image', call=call())
  write(path, {'image': images(PIXELS[:2]), 'label': [0.5, float('nan')]})
  fails('1 images without a label', 'image 1', call=call())
  path.write_bytes(path.read_bytes()[:-20])
  fails('damaged, truncated', call=call())
  path.write_bytes(b'')
  fails('empty', call=call())
  path.write_bytes(b'\x93NUMPY' + bytes(100))
  fails('use data=npy', call=call())


def test_a_bomb_is_told_by_its_header(tmp_path):
  path = write(tmp_path / 'a.parquet', {'image': [bytes(10 ** 8)]},
               compression='zstd')
  fails('declares 100,', 'bomb', call=lambda: sets.parquet(path=path))


def test_the_error_names_the_extra(tmp_path, monkeypatch):
  path = write(tmp_path / 'a.parquet', {'image': images(PIXELS[:2])})
  monkeypatch.setitem(sys.modules, 'pyarrow.parquet', None)
  fails('pyarrow', 'gan_jax[parquet]', call=lambda: sets.parquet(path=path))


def test_lmdb_of_lsun(tmp_path):
  path = database(tmp_path / 'a', {
      b'%040x' % i: encoded(image) for i, image in enumerate(PIXELS)
  } | {b'length': b'300'})
  source = sets.lmdb(path=path)
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.num_classes == 0
  assert len(sets.lmdb(path=path / 'data.mdb').images) == 300
  # What the meta page counts and the file lacks would be a bus error.
  file = path / 'data.mdb'
  file.write_bytes(file.read_bytes()[:40_000])
  fails('truncated', call=lambda: sets.lmdb(path=path))
  file.write_bytes(bytes(9000))
  fails('damaged, or no LMDB', call=lambda: sets.lmdb(path=path))
  file.write_bytes(b'')
  fails('empty', call=lambda: sets.lmdb(path=path))


def test_pickles_in_an_lmdb_are_never_loaded(tmp_path):
  path = database(tmp_path / 'a', {b'0': encoded(PIXELS[0]), b'1':
                                   pickle.dumps((PIXELS[0], 3))})
  fails('1 of 2', "'1' no image", 'a pickle, which is never loaded',
        call=lambda: sets.lmdb(path=path))
