"""The classifier of a data set's own labels."""

import json
import logging
import os
import pathlib
import pickle
import tracemalloc

import numpy as np
import pytest
import safetensors
from canary import Canary
from extractor_data import build, source_of
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save_file

from gan_jax.base.errors import DataError
from gan_jax.data.prepare import make_source
from gan_jax.data.sources import mnist10k
from gan_jax.extractors import Extractor, backbones, base, cnn, simple
from gan_jax.metrics.arrays import permutation

STEPS = cnn._STEPS
SHAPE = (8, 9, 3)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
  monkeypatch.setattr(cnn, '_STEPS', (25, 25))


def held_out(count):
  """Indices of the examples that are not trained on."""
  return np.sort(permutation(count, 1105, 0)[:count // 10])


def data():
  """100 images, two of the ten held out with a wrong label."""
  source = source_of(SHAPE, count=100)
  labels, rows = source.labels.copy(), held_out(100)[:2]
  labels[rows] = (labels[rows] + 1) % 3
  return make_source(source.images, labels, 3, name='two wrong')


def kept():
  return list(pathlib.Path(os.environ['GAN_JAX_CACHE'],
                           'extractors').iterdir())


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """(the extractor, {name: bytes} of the cache) after training on data()."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(cnn, '_STEPS', (25, 25))
    patch.setenv('GAN_JAX_CACHE', str(tmp_path_factory.mktemp('trained')))
    found = build('classifier', source=data())
    return found, {path.name: path.read_bytes() for path in kept()}


@pytest.fixture
def cached(trained, monkeypatch):
  """The file of that classifier, in the cache of a test that trains none."""
  monkeypatch.setattr(cnn, '_fit', None)
  folder = pathlib.Path(os.environ['GAN_JAX_CACHE'], 'extractors')
  folder.mkdir(parents=True)
  for name, content in trained[1].items():
    (folder / name).write_bytes(content)
  return folder / name


# The classifier.


def test_classifier_learns_the_labels(trained):
  found, _ = trained
  assert isinstance(found, Extractor) and found.name == 'classifier'
  assert len(bytes.fromhex(found.sha256)) == 32
  assert json.loads(json.dumps(found.notes)) == found.notes
  # Accuracy is that of the ten images held out, two of them with a wrong label.
  assert found.notes == dict(accuracy=0.8, classes=3, held_out=10,
                             trained_on=90)
  unseen = source_of(SHAPE, count=60, seed=9)
  features, logits = found.extract(unseen.images)
  assert features.shape == (60, 128) and logits.shape == (60, 3)
  assert features.dtype == logits.dtype == np.float32
  assert (features >= 0).all()
  assert (logits.argmax(1) == unseen.labels).mean() > 0.95


def test_features_have_a_mean_square_of_1_on_the_images_held_out(trained):
  features, _ = trained[0].extract(data().images[held_out(100)])
  assert np.mean(np.square(features)) == pytest.approx(1.0, rel=1e-4)


def test_images_are_standardised_in_little_memory(trained):
  (content,) = trained[1].values()
  kept = load_tensors(content)
  learnt = np.delete(data().images, held_out(100), 0)
  assert kept['mean'] == pytest.approx(learnt.mean(), rel=1e-6)
  assert kept['std'] == pytest.approx(learnt.std(), rel=1e-6)
  images = np.zeros((2000, 64, 64, 1), np.uint8)
  source = make_source(images, np.arange(2000) % 2, 2, name='many')
  tracemalloc.start()
  with pytest.MonkeyPatch.context() as patch, pytest.raises(TypeError):
    patch.setattr(cnn, '_fit', None)
    cnn.trained(source)
  assert tracemalloc.get_traced_memory()[1] < images.nbytes / 2
  tracemalloc.stop()


class Mapped:
  """Only what an extractor may ask of images that stay on disk."""

  def __init__(self, images):
    self.images, self.largest = images, 0
    self.shape, self.dtype = images.shape, images.dtype

  def __len__(self):
    return len(self.images)

  def __getitem__(self, index):
    part = self.images[index]
    self.largest = max(self.largest, len(part))
    return part


@pytest.mark.parametrize('name', ['random', 'classifier'])
def test_features_do_not_depend_on_the_other_images(name, trained, monkeypatch):
  monkeypatch.setattr(simple, '_CHUNK', 16)
  images = data().images[:40]
  found = build('random') if name == 'random' else trained[0]
  features, logits = found.extract(images)
  assert len(features) == 40 and features.std(axis=0).max() > 0
  for part in (slice(0, 1), slice(7, 20), slice(39, 40)):
    alone = found.extract(images[part])
    np.testing.assert_array_equal(alone[0], features[part])
    if logits is not None:
      np.testing.assert_array_equal(alone[1], logits[part])
  monkeypatch.setattr(simple, '_CHUNK', 7)
  monkeypatch.setattr(cnn, '_CHUNK', 4)  # for each of four devices
  mapped = Mapped(images)
  again, _ = found.extract(mapped)
  # Another shape is another program, which may round differently.
  np.testing.assert_allclose(again, features, rtol=1e-5, atol=1e-5)
  assert mapped.largest <= 16


def test_the_order_is_made_of_whole_epochs():
  batches = cnn._batches(48, 5)
  assert batches.shape == (5, 64)
  epochs = batches.ravel()[:288].reshape(6, 48).tolist()
  assert all(sorted(epoch) == list(range(48)) for epoch in epochs)
  assert len(set(map(tuple, epochs))) == 6


def test_trained_twice_it_is_the_same(trained):
  build('classifier', source=data())
  path, = kept()
  assert {path.name: path.read_bytes()} == trained[1]


def test_a_projected_discriminator_reads_what_is_cached(cached):
  """`configs/projected.py` names this file."""
  network = backbones.read(str(cached))
  images = np.zeros((2, *SHAPE), np.float32)
  maps = network.maps(network.weights, images)
  assert [m.shape[:3] for m in maps] == [(2, 4, 5)]


@pytest.mark.usefixtures('cached')
def test_what_was_kept_is_not_trained_again(trained):
  found = build('classifier', source=data())
  assert found.notes['trained_on'] == 90
  assert found.sha256 == trained[0].sha256  # So that their scores compare.
  for other in (dict(seed=1), dict(classes=2), dict(count=101)):
    with pytest.raises(TypeError, match='not callable'):  # It starts to train.
      build('classifier', source=source_of(SHAPE, **other))


@pytest.mark.parametrize('damage', ['cut', 'changed', 'empty', 'pickle'])
def test_a_damaged_file_is_trained_anew(damage, cached, tmp_path, monkeypatch,
                                        caplog):
  path, trace = cached, tmp_path / 'trace'
  whole, result = path.read_bytes(), base.read_cache(str(path))
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
    path.write_bytes(pickle.dumps(Canary(trace)))
  with caplog.at_level(logging.WARNING):
    build('classifier', source=data())
  assert 'computed again' in caplog.text and not trace.exists()
  assert path.read_bytes() == whole


def test_a_file_of_objects_is_not_read(tmp_path):
  path, trace = tmp_path / 'objects.safetensors', tmp_path / 'trace'
  with open(path, 'wb') as file:
    np.savez(file, x=np.array([Canary(trace)], object))
  trace.unlink(missing_ok=True)
  assert base.read_cache(str(path)) is None
  assert not trace.exists()


def test_without_room_for_the_file_it_is_trained_all_the_same(
    cached, tmp_path, monkeypatch, caplog):
  result = base.read_cache(str(cached))
  monkeypatch.setattr(cnn, '_train', lambda *_: result)
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('GAN_JAX_CACHE', str(tmp_path / 'file'))
  found = build('classifier', source=data())
  assert found.notes['classes'] == 3
  assert 'cannot write' in caplog.text


@pytest.mark.parametrize('images,classes,words', [
    (np.zeros((20, 8, 8, 1), np.uint8), 0, 'use random'),
    (np.zeros((20, 8, 8, 1), np.uint8), 1, 'use random'),
    (np.zeros((20, 7, 8, 1), np.uint8), 2, '7 x 8; .* sides of 8 or more'),
    (np.zeros((9, 8, 8, 1), np.uint8), 2, '9 images'),
    (np.zeros((20, 2), np.float32), 2, 'use points')])
def test_data_that_no_classifier_can_be_trained_on(images, classes, words):
  labels = np.arange(len(images)) % max(classes, 1)
  source = make_source(images, labels, classes, name='some')
  with pytest.raises(DataError, match=words):
    build('classifier', source=source)


def test_images_of_another_size_are_refused(trained):
  with pytest.raises(ValueError, match=r'trained on \[8, 9, 3\]'):
    trained[0].extract(np.zeros((2, 8, 8, 3), np.uint8))


@pytest.mark.parametrize('name', ['random', 'classifier'])
@pytest.mark.parametrize('images,words', [
    (np.zeros((2, *SHAPE), np.float32), 'examples float32 [2, 8, 9, 3]'),
    (np.zeros((2, 8, 8), np.uint8), 'examples uint8 [2, 8, 8]'),
    (np.zeros((0, *SHAPE), np.uint8), 'examples uint8 [0, 8, 9, 3]'),
    ([[1]], 'examples list')])
def test_wrong_images_are_refused(name, images, words, trained):
  found = build('random') if name == 'random' else trained[0]
  with pytest.raises(ValueError) as info:
    found.extract(images)
  assert words in str(info.value) and 'uint8 [N, H, W, C]' in str(info.value)


def test_large_images_are_seen_smaller():
  seen = cnn._prepare(55.0, 200.0, np.full((2, 200, 40, 3), 255, np.uint8))
  assert seen.shape == (2, 64, 40, 3)
  np.testing.assert_allclose(seen, 1.0, rtol=1e-6)


@pytest.mark.slow
def test_accuracy_on_the_digits(monkeypatch):
  monkeypatch.setattr(cnn, '_STEPS', STEPS)
  found = build('classifier', source=mnist10k())
  assert found.notes['held_out'] == 1000
  assert found.notes['accuracy'] >= 0.985
