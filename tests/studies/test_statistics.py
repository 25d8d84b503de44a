"""What the scores of several seeds tell."""

import math

import numpy as np
import pytest
from scipy import stats

from gan_jax.studies import statistics


def test_interval_by_hand():
  """Mean 3, deviation 1, three values: 3 +- 4.3027 / sqrt(3)."""
  found = statistics.interval([2.0, 3.0, 4.0])
  assert found.mean == 3.0
  assert found.high - 3 == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
  assert 3 - found.low == pytest.approx(found.high - 3)


@pytest.mark.parametrize('losses, right', [
    # Differences -0.4 and 0: t = -0.2 / (0.2828 / sqrt 2) = -1 with 1 degree
    # of freedom, of which 3/4 of Cauchy's distribution lie above.
    ([[0.0, 1.2], [0.4, 1.2]], 0.75),
    ([[1.0, 2.0, 4.0], [1.5, 2.2, 3.6]], None)])
def test_chances_of_two_games_are_those_of_the_paired_t_test(losses, right):
  found = statistics.chances(np.array(losses))
  right = right or 1 - stats.ttest_rel(*losses, alternative='less').pvalue
  np.testing.assert_allclose(found, [right, 1 - right], atol=0.01)


def test_three_equal_games_have_equal_chances():
  losses = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 0.0], [2.0, 0.0, 1.0]])
  np.testing.assert_allclose(statistics.chances(losses), 1 / 3, atol=0.015)
  # Without any spread, as of scores that have reached their bound.
  tied = np.array([[-8.0, -8.0], [-7.0, -7.0], [-8.0, -8.0]])
  np.testing.assert_array_equal(statistics.chances(tied), [0.5, 0.0, 0.5])


def test_chances_do_not_depend_on_what_a_seed_adds_to_all():
  rng = np.random.default_rng(1)
  losses = rng.normal(size=(5, 3))
  np.testing.assert_array_equal(
      statistics.chances(losses),
      statistics.chances(losses + np.array([9.0, 0, -9])))
  assert statistics.chances(losses).sum() == pytest.approx(1)


def test_a_game_without_a_score_is_never_the_best():
  found = statistics.chances(np.array([[0.0, np.nan], [1.0, 1.1], [1.0, 1.2]]))
  assert found[0] == 0 and found[1] > found[2] > 0
