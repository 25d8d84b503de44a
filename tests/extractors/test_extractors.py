"""Extractors: the classifier and its cache, the random network, points."""

import json

import numpy as np
import pytest
from extractor_data import ROOM, build, source_of

from gan_jax.base import lookup
from gan_jax.extractors import Extractor, base, cnn, cnn_training
from gan_jax.metrics.features import random_features

SHAPES = [(8, 8, 1), (9, 13, 3)]


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


# The contract.


def test_names_of_the_room():
  assert sorted(lookup.names(ROOM)) == [
      'classifier', 'inception', 'points', 'random']


def test_a_function_of_the_user(tmp_path, monkeypatch):
  (tmp_path / 'my_lab_ideas.py').write_text(
      'from gan_jax.extractors import Extractor\n'
      'def mean(*, source):\n'
      '  return Extractor("mean", "0" * 64,\n'
      '                   lambda x: (x.mean((1, 2)), None), {})\n')
  monkeypatch.syspath_prepend(tmp_path)
  found = build('my_lab_ideas:mean', source=source_of())
  assert found.name == 'mean'
  assert found.extract(np.ones((2, 4, 4, 3)))[0].tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize('name,classes', [('random', 0), ('classifier', 3)])
@pytest.mark.parametrize('shape', SHAPES)
def test_features_do_not_depend_on_the_other_images(
    name, classes, shape, monkeypatch):
  monkeypatch.setattr(cnn_training, '_STEPS', (25, 25))
  source = source_of(shape, count=40)
  found = build(name, source=source)
  assert isinstance(found, Extractor) and found.name == name
  assert json.loads(json.dumps(found.notes)) == found.notes
  assert len(bytes.fromhex(found.sha256)) == 32
  features, logits = found.extract(source.images)
  assert features.dtype == np.float32 and features.shape[0] == 40
  assert features.std(axis=0).max() > 0
  assert (logits is None) == (not classes)
  for part in (slice(0, 1), slice(7, 20), slice(39, 40)):
    alone = found.extract(source.images[part])
    np.testing.assert_array_equal(alone[0], features[part])
    if classes:
      np.testing.assert_array_equal(alone[1], logits[part])
  monkeypatch.setattr(cnn, '_CHUNK', 4)  # for each of four devices
  mapped = Mapped(source.images)
  again, _ = found.extract(mapped)
  # Another shape is another program, which may round differently.
  np.testing.assert_allclose(again, features, rtol=1e-5, atol=1e-5)
  assert mapped.largest <= (16 if classes else 4096)


def test_in_chunks_fills_up_the_last(monkeypatch):
  sizes = []

  def double(x):
    sizes.append(x.shape)
    return (x[:, 0, 0] * 2.0,)

  images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
  out, = base.in_chunks(double, images, 2)
  assert out.tolist() == [[0.0], [2.0], [4.0], [6.0], [8.0]]
  assert sizes == [(2, 1, 1, 1)] * 3
  monkeypatch.setattr(base, '_PIXELS', 1)  # Large images: one at a time.
  sizes.clear()
  assert base.in_chunks(double, images, 2)[0].tolist() == out.tolist()
  assert sizes == [(1, 1, 1, 1)] * 5


def test_digest_is_of_all_that_makes_an_array():
  a = np.arange(6, dtype=np.float32)
  first = base.digest('d', {'a': a, 'b': a})
  assert base.digest('d', {'b': a, 'a': a}) == first
  assert base.digest('d', {'a': a, 'b': a.astype('>f4')}) == first
  assert base.digest('d', {'a': a, 'b': np.repeat(a, 2)[::2]}) == first
  others = [base.digest('e', {'a': a, 'b': a}), base.digest('d', {'a': a}),
            base.digest('d', {'a': a, 'c': a}),
            base.digest('d', {'a': a, 'b': a.reshape(2, 3)}),
            base.digest('d', {'a': a, 'b': a.view(np.int32)}),
            base.digest('d', {'a': a, 'b': a + 1})]
  assert len({first, *others}) == 7


# random, points.


def test_random_is_the_network_of_the_metrics():
  images = source_of((9, 13, 3)).images
  found = build('random')
  features, logits = found.extract(images)
  np.testing.assert_array_equal(features, random_features(images))
  assert logits is None
  # It names its scores: another value is another extractor.
  assert found.sha256.startswith('c8819760fdd7e29f')


def test_points_are_their_own_features():
  x = np.random.RandomState(0).randn(5, 2).astype(np.float32)
  found = build('points')
  features, logits = found.extract(x)
  np.testing.assert_array_equal(features, x)
  assert logits is None and features.dtype == np.float32


@pytest.mark.parametrize('x', [
    np.zeros((5, 2)), np.zeros((2, 8, 8, 1), np.uint8), [[1.0]],
    np.zeros((0, 2), np.float32), np.zeros(3, np.float32)])
def test_points_are_vectors(x):
  with pytest.raises(ValueError, match=r'float32 \[N, D\]'):
    build('points').extract(x)
