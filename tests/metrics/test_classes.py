"""Inception score, and how labels spread over classes."""

import math

import numpy as np
import pytest

from gan_jax.evaluators import measures
from gan_jax.metrics import low_is_better
from gan_jax.metrics.classes import inception_score, spread


def test_score_golden():
  logits = 3 * np.random.RandomState(0).randn(1000, 10)
  found = inception_score(logits, seed=None, splits=10)
  assert [round(v, 6) for v in found] == [3.868797, 0.200380]
  # What is added to all logits of an example changes nothing.
  far = logits + 2000 * (np.arange(1000) % 2)[:, None]
  assert inception_score(far, seed=None, splits=10) == pytest.approx(found)


def test_score_by_hand():
  # Certain of K classes, each as often: K; one class, or no idea: 1.
  sure = 1e4 * np.eye(5)[np.arange(50) % 5]
  assert inception_score(sure, seed=None) == pytest.approx((5, 0))
  assert inception_score(sure[:1].repeat(50, 0), seed=0) == (1, 0)
  assert inception_score(np.ones((50, 5)), seed=0) == pytest.approx((1, 0))
  # Shares 3/4, 1/4 and 1/4, 3/4 about 1/2, 1/2.
  two = np.log([[3.0, 1.0], [1.0, 3.0]])
  assert inception_score(two, seed=None, splits=1)[0] == pytest.approx(
      math.exp(0.75 * math.log(1.5) + 0.25 * math.log(0.5)))


def test_score_of_sorted_examples_needs_a_seed():
  sure = 1e4 * np.eye(10)[np.arange(1000) // 100]
  assert inception_score(sure, seed=None) == (1, 0)
  mean, std = inception_score(sure, seed=0)
  assert mean > 9 and std > 0
  assert (mean, std) == inception_score(sure, seed=0)
  assert (mean, std) != inception_score(sure, seed=1)


def test_score_uses_all_examples():
  logits = np.random.RandomState(0).randn(1003, 4)
  parts = [inception_score(logits[i * 1003 // 10:(i + 1) * 1003 // 10],
                           seed=None, splits=1)[0] for i in range(10)]
  assert inception_score(logits, seed=None) == pytest.approx(
      (np.mean(parts), np.std(parts)))


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_score_of_what_is_not_finite_is_nan(bad):
  logits = np.zeros((20, 3))
  logits[4, 1] = bad
  assert np.isnan(inception_score(logits, seed=0)).all()


def test_score_of_huge_logits_is_finite():
  logits = np.array([[1e308, -1e308], [-1e308, 1e308]])
  assert inception_score(logits, seed=None, splits=1) == pytest.approx((2, 0))
  # exp(-744.5) is the smallest number that is not 0; its half is 0.
  rare = np.array([[0.0, -744.5], [0.0, -800.0]])
  assert inception_score(rare, seed=None, splits=1) == pytest.approx((1, 0))


@pytest.mark.parametrize('shape,splits,words', [
    ((9, 3), 10, '10 or more'), ((9,), 1, 'N, F')])
def test_score_refuses(shape, splits, words):
  with pytest.raises(ValueError, match=words):
    inception_score(np.zeros(shape), seed=0, splits=splits)


# Classes.


def test_spread_by_hand():
  hit, divergence, effective = spread([3, 1, 0], [2, 1, 1])
  assert hit == 2
  assert divergence == pytest.approx(0.75 * math.log(1.5))
  assert effective == pytest.approx(4 / 27**0.25)
  assert spread([5, 5, 5, 5], np.full(4, 0.25)) == pytest.approx((4, 0, 4))
  assert spread([0, 9], [1, 1]) == pytest.approx((1, math.log(2), 1))
  # The shares differ by rounding: their sum alone is -1.3e-16.
  assert 0 <= spread([1, 1, 3], np.array([1, 1, 3]) * 0.1)[1] < 1e-15


def test_spread_of_a_sample_has_a_floor():
  draw = np.random.RandomState(0)
  q = np.arange(1.0, 11)
  floor = [spread(np.bincount(draw.choice(10, 1000, p=q / q.sum()),
                              minlength=10), q)[1] for _ in range(200)]
  assert np.mean(floor) == pytest.approx(9 / 2000, rel=0.1)


def test_spread_refuses_classes_that_the_data_lack():
  with pytest.raises(ValueError, match=r'classes \[1\],.*infinite'):
    spread([1, 1, 0], [1, 0, 0])
  with pytest.raises(ValueError, match=r'\[1, 2, 3, 4, 5\] and 3 more'):
    spread(np.ones(9), np.eye(9)[0])
  with pytest.raises(ValueError, match=r'\[1, 2, 3, 4, 5\], so'):
    spread(np.ones(6), np.eye(6)[0])


def test_which_scores_are_better_low():
  low = ('fd_random_2k_train', 'fd_infinity_classifier_5k_train', 'fid', 'kid',
         'kd_full_points_1k_train', 'class_kl_classifier_2k_train',
         'divergence_26k', 'ms_ssim_classifier_5k_train', 'ais_gap_20',
         'classification_error_100_held_out', 'my_distance', 'pixel_mse_2k')
  high = ('recall_random_2k_train', 'is_inception_2k_train', 'modes_2500',
          'precision_classifier_5k_train', 'density_classifier_5k_train',
          'coverage_classifier_5k_train', 'authenticity_random_2k_train',
          'classes_classifier_2k_train', 'class_accuracy_classifier_2k_train',
          'parzen_10k_train', 'high_quality_2500', 'hit_26k', 'hit_five_26k',
          'effective_26k', 'overlap_2500', 'classification_accuracy_10k',
          'elbo_500', 'elbo_weighted_5k_500', 'ais_100_held_out',
          'fidelity_5k', 'kidney')
  assert [name for name in (*low, *high) if low_is_better(name)] == list(low)


def test_the_name_of_an_extractor_turns_no_score_round():
  for metric in measures.MEASURES:
    for name in measures.NAMES.get(metric, (metric,)):
      random, *others = (low_is_better(f'{name}_{extractor}_2k_train')
                         for extractor in ('random', 'lpips', 'my_loss'))
      assert others == [random] * 2, name
