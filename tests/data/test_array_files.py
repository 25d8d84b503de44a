"""Data sets of npz and IDX files: names guessed, what does not fit."""

import gzip
import os

import numpy as np
import pytest
from arrays import fails, idx_bytes, images, load, npz, write

from gan_jax.data import sources

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
  assert source.labels.tolist() == [labels or 0] * 3
  assert source.num_classes == (0 if labels is None else labels + 1)


@pytest.mark.parametrize('keys, kwargs, words', [
    ('images x', {}, ["'images' uint8 [3, 5, 6]", 'image_key']),
    ('a b', {}, ["'b' uint8 [3, 5, 6]", 'image_key']),
    ('faces', dict(image_key='face'), ["did you mean 'faces'"]),
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
  fails("'valid'", "'train', 'test', 'all'", call=call(split='valid'))
  fails('no such folder', call=call(folder=f'{folder}/x'))
  fails("folder=''", call=call(folder=''))
  fails('dataset-fashion-mnist', call=lambda: sources.fashion_mnist(
      folder=f'{folder}/x'))
  write(tmp_path / 't10k-images-idx3-ubyte', idx_bytes(images(2)))
  fails('differ in size', call=call(split='all'))
  write(tmp_path / 'train-labels-idx1-ubyte',
        idx_bytes(np.array([0, 1, 25], np.uint8)))
  fails('up to 25', call=call())
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
