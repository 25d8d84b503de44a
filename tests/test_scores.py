"""Scores: what they say of themselves, their floors, when there is none."""

import json
import os
import pathlib

import numpy as np
import pytest

from gan_jax import lookup
from gan_jax.data.prepare import make_source
from gan_jax.evaluation import measures
from gan_jax.evaluation.score import Score, digest, order, short
from gan_jax.extractors import Extractor
from gan_jax.metrics import manifold
from gan_jax.metrics.frechet import frechet_distance

CALLS = []


def means(*, source):
  """An extractor of a user: means of rows; logits that say 'dark', 'bright'."""
  del source

  def extract(images):
    CALLS.append(len(images))
    features = images.astype(np.float32).mean(axis=(2, 3)) / 255.0
    bright = features.mean(1, keepdims=True) - 0.5
    return features, 50.0 * np.concatenate([-bright, bright], 1)

  return Extractor('means', digest('means'), extract, {'of': 'rows'})


MEANS = {'name': f'{__name__}:means'}


def make(count, seed=0, **changes):
  images = np.random.RandomState(seed).randint(
      0, 256, (count, 8, 8, 1)).astype(np.uint8)
  images[::2] //= 2
  return make_source(images, (), 0, name='noise', **changes)


def evaluator(source, **changes):
  spec = dict(name='scores', extractor=MEANS, num_samples=40,
              metrics=('fd', 'prdc', 'classes', 'authenticity'))
  return lookup.build('gan_jax.evaluation', spec | changes, source=source,
                      seed=3)


def by_name(scores):
  return {score.name: score for score in scores}


def test_a_score_without_a_number_says_why():
  score = Score('a', float('nan'), floor=1.0, low=0.0, high=2.0).checked()
  assert score == Score('a', None, score.reason, 1.0, None, None)
  assert 'not finite' in score.reason
  assert Score('a', 1.0, floor=float('inf')).checked().floor is None
  assert Score('a', 1.0, floor=0.5).scalars() == {'a': 1.0, 'a_floor': 0.5}
  assert short(2000) == '2k' and short(1500) == '1500'


def test_real_examples_get_their_floor():
  source = make(100)
  evaluate = evaluator(source)
  second = source.images[order(100, 3)[40:80]]
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
      frechet_distance(real, fake), rel=1e-6)
  wanted = manifold.manifold(real, fake)
  for name, value in wanted._asdict().items():
    assert found[f'{name}_means_40_train'].value == pytest.approx(value)
  # Of all that was trained on, which a copy of any example shows.
  whole = means(source=None).extract(source.images)[0]
  assert found['authenticity_means_40_train'].value == pytest.approx(
      manifold.authenticity(whole, fake))
  copies = source.images[order(100, 3)[60:]]  # None of them in the reference.
  found = by_name(evaluator(source)(lambda a, b: (copies[a:b], None)))
  assert found['authenticity_means_40_train'].value == 0.0
  assert found['authenticity_means_40_train'].floor is None


def test_intervals_hold_the_value():
  source, other = make(100), make(40, seed=1)
  for score in evaluator(source)(lambda a, b: (other.images[a:b], None)):
    if score.low is not None:
      assert score.low <= score.value <= score.high
      assert 0 <= score.low < score.high


def test_the_protocol_is_whole_and_plain():
  source, other = make(100), make(40, seed=1)
  for score in evaluator(source)(lambda a, b: (other.images[a:b], None)):
    how = json.loads(json.dumps(score.protocol))
    assert how['extractor'] == 'means' and how['extractor_of'] == 'rows'
    assert how['extractor_sha256'] == digest('means')
    whole = how['metric'] == 'authenticity'
    assert how['num_real'] == (100 if whole else 40)
    assert how['num_fake'] == 40 and how['seed'] == 3
    assert how['reference'] == 'train' and how['data'] == 'noise'
    assert how['data_fingerprint'] == source.fingerprint


def test_the_protocol_holds_rules_and_no_results():
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


def test_a_class_that_the_reference_lacks_costs_the_divergence_only():
  dark = make_source(make(100).images // 4, (), 0, name='dark')
  bright = np.full((40, 8, 8, 1), 200, np.uint8)
  classes, kl = evaluator(dark, metrics=('classes',))(
      lambda a, b: (bright[a:b], None))
  assert classes.value == 1.0 and classes.found == {
      'counts': [0, 40], 'real': [40, 0]}
  assert kl.value is None and 'no example of classes [1]' in kl.reason
  # The other draw of real ones has it, and the generated ones do not.
  images = make(100).images // 4
  images[order(100, 3)[40]] = 255
  source = make_source(images, (), 0, name='one bright')
  classes, kl = evaluator(source, metrics=('classes',))(
      lambda a, b: (dark.images[a:b], None))
  assert (classes.value, classes.floor, kl.value, kl.floor) == (1, 2, 0, None)


def test_classes_that_are_not_the_datas_have_no_accuracy():
  images, labels = make(100).images, np.arange(100) % 3
  for classes, found in ((2, 1), (3, 0)):
    source = make_source(images, labels % classes, classes, name='labelled')
    assert len(evaluator(source, metrics=('class_accuracy',))(
        lambda a, b: (images[a:b], labels[a:b] % 2))) == found


@pytest.mark.parametrize('images', [
    np.zeros((40, 8, 8, 1), np.uint8), np.full((40, 8, 8, 1), 255, np.uint8)],
    ids=['black', 'white'])
def test_a_collapsed_generator_has_scores(images):
  found = by_name(evaluator(make(100))(lambda a, b: (images[a:b], None)))
  for score in found.values():
    assert score.value is not None or score.reason
  assert found['fd_means_40_train'].value > 0.05
  assert found['recall_means_40_train'].value == 0.0
  assert found['classes_means_40_train'].value == 1.0


def test_features_that_are_not_finite_give_none_and_the_reason():
  def broken(*, source):
    del source
    return Extractor('broken', 'x', lambda images: (
        np.full((len(images), 4), np.nan, np.float32), None), {})

  globals()['broken'] = broken
  evaluate = evaluator(make(100), extractor={'name': f'{__name__}:broken'})
  found = evaluate(lambda a, b: (make(40).images[a:b], None))
  assert found
  for score in found:
    assert score.value is None and 'finite' in score.reason, score


def test_too_few_examples_are_a_reason_not_a_crash():
  evaluate = evaluator(make(100), metrics=('kd', 'fd'))
  kd, fd = evaluate(lambda a, b: (make(40).images[a:b], None))
  assert kd.value is None and '1000' in kd.reason
  assert fd.value is not None


def test_without_a_second_draw_there_is_no_floor():
  evaluate = evaluator(make(60), metrics=('fd',))
  (fd,) = evaluate(lambda a, b: (make(40).images[a:b], None))
  assert fd.floor is None and 'too few' in fd.protocol['floor']


def test_features_of_the_data_are_kept_by_content():
  source, sample = make(100), lambda a, b: (make(40).images[a:b], None)
  first = evaluator(source)(sample)
  CALLS.clear()
  again = evaluator(source)(sample)
  assert CALLS == [40]  # The generated ones.
  named = evaluator(source, num_real=60, metrics=('fd',))(sample)
  assert [score.name for score in named] == ['fd_means_40_train_r60']
  assert [s.value for s in first] == [s.value for s in again]
  CALLS.clear()
  evaluator(make(100, seed=5))(sample)
  assert sorted(CALLS) == [40, 40, 40, 100]


def test_damaged_features_are_made_again():
  source, sample = make(100, seed=6), lambda a, b: (make(40).images[a:b], None)
  first = evaluator(source)(sample)
  folder = pathlib.Path(os.environ['GAN_JAX_CACHE'], 'features')
  for path in folder.iterdir():
    path.write_bytes(path.read_bytes()[:200])
  CALLS.clear()
  again = evaluator(source)(sample)
  assert len(CALLS) == 4 and [s.value for s in first] == [
      s.value for s in again]


@pytest.mark.parametrize('changes,message', [
    (dict(metrics=('fid',)), 'no such metric'),
    (dict(extractor={'name': 'inceptoin'}), 'did you mean "inception"'),
    (dict(extractor={'name': 'random', 'x': 1}), 'no such argument'),
    (dict(num_samples=1), 'give 2 to 100'),
    (dict(num_real=200), 'give 2 to 100'),
    (dict(reference='test'), 'neither'),
    (dict(reference='held_out'), 'holdout'),
])
def test_mistakes_are_named(changes, message):
  with pytest.raises(ValueError, match=message):
    evaluator(make(100), **changes)


def test_shapes_that_differ_are_named():
  with pytest.raises(ValueError, match=r'beside real examples'):
    evaluator(make(100))(lambda a, b: (
        np.zeros((b - a, 4, 8, 1), np.uint8), None))


def test_a_jackknife_of_a_mean_is_its_standard_error():
  # Groups of one: std(ddof=1) / sqrt(n).
  fake = np.random.RandomState(0).randn(10)
  found = measures._jackknife(lambda real, fake: fake.mean(), None, fake)
  assert found == pytest.approx(fake.std(ddof=1) / np.sqrt(10))


@pytest.mark.parametrize('share,count,low,high', [
    # Wilson's formula by hand: p = 0.5, n = 100.
    (0.5, 100, 0.4038, 0.5962), (0.0, 10, 0.0, 0.2775), (1.0, 10, 0.7225, 1.0)])
def test_wilsons_interval(share, count, low, high):
  assert measures._wilson(share, count) == pytest.approx((low, high), abs=1e-3)
