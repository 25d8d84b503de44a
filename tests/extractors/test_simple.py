"""The random network, weight by weight, and points."""

import hashlib

import numpy as np
import pytest
from extractor_data import build

from gan_jax.extractors import base, simple


def noise(count, shape=(28, 28, 1)):
  values = np.random.RandomState(0).randint(0, 256, (count, *shape))
  return values.astype(np.uint8)


def test_weights_are_pinned():
  digest = {c: hashlib.sha256(b''.join(
      w.astype('<f4').tobytes() for w in simple.random_weights(c))).hexdigest()
            for c in (1, 3)}
  assert digest == {
      1: '50f21d6ffb10b2ae17dbf361c645cadf006b0e8f11451484e8e2d97ff24abc5e',
      3: '0dff53963a0ed5ff5c1e3109bafe66a15d462e0f9404d2c57276820a299122f0'}
  assert [w.shape for w in simple.random_weights(2)] == [
      (4, 4, 2, 32), (4, 4, 32, 64), (4, 4, 64, 128), (512, 64)]
  # It names its scores: another value is another extractor.
  assert build('random').sha256.startswith('c8819760fdd7e29f')


def by_hand(image):
  """The documented network for one image [H, W, C], in float64."""
  x = image / 127.5 - 1.0
  *kernels, matrix = simple.random_weights(x.shape[2])
  for kernel in kernels:
    size = [-(-n // 2) for n in x.shape[:2]]
    total = [max(2 * m + 2 - n, 0) for m, n in zip(size, x.shape, strict=False)]
    x = np.pad(x, [(t // 2, t - t // 2) for t in total] + [(0, 0)])
    y = np.empty((*size, kernel.shape[3]))
    for i, j in np.ndindex(*size):
      window = x[2 * i:2 * i + 4, 2 * j:2 * j + 4]
      y[i, j] = np.einsum('abc,abcd->d', window, kernel)
    x = np.where(y > 0, y, 0.2 * y)
  # Every pixel twice in each direction, so that halves are whole numbers.
  x = x.repeat(2, 0).repeat(2, 1)
  h, w = x.shape[0] // 2, x.shape[1] // 2
  quarters = [x[a:a + h, b:b + w].mean((0, 1)) for a in (0, h) for b in (0, w)]
  return np.concatenate(quarters) @ matrix


@pytest.mark.parametrize('shape', [(28, 28, 1), (17, 41, 3), (1, 1, 2)])
def test_features_are_those_documented(shape, monkeypatch):
  monkeypatch.setattr(simple, '_CHUNK', 2)
  images = noise(3, shape)
  features, logits = build('random').extract(images)
  assert features.shape == (3, 64) and features.dtype == np.float32
  assert logits is None
  np.testing.assert_allclose(features, [by_hand(x) for x in images], rtol=1e-4,
                             atol=1e-5)


def test_features_are_full_float32_on_accelerators():
  texts, weights = [], simple.random_weights(1)

  def lower(images):
    texts.append(simple._network.trace(images, weights).lower(
        lowering_platforms=('cuda',)).as_text())
    return [images]

  base.in_chunks(lower, noise(2), 2)
  lines = [line for line in texts[0].splitlines()
           if 'stablehlo.convolution' in line or 'dot_general' in line]
  assert len(lines) >= 5
  for line in lines:
    assert 'HIGHEST' in line


def test_points_are_their_own_features():
  x = np.random.RandomState(0).randn(5, 2).astype(np.float32)
  features, logits = build('points').extract(x)
  np.testing.assert_array_equal(features, x)
  assert logits is None and features.dtype == np.float32


@pytest.mark.parametrize('x', [
    np.zeros((5, 2)), np.zeros((2, 8, 8, 1), np.uint8), [[1.0]],
    np.zeros((0, 2), np.float32), np.zeros(3, np.float32)])
def test_points_are_vectors(x):
  with pytest.raises(ValueError, match=r'float32 \[N, D\]'):
    build('points').extract(x)
