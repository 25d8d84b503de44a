"""TFDS sets read without it, and without a network."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from prepared import CLASSES, FASHION, FashionMnist, Pairs, fails, picture, read

from gan_jax.data import cache, sources
from gan_jax.data.geometry import Geometry


@pytest.fixture(scope='session')
def pairs_root(tmp_path_factory):
  return Pairs.prepare(tmp_path_factory.mktemp('pairs'))


@pytest.fixture
def pairs(pairs_root, tmp_path):
  """A copy to be damaged; the version's folder."""
  root = tmp_path / 'tfds'
  shutil.copytree(pairs_root, root)
  return root / 'pairs' / '3.0.1'


@pytest.fixture(scope='session')
def fashion(tmp_path_factory):
  if not os.path.isdir(FASHION):
    pytest.skip(f'{FASHION} is not installed')
  return FashionMnist.prepare(tmp_path_factory.mktemp('fashion'))


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
  """An own cache, and no network: whoever asks for it fails the test."""
  def refuse(*args, **kwargs):
    pytest.fail(f'the network was asked: {args}')

  monkeypatch.setenv('GAN_JAX_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path / 'default'))
  for name in ('connect', 'connect_ex', 'sendto'):
    monkeypatch.setattr(socket.socket, name, refuse)
  monkeypatch.setattr(socket, 'getaddrinfo', refuse)
  monkeypatch.setattr(socket, 'create_connection', refuse)


def test_fashion_mnist_is_that_of_the_idx_files(fashion):
  wanted = sources.fashion_mnist(split='train')
  source = read(fashion, dataset='fashion_mnist:3.*.*')
  np.testing.assert_array_equal(source.images, wanted.images[::10])
  np.testing.assert_array_equal(source.labels, wanted.labels[::10])
  assert source.labels.dtype == np.int32 and source.num_classes == 10
  assert source.class_names == CLASSES and source.licence == 'MIT'
  assert source.name == 'fashion_mnist_3.0.1_train'
  assert source.report['sizes'] == {'28x28': 6000}

  start = time.perf_counter()
  again = read(fashion, dataset='fashion_mnist:3.*.*')
  assert time.perf_counter() - start < 2  # not decoded twice
  assert isinstance(again.images, cache.Stored)
  assert again.fingerprint == source.fingerprint
  np.testing.assert_array_equal(again.images[-3:], source.images[-3:])
  np.testing.assert_array_equal(again.labels, source.labels)


def test_splits_are_expressions(fashion):
  wanted = sources.fashion_mnist(split='all')
  source = read(fashion, dataset='fashion_mnist:3.0.1',
                split='train[5990:]+test[:1%]')
  np.testing.assert_array_equal(source.images, wanted.images[59900:60100:10])
  np.testing.assert_array_equal(source.labels, wanted.labels[59900:60100:10])


def test_geometry_is_applied_to_images_of_many_sizes(pairs_root):
  geometry = Geometry(resize=(4, 4), channels=1)
  source = read(pairs_root, image_key='photo', geometry=geometry)
  assert source.images.shape == (7, 4, 4, 1)
  for i in range(7):
    np.testing.assert_array_equal(source.images[i], geometry.image(picture(i)))
  assert source.num_classes == 0 and not source.labels.any()
  assert source.report['sizes'] == {'8x8': 5, '12x8': 2}
  other = read(pairs_root, image_key='photo', geometry=Geometry(resize=(5, 5)))
  assert other.images.shape == (7, 5, 5, 3)
  fails('8x8 (5), 12x8 (2)', 'resize=(64, 64)', root=pairs_root,
        image_key='photo')


def test_keys(pairs_root):
  fails("'depth', 'photo', 'sketch'", 'image_key', root=pairs_root)
  fails('image_key=\'mist\'', 'photo', root=pairs_root, image_key='mist')
  fails('uint16', root=pairs_root, image_key='depth')
  fails('not one integer', 'weight', root=pairs_root, image_key='sketch',
        label_key='name')
  fails('not one integer', root=pairs_root, image_key='sketch', label_key='no')
  source = read(pairs_root, image_key='sketch', label_key='weight')
  assert source.images.shape == (7, 6, 6, 1) and (source.images[:] == 77).all()
  assert source.labels.tolist() == [0, 1, 2, 3, 0, 1, 2]
  assert source.num_classes == 4 and source.class_names == ()
  source = read(pairs_root, image_key='sketch', label_key='none')
  assert source.num_classes == 0


def test_a_folder_can_be_given(pairs):
  by_name = read(pairs.parent.parent, image_key='sketch')
  by_path = sources.tfds(dataset=str(pairs), image_key='sketch')
  by_content = sources.auto(path=pairs, image_key='sketch')
  assert by_content.fingerprint == by_path.fingerprint
  np.testing.assert_array_equal(by_path.images, by_name.images)
  fails('no dataset_info.json', '3.0.1', dataset=str(pairs.parent))
  fails('not a folder', dataset=str(pairs / 'no'))


def test_other_files_are_decoded_again(pairs):
  def entries():
    return os.listdir(os.path.join(cache.root(), 'data'))

  before = read(pairs.parent.parent, image_key='sketch', label_key='weight')
  read(pairs.parent.parent, image_key='sketch', label_key='weight')
  assert len(entries()) == 1
  shard = next(pairs.glob('*array_record*'))
  os.utime(shard, (1, 1))
  after = read(pairs.parent.parent, image_key='sketch', label_key='weight')
  assert after.fingerprint == before.fingerprint  # equal, yet read anew:
  assert len(entries()) == 2


def test_bad_splits(pairs_root):
  for split in ('training', 'train[', 'train[:0]', ''):
    fails('split=', root=pairs_root, image_key='sketch', split=split)
  fails("['train']", "'train[:10%]'", root=pairs_root, image_key='sketch',
        split='test')


def test_not_prepared_says_how_to_prepare(pairs_root, tmp_path):
  fails('is not prepared', 'does not exist', str(tmp_path / 'default'),
        'tensorflow-cpu', "tfds.builder('cifar10'", dataset='cifar10')
  fails('versions there: 3.0.1', "tfds.builder('pairs:4.*.*'",
        "file_format='array_record'", root=pairs_root, dataset='pairs:4.*.*')


@pytest.mark.parametrize('dataset, near', [
    ('cifar11', "'cifar10'"), ('MNIST', "'mnist'"), ('pears', "'pairs'"),
    ('xyzxyz', 'another')])
def test_unknown_names(pairs_root, dataset, near):
  fails('no set of this name', near, root=pairs_root, dataset=dataset)


def test_malformed_arguments(pairs_root):
  for dataset in ('huggingface:mnist', 'mnist:latest', 'a/b/c', 'a b'):
    fails('name/config:1.0.0', root=pairs_root, dataset=dataset)
  fails('text is needed', dataset='')
  fails('text is needed', dataset=['mnist'])


def test_configurations(pairs_root, tmp_path):
  version = os.path.join(pairs_root, 'pairs', '3.0.1')
  folder = tmp_path / 'many' / 'pairs'
  shutil.copytree(version, folder / 'one' / '3.0.1')
  assert len(read(folder.parent, image_key='sketch').images) == 7
  shutil.copytree(version, folder / 'two' / '3.0.1')
  fails("['one', 'two']", 'pairs/one', root=folder.parent)
  assert len(read(folder.parent, dataset='pairs/two:3.*.*',
                  image_key='sketch').images) == 7
  (folder / '.config').mkdir()
  (folder / '.config' / 'metadata.json').write_text(
      json.dumps({'default_config_name': 'two'}))
  assert len(read(folder.parent, image_key='sketch').images) == 7


def test_tfrecord_only_says_how_to_convert(pairs):
  info = pairs / 'dataset_info.json'
  info.write_text(info.read_text().replace('array_record', 'tfrecord'))
  fails('tfrecord only', 'tfds convert_format', str(pairs),
        root=pairs.parent.parent)
  described = json.loads(info.read_text())
  described['alternativeFileFormats'] = ['array_record']  # as converted
  info.write_text(json.dumps(described))
  source = read(pairs.parent.parent, image_key='sketch')
  assert len(source.images) == 7


def test_damage(pairs):
  shard = next(pairs.glob('*array_record*'))
  data = shard.read_bytes()
  for damaged in (data[:len(data) // 2], b'', data[:200] + bytes(400)
                  + data[600:]):
    shard.write_bytes(damaged)
    fails(str(pairs), root=pairs.parent.parent, image_key='photo',
          geometry=Geometry(resize=(4, 4)))
  shard.unlink()
  fails('prepare the set again', root=pairs.parent.parent, image_key='photo')
  (pairs / 'features.json').write_text('{')
  fails('prepare it again', root=pairs.parent.parent)


def test_nothing_heavy_is_imported_early(pairs_root):
  """Neither JAX by the data, nor TensorFlow or TFDS before they are needed."""
  code = (
      'import sys, gan_jax.data.load; from gan_jax.data import sources;'
      'print([m for m in ("jax", "absl", "ml_collections", "orbax", "grain",'
      '"tensorflow_datasets") if m in sys.modules]);'
      f'n = len(sources.tfds(dataset="pairs", data_dir={pairs_root!r},'
      'image_key="sketch").images);'
      'assert n == 7 and "tensorflow" not in sys.modules;'
      'sys.modules["tensorflow_datasets"] = None\n'
      'try: sources.tfds(dataset="pairs")\n'
      'except sources.tfds.__globals__["DataError"] as error: print(error)')
  done = subprocess.run([sys.executable, '-c', code], capture_output=True,
                        text=True, check=False)
  assert done.stdout.startswith('[]\n'), done
  assert 'pip install tensorflow-datasets' in done.stdout, done
