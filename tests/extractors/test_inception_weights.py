"""From a file of weights to an extractor: which are known, which refused."""

import gzip
import hashlib
import io
import logging
import os
import pickle

import numpy as np
import pytest
from weight_files import constant, field, words_only

from gan_jax.base import lookup
from gan_jax.base.errors import DataError
from gan_jax.data import cache
from gan_jax.extractors import inception_v3


@pytest.fixture
def tiny(monkeypatch):
  """An Inception of two layers and few classes: {name: array}."""
  monkeypatch.setattr(inception_v3, 'table', lambda: [
      ('Conv2d_1a_3x3', 'conv', (3, 3, 3, 4)),
      ('Mixed_5b.branch1x1', 'mixed/conv', (1, 1, 4, 5))])
  monkeypatch.setattr(inception_v3, 'CLASSES', 3)
  monkeypatch.setattr(inception_v3, 'FEATURES', 5)
  draw = np.random.RandomState(0)
  return {name: draw.random_sample(shape).astype(np.float32)
          for name, (shape, *_) in inception_v3.weights_table().items()}


def graph_of(tensors):
  parts = dict(gamma='weight', beta='bias', moving_mean='running_mean',
               moving_variance='running_var')
  out = constant('softmax/weights', tensors['fc.weight'].T)
  for name, graph, _ in inception_v3.table():
    kernel = tensors[f'{name}.conv.weight'].transpose(2, 3, 1, 0)
    out += constant(f'{graph}/conv2d_params', kernel)
    for theirs, ours in parts.items():
      out += constant(f'{graph}/batchnorm/{theirs}',
                      tensors[f'{name}.bn.{ours}'])
  return out


def torch_of(tensors):
  torch = pytest.importorskip('torch')
  file = io.BytesIO()
  torch.save({**{k: torch.from_numpy(v) for k, v in tensors.items()},
              'fc.bias': torch.zeros(3)}, file)
  return file.getvalue()


@pytest.mark.parametrize('write', [graph_of, torch_of])
def test_both_files_give_the_same_extractor(write, tiny, tmp_path):
  path = tmp_path / 'weights'
  path.write_bytes(write(tiny))
  found = inception_v3.read(str(path), path.read_bytes())
  assert list(found) == list(tiny)
  for name, value in tiny.items():
    np.testing.assert_array_equal(found[name], value)
  extractor = lookup.build('gan_jax.extractors', dict(
      name='inception', weights=str(path), resizer='clean'))
  assert extractor.sha256 == inception_v3.build(tiny, 'clean', {}).sha256


def test_a_file_that_is_not_known_is_a_warning(
    tiny, tmp_path, monkeypatch, caplog):
  path = tmp_path / 'weights.pb'
  path.write_bytes(graph_of(tiny))
  sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
  with caplog.at_level(logging.WARNING):
    found = inception_v3.inception(weights=str(path))
  assert sha256 in caplog.text
  assert found.notes == dict(resizer='tf1', weights_file='unknown',
                             weights_file_sha256=sha256)
  caplog.clear()
  monkeypatch.setitem(inception_v3._KNOWN, sha256, 'weights of 2015')
  found = inception_v3.inception(weights=str(path))
  assert found.notes['weights_file'] == 'weights of 2015' and not caplog.text


def test_weights_are_parsed_once(tiny, tmp_path, monkeypatch):
  path = tmp_path / 'weights.pb'
  path.write_bytes(graph_of(tiny) + field(9, b'another file'))
  first = inception_v3.inception(weights=str(path))
  monkeypatch.setattr(inception_v3, 'read', None)
  again = inception_v3.inception(weights=str(path))
  assert again.sha256 == first.sha256 and again.notes == first.notes
  kept, = (name for name in os.listdir(os.path.join(
      cache.root(), 'extractors')) if name.startswith('inception-'))
  assert kept.endswith('.safetensors')


@pytest.mark.parametrize('change,words', [
    (lambda t: t.pop('Mixed_5b.branch1x1.bn.bias'), 'branch1x1.bn.bias is abs'),
    (lambda t: t.update({'fc.weight': np.zeros((2, 5), np.float32)}),
     r'fc.weight is \(2, 5\), not \(3, 5\)'),
    (lambda t: t['Conv2d_1a_3x3.bn.weight'].fill(np.nan), 'NaN or Inf')])
def test_other_weights_are_refused(change, words, tiny, tmp_path):
  change(tiny)
  path = tmp_path / 'weights.pth'
  path.write_bytes(torch_of(tiny))
  with pytest.raises(DataError, match=words):
    inception_v3.inception(weights=str(path))


@pytest.mark.parametrize('data,words', [
    (gzip.compress(b'x'), 'a gzip file; .*inception-2015-12-05.tgz'),
    (b'<html>', 'a web page'), (b'\n', 'damaged'), (b'PK\x03\x04', 'damaged'),
    (pickle.dumps({}, 4), 'a pickle, which is never loaded')], ids=words_only)
def test_other_files_are_refused(data, words, tmp_path):
  path = tmp_path / 'weights.pb'
  path.write_bytes(data)
  with pytest.raises(DataError, match=words):
    inception_v3.inception(weights=str(path))


def test_a_spec_without_weights_or_with_another_resizer():
  room = 'gan_jax.extractors'
  problem, = lookup.check(room, dict(name='inception'), 'extractor')
  assert 'inception also needs weights' in str(problem)
  problem, = lookup.check(room, dict(name='inception', weights='x',
                                     resizer='tf2'), 'extractor')
  assert 'did you mean "tf1"' in str(problem)
  with pytest.raises(DataError, match='no such file'):
    lookup.build(room, dict(name='inception', weights='/no/file.pb'))
