"""Images in zip and tar files: pixels, labels, and what is refused."""

import gzip
import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import sets
from arrays import fails, load
from canary import Canary
from image_files import GREY, encoded
from set_files import tarred, zipped

from gan_jax.data import cache, files

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
NAMES = [f'00000/img{i:08d}.png' for i in range(6)]


def stylegan(path, labels):
  return zipped(path, {
      name: encoded(image) for name, image in zip(NAMES, PIXELS, strict=True)
  } | {'dataset.json': json.dumps({'labels': labels})})


def test_stylegans_zip(tmp_path):
  path = stylegan(tmp_path / 'a.zip', [[n, i % 3] for i, n in enumerate(NAMES)])
  source = sets.zip(path=path)
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.labels.tolist() == [0, 1, 2, 0, 1, 2]
  assert isinstance(source.images, cache.Stored)
  assert sets.zip(path=path, labels='none').num_classes == 0
  again = sets.zip(path=path)
  assert again.fingerprint == source.fingerprint
  source = load(name='zip', path=path, holdout=0.5, resize=(4, 4))
  assert len(source.images) + len(source.held_out.images) == 6
  path = stylegan(tmp_path / 'b.zip', None)
  source = sets.zip(path=path)
  assert source.num_classes == 0 and 'no labels' in source.report['notices'][0]


def test_folders_in_a_zip_are_classes(tmp_path):
  path = zipped(tmp_path / 'a.zip', {
      'pets/dog/1.png': encoded(PIXELS[0]),
      'pets/cat/2.png': encoded(PIXELS[1]),
      '__MACOSX/pets/cat/._2.png': b'mess', 'pets/readme.txt': 'x'},
      zipfile.ZIP_DEFLATED)
  source = sets.zip(path=path)
  assert source.class_names == ('cat', 'dog')
  np.testing.assert_array_equal(source.images, PIXELS[[1, 0]])
  fails('a.zip', 'l.csv', call=lambda: sets.zip(path=path, labels='l.csv'))


def test_bad_members_are_all_named(tmp_path):
  path = tmp_path / 'a.zip'
  zipped(path, {
      'a.png': encoded(PIXELS[0]), 'b.png': b'', 'c.png': encoded(PIXELS[1]),
      'd.png': b'<html>'})
  data = bytearray(path.read_bytes())
  data[data.index(encoded(PIXELS[1])) + 100] ^= 1  # fails its checksum
  path.write_bytes(data)
  fails('3 of 4', "'b.png' empty", "'c.png' cannot be read", "'d.png' no image",
        call=lambda: sets.zip(path=path))
  source = sets.zip(path=path, on_bad_image='skip', max_bad=0.8)
  assert len(source.images) == 1 and len(source.report['refused']) == 3


def test_encrypted(tmp_path):
  path = tmp_path / 'a.zip'
  zipped(path, {'a.png': encoded(PIXELS[0])})
  data = bytearray(path.read_bytes())
  for magic, at in ((b'PK\3\4', 6), (b'PK\1\2', 8)):
    data[data.index(magic) + at] |= 1
  path.write_bytes(data)
  fails("'a.png' encrypted", 'password', call=lambda: sets.zip(path=path))


def test_what_leaves_the_archive(tmp_path):
  for name in ('../a.png', '/etc/a.png', 'x/../../a.png', 'C:/a.png'):
    zipped(tmp_path / 'a.zip', {name: encoded(PIXELS[0])})
    fails('leads out of the archive',
          call=lambda: sets.zip(path=tmp_path / 'a.zip'))


def test_a_bomb_is_told_by_its_header(tmp_path, monkeypatch):
  path = zipped(tmp_path / 'a.zip', {
      'a.png': encoded(PIXELS[0]), 'b.png': bytes(10 ** 6)},
      zipfile.ZIP_DEFLATED)
  monkeypatch.setattr('gan_jax.data.images.MAX_BYTES', 10 ** 5)
  fails("'b.png' too large", call=lambda: sets.zip(path=path))


def test_damaged_archives(tmp_path):
  path = tmp_path / 'a.zip'
  stylegan(path, None)
  path.write_bytes(path.read_bytes()[:-30])
  fails('a.zip', 'zip file', call=lambda: sets.zip(path=path))
  path.write_bytes(b'')
  fails('empty', call=lambda: sets.zip(path=path))
  zipped(path, {'a.txt': 'x'})
  fails('no image among its 1 files', call=lambda: sets.zip(path=path))
  path.write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(100))
  fails('use data=hdf5', call=lambda: sets.zip(path=path))
  np.savez(tmp_path / 'a.npz', images=PIXELS)
  fails('use data=npz', call=lambda: sets.zip(path=tmp_path / 'a.npz'))


# WebDataset.


def test_webdataset(tmp_path):
  canary = tmp_path / 'canary'
  for shard in range(2):
    members = {}
    for i in range(3 * shard, 3 * shard + 3):
      members |= {f'd/{i:04d}.png': encoded(PIXELS[i]),
                  f'd/{i:04d}.cls': b'%d\n' % (i % 2),
                  f'd/{i:04d}.json': json.dumps({'kind': 'ab'[i % 2]}).encode(),
                  f'd/{i:04d}.pyd': pickle.dumps(Canary(canary))}
    tarred(tmp_path / f'{shard}.tar', members)
  source = sets.webdataset(path=tmp_path)
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.labels.tolist() == [0, 1, 0, 1, 0, 1]
  source = sets.webdataset(path=tmp_path, label_key='kind')
  assert source.class_names == ('a', 'b')
  source = sets.webdataset(path=tmp_path / '1.tar', label_key='none')
  np.testing.assert_array_equal(source.images, PIXELS[3:])
  assert source.num_classes == 0 and not canary.exists()


def test_a_folder_of_very_many_files_is_read_whole(tmp_path, monkeypatch):
  for i in range(2):
    tarred(tmp_path / f'{i:05d}.tar', {f'{i}.png': encoded(PIXELS[i])})
  # Names for a message are cut, here at one.
  monkeypatch.setattr(files.list_folder, '__defaults__', (1,))
  assert files.list_folder(tmp_path) != files.list_folder(tmp_path, None)
  source = sets.webdataset(path=tmp_path)
  np.testing.assert_array_equal(source.images, PIXELS[:2])


def test_gzipped_shards_are_read_in_place(tmp_path):
  pytest.importorskip('indexed_gzip')
  for shard in range(2):
    tarred(tmp_path / f'{shard}.tar.gz', {
        f'{i}.{kind}': data for i in range(3 * shard, 3 * shard + 3)
        for kind, data in (('png', encoded(PIXELS[i])), ('cls', b'%d' % i))},
           ':gz')
  source = load(name='auto', path=str(tmp_path))
  np.testing.assert_array_equal(source.images, PIXELS)
  assert source.labels.tolist() == list(range(6))
  one = tmp_path / '0.tar.gz'
  whole = one.read_bytes()
  one.write_bytes(whole[:-200])
  fails('0.tar.gz', 'tar file', call=lambda: sets.webdataset(path=one))
  damaged = bytearray(whole)
  damaged[len(whole) // 2] ^= 255
  one.write_bytes(damaged)
  fails('0.tar.gz', call=lambda: sets.webdataset(path=one))
  one.write_bytes(gzip.compress(b'text'))
  fails('tar file', call=lambda: sets.webdataset(path=one))


def test_a_skipped_image_leaves_the_numbers_of_classes(tmp_path):
  tarred(tmp_path / 'a.tar', {
      'a.png': b'damaged', 'a.cls': b'ant', 'b.png': encoded(PIXELS[0]),
      'b.cls': b'bee', 'c.png': encoded(PIXELS[1]), 'c.cls': b'cat'})
  source = sets.webdataset(path=tmp_path, on_bad_image='skip', max_bad=0.5)
  assert source.class_names == ('ant', 'bee', 'cat')
  assert source.labels.tolist() == [1, 2]


def test_several_images_of_one_example_are_said(tmp_path):
  tarred(tmp_path / 'a.tar', {
      'a.png': encoded(PIXELS[0]), 'a.mask.png': encoded(PIXELS[1]),
      'a.cls': b'ant', 'b.png': encoded(PIXELS[2]), 'b.cls': b'bee'})
  source = sets.webdataset(path=tmp_path)
  assert source.labels.tolist() == [0, 0, 1]
  said, = source.report['notices']
  assert said.startswith('2 examples have 3 images, all of which are taken')
  assert "'a.tar/a.mask.png'" in said


def test_more_shards_than_can_be_open(tmp_path):
  for i in range(80):
    tarred(tmp_path / f'{i:02}.tar', {'a.png': encoded(PIXELS[i % 6])})
  code = (f'import resource; resource.setrlimit(resource.RLIMIT_NOFILE, '
          f'(60, 60)); from gan_jax.data import sources; '
          f'print(len(sources.webdataset(path={str(tmp_path)!r}).images))')
  done = subprocess.run([sys.executable, '-c', code], capture_output=True,
                        text=True, check=False)
  assert done.stdout == '80\n', done.stderr


def test_labels_that_are_no_labels(tmp_path):
  tarred(tmp_path / 'a.tar', {'a.png': encoded(GREY),
                              'a.json': b'{"label": [0, 1]}'})
  fails('a.json', '[0, 1]', "label_key='none'",
        call=lambda: sets.webdataset(path=tmp_path))


def test_bad_tars(tmp_path):
  def call(**options):
    return lambda: sets.webdataset(path=tmp_path / 'a.tar', **options)
  tarred(tmp_path / 'a.tar', {'a.png': encoded(GREY), 'a.cls': b'1',
                              'b.png': encoded(GREY + np.uint8(1))})
  fails('1 of 2 images have no label', 'b.png', call=call())
  tarred(tmp_path / 'a.tar', {'../a.png': encoded(GREY)})
  fails('leads out of the archive', call=call())
  tarred(tmp_path / 'a.tar', {'a.txt': b'x'})
  fails('no image', call=call())
  tarred(tmp_path / 'a.tar', {'a.png': encoded(GREY), 'b.png': b'x'})
  fails('1 of 2', "'a.tar/b.png' no image", call=call())
  data = (tmp_path / 'a.tar').read_bytes()
  for size in (600, 300):
    (tmp_path / 'a.tar').write_bytes(data[:size])
    fails('a.tar', 'truncated', call=call())
  zipped(tmp_path / 'a.tar', {'a.png': encoded(GREY)})
  fails('use data=zip', call=call())
  (tmp_path / 'a.tar').unlink()
  fails('no .tar file', call=lambda: sets.webdataset(path=tmp_path))


@pytest.mark.parametrize('name', ['zip', 'webdataset'])
def test_no_such_path(tmp_path, name):
  fails('no such file', call=lambda: load(name=name, path=f'{tmp_path}/absent'))
