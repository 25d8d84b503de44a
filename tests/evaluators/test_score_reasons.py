"""Scores that cannot be had: a reason in place of a number, mistakes named."""

import numpy as np
import pytest
from noise_scores import by_name, evaluator, make

from gan_jax.data.prepare import make_source
from gan_jax.evaluators.score import (
  Score,
  as_bytes,
  order,
  scores_of,
  short,
  source_as_bytes,
  table,
)
from gan_jax.extractors import Extractor


def test_a_score_without_a_number_says_why():
  score = Score('a', float('nan'), floor=1.0, low=0.0, high=2.0).checked()
  assert score == Score('a', None, score.reason, 1.0, None, None)
  assert 'not finite' in score.reason
  assert Score('a', 1.0, floor=float('inf')).checked().floor is None
  assert Score('a', None, low=0.0).checked() == Score('a')
  assert Score('a', 1.0, floor=0.5).scalars() == {'a': 1.0, 'a_floor': 0.5}
  assert short(2000) == '2k' and short(1500) == '1500'


def test_an_evaluator_gives_scores_and_each_is_a_number():
  one = Score('a', 1.0)
  assert scores_of(score for score in (one, one)) == [one, one]
  for made in (one, 1.0, [1.0], {'a': 1.0}, None):
    with pytest.raises(ValueError, match='must return a list of'):
      scores_of(made)
  for field in ('value', 'floor', 'low', 'high'):
    with pytest.raises(ValueError, match=r"'a': .* not an array \[3\]"):
      scores_of([one, one._replace(**{field: np.ones(3)})])


def test_images_only_become_bytes():
  images = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 2, 2, 3)
  whole = np.rint((images + 1) * 127.5).astype(np.uint8)
  source = make_source(images, (), 0, name='floats')
  source = source_as_bytes(source._replace(held_out=source))
  for made in (source.images, source.held_out.images):
    assert (made.shape, made.dtype, made.nbytes, len(made)) == (
        whole.shape, np.uint8, 24, 2)
    np.testing.assert_array_equal(made[1:], whole[1:])
  # Bytes, vectors, signals and volumes stay as they are.
  for other in (whole, *(images.reshape(shape) for shape in (
      (2, 12), (2, 4, 3), (2, 2, 2, 1, 3)))):
    assert as_bytes(other) is other


def test_a_reason_is_shown_once():
  why = Score('ais', None, 'no latents')
  heading, *lines = table([(2, Score('fd', 1.5, low=1.0, high=2.0)), (2, why),
                           (4, Score('fd', 1.25)), (4, why),
                           (6, Score('fd', None, 'not finite'))]).split('\n')
  assert [line.split() for line in lines] == [
      ['2', 'fd', '1.5', '1', '..', '2'],
      '2 ais null no latents (and at 1 more)'.split(),
      ['4', 'fd', '1.25'], ['6', 'fd', 'null', 'not', 'finite']]
  assert heading.split()[0] == 'step'


def test_why_there_is_no_floor_is_said_below_the_table():
  few = {'floor': 'too few real examples for a second draw'}
  rows = [(2, Score('fd', 1.5, protocol=few)), (4, Score('fd', 1.0,
                                                        protocol=few)),
          (4, Score('kd', 1.0, floor=0.5, protocol={'floor': 'not so'})),
          (4, Score('ais', None, 'no latents', protocol={'floor': 'nor so'}))]
  *_, last = table(rows).split('\n')
  assert last.split() == f'no floor: {few["floor"]}'.split()
  assert table(rows).count('no floor') == 1
  assert 'no floor' not in table(rows[2:])


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


def test_logits_that_are_not_finite_are_of_no_class():
  def broken(*, source):
    del source
    return Extractor('broken', 'x', lambda images: (
        np.zeros((len(images), 4), np.float32),
        np.full((len(images), 2), np.nan, np.float32)), {})

  globals()['shapeless'] = broken
  images, labels = make(100).images, np.zeros(100, np.int32)
  labels[-1] = 1
  source = make_source(images, labels, 2, name='labelled')
  evaluate = evaluator(source, extractor={'name': f'{__name__}:shapeless'},
                       metrics=('class_accuracy', 'classes'))
  found = evaluate(lambda a, b: (images[a:b], labels[a:b]))
  assert len(found) == 2
  for score in found:
    assert score.value is None and 'not finite' in score.reason


def test_fewer_than_a_thousand_have_the_distance_of_all_pairs():
  subsets, whole = evaluator(make(100), metrics=('kd', 'kd_full'))(
      lambda a, b: (make(40, seed=1).images[a:b], None))
  assert subsets.value is None and 'kd_full' in subsets.reason
  assert whole.low < whole.value < whole.high and whole.floor is not None


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


@pytest.mark.parametrize('changes,message', [
    (dict(metrics=('fid',)), 'no such metric'),
    (dict(metrics=('fd,fid',)), "no such metric 'fid'"),
    (dict(extractor={'name': 'inceptoin'}), 'did you mean "inception"'),
    (dict(extractor={'name': 'random', 'x': 1}), 'no such argument'),
    (dict(extractor={'name': 'inception', 'weights': 'x/w.pth'}),
     "'x/w.pth': no such file"),
    (dict(extractor={'name': 'classifier'}), "2 classes .* extractor 'random'"),
    (dict(num_samples=1), 'num_samples of 2 to 100'),
    (dict(num_real=200), 'num_samples of 2 to 100'),
    (dict(reference='test'), 'neither'),
    (dict(reference='held_out'), 'holdout'),
])
def test_mistakes_are_named(changes, message):
  with pytest.raises(ValueError, match=message):
    evaluator(make(100), **changes)


def test_small_images_have_no_classifier():
  source = make_source(make(100).images[:, :7], np.arange(100) % 3, 3,
                       name='small')
  (found,) = evaluator(source, extractor={'name': 'auto'}, metrics=('fd',))(
      lambda a, b: (source.images[a:b], None))
  assert found.name == 'fd_random_40_train'


def test_shapes_that_differ_are_named():
  with pytest.raises(ValueError, match=r'samples are uint8 \[4, 8, 1\], real '
                     r'examples uint8 \[8, 8, 1\]'):
    evaluator(make(100))(lambda a, b: (
        np.zeros((b - a, 4, 8, 1), np.uint8), None))
