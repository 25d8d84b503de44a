"""Scores: values, intervals and floors, and what they say of themselves."""

import functools
import json
import os
import pathlib

import numpy as np
import pytest
from noise_scores import CALLS, by_name, evaluator, make, means

from gan_jax.base.files import short_hash
from gan_jax.evaluators.score import Score, order
from gan_jax.evaluators.scores import features_of, features_of_data
from gan_jax.metrics import kernel, neighbours
from gan_jax.metrics.frechet import distance_to


def test_real_examples_get_their_floor():
  source = make(100)
  evaluate = evaluator(source)
  second = source.images[order(100, 3)[40:]]  # more than are asked for
  for score in evaluate(lambda a, b: (second[a:b], None)):
    if score.name.startswith('authenticity'):
      continue  # Its floor is of examples held out.
    assert score.value == pytest.approx(score.floor, abs=1e-9), score.name


def test_values_are_those_of_the_metrics():
  source, other = make(100), make(40, seed=1)
  found = by_name(evaluator(source)(lambda a, b: (other.images[a:b], None)))
  real = means(source=None).extract(source.images[order(100, 3)[:40]])[0]
  fake = means(source=None).extract(other.images)[0]
  assert found['fd_means_40_train'].value == pytest.approx(
      distance_to(real)(fake), rel=1e-6)
  for name, value in neighbours.manifold(real, fake).items():
    assert found[f'{name}_means_40_train'].value == pytest.approx(value)
  # Of all that was trained on, which a copy of any example shows.
  whole = means(source=None).extract(source.images)[0]
  assert found['authenticity_means_40_train'].value == pytest.approx(
      neighbours.authenticity(whole, fake))
  copies = source.images[order(100, 3)[60:]]  # None of them in the reference.
  found = by_name(evaluator(source)(lambda a, b: (copies[a:b], None)))
  assert found['authenticity_means_40_train'].value == 0.0
  assert found['authenticity_means_40_train'].floor is None


def test_intervals_hold_the_value():
  source, other = make(100), make(40, seed=1)
  found = [score for score in evaluator(source)(
      lambda a, b: (other.images[a:b], None)) if score.low is not None]
  assert found
  for score in found:
    assert score.low <= score.value <= score.high
    assert 0 <= score.low < score.high


def test_bare_scores_have_no_floors_and_no_bootstraps():
  source, other = make(100), make(40, seed=1)

  def sample(start, stop):
    return other.images[start:stop], None

  whole = by_name(evaluator(source)(sample))
  for name, score in by_name(evaluator(source, bare=True)(sample)).items():
    assert score.value == whole[name].value
    assert score.floor is None and score.protocol['floor'] == 'not asked for'
    if name.startswith(('fd', 'kd', 'class_kl')):
      assert score.low is score.high is None, name


def test_the_protocol_is_whole_and_plain():
  source, other = make(100), make(40, seed=1)
  for score in evaluator(source)(lambda a, b: (other.images[a:b], None)):
    how = json.loads(json.dumps(score.protocol))
    assert how['extractor'] == 'means' and how['extractor_of'] == 'rows'
    assert how['extractor_sha256'] == short_hash('means')
    whole = how['metric'] == 'authenticity'
    assert how['num_real'] == (100 if whole else 40)
    assert how['num_fake'] == 40 and how['seed'] == 3
    assert how['reference'] == 'train' and how['data'] == 'noise'
    assert how['data_fingerprint'] == source.fingerprint


def test_the_reference_may_be_held_out():
  held, other = make(30, seed=9), make(40, seed=1)
  source = make(100)._replace(held_out=held)
  fd, whole = evaluator(
      source, reference='held_out', num_real=30, metrics=('fd', 'authenticity')
      )(lambda a, b: (other.images[a:b], None))
  assert fd.name == 'fd_means_40_held_out_r30'
  real, fake = (means(source=None).extract(x.images)[0] for x in (held, other))
  assert fd.value == pytest.approx(distance_to(real)(fake), rel=1e-6)
  assert fd.protocol['data_fingerprint'] == held.fingerprint
  assert whole.name == 'authenticity_means_40_train'
  assert whole.protocol['reference'] == 'train'
  assert whole.protocol['data_fingerprint'] == source.fingerprint


def test_the_protocol_holds_rules_and_no_results(monkeypatch):
  monkeypatch.setattr(kernel, 'kernel_distance', functools.partial(
      kernel.kernel_distance, subsets=3))
  evaluate = evaluator(make(2100), num_samples=1000, metrics=(
      'fd', 'kd', 'prdc', 'inception_score', 'classes'))

  def of(divisor):
    images = make(1000, seed=divisor).images // divisor
    return by_name(evaluate(lambda a, b: (images[a:b], None)))

  one, other = of(1), of(2)
  assert one['kd_means_1k_train'].found != other['kd_means_1k_train'].found
  assert len(one) == 9 and {n: s.protocol for n, s in one.items()} == {
      n: s.protocol for n, s in other.items()}


def test_a_score_is_plain_json_whatever_an_evaluator_gives():
  score = Score('a', np.float32(0.5), protocol={
      'n': np.int64(3), 'of': (1, np.nan)}, found={'x': np.arange(2), 'y': len})
  row = json.loads(json.dumps(score.checked()._asdict(), allow_nan=False))
  assert row['value'] == 0.5 and row['protocol'] == {'n': 3, 'of': [1, None]}
  assert row['found']['x'] == [0, 1] and 'len' in row['found']['y']


def test_features_of_the_data_are_kept_by_content():
  source, sample = make(100), lambda a, b: (make(40).images[a:b], None)
  first = evaluator(source)(sample)
  CALLS.clear()
  again = evaluator(source)(sample)
  assert CALLS == [40]  # The generated ones.
  named = evaluator(source, num_real=60, metrics=('fd',))(sample)
  assert [score.name for score in named] == ['fd_means_40_train_r60']
  real, left = (means(source=None).extract(source.images[rows])[0]
                for rows in np.split(order(100, 3), [60]))
  assert named[0].value == pytest.approx(distance_to(real)(
      means(source=None).extract(make(40).images)[0]), rel=1e-6)
  assert named[0].floor == pytest.approx(distance_to(real)(left), rel=1e-6)
  # Those of another extractor are others.
  (other,) = evaluator(source, metrics=('fd',), extractor=dict(
      name='random'))(sample)
  assert other.name == 'fd_random_40_train' and other.value > 0
  assert [s.value for s in first] == [s.value for s in again]
  CALLS.clear()
  evaluator(make(100, seed=5))(sample)
  assert sorted(CALLS) == [40, 40, 40, 100]


def test_images_are_those_of_the_features_and_the_first_thousand():
  source, rows = make(1500), order(1500, 0)[:1200]
  for _ in range(2):  # The second time the features are from a file.
    found = features_of_data(means(source=None), source, rows)
    np.testing.assert_array_equal(found.images, source.images[rows[:1000]])
  found = features_of(means(source=None), lambda a, b: (
      source.images[a:b], None), 1200)
  np.testing.assert_array_equal(found.images, source.images[:1000])
  assert found.features.shape == (1200, 8)


def test_damaged_features_are_made_again():
  source, sample = make(100, seed=6), lambda a, b: (make(40).images[a:b], None)
  first = evaluator(source)(sample)
  folder = pathlib.Path(os.environ['GAN_JAX_CACHE'], 'extractors')
  for path in folder.glob('features-*'):
    path.write_bytes(path.read_bytes()[:200])
  CALLS.clear()
  again = evaluator(source)(sample)
  assert len(CALLS) == 4 and [s.value for s in first] == [
      s.value for s in again]


@pytest.mark.parametrize('num_real', [40, 30])
def test_their_names_are_known_before(num_real):
  source, other = make(100), make(40, seed=1)
  evaluate = evaluator(source, extractor=dict(name='random'), num_real=num_real)
  found = [score.name for score in evaluate(
      lambda a, b: (other.images[a:b], None))]
  # Without the logits of a classifier there are no classes.
  assert found == evaluate.names and len(found) == 6
  assert f'fd_random_40_train{"_r30" * (num_real == 30)}' in found
  # Of a user's extractor nobody knows what it calls itself.
  assert not evaluator(source).names
