"""What the scores of several seeds tell."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

_DRAWS = 20_000


class Interval(NamedTuple):
  """A mean with half of its 95 % interval (Student's t) over seeds."""

  mean: float
  half: float

  @property
  def low(self) -> float:
    """The lower end."""
    return self.mean - self.half

  @property
  def high(self) -> float:
    """The upper end."""
    return self.mean + self.half


def interval(values: Sequence[float]) -> Interval:
  """Mean and 95 % interval of values [S], S of 2 or more."""
  values = np.asarray(values, float)
  error = values.std(ddof=1) / math.sqrt(len(values))
  return Interval(float(values.mean()),
                  float(stats.t.ppf(0.975, len(values) - 1) * error))


def chances(losses: np.ndarray) -> np.ndarray:
  """Probability [G] that each game has the lowest mean.

  Means of S seeds are drawn from a multivariate Student's t around those
  measured (flat priors, one variance for all games), with (G - 1) (S - 1)
  degrees of freedom; seeds are the same in each game, so their own means are
  removed first. Of two games it is the paired t test's. Flat priors are too
  sure where games differ by less than their seeds. Games that tie share their
  chance; one without a score in one of its seeds is never the best.
  Losses are [G, S], S of 2 or more, NaN for none; one row at least has all.
  """
  played = np.isfinite(losses).all(1)
  good = losses[played]
  by_game = good.mean(1)
  rest = good - by_game[:, None] - (good.mean(0) - good.mean())[None]
  freedom = max(1, (len(good) - 1) * (good.shape[1] - 1))
  error = np.sqrt((rest ** 2).sum() / freedom / good.shape[1])
  rng = np.random.default_rng(0)
  # Each draw has one variance, not one for each game.
  error = error / np.sqrt(rng.chisquare(freedom, (_DRAWS, 1)) / freedom)
  drawn = by_game + error * rng.standard_normal((_DRAWS, len(good)))
  found = np.zeros(len(losses))
  lowest = drawn == drawn.min(1, keepdims=True)  # Several, without any spread.
  found[played] = (lowest / lowest.sum(1, keepdims=True)).mean(0)
  return found
