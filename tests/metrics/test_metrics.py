"""Random features, and the bias of a Frechet distance."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.data.prepare import Source
from gan_jax.data.sources import mnist10k
from gan_jax.metrics import features
from gan_jax.metrics.features import random_features, random_weights
from gan_jax.metrics.frechet import frechet_distance


def source_of(images):
  labels = np.zeros(len(images), np.int32)
  return Source(images, labels, 0, 'some', 'f', '')


def noise(count, shape=(28, 28, 1), seed=0):
  values = np.random.RandomState(seed).randint(0, 256, (count, *shape))
  return values.astype(np.uint8)


@pytest.fixture(scope='module')
def digits():
  return mnist10k()


@pytest.mark.parametrize('count,wanted,digits', [
    (500, 4.40, 2), (5000, 0.440, 3), (50000, 0.0458, 4)])
def test_distance_of_equal_gaussians_is_the_bias(count, wanted, digits):
  draw = np.random.RandomState(1)
  found = frechet_distance(draw.randn(count, 64), draw.randn(count, 64))
  assert round(found, digits) == wanted
  assert found == pytest.approx(64 * 65 / 2 / count, rel=0.15)


# The features.


def test_features_are_pinned():
  digest = {c: hashlib.sha256(b''.join(
      w.astype('<f4').tobytes() for w in random_weights(c))).hexdigest()
            for c in (1, 3)}
  assert digest == {
      1: '50f21d6ffb10b2ae17dbf361c645cadf006b0e8f11451484e8e2d97ff24abc5e',
      3: '0dff53963a0ed5ff5c1e3109bafe66a15d462e0f9404d2c57276820a299122f0'}
  assert [w.shape for w in random_weights(2)] == [
      (4, 4, 2, 32), (4, 4, 32, 64), (4, 4, 64, 128), (512, 64)]


def by_hand(image):
  """The network of features.py for one image [H, W, C], in float64."""
  x = image / 127.5 - 1.0
  *kernels, matrix = random_weights(x.shape[2])
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
def test_features_are_those_documented(shape):
  images = noise(3, shape)
  found = random_features(images)
  assert found.shape == (3, 64) and found.dtype == np.float32
  np.testing.assert_allclose(found, [by_hand(x) for x in images], rtol=1e-4,
                             atol=1e-5)


def test_features_do_not_depend_on_the_chunk(monkeypatch):
  images = noise(300)
  whole = random_features(images)
  monkeypatch.setattr(features, '_CHUNK', 7)
  np.testing.assert_allclose(random_features(images), whole, rtol=1e-4,
                             atol=1e-5)


def test_features_are_full_float32_on_accelerators():
  weights = [jnp.asarray(w) for w in random_weights(1)]
  with jax.default_matmul_precision('highest'):
    text = features._network.trace(noise(2), weights).lower(
        lowering_platforms=('cuda',)).as_text()
  lines = [line for line in text.splitlines()
           if 'stablehlo.convolution' in line or 'dot_general' in line]
  assert len(lines) >= 5
  for line in lines:
    assert 'HIGHEST' in line


@pytest.mark.parametrize('images', [
    np.zeros((2, 8, 8, 1), np.float32), np.zeros((2, 8, 8), np.uint8),
    np.zeros((0, 8, 8, 1), np.uint8)])
def test_features_refuse(images):
  with pytest.raises(ValueError, match='uint8 .N, H, W, C.'):
    random_features(images)
