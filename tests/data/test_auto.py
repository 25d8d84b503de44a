"""data=auto finds the set of a path; the others name it where it is another."""

import gzip
import os

import numpy as np
import pytest
from arrays import fails, idx_bytes, load
from image_files import encoded, put
from set_files import dicom, hdf5, lmdb, parquet, tarred, zipped

from gan_jax.data import sniff

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 8, 9), np.uint8)


def make(kind, home):
  """The three images in a path whose suffix says nothing."""
  path = home / 'data.bin'
  files = {f'{i}.png': encoded(image) for i, image in enumerate(PIXELS)}
  if kind == 'folder':
    for name, content in files.items():
      put(path / name, content)
  elif kind == 'zip':
    zipped(path, files)
  elif kind == 'webdataset':
    tarred(path, files)
  elif kind == 'hdf5':
    hdf5(path, imgs=PIXELS)
  elif kind == 'parquet':
    parquet(path, {'image': list(files.values())})
  elif kind == 'lmdb':
    lmdb(path, {k.encode(): v for k, v in files.items()})
  elif kind == 'dicom':
    for i, image in enumerate(PIXELS):
      dicom(path / f'{i}', image, BitsStored=8, HighBit=7)
  elif kind == 'idx':
    path.write_bytes(idx_bytes(PIXELS))
  else:
    with open(path, 'wb') as file:
      np.savez(file, x=PIXELS) if kind == 'npz' else np.save(file, PIXELS)
  return path


KINDS = ('folder', 'zip', 'webdataset', 'hdf5', 'parquet', 'lmdb', 'dicom',
         'npy', 'npz', 'idx')


@pytest.mark.parametrize('kind', KINDS)
def test_content_decides(tmp_path, kind):
  path = make(kind, tmp_path)
  source = load(name='auto', path=str(path))
  np.testing.assert_array_equal(source.images[..., 0], PIXELS)
  assert source.report['notices'][0] == f'read as data={kind}'
  source = load(name='auto', path=str(path), resize=(4, 4))
  assert source.images.shape == (3, 4, 4, 1)
  if kind not in ('folder', 'idx'):
    fails(f'use data={kind}', call=lambda: load(name='folder', path=str(path)))
  if kind not in ('npz', 'idx', 'folder'):
    fails(f'data={kind}', call=lambda: load(name='npz', path=str(path)))


def test_options_are_those_of_the_set_found(tmp_path):
  path = make('npy', tmp_path)
  fails('data=npy and has no split', "labels",
        call=lambda: load(name='auto', path=str(path), split='train'))
  source = load(name='auto', path=str(path), value_range=(0, 510))
  assert source.images[:].max() == 128
  assert load(name='auto', path=str(make('folder', tmp_path / 'x')),
              labels='none').num_classes == 0


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('damage', ['truncated', 'empty'])
def test_damaged_files_end_with_status_3_and_nothing_written(
    cli, tmp_path, kind, damage):
  path = make(kind, tmp_path)
  file = {'folder': path / '1.png', 'lmdb': path / 'data.mdb',
          'dicom': path / '1'}.get(kind, path)
  data = file.read_bytes()
  if kind == 'webdataset':
    data = data[:4096]  # its half ends between two members
  file.write_bytes(data[:len(data) // 2 if damage == 'truncated' else 0])
  where = 'images' if kind == 'idx' else 'path'
  status, _, said = cli(
      '--mode=inspect', f'--config=dcgan:data={kind}', f'--out={tmp_path}/out',
      f'--config.data.{where}={path}')
  # A file of DICOM without a suffix and without content is none.
  if (kind, damage) == ('dicom', 'empty'):
    assert status == 0 and os.path.exists(tmp_path / 'out')
    return
  assert status == 3 and str(file if kind == 'lmdb' else path) in said, said
  assert len(said.strip().splitlines()) == 1 and 'Traceback' not in said
  assert not os.path.exists(tmp_path / 'out')
  assert not list((tmp_path / 'cache').rglob('images.npy'))


def test_a_gzipped_idx_and_the_file_of_an_lmdb(tmp_path):
  path = tmp_path / 'a.gz'
  path.write_bytes(gzip.compress(idx_bytes(PIXELS)))
  for where in (path, make('lmdb', tmp_path) / 'data.mdb'):
    source = load(name='auto', path=str(where))
    np.testing.assert_array_equal(source.images[..., 0], PIXELS)


def test_a_gzipped_array_is_no_damaged_one(tmp_path):
  path = tmp_path / 'a.npy.gz'
  path.write_bytes(gzip.compress(make('npy', tmp_path).read_bytes()))
  for name in ('auto', 'npy'):
    fails('a gzip file', call=lambda name=name: load(name=name, path=str(path)))


def test_paths_that_hold_nothing(tmp_path):
  (tmp_path / 'a').write_bytes(b'text')
  fails('none of the known formats',
        call=lambda: load(name='auto', path=str(tmp_path / 'a')))
  fails('no such file',
        call=lambda: load(name='auto', path=str(tmp_path / 'b')))
  (tmp_path / 'c').mkdir()
  fails('this folder is empty',
        call=lambda: load(name='auto', path=str(tmp_path / 'c')))
  assert sniff.kind_of(str(tmp_path / 'c')) == ''
