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


def test_chances_of_two_games_are_those_of_students_t():
  """Differences of seeds removed: residuals +-0.1, so s^2 = 0.04 with 1 df."""
  losses = np.array([[0.0, 1.2], [0.4, 1.2]])
  # Means 0.6 and 0.8; residuals by hand: -0.1, 0.1 and 0.1, -0.1.
  error = np.sqrt(0.04 / 1 / 2)
  x = np.linspace(-4000, 4000, 4_000_001)  # Cauchy: one degree of freedom
  right = np.sum(stats.t.pdf(x, 1) * stats.t.cdf(x + 0.2 / error, 1)) * (
      x[1] - x[0])
  np.testing.assert_allclose(statistics.chances(losses)[0], right, atol=0.01)


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
