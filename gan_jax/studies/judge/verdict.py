"""What the runs of a judged idea say: numbers, and sentences that they bear.

Losses are lower for better games; differences are the idea's loss minus that of
a baseline with the same seed, so that negative ones are in its favour.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from gan_jax.studies.statistics import interval

LEVEL = 0.05  # of all comparisons together
_POWER = 0.8
MOST = 1000  # seeds; more are not named


class Difference(NamedTuple):
  """The idea against a baseline on a task.

  mean, low, high: of the paired differences, 95 %, not corrected.
  p: two-sided, of the paired t test.
  corrected: p with Holm's correction for all differences of the verdict.
  better: probability that the true mean is below 0, by Student's t around the
    one measured (a flat prior).
  seeds: pairs that would tell with 80 % power at the corrected level, if the
    true difference and spread are those measured; 0 where these tell already,
    None for more than 1,000.
  said: 'better', 'worse' or 'cannot tell'.
  """

  task: str
  baseline: str
  mean: float
  low: float
  high: float
  p: float
  corrected: float
  better: float
  seeds: int | None
  said: str


def filled(losses: Mapping[str, Sequence], worst: float) -> dict[str, list]:
  """Losses {game: [S]} with the task's worst in place of those that failed."""
  return {game: [worst if not np.isfinite(v) else v for v in values]
          for game, values in losses.items()}


def differences(losses: Mapping[str, Mapping[str, Sequence]],
                idea: str = 'idea') -> list[Difference]:
  """All comparisons of the game `idea` with the others.

  Of losses {task: {game: [S]}}, finite, the same seeds in each game of a task.
  """
  pairs = [(task, game, np.subtract(games[idea], values))
           for task, games in losses.items()
           for game, values in games.items() if game != idea]
  told = [paired(d) for *_, d in pairs]
  found = []
  for (task, game, d), (p, better), corrected in zip(
      pairs, told, holm([p for p, _ in told]), strict=True):
    over = interval(d)
    said = 'cannot tell' if corrected > LEVEL else (
        'better' if over.mean < 0 else 'worse')
    found.append(Difference(
        task, game, over.mean, over.low, over.high, p, corrected, better,
        0 if said != 'cannot tell' else seeds_needed(d, LEVEL / len(pairs)),
        said))
  return found


def paired(d: np.ndarray) -> tuple[float, float]:
  """(two-sided p, probability that the mean is below 0) of differences [S].

  Without any spread, as of a game against itself, p is 1 for a mean of 0 and 0
  for others.
  """
  d = np.asarray(d, float)
  mean, spread = d.mean(), d.std(ddof=1)
  if spread <= 1e-12 * max(1.0, abs(mean)):
    return (1.0, 0.5) if abs(mean) <= 1e-12 else (0.0, float(mean < 0))
  t = mean / (spread / math.sqrt(len(d)))
  return (float(2 * stats.t.sf(abs(t), len(d) - 1)),
          float(stats.t.cdf(-t, len(d) - 1)))


def holm(ps: Sequence[float]) -> list[float]:
  """Holm's corrected p.  Holm 1979, Scand. J. Statist. 6, 65-70.

  The i-th smallest of n (from 0) times n - i, made monotone, at most 1.
  """
  order, found, highest = np.argsort(ps, kind='stable'), [0.0] * len(ps), 0.0
  for i, index in enumerate(order):
    highest = max(highest, min(1.0, (len(ps) - i) * ps[index]))
    found[index] = float(highest)
  return found


def seeds_needed(d: np.ndarray, level: float) -> int | None:
  """Pairs for 80 % power of a two-sided t test at a level, None beyond 1,000.

  By the noncentral t distribution, with the effect that is measured.
  """
  d = np.asarray(d, float)
  spread = d.std(ddof=1)
  if not spread:
    return None
  effect = abs(d.mean()) / spread

  def short(n):
    bound = stats.t.ppf(1 - level / 2, n - 1)
    return _POWER - stats.nct.sf(bound, n - 1, effect * math.sqrt(n))

  if short(MOST) > 0:
    return None
  if short(2) <= 0:
    return 2
  return math.ceil(optimize.brentq(short, 2, MOST, xtol=1e-3))


def choose(losses: np.ndarray) -> int:
  """The point that tuning chooses, of losses [points, seeds]; NaN is worst.

  The lowest mean, unless that of the first point, the game as it is given, is
  within two standard errors of their difference: two seeds should not choose by
  chance, which the test of the chosen point does not see.
  """
  losses = np.asarray(losses, float)
  means = np.where(np.isfinite(losses).all(1), losses.mean(1), np.inf)
  best = int(np.argmin(means))
  if not np.isfinite(means[0]) or not np.isfinite(means[best]):
    return best
  error = math.sqrt(losses[[0, best]].var(axis=1, ddof=1).sum()
                    / losses.shape[1])
  return 0 if means[0] - means[best] <= 2 * error else best


def sentence(baseline: str, found: Sequence[Difference]) -> str:
  """The differences to one baseline as a sentence."""
  by = {said: [d for d in found if d.said == said]
        for said in ('better', 'worse', 'cannot tell')}
  parts = [f'{said} on {_listed(d.task for d in by[said])}'
           for said in ('better', 'worse') if by[said]]
  if unclear := by['cannot tell']:
    where = '' if len(unclear) == len(found) else (
        f' on {_listed(d.task for d in unclear)}')
    parts.append(f'cannot tell{where} with these seeds ({_needed(unclear)})')
  return f'Against {baseline}: {"; ".join(parts)}.'


def _needed(found):
  """How many seeds would tell, in words."""
  if len(found) == 1:
    return (f'about {found[0].seeds} would tell, if what they show holds'
            if found[0].seeds else f'more than {MOST:,} would be needed')
  return 'about so many would tell, if what they show holds: ' + ', '.join(
      f'{d.seeds or f"more than {MOST:,}"} on {d.task}' for d in found)


def _listed(names) -> str:
  names = list(names)
  return ', '.join(names[:-1]) + ' and ' * (len(names) > 1) + names[-1]
