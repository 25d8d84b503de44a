"""Which trials are stopped, on made-up curves."""

import numpy as np
import pytest
from scipy import stats

from gan_jax.studies.search.pruning import Curve, doomed, foresight


def curves(*losses, group='a', steps=(10, 40, 70)):
  """Trial n has losses[n] at the first steps, one after the other."""
  return {n: Curve(dict(zip(steps, row, strict=False)), group)
          for n, row in enumerate(losses)}


def flat(count):
  """Trial n has the loss n everywhere."""
  return curves(*[(n, n, n) for n in range(count)])


def test_the_worst_third_is_stopped():
  """Of nine trials those with six or more better ones."""
  assert doomed(flat(9), range(9), 40, 90) == {6, 7, 8}
  assert doomed(flat(9), [0, 7], 40, 90) == {7}


def test_nothing_is_stopped_in_the_first_third():
  assert doomed(flat(9), range(9), 10, 90) == set()
  assert doomed(flat(9), range(9), 40, 121) == set()  # 40.3 steps


def test_nothing_is_stopped_beside_few_others():
  assert doomed(flat(7), range(7), 40, 90) == set()
  assert doomed(flat(8), range(8), 40, 90) == {6, 7}


def test_one_bad_score_is_not_enough():
  """Trial 8 was the best before, trial 7 bad before and now."""
  found = flat(9)
  found[8] = Curve({10: -1, 40: 8}, 'a')
  assert doomed(found, range(9), 40, 90) == {6, 7}
  found[7] = Curve({40: 7}, 'a')  # Its first score.
  assert doomed(found, range(9), 40, 90) == {6}


def test_the_best_of_a_group_goes_on():
  """All of group b are worse than all of group a."""
  found = flat(9)
  for n in (6, 7, 8):
    found[n] = found[n]._replace(group='b')
  assert doomed(found, range(9), 40, 90) == {7, 8}


def test_those_that_were_stopped_count_as_worse():
  """Else a third of the rest would go at every score, and few be left."""
  found = flat(9)
  for n in (6, 7, 8):
    found[n] = Curve({10: n, 40: n}, 'a', stopped=True)
  assert doomed(found | flat(6), range(6), 70, 90) == set()
  # Without them, of the six that are left and three new ones, the worst third.
  fresh = flat(9)
  assert doomed(fresh, range(9), 70, 90) == {6, 7, 8}


def test_however_often_it_is_asked_two_thirds_go_on():
  steps, rng = range(10, 301, 10), np.random.default_rng(0)
  found = {n: Curve({}, 'a') for n in range(30)}
  for step in steps:
    playing = [n for n, curve in found.items() if not curve.stopped]
    for n in playing:
      found[n] = found[n]._replace(losses=found[n].losses | {
          step: n + 5 * rng.normal()})  # The order changes at every score.
    for n in doomed(found, playing, step, 300):
      found[n] = found[n]._replace(stopped=True)
  assert 5 <= sum(curve.stopped for curve in found.values()) <= 10


def test_equal_losses_stop_nothing():
  assert doomed(curves(*[(1, 1)] * 12), range(12), 40, 90) == set()


def test_the_rank_correlation_of_early_and_last_scores():
  rows = [(1, 5, 1), (2, 1, 2), (3, 3, 3), (4, 2, 4)]
  found = foresight(curves(*rows, (9, 9)), 70)  # The last did not end.
  assert found[0] == (10, pytest.approx(1), 4)
  # d = 3, -1, 0, -2 of ranks 4, 1, 3, 2: 1 - 6 * 14 / (4 * 15) = -0.4.
  assert found[1] == (40, pytest.approx(-0.4), 4)
  assert found[1][1] == pytest.approx(stats.spearmanr(
      [5, 1, 3, 2], [1, 2, 3, 4]).statistic)


def test_no_correlation_of_two_trials_or_of_one_score():
  assert foresight(curves((1, 1, 1), (2, 2, 2)), 70) == []
  assert foresight(curves((1, 1, 1), (1, 2, 2), (1, 3, 3)), 70)[0][0] == 40
