"""Bad files: one clear error each, and no code of theirs ever runs."""

import gzip
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from arrays import fails, idx_bytes, images, npz, write

from gan_jax.base.errors import DataError
from gan_jax.data import files, sources


class Canary:
  """Unpickled, it would write a file."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return open, (self.path, 'w')


def test_no_code_runs(tmp_path):
  canary = tmp_path / 'canary'
  hostile = np.empty(3, object)
  hostile[:] = [Canary(canary)] * 3
  objects = npz(tmp_path, images=hostile)
  labels = tmp_path / 'labels.npz'
  np.savez(labels, images=images(), labels=hostile)
  plain = write(tmp_path / 'plain.npz', pickle.dumps(hostile))
  proto0 = write(tmp_path / 'proto0.npz', pickle.dumps(hostile, 0))
  pickled = write(tmp_path / 'idx', pickle.dumps(hostile))
  # A member named as the key itself, which np.load would prefer.
  member = tmp_path / 'member.npz'
  np.savez(member, images=images())
  with zipfile.ZipFile(member, 'a') as archive:
    stream = io.BytesIO()
    np.save(stream, hostile)
    archive.writestr('images', stream.getvalue())
  fails('objects', 'pickle', call=lambda: sources.npz(path=objects,
                                                      image_key='images'))
  fails("'labels'", 'pickle', call=lambda: sources.npz(path=labels))
  fails('plain.npz', 'pickle', call=lambda: sources.npz(path=plain))
  fails('proto0.npz', 'zip', call=lambda: sources.npz(path=proto0))
  fails('IDX', 'pickle', call=lambda: sources.idx(images=pickled))
  assert len(sources.npz(path=member).images) == 3
  assert not canary.exists()
  with pickle.loads(pickle.dumps(Canary(canary))):
    assert canary.exists()  # the canary does sing


def test_truncated_or_flipped_npz(tmp_path):
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (4, 16, 16), np.uint8)
  for save in np.savez, np.savez_compressed:
    path = tmp_path / 'set.npz'
    save(path, images=pixels, labels=np.arange(4))
    data, digest = path.read_bytes(), sources.npz(path=path).fingerprint
    for size in range(0, len(data), 37):
      write(path, data[:size])
      fails('set.npz', call=lambda path=path: sources.npz(path=path))
    for bit in rng.integers(0, 8 * len(data), 400):
      flipped = bytearray(data)
      flipped[bit // 8] ^= 1 << bit % 8
      write(path, flipped)
      try:  # a flip in a name or date may be harmless, never in the pixels
        source = sources.npz(path=path)
        assert source.images.shape == (4, 16, 16, 1)
        np.testing.assert_array_equal(source.images[..., 0], pixels)
        assert source.num_classes == 0 or source.fingerprint == digest
      except DataError:
        pass


@pytest.mark.parametrize('header', [
    "{'descr': '|u1', 'fortran_order': False, 'shape': (9, 9, 9)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 9999, 9999)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -8, 2)}",
    "{'descr': '|u1', 'shape': (2, 4, 4)}",
    "{'descr': 'zz', 'fortran_order': False, 'shape': (2, 4, 4)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 4",
    "__import__('os').system('false')", '((((', "'''", '\0', '{[]: 1}',
])
def test_lying_npy_headers(tmp_path, header):
  text = header.encode().ljust(117) + b'\n'
  member = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text
  path = tmp_path / 'set.npz'
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('images.npy', member + bytes(32))
  fails('set.npz', call=lambda: sources.npz(path=path))


def test_other_files_as_npz(tmp_path):
  array = io.BytesIO()
  np.save(array, images())
  empty = io.BytesIO()
  with zipfile.ZipFile(empty, 'w') as archive:
    archive.writestr('readme.txt', 'hello')
  for data, word in (
      (array.getvalue(), 'npy array'), (empty.getvalue(), 'without npy arrays'),
      (b'<!DOCTYPE html>', 'web page'), (b'version https://git-lfs', 'LFS'),
      (b'', '0 bytes'), (b'hello', 'unknown format')):
    path = write(tmp_path / 'x.npz', data)
    fails('x.npz', word, call=lambda path=path: sources.npz(path=path))


def test_bad_paths(tmp_path):
  folder = str(tmp_path)
  npz(tmp_path, images=images())
  def call(path):
    return lambda: sources.npz(path=path)
  fails(f'{folder}/sets.npz', "did you mean 'set.npz'",
        call=call(f'{folder}/sets.npz'))
  fails('no such file', "holds 'set.npz'", call=call(f'{folder}/zzzz'))
  fails("'/nowhere'", 'does not exist', call=call('/nowhere/x.npz'))
  fails('directory', "'set.npz'", call=call(folder))
  fails('regular files', call=call('/dev/zero'))
  fails("''", 'non-empty', call=call(''))
  fails('None', call=call(None))
  fails('no such file', call=call('a\0b'))
  fails('a\\nb', call=call(f'{folder}/a\nb'))  # one line, whatever the name
  os.mkfifo(tmp_path / 'pipe')
  fails('pipe', 'regular', call=call(tmp_path / 'pipe'))  # and no hang


def test_home_is_expanded(tmp_path, monkeypatch):
  npz(tmp_path, images=images())
  monkeypatch.setenv('HOME', str(tmp_path))
  assert len(sources.npz(path='~/set.npz').images) == 3


def test_arrays_larger_than_memory_are_refused(tmp_path, monkeypatch):
  path = npz(tmp_path, images=np.zeros((50, 100, 100), np.uint8))
  monkeypatch.setattr(files.os, 'sysconf', lambda name: 400)
  fails('500,000 bytes', '160,000', call=lambda: sources.npz(path=path))


def test_idx_by_hand(tmp_path):
  data = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6])
  path = write(tmp_path / 'digits.gz', data)  # not gzipped: content decides
  labels = write(tmp_path / 'labels', gzip.compress(
      bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 1])))
  source = sources.idx(images=path, labels=labels)
  assert source.images.tolist() == [[[[9], [8]]], [[[7], [6]]]]
  assert source.labels.tolist() == [5, 1]
  assert source[2:4] == (6, 'digits')
  source = sources.idx(images=path)
  assert source.labels.tolist() == [0, 0] and source.num_classes == 0


def test_idx_types_are_big_endian(tmp_path):
  # 16-bit: 1 and 255 are 00 01 00 ff.
  data = idx_bytes(np.zeros((1, 1, 2), '>i2'), 0x0B)[:-4]
  path = write(tmp_path / 'a', data + bytes([0, 1, 0, 255]))
  assert sources.idx(images=path).images.ravel().tolist() == [1, 255]
  path = write(tmp_path / 'b', idx_bytes(np.array([[[-1.0, 1.0]]], '>f4'), 13))
  assert sources.idx(images=path).images.ravel().tolist() == [0, 255]


@pytest.mark.parametrize('pack', [bytes, gzip.compress])
def test_bad_idx(tmp_path, pack):
  good = idx_bytes(images())
  def call(data):
    path = write(tmp_path / 'digits', data)
    return lambda: sources.idx(images=path)
  assert call(pack(good))().images.shape == (3, 5, 6, 1)
  fails('digits', '[3, 5, 6]', '90 bytes', 'only 89',
        call=call(pack(good[:-1])))
  fails('digits', 'more bytes follow', call=call(pack(good + b'\0')))
  fails('within its header', call=call(pack(good[:9])))
  fails('00 00 08', call=call(pack(good[:3])))
  fails('01 00 08 03', call=call(pack(b'\1' + good[1:])))
  fails('00 00 07 03', call=call(pack(good[:2] + b'\7' + good[3:])))
  fails('no pixels', call=call(pack(idx_bytes(np.zeros((0, 5, 6), np.uint8)))))
  fails('labels?', call=call(pack(idx_bytes(np.zeros(7, np.uint8)))))
  huge = bytes([0, 0, 8, 3]) + b'\xff' * 12
  fails('memory', call=call(pack(huge)))
  fails('web page', call=call(pack(b'<html><body>404</body></html>')))


def test_damaged_gzip(tmp_path):
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (4, 16, 16), np.uint8)
  data = gzip.compress(idx_bytes(pixels), mtime=0)
  for size in range(1, len(data), 29):
    path = write(tmp_path / 'a.gz', data[:size])
    fails('a.gz', call=lambda path=path: sources.idx(images=path))
  path = write(tmp_path / 'a.gz', data + b'trailing')
  fails('a.gz', call=lambda: sources.idx(images=path))
  for bit in rng.integers(80, 8 * len(data), 200):  # behind the gzip header
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    path = write(tmp_path / 'a.gz', flipped)
    fails('a.gz', call=lambda path=path: sources.idx(images=path))
