"""Inception score, spread over classes, modes of stacked digits."""

import math

import numpy as np
import pytest

from gan_jax.metrics.classes import histogram, spread
from gan_jax.metrics.coverage import stacked_modes
from gan_jax.metrics.inception_score import inception_score

# Inception score.


def test_score_golden():
  logits = 3 * np.random.RandomState(0).randn(1000, 10)
  found = inception_score(logits, seed=None, splits=10)
  assert [round(v, 6) for v in found] == [3.868797, 0.200380]


def test_score_by_hand():
  # Certain of K classes, each as often: K; one class, or no idea: 1.
  sure = 1e4 * np.eye(5)[np.arange(50) % 5]
  assert inception_score(sure, seed=None) == pytest.approx((5, 0))
  assert inception_score(sure[:1].repeat(50, 0), seed=0) == (1, 0)
  assert inception_score(np.ones((50, 5)), seed=0) == pytest.approx((1, 0))
  # Shares 3/4, 1/4 and 1/4, 3/4 about 1/2, 1/2.
  two = np.log([[3.0, 1.0], [1.0, 3.0]])
  assert inception_score(two, seed=None, splits=1).mean == pytest.approx(
      math.exp(0.75 * math.log(1.5) + 0.25 * math.log(0.5)))


def test_score_of_sorted_examples_needs_a_seed():
  sure = 1e4 * np.eye(10)[np.arange(1000) // 100]
  assert inception_score(sure, seed=None) == (1, 0)
  shuffled = inception_score(sure, seed=0)
  assert shuffled.mean > 9 and shuffled.std > 0
  assert shuffled == inception_score(sure, seed=0)
  assert shuffled != inception_score(sure, seed=1)


def test_score_uses_all_examples():
  logits = np.random.RandomState(0).randn(1003, 4)
  parts = [inception_score(logits[i * 1003 // 10:(i + 1) * 1003 // 10],
                           seed=None, splits=1).mean for i in range(10)]
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


@pytest.mark.parametrize('shape,splits,words', [
    ((9, 3), 10, '10 or more'), ((9,), 1, 'N, F'), ((9, 3), 0, 'splits=0')])
def test_score_refuses(shape, splits, words):
  with pytest.raises(ValueError, match=words):
    inception_score(np.zeros(shape), seed=0, splits=splits)


# Classes.


def test_histogram():
  found = histogram(np.array([2, 0, 2, 2], np.uint8), 4)
  np.testing.assert_array_equal(found, [1, 0, 3, 0])


def test_spread_by_hand():
  found = spread([3, 1, 0], [2, 1, 1])
  assert found.hit == 2
  assert found.divergence == pytest.approx(0.75 * math.log(1.5))
  assert found.effective == pytest.approx(4 / 27**0.25)
  assert spread([5, 5, 5, 5], np.full(4, 0.25)) == pytest.approx((4, 0, 4))
  assert spread([0, 9], [1, 1]) == pytest.approx((1, math.log(2), 1))


def test_spread_of_a_sample_has_a_floor():
  draw = np.random.RandomState(0)
  q = np.arange(1.0, 11)
  floor = [spread(np.bincount(draw.choice(10, 1000, p=q / q.sum()),
                              minlength=10), q).divergence for _ in range(200)]
  assert np.mean(floor) == pytest.approx(9 / 2000, rel=0.1)


@pytest.mark.parametrize('call,words', [
    (lambda: histogram(np.array([0, 4]), 4), '0 to 4.*0 .. 3'),
    (lambda: histogram(np.array([-1, 3]), 4), '-1 to 3'),
    (lambda: histogram(np.array([0.0, math.nan]), 4), 'integers'),
    (lambda: histogram(np.zeros((2, 2), int), 4), 'integers'),
    (lambda: histogram(np.zeros(0, int), 4), 'one or more'),
    (lambda: spread([1, 2], [1, 2, 3]), r'\[2\] and \[3\]'),
    (lambda: spread([0, 0], [1, 2]), 'not all 0'),
    (lambda: spread([1, -1], [1, 2]), '0 or more'),
    (lambda: spread([1, 1], [1, math.nan]), 'nan'),
    (lambda: spread([], []), 'not all 0'),
    (lambda: spread([1, 1, 0], [1, 0, 0]), r'classes \[1\].*infinite')])
def test_classes_refuse(call, words):
  with pytest.raises(ValueError, match=words):
    call()


# Stacked digits.


def test_stacked_by_hand():
  labels = np.array([[0, 0, 1]] * 6 + [[9, 9, 9]] * 4 + [[1, 0, 0]] * 5)
  found = stacked_modes(labels)
  assert found.hit == 3 and found.hit_five == 2
  p = np.array([6, 4, 5]) / 15
  assert found.divergence == pytest.approx((p * np.log(1000 * p)).sum())
  assert found.effective == pytest.approx(math.exp(-(p * np.log(p)).sum()))


def test_stacked_of_all_modes():
  every = np.stack(np.unravel_index(np.arange(1000), (10, 10, 10)), -1)
  assert stacked_modes(every.repeat(5, 0)) == pytest.approx(
      (1000, 1000, 0, 1000))
  assert stacked_modes(every) == pytest.approx((1000, 0, 0, 1000))
  assert stacked_modes(every % 2, classes=2) == pytest.approx((8, 8, 0, 8))


def test_stacked_of_a_collapsed_generator():
  assert stacked_modes(np.full((50, 3), 7)) == pytest.approx(
      (1, 1, math.log(1000), 1))


def test_stacked_ceilings():
  """What the docstring says of a classifier's errors and of the floor."""
  draw = np.random.RandomState(0)
  floor, hits = [], []
  few = draw.randint(0, 10, (10, 3))
  for _ in range(10):
    floor.append(stacked_modes(draw.randint(0, 10, (26000, 3))).divergence)
    labels = few[draw.randint(0, 10, 26000)]
    wrong = draw.rand(26000, 3) < 0.01
    other = (labels + draw.randint(1, 10, labels.shape)) % 10
    hits.append(stacked_modes(np.where(wrong, other, labels)))
  assert np.mean(floor) == pytest.approx(0.0194, abs=0.0005)
  assert np.std(floor) == pytest.approx(0.0009, rel=0.6)
  hit, five, _, effective = np.mean(hits, axis=0)
  assert 200 < hit < 300  # Of 10 that there are.
  assert effective < 15 and effective < five < hit


@pytest.mark.parametrize('labels,words', [
    (np.zeros(5, int), r'\[N, C\]'), (np.zeros((0, 3), int), r'\[N, C\]'),
    (np.full((5, 3), 10), '0 .. 9'), (np.full((5, 3), math.nan), 'integers')])
def test_stacked_refuses(labels, words):
  with pytest.raises(ValueError, match=words):
    stacked_modes(labels)
