"""The classifier of a data set's own labels."""

import logging
import os
import pathlib
import pickle

import numpy as np
import pytest
import safetensors
from extractor_data import build, source_of
from safetensors.numpy import save_file

from gan_jax.base.errors import DataError
from gan_jax.data.prepare import make_source
from gan_jax.data.sources import mnist10k
from gan_jax.extractors import cnn, cnn_training, stored

STEPS = cnn_training._STEPS


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
  monkeypatch.setattr(cnn_training, '_STEPS', (25, 25))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """{name: bytes} of the cache after training on source_of()."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(cnn_training, '_STEPS', (25, 25))
    patch.setenv('GAN_JAX_CACHE', str(tmp_path_factory.mktemp('trained')))
    build('classifier', source=source_of())
    return {path.name: path.read_bytes() for path in kept()}


@pytest.fixture
def cached(trained, monkeypatch):
  """The file of that classifier, in the cache of a test that trains none."""
  monkeypatch.setattr(cnn_training, 'fit', None)
  folder = pathlib.Path(os.environ['GAN_JAX_CACHE'], 'extractors')
  folder.mkdir(parents=True)
  for name, data in trained.items():
    (folder / name).write_bytes(data)
  return folder / name


def kept():
  return list(pathlib.Path(os.environ['GAN_JAX_CACHE'],
                           'extractors').iterdir())


# The classifier.


def test_classifier_learns_the_labels():
  found = build('classifier', source=source_of(count=200))
  assert found.notes == dict(accuracy=1.0, classes=3, held_out=20,
                             trained_on=180)
  unseen = source_of(count=60, seed=9)
  features, logits = found.extract(unseen.images)
  assert features.shape == (60, 128) and logits.shape == (60, 3)
  assert (features >= 0).all()
  assert (logits.argmax(1) == unseen.labels).mean() > 0.95


def test_accuracy_is_that_of_the_images_held_out():
  source = source_of(count=50)
  wrong = source.labels.copy()
  rows = cnn_training.split(50)[1]
  wrong[rows[:2]] = (wrong[rows[:2]] + 1) % 3
  found = build('classifier', source=make_source(
      source.images, wrong, 3, name='two wrong'))
  assert len(rows) == 5 and found.notes['accuracy'] == 0.6


def test_features_have_a_mean_square_of_1_on_the_images_held_out():
  source = source_of()
  held_out = source.images[cnn_training.split(len(source.images))[1]]
  features, _ = build('classifier', source=source).extract(held_out)
  assert np.mean(np.square(features)) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize('count', [10, 57, 1000])
def test_the_split(count):
  train, held_out = cnn_training.split(count)
  assert len(held_out) == count // 10
  assert sorted([*train, *held_out]) == list(range(count))
  np.testing.assert_array_equal(cnn_training.split(count)[0], train)


def test_the_order_is_made_of_whole_epochs():
  batches = list(cnn_training._batches(64, 4))
  assert [len(b) for b in batches] == [64] * 4
  order = np.concatenate(batches).reshape(4, 64)
  assert all(sorted(epoch) == list(range(64)) for epoch in order.tolist())
  assert len({tuple(epoch) for epoch in order.tolist()}) == 4


def test_trained_twice_it_is_the_same(trained):
  build('classifier', source=source_of())
  path, = kept()
  assert {path.name: path.read_bytes()} == trained


@pytest.mark.usefixtures('cached')
def test_what_was_kept_is_not_trained_again():
  found = build('classifier', source=source_of())
  assert found.notes['trained_on'] == 54


@pytest.mark.usefixtures('cached')
@pytest.mark.parametrize('other', [
    dict(seed=1), dict(classes=2), dict(count=61)])
def test_other_data_have_another_classifier(other):
  with pytest.raises(TypeError, match='not callable'):  # It starts to train.
    build('classifier', source=source_of(**other))


class Hostile:
  """Leaves a trace where it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize('damage', ['cut', 'changed', 'empty', 'pickle'])
def test_a_damaged_file_is_trained_anew(damage, cached, tmp_path, monkeypatch,
                                        caplog):
  path, trace = cached, tmp_path / 'trace'
  whole, result = path.read_bytes(), stored.read(str(path))
  monkeypatch.setattr(cnn, '_train', lambda *_: result)
  if damage == 'cut':
    path.write_bytes(whole[:len(whole) // 2])
  elif damage == 'changed':
    with safetensors.safe_open(path, 'numpy') as file:
      arrays = {name: file.get_tensor(name) for name in file.keys()}
      notes = file.metadata()
    arrays['Dense_0/kernel'] = arrays['Dense_0/kernel'] * 2
    save_file(arrays, path, notes)
  elif damage == 'empty':
    path.write_bytes(b'')
  else:
    path.write_bytes(pickle.dumps(Hostile(trace)))
  with caplog.at_level(logging.WARNING):
    build('classifier', source=source_of())
  assert 'made anew' in caplog.text and not trace.exists()
  assert path.read_bytes() == whole


def test_a_file_of_objects_is_not_read(tmp_path):
  path, trace = tmp_path / 'objects.safetensors', tmp_path / 'trace'
  with open(path, 'wb') as file:
    np.savez(file, x=np.array([Hostile(trace)], object))
  trace.unlink(missing_ok=True)
  assert stored.read(str(path)) is None
  assert not trace.exists()


def test_without_room_for_the_file_it_is_trained_all_the_same(
    cached, tmp_path, monkeypatch, caplog):
  result = stored.read(str(cached))
  monkeypatch.setattr(cnn, '_train', lambda *_: result)
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('GAN_JAX_CACHE', str(tmp_path / 'file'))
  found = build('classifier', source=source_of())
  assert found.notes['classes'] == 3
  assert 'cannot write' in caplog.text


@pytest.mark.parametrize('images,classes,words', [
    (np.zeros((20, 8, 8, 1), np.uint8), 0, 'use random'),
    (np.zeros((20, 8, 8, 1), np.uint8), 1, 'use random'),
    (np.zeros((20, 7, 8, 1), np.uint8), 2, 'sides of 8 or more'),
    (np.zeros((9, 8, 8, 1), np.uint8), 2, '9 images'),
    (np.zeros((20, 2), np.float32), 2, 'use points')])
def test_data_that_no_classifier_can_be_trained_on(images, classes, words):
  labels = np.arange(len(images)) % max(classes, 1)
  source = make_source(images, labels, classes, name='some')
  with pytest.raises(DataError, match=words):
    build('classifier', source=source)


@pytest.mark.usefixtures('cached')
def test_images_of_another_size_are_refused():
  found = build('classifier', source=source_of())
  with pytest.raises(ValueError, match=r'trained on \[8, 8, 1\]'):
    found.extract(np.zeros((2, 8, 9, 1), np.uint8))


@pytest.mark.usefixtures('cached')
@pytest.mark.parametrize('name', ['random', 'classifier'])
@pytest.mark.parametrize('images,words', [
    (np.zeros((2, 8, 8, 1), np.float32), 'images float32 [2, 8, 8, 1]'),
    (np.zeros((2, 8, 8), np.uint8), 'images uint8 [2, 8, 8]'),
    (np.zeros((0, 8, 8, 1), np.uint8), 'images uint8 [0, 8, 8, 1]'),
    ([[1]], 'images list')])
def test_wrong_images_are_refused(name, images, words):
  found = build(name, source=source_of())
  with pytest.raises(ValueError) as info:
    found.extract(images)
  assert words in str(info.value) and 'uint8 [N, H, W, C]' in str(info.value)


def test_large_images_are_seen_smaller():
  seen = cnn._prepare(55.0, 200.0, np.full((2, 200, 40, 3), 255, np.uint8))
  assert seen.shape == (2, 64, 40, 3)
  np.testing.assert_allclose(seen, 1.0, rtol=1e-6)


@pytest.mark.slow
def test_accuracy_on_the_digits(monkeypatch):
  monkeypatch.setattr(cnn_training, '_STEPS', STEPS)
  found = build('classifier', source=mnist10k())
  assert found.notes['held_out'] == 1000
  assert found.notes['accuracy'] >= 0.985
