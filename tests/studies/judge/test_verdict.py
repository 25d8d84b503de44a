"""What paired differences say."""

import math

import numpy as np
import pytest
from scipy import stats

from gan_jax.studies.judge import verdict


def test_paired_is_the_t_test_of_scipy():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(2, 8))
  p, better = verdict.paired(a - b)
  assert p == pytest.approx(stats.ttest_rel(a, b).pvalue)
  assert better == pytest.approx(
      1 - stats.ttest_rel(a, b, alternative='less').pvalue)


@pytest.mark.parametrize('d,p,better', [
    (np.zeros(8), 1.0, 0.5), (np.full(8, -0.1), 0.0, 1.0),
    (np.full(8, 2.0), 0.0, 0.0)])
def test_differences_without_spread(d, p, better):
  """As of a game against itself."""
  assert verdict.paired(d) == (p, better)


def test_holm_by_hand():
  """Sorted 0.01, 0.02, 0.03 by 3, 2, 1: 0.03, 0.04, and not below that."""
  assert verdict.holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
  assert verdict.holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
  assert verdict.holm([0.7, 0.9]) == [1.0, 1.0]


def test_seeds_needed_are_those_of_the_tables():
  """Cohen 1988: effect 0.5, two-sided 5 %, power 80 %: 34 pairs."""
  d = np.array([1.0, -1.0] * 4)
  d = d / d.std(ddof=1) + 0.5
  assert verdict.seeds_needed(d, 0.05) == 34
  assert verdict.seeds_needed(d, 0.05 / 15) > 34
  # By 200,000 draws of an effect of 2: 76 % of 4 pairs tell, 91 % of 5.
  assert verdict.seeds_needed(d + 1.5, 0.05) == 5
  assert verdict.seeds_needed(d - 0.5 + 0.01, 0.05) is None
  assert verdict.seeds_needed(d - 0.5, 0.05) is None
  assert verdict.seeds_needed(np.zeros(8), 0.05) is None


def test_better_worse_and_cannot_tell():
  rng = np.random.default_rng(2)
  noise = rng.normal(size=(4, 8))
  losses = {'ring': {'idea': noise[0], 'same': noise[1] + 0.0,
                     'worse': noise[2] + 9, 'better': noise[3] - 9}}
  found = {d.baseline: d for d in verdict.differences(losses)}
  assert [found[g].said for g in ('same', 'worse', 'better')] == [
      'cannot tell', 'better', 'worse']
  assert found['worse'].mean == pytest.approx(np.mean(
      losses['ring']['idea'] - losses['ring']['worse']))
  assert found['worse'].seeds == 0 and found['worse'].better > 0.99


def test_the_correction_counts_all_tasks():
  """p of 0.02 alone, told; not among ten others."""
  d = np.array([1.0, -1.0] * 4) / 1.069
  d += stats.t.isf(0.01, 7) * d.std(ddof=1) / math.sqrt(8)
  alone = {'ring': {'idea': d, 'b': np.zeros(8)}}
  assert verdict.differences(alone)[0].said == 'worse'
  even = {f't{i}': {'idea': np.array([1.0, -1.0] * 4), 'b': np.zeros(8)}
          for i in range(10)}
  found = verdict.differences(alone | even)
  assert [d.said for d in found] == ['cannot tell'] * 11
  assert found[0].corrected == pytest.approx(0.22)
  assert found[0].seeds == verdict.seeds_needed(d, 0.05 / 11)


def test_copies_are_seldom_called_different():
  """Of 200 studies of five tasks by three equal baselines, about 5 %."""
  rng = np.random.default_rng(1)
  wrong = 0
  for _ in range(200):
    losses = {t: dict(zip(('idea', 'a', 'b', 'c'), rng.normal(size=(4, 8)),
                          strict=True)) for t in 'rgscd'}
    pairs = [np.subtract(games['idea'], games[g])
             for games in losses.values() for g in 'abc']
    ps = verdict.holm([verdict.paired(d)[0] for d in pairs])
    wrong += min(ps) <= verdict.LEVEL
  assert wrong / 200 < 0.08


def test_failed_runs_take_the_worst():
  assert verdict.filled({'a': [1.0, math.nan], 'b': [2.0, math.inf]}, 7.0) == {
      'a': [1.0, 7.0], 'b': [2.0, 7.0]}


@pytest.mark.parametrize('losses,chosen', [
    # The error of a difference is sqrt((0.02 + 0.02) / 2), twice that 0.283.
    ([[1.0, 1.2], [0.73, 0.93], [2.0, 2.2]], 0),
    ([[1.0, 1.2], [0.70, 0.90], [2.0, 2.2]], 1),
    ([[1.0, 1.2], [0.70, 0.90], [0.0, 2.0]], 1),  # Others do not matter.
    ([[math.nan, 1.0], [5.0, 5.2], [4.0, 4.2]], 2),  # the game itself failed
    ([[1.0, 1.2], [math.nan, 0.0], [2.0, 2.2]], 0),
    ([[math.nan] * 2] * 3, 0)])
def test_the_point_that_tuning_chooses(losses, chosen):
  assert verdict.choose(np.array(losses)) == chosen


def _difference(task, said, seeds=0):
  return verdict.Difference(task, 'b', 0, 0, 0, 0, 0, 0, seeds, said)


@pytest.mark.parametrize('found,words', [
    ([('ring', 'better', 0), ('grid', 'better', 0)],
     'Against b: better on ring and grid.'),
    ([('ring', 'worse', 0), ('grid', 'cannot tell', 20),
      ('digits', 'cannot tell', None)],
     'Against b: worse on ring; cannot tell on grid and digits with these '
     'seeds (about so many would tell, if what they show holds: 20 on grid, '
     'more than 1,000 on digits).'),
    ([('ring', 'cannot tell', 34)],
     'Against b: cannot tell with these seeds (about 34 would tell, if what '
     'they show holds).'),
    ([('ring', 'cannot tell', None)],
     'Against b: cannot tell with these seeds (more than 1,000 would be '
     'needed).')])
def test_sentences(found, words):
  assert verdict.sentence('b', [_difference(*d) for d in found]) == words
