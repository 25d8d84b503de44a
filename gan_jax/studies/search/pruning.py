"""Which trials of a search are stopped early.

Scores of a GAN go up and down, and what learns fast need not end best; so a
trial has to be bad twice, beside many others, and the share that is stopped is
bounded. As in asynchronous successive halving (Li et al. 2020,
arXiv:1810.05934) a trial is compared with whatever was scored at its step.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

WARM_UP = 1 / 3  # of the steps; before, nothing is stopped
WORST = 1 / 3  # of the trials, which may be stopped
FEWEST = 8  # trials with a score at the step, before one of them is stopped


class Curve(NamedTuple):
  """What is known of a trial.

  losses: {step: loss}, lower is better, finite ones alone.
  group: what its program is; trials of one group differ in numbers.
  stopped: whether it was stopped early.
  """

  losses: Mapping[int, float]
  group: Hashable
  stopped: bool = False


def doomed(curves: Mapping[int, Curve], playing, step: int,
           train_steps: int) -> set[int]:
  """The trials among `playing` that should stop at a step.

  One is stopped if, at this step and at its score before, at least
  1 - `WORST` of the trials were better, and it is not the best of its group
  here. Trials that were stopped earlier count as worse: of all trials at most
  about `WORST` are stopped, however many scores there are.

  `curves` are {number: `Curve`} of all trials of the study, failed ones aside;
  `train_steps` those of a whole trial.
  """
  here = {n: curve.losses[step] for n, curve in curves.items()
          if step in curve.losses}
  if step < WARM_UP * train_steps or len(here) < FEWEST:
    return set()
  best = {}
  for n, loss in here.items():
    group = curves[n].group
    best[group] = min(loss, best.get(group, loss))
  found = set()
  for n in set(playing) & here.keys():
    earlier = [s for s in curves[n].losses if s < step]
    if (earlier and _is_bad(curves, n, step)
        and _is_bad(curves, n, max(earlier))
        and here[n] > best[curves[n].group]):
      found.add(n)
  return found


def _is_bad(curves, number, step):
  """Whether a trial is among the worst at a step, the stopped ones included."""
  own, better, count = curves[number].losses[step], 0, 0
  for curve in curves.values():
    if step in curve.losses:
      better += curve.losses[step] < own
      count += 1
    elif curve.stopped and max(curve.losses, default=0) < step:
      count += 1
  return count - better <= WORST * count + 1e-9


def foresight(curves: Mapping[int, Curve], train_steps: int
              ) -> list[tuple[int, float, int]]:
  """How well early scores order the trials as the last ones do.

  Returns:
    (step, Spearman's rank correlation with the scores at `train_steps`, number
    of trials), ascending; of the trials that went to the end, where there are
    three or more with different scores.
  """
  whole = [c.losses for c in curves.values() if train_steps in c.losses]
  found = []
  for step in sorted({s for losses in whole for s in losses} - {train_steps}):
    pairs = np.array([(losses[step], losses[train_steps]) for losses in whole
                      if step in losses])
    if len(pairs) > 2 and (np.ptp(pairs, 0) > 0).all():
      found.append((step, float(stats.spearmanr(*pairs.T).statistic),
                    len(pairs)))
  return found
