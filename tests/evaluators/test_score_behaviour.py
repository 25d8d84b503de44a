"""Scores of real digits, and of what is worse than they."""

import numpy as np
import pytest

from gan_jax.base import lookup
from gan_jax.data.sources import mnist10k
from gan_jax.evaluators.score import order
from gan_jax.extractors import Extractor

NAME = 'fd_random_500_train'


@pytest.fixture(scope='module')
def digits():
  return mnist10k()


def evaluator(digits, **changes):
  return lookup.build('gan_jax.evaluators', dict(
      name='scores', extractor={'name': 'random'}, metrics=('fd',)) | changes,
      source=digits, seed=0)


@pytest.fixture(scope='module')
def relative(digits):
  """(images of 500 places) -> their distance in floors."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr('gan_jax.evaluators.measures._RESAMPLES', 2)
    evaluate = evaluator(digits, num_samples=500)

    def score(images):
      (found,) = evaluate(lambda a, b: (np.resize(
          images, (500, 28, 28, 1))[a:b], None))
      assert found.name == NAME and 0.07 < found.floor < 0.11
      return found.value / found.floor

    yield score


@pytest.fixture(scope='module')
def unseen(digits):
  """Real images that are in neither draw, shuffled."""
  return digits.images[order(10000, 0)[4000:]]


def test_real_digits_get_the_floor(relative, unseen):
  found = relative(unseen[:500])
  assert found == pytest.approx(1.0, abs=0.33)
  assert relative(unseen[:500][::-1]) == pytest.approx(found, rel=1e-3)


def test_the_reference_itself_is_at_zero(digits):
  first = digits.images[order(10000, 0)[:500]]
  (found,) = evaluator(digits, num_samples=500)(
      lambda a, b: (first[a:b], None))
  assert found.value < 1e-4 * found.floor


def test_scores_get_worse_in_the_order_they_should(relative, digits, unseen):
  real = unseen[:500]
  noisy = real.copy()
  noisy[np.random.RandomState(0).rand(*noisy.shape) < 0.05] = 255
  assert relative(noisy) > 2
  labels = digits.labels[order(10000, 0)[4000:]]
  assert relative(unseen[labels != 1][:500]) > 1.3
  # Modes lost: each collapse is worse than the last.
  many, few, one = (relative(real[:n]) for n in (50, 8, 1))
  assert many > 3 and few > 3 * many and one > 40
  noise = np.random.RandomState(0).randint(0, 256, (500, 28, 28, 1))
  assert relative(noise.astype(np.uint8)) > 60
  assert relative(np.zeros((1, 28, 28, 1), np.uint8)) > 40


def told():
  """An extractor to which the first pixel is the class."""
  return Extractor('told', 'told', lambda images: (
      images.reshape(len(images), -1).astype(np.float32),
      np.eye(10, dtype=np.float32)[images[:, 0, 0, 0] % 10]), {})


def test_class_accuracy_by_hand(digits):
  images = np.zeros((40, 28, 28, 1), np.uint8)
  images[:, 0, 0, 0] = np.arange(40) % 10
  asked = np.arange(40) % 10
  asked[:10] = 0  # Nine of them are something else.
  evaluate = evaluator(digits, metrics=('class_accuracy',), num_samples=40,
                       extractor={'name': f'{__name__}:told'})
  (found,) = evaluate(lambda a, b: (images[a:b], asked[a:b]))
  assert found.value == 31 / 40 and found.low < 31 / 40 < found.high
  # Real digits begin with a 0.
  assert found.floor == np.mean(digits.labels[order(10000, 0)[40:80]] == 0)
  # Without labels there is nothing to be right about.
  assert evaluate(lambda a, b: (images[a:b], None)) == []


def test_with_missing_labels_there_is_no_classifier(digits):
  labels = digits.labels.copy()
  labels[5] = -1
  some = digits._replace(labels=labels)
  (found,) = evaluator(some, extractor={'name': 'auto'}, num_samples=50)(
      lambda a, b: (digits.images[a:b], None))
  assert found.name == 'fd_random_50_train'
  with pytest.raises(ValueError, match='some examples have no label'):
    lookup.build('gan_jax.extractors', dict(name='classifier'), source=some)
