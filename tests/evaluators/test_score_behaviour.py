"""Scores of real digits, and of what is worse than they."""

import numpy as np
import pytest

from gan_jax.base import lookup
from gan_jax.data.prepare import make_source
from gan_jax.data.sources import mnist10k
from gan_jax.evaluators.score import order
from gan_jax.extractors import Extractor, cnn_training
from gan_jax.metrics.parzen import parzen

NAME = 'fd_random_2k_train'


@pytest.fixture(scope='module')
def digits():
  return mnist10k()


def evaluator(digits, **changes):
  return lookup.build('gan_jax.evaluators', dict(
      name='scores', extractor={'name': 'random'}, metrics=('fd',)) | changes,
      source=digits, seed=0)


@pytest.fixture(scope='module')
def relative(digits, tmp_path_factory):
  """(images of 2,000 places) -> their distance in floors."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr('gan_jax.evaluators.measures._RESAMPLES', 2)
    evaluate = evaluator(digits)

    def score(images):
      (found,) = evaluate(lambda a, b: (np.resize(
          images, (2000, 28, 28, 1))[a:b], None))
      assert found.name == NAME and 0.02 < found.floor < 0.04
      return found.value / found.floor

    yield score


@pytest.fixture(scope='module')
def unseen(digits):
  """Real images that are in neither draw, shuffled."""
  return digits.images[order(10000, 0)[4000:]]


def test_the_room_holds_factories_only():
  assert sorted(lookup.names('gan_jax.evaluators')) == [
      'classification_accuracy', 'mode_coverage', 'parzen', 'scores',
      'stacked_coverage']


def test_real_digits_get_the_floor(relative, unseen):
  assert relative(unseen[:2000]) == pytest.approx(1.0, abs=0.33)
  assert relative(unseen[:2000][::-1]) == pytest.approx(
      relative(unseen[:2000]), rel=1e-3)


def test_the_reference_itself_is_at_zero(digits):
  first = digits.images[order(10000, 0)[:500]]
  (found,) = evaluator(digits, num_samples=500)(
      lambda a, b: (first[a:b], None))
  assert found.value < 1e-4 * found.floor


def test_scores_get_worse_in_the_order_they_should(relative, digits, unseen):
  real = unseen[:2000]
  noisy = real.copy()
  noisy[np.random.RandomState(0).rand(*noisy.shape) < 0.02] = 255
  assert relative(noisy) > 2
  labels = digits.labels[order(10000, 0)[4000:]]
  assert relative(unseen[labels != 1][:2000]) > 1.5
  # Modes lost: each collapse is worse than the last.
  collapse = [relative(real[:n]) for n in (2000, 200, 50, 1)]
  assert collapse[1] > 3 * collapse[0] and collapse[2] > 3 * collapse[1]
  assert collapse[3] > 100
  noise = np.random.RandomState(0).randint(0, 256, (2000, 28, 28, 1))
  assert relative(noise.astype(np.uint8)) > 150
  assert relative(np.zeros((1, 28, 28, 1), np.uint8)) > 100


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
  assert found.floor is not None
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


def test_parzen_is_the_metric_of_the_split(digits):
  few = digits._replace(images=digits.images[:300], labels=digits.labels[:300])
  evaluate = lookup.build('gan_jax.evaluators', dict(
      name='parzen', num_samples=50, num_test=40, num_validation=30),
      source=few, seed=1)
  samples = digits.images[1000:1050]
  (found,) = evaluate(lambda a, b: (samples[a:b], None))
  rows = order(300, 1)
  flat = [x.reshape(len(x), -1) / 255.0 for x in (
      few.images[rows[:40]], few.images[rows[40:70]], samples)]
  want = parzen(*flat)
  assert found.name == 'parzen_50_train'
  assert found.value == pytest.approx(want.mean)
  assert found.found['sigma'] == want.sigma
  assert found.high - found.value == pytest.approx(1.96 * want.standard_error)
  assert found.floor == pytest.approx(parzen(
      *flat[:2], few.images[rows[70:120]].reshape(50, -1) / 255.0).mean)
  with pytest.raises(ValueError, match='need 400 examples, and mnist10k has'):
    lookup.build('gan_jax.evaluators', dict(
        name='parzen', num_test=200, num_validation=200), source=few, seed=1)


def test_a_classifier_learns_from_generated_images(monkeypatch):
  monkeypatch.setattr(cnn_training, '_STEPS', (25, 25))

  def draw(seed):  # A half that is bright: left, right, or none.
    labels = np.arange(120) % 3
    images = np.random.RandomState(seed).randint(0, 60, (120, 8, 8, 1))
    images[labels == 0, :, :4] += 180
    images[labels == 1, :, 4:] += 180
    return images.astype(np.uint8), labels.astype(np.int32)

  source = make_source(*draw(0), 3, name='halves')
  evaluate = lookup.build('gan_jax.evaluators', dict(
      name='classification_accuracy', num_samples=120), source=source)
  images, labels = draw(1)
  (right,) = evaluate(lambda a, b: (images[a:b], labels[a:b]))
  # A generator that mistakes each class for the next teaches the same.
  (wrong,) = evaluate(lambda a, b: (images[a:b], (labels[a:b] + 1) % 3))
  assert right.value > 0.9 and wrong.value < 0.1
  assert right.floor is None and right.protocol['real_accuracy'] > 0.9
  assert right.name == 'classification_accuracy_120_train'
  (none,) = evaluate(lambda a, b: (images[a:b], None))
  assert none.value is None and 'no classes' in none.reason
  with pytest.raises(ValueError, match='no labels'):
    lookup.build('gan_jax.evaluators', dict(name='classification_accuracy'),
                 source=source._replace(num_classes=0))
