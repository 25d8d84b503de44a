"""Random features and the evaluator of their Frechet distance."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import lookup
from gan_jax.data.prepare import Source
from gan_jax.data.sources import mnist10k
from gan_jax.metrics import features
from gan_jax.metrics import frechet as factory
from gan_jax.metrics.features import random_features, random_weights
from gan_jax.metrics.frechet import frechet_distance

NAME, FLOOR = 'fd_random_2k', 'fd_random_2k_floor'


def source_of(images):
  labels = np.zeros(len(images), np.int32)
  return Source(images, labels, 0, 'some', 'f', '')


def noise(count, shape=(28, 28, 1), seed=0):
  values = np.random.RandomState(seed).randint(0, 256, (count, *shape))
  return values.astype(np.uint8)


@pytest.fixture(scope='module')
def digits():
  return mnist10k()


@pytest.fixture(scope='module')
def evaluate(digits):
  return factory(source=digits, seed=0)


@pytest.fixture(scope='module')
def unseen(digits):
  """Indices of real images in neither draw of `evaluate`, shuffled: [5000]."""
  first, rest = factory.__globals__['_draws'](10000, 5000, 0)
  assert set(first) >= set(np.concatenate(
      factory.__globals__['_draws'](10000, 2000, 0)))
  return rest


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


# The evaluator.


def test_room_holds_factories_only():
  assert lookup.names('gan_jax.metrics') == ['mode_coverage', 'frechet']
  assert lookup.find('gan_jax.metrics', 'frechet') is factory
  assert lookup.defaults('gan_jax.metrics', 'frechet') == {'num_samples': 2000}


def test_a_config_names_it(digits):
  spec = dict(name='frechet', num_samples=20)
  score = lookup.build('gan_jax.metrics', spec, source=digits, seed=3)
  asked = []

  def sample(count):
    asked.append(count)
    return noise(count)

  found = score(sample)
  assert list(found) == ['fd_random_20', 'fd_random_20_floor']
  assert all(type(v) is float for v in found.values())
  assert score(sample) == found and asked == [20, 20]
  again = factory(num_samples=20, source=digits, seed=3)
  assert again(sample) == found
  assert factory(num_samples=20, source=digits, seed=4)(sample) != found


def test_draws_share_no_image(monkeypatch):
  images = np.arange(200, dtype=np.uint8).reshape(100, 1, 2, 1)
  seen = []

  def spy(x):
    seen.append(x)
    return random_features(x)

  monkeypatch.setitem(factory.__globals__, 'random_features', spy)
  score = factory(num_samples=50, source=source_of(images), seed=0)
  assert not seen
  score(lambda count: images[:count])
  score(lambda count: images[:count])
  assert len(seen) == 4  # Two real draws once, and the sample twice.
  both = np.concatenate(seen[:2])
  assert len(both) == 100 and len(np.unique(both[:, 0, 0])) == 100


def test_real_digits_score_the_floor(evaluate, digits, unseen):
  found = evaluate(lambda count: digits.images[unseen[:count]])
  assert 0.75 * found[FLOOR] < found[NAME] < 1.33 * found[FLOOR]
  assert 0.02 < found[FLOOR] < 0.04
  turned = evaluate(lambda count: digits.images[unseen[:count][::-1]])
  assert turned[NAME] == pytest.approx(found[NAME], rel=1e-3)


def test_the_reference_scores_zero(digits):
  score = factory(num_samples=500, source=digits, seed=0)
  draws = factory.__globals__['_draws']
  found = score(lambda count: digits.images[draws(10000, count, 0)[0]])
  assert found['fd_random_500'] < 1e-4 * found['fd_random_500_floor']


def test_scores_get_worse_in_the_order_they_should(evaluate, digits, unseen):
  def score(images):
    found = evaluate(lambda count: np.resize(images, (count, 28, 28, 1)))
    return found[NAME] / found[FLOOR]

  real = digits.images[unseen[:2000]]
  noisy = real.copy()
  noisy[np.random.RandomState(0).rand(*noisy.shape) < 0.02] = 255
  assert score(noisy) > 2
  assert score(digits.images[unseen[digits.labels[unseen] != 1][:2000]]) > 1.5
  # Modes lost: each collapse is worse than the last.
  collapse = [score(real[:n]) for n in (2000, 200, 50, 1)]
  assert collapse[1] > 3 * collapse[0] and collapse[2] > 3 * collapse[1]
  assert collapse[3] > 100
  assert score(noise(2000)) > 150
  assert score(np.zeros((1, 28, 28, 1), np.uint8)) > 100


@pytest.mark.parametrize('images', [
    np.zeros((4, 28, 28, 1), np.float32), np.zeros((4, 28, 28, 3), np.uint8),
    np.zeros((3, 28, 28, 1), np.uint8)])
def test_evaluator_refuses_other_images(digits, images):
  score = factory(num_samples=4, source=digits, seed=0)
  with pytest.raises(ValueError, match=r'sample\(4\) gave.*needed.*mnist10k'):
    score(lambda count: images)


@pytest.mark.parametrize('num_samples,total,words', [
    (1, 100, '2 images or more'), (51, 100, 'num_samples=50 or less'),
    (2000, 1500, 'need 4000 images, but some has 1500; use num_samples=750'),
    (2, 3, 'a data set of 4 images')])
def test_evaluator_refuses_num_samples(num_samples, total, words):
  source = source_of(np.zeros((total, 2, 2, 1), np.uint8))
  with pytest.raises(ValueError, match=f'num_samples={num_samples}: .*{words}'):
    factory(num_samples=num_samples, source=source, seed=0)


def test_scores_of_other_shapes():
  source = source_of(noise(100, (11, 16, 3)))
  score = factory(num_samples=40, source=source, seed=0)
  found = score(lambda count: noise(count, (11, 16, 3), seed=1))
  assert found['fd_random_40'] < 2 * found['fd_random_40_floor']
