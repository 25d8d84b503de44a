"""Data sets of npz and IDX files: names guessed, what does not fit, damage.

Bad files end in one clear error each, and no code of theirs ever runs.
"""

import errno
import gzip
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from arrays import fails, idx_bytes, images, load, npz, write
from canary import Canary

from gan_jax.base.errors import DataError
from gan_jax.config import experiment
from gan_jax.data import files, sources
from gan_jax.data.load import check

FASHION = '/usr/share/datasets/fashion-mnist'


@pytest.mark.parametrize('keys, kwargs, labels', [
    ('images labels', {}, 1), ('x y', {}, 1), ('arr_0 arr_1', {}, 1),
    ('x_train y_train x_test y_test', {}, 1), ('X_train Y_train', {}, 1),
    ('x_train y_train x_test y_test', dict(image_key='x_test'), 3),
    ('train_images train_labels val_images val_labels', {}, 1),
    ('images y', {}, 1), ('faces', {}, None), ('faces names', {}, None),
    ('faces names', dict(label_key='names'), 1),
    ('images labels', dict(label_key='none'), None),
    ('x_train y_train x_test labels', dict(image_key='x_test'), 3),
])
def test_keys(tmp_path, keys, kwargs, labels):
  arrays = {}
  for i, key in enumerate(keys.split()):
    arrays[key] = np.full(3, i) if i % 2 else images() + np.uint8(i)
  source = sources.npz(path=npz(tmp_path, **arrays), **kwargs)
  assert source.images[0, 0, 0, 0] == (2 if 'image_key' in kwargs else 0)
  # One class, named by its value.
  assert source.labels.tolist() == [0] * 3
  assert source.class_names == (() if labels is None else (str(labels),))


@pytest.mark.parametrize('keys, kwargs, words', [
    ('images x', {}, ["'images' uint8 [3, 5, 6]", 'image_key']),
    ('a b', {}, ["'b' uint8 [3, 5, 6]", 'image_key']),
    ('faces', dict(image_key='face'), ['did you mean "faces"']),
    ('faces y targets', {}, ['image_key']),
    ('faces y targets', dict(image_key='faces'), ['targets', 'label_key']),
])
def test_ambiguous_or_missing_keys(tmp_path, keys, kwargs, words):
  path = npz(tmp_path, **{key: images() for key in keys.split()})
  fails('set.npz', *words, call=lambda: sources.npz(path=path, **kwargs))


def test_name_can_name_a_file(tmp_path):
  path = tmp_path / 'my set, n°1.v2.npz'
  np.savez(path, images=images())
  assert sources.npz(path=path).name == 'my_set__n_1.v2'


def test_idx_counts_must_agree(tmp_path):
  pixels = write(tmp_path / 'a', idx_bytes(images()))
  labels = write(tmp_path / 'b', idx_bytes(np.zeros(4, np.uint8)))
  fails("/b'", '[4]', '3 images',
        call=lambda: sources.idx(images=pixels, labels=labels))
  fails('no such file',
        call=lambda: sources.idx(images=pixels, labels=f'{tmp_path}/c'))


def mnist_folder(tmp_path, dash='-', pack=bytes, suffix=''):
  for prefix, n, start in ('train', 3, 0), ('t10k', 2, 5):
    for kind, rank, array in (
        ('images', 3, np.full((n, 4, 4), 100 + start, np.uint8)),
        ('labels', 1, np.arange(start, start + n, dtype=np.uint8))):
      write(tmp_path / f'{prefix}-{kind}{dash}idx{rank}-ubyte{suffix}',
            pack(idx_bytes(array)))
  return str(tmp_path)


@pytest.mark.parametrize('layout', [
    {}, dict(dash='.'), dict(pack=gzip.compress, suffix='.gz')])
def test_mnist_splits(tmp_path, layout):
  folder = mnist_folder(tmp_path, **layout)
  for split, labels in (('train', [0, 1, 2]), ('test', [5, 6]),
                        ('all', [0, 1, 2, 5, 6])):
    source = sources.mnist(folder=folder, split=split)
    assert source.labels.tolist() == labels and source.num_classes == 10
    assert source.images[:, 0, 0, 0].tolist() == [
        105 if label > 4 else 100 for label in labels]
    assert source.name == f'mnist_{split}'
  assert sources.fashion_mnist(folder=folder, split='test').licence == 'MIT'


def test_mnist_bad_folders(tmp_path):
  def call(**kwargs):
    return lambda: sources.mnist(**{'folder': str(tmp_path)} | kwargs)
  fails('no train images', 'train-images-idx3-ubyte.gz', call=call())
  folder = mnist_folder(tmp_path)
  problem, = check(dict(name='mnist', folder=folder, split='valid'), 'data')
  assert problem.path == 'data.split' and 'all, test, train' in str(problem)
  fails('no such folder', call=call(folder=f'{folder}/x'))
  fails("folder=''", 'data=mnist10k', 'data.dataset=mnist',
        call=sources.mnist)
  fails('dataset-fashion-mnist', call=lambda: sources.fashion_mnist(
      folder=f'{folder}/x'))
  write(tmp_path / 't10k-images-idx3-ubyte', idx_bytes(images(2)))
  fails('differ in size', call=call(split='all'))
  write(tmp_path / 'train-labels-idx1-ubyte',
        idx_bytes(np.array([0, 1, 25], np.uint8)))
  fails('0..25', 'classes 0..9', call=call())
  os.remove(tmp_path / 'train-labels-idx1-ubyte')
  fails('no train labels', call=call())


@pytest.mark.skipif(not os.path.isdir(FASHION),
                    reason='Debian package dataset-fashion-mnist is missing')
def test_fashion_mnist_of_debian():
  source = sources.fashion_mnist(split='test')
  assert source.images.shape == (10000, 28, 28, 1)
  assert np.bincount(source.labels).tolist() == [1000] * 10
  assert source.labels[:5].tolist() == [9, 2, 1, 1, 6]
  assert source[2:4] == (10, 'fashion_mnist_test')
  train = load(name='fashion_mnist', classes=(0,), pad=(32, 32))
  assert train.images.shape == (6000, 32, 32, 1)


# Hostile and damaged files.


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
  pickle.loads(pickle.dumps(Canary(canary)))
  assert canary.exists()  # the canary does sing


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_truncated_or_flipped_npz(tmp_path, save):
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (4, 8, 8), np.uint8)
  path = tmp_path / 'set.npz'
  save(path, images=pixels, labels=np.arange(4))
  data, digest = path.read_bytes(), sources.npz(path=path).fingerprint
  for size in range(0, len(data), 37):
    write(path, data[:size])
    fails('set.npz', call=lambda: sources.npz(path=path))
  for bit in rng.integers(0, 8 * len(data), 200):
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    write(path, flipped)
    try:  # a flip in a name or date may be harmless, never in the pixels
      source = sources.npz(path=path)
      np.testing.assert_array_equal(source.images[..., 0], pixels)
      assert source.num_classes == 0 or source.fingerprint == digest
    except DataError:
      pass


@pytest.mark.parametrize('error', [
    MemoryError('Unable to allocate 1 TiB'),
    OSError(errno.ENOMEM, 'Cannot allocate memory')])
def test_memory_that_is_short_is_no_damage(tmp_path, monkeypatch, error):
  def lacking(*_, **__):
    raise error

  path = npz(tmp_path, images=images())
  monkeypatch.setattr(np, 'load', lacking)
  fails('needs more memory than there is', 'llocate', 'raise the limit',
        call=lambda: sources.npz(path=path))
  # Outside of the reading of a file, in `data.load` or a set of the user's own.
  monkeypatch.setattr(experiment.data, 'load', lacking)
  fails('data npy: needs more memory than there is',
        call=lambda: experiment.load_data({'name': 'npy'}))


def test_damage_is_said_in_words(tmp_path):
  path = npz(tmp_path, images=images())
  with open(path, 'rb') as file:
    data = file.read()
  for damaged, words in ((data[:-9], 'not a zip file'),
                         (data[:90] + b'\xff' * 9 + data[99:],
                          'Bad CRC-32')):
    write(tmp_path / 'set.npz', damaged)
    fails('damaged, truncated or unreadable (', words, 'complete npz file',
          call=lambda: sources.npz(path=path))
  zipped = gzip.compress(idx_bytes(images()), mtime=0)
  for damaged, words in (
      (zipped[:-9], 'ended before'), (zipped[:-8] + bytes(8), 'CRC check'),
      (zipped[:10] + b'\xff' * 9, 'its compressed data are damaged')):
    path = write(tmp_path / 'a.gz', damaged)
    fails(words, 'complete IDX file',
          call=lambda path=path: sources.idx(images=path))


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
  fails("''", 'the path of a file is needed', call=call(''))
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
  assert source.labels.tolist() == [1, 0]
  assert source.class_names == ('1', '5')
  assert source[2:4] == (2, 'digits')
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
  fails('no numbers', call=call(pack(idx_bytes(np.zeros((0, 5, 6), np.uint8)))))
  fails('labels?', call=call(pack(idx_bytes(np.zeros(7, np.uint8)))))
  huge = bytes([0, 0, 8, 3]) + b'\xff' * 12
  fails('memory', call=call(pack(huge)))
  fails('web page', call=call(pack(b'<html><body>404</body></html>')))


def test_damaged_gzip(tmp_path):
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (4, 8, 8), np.uint8)
  data = gzip.compress(idx_bytes(pixels), mtime=0)
  damaged = [data[:size] for size in range(1, len(data), 19)]
  damaged.append(data + b'trailing')
  for bit in rng.integers(80, 8 * len(data), 100):  # behind the gzip header
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    damaged.append(flipped)
  for content in damaged:
    path = write(tmp_path / 'a.gz', content)
    fails('a.gz', call=lambda path=path: sources.idx(images=path))
