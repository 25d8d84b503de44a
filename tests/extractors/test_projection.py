"""The random projection: numbers by hand, distances that it keeps."""

import math

import numpy as np
import pytest
from extractor_data import build

from gan_jax.extractors import simple

RNG = np.random.default_rng(0)


def matrix(size):
  """R / sqrt(F), drawn as documented."""
  rows = [np.random.RandomState([20030101, i]).standard_normal((4096, 256))
          for i in range(-(-size // 4096))]
  width = min(256, size)
  return np.concatenate(rows)[:size, :width] / math.sqrt(width)


@pytest.mark.parametrize('shape', [(3,), (300, 2), (16, 16, 3),
                                   (20, 16, 16, 1)])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_features_are_those_documented(shape, dtype, monkeypatch):
  monkeypatch.setattr(simple, '_CHUNK', 2)
  examples = RNG.uniform(-1, 1, (3, *shape)).astype(np.float32)
  x = examples.astype(float)
  if dtype == np.uint8:
    examples = np.round(127.5 * (examples + 1)).astype(np.uint8)
    x = examples / 127.5 - 1
  features, logits = build('projection').extract(examples)
  x = x.reshape(3, -1)
  assert features.shape == (3, min(256, x.shape[1])) and logits is None
  assert features.dtype == np.float32
  np.testing.assert_allclose(features, x @ matrix(x.shape[1]), atol=1e-3,
                             rtol=1e-4)


def test_it_keeps_distances():
  # Of two dots and a square: by the lemma within some multiples of 9 %.
  signals = RNG.uniform(-1, 1, (20, 4000, 1)).astype(np.float32)
  signals *= np.linspace(0.1, 1, 20, dtype=np.float32)[:, None, None]
  features, _ = build('projection').extract(signals)
  a, b = np.triu_indices(20, 1)
  true, found = (np.square(x[a] - x[b]).sum(1) for x in (
      signals.reshape(20, -1).astype(float), features))
  error = found / true - 1
  assert np.abs(error).max() < 0.4 and error.std() < 0.15


def test_what_it_is_is_pinned():
  # It names its scores: another value is another extractor.
  assert build('projection').sha256.startswith('a4a8dbd177b711c2')


@pytest.mark.parametrize('examples', [
    np.zeros((2, 3)), np.zeros(3, np.float32), np.zeros((0, 3), np.float32)])
def test_refusals(examples):
  with pytest.raises(ValueError, match='projection takes uint8 or float32'):
    build('projection').extract(examples)
