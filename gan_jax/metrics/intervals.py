"""95 % intervals of scores, for the generated examples being a sample.

They say nothing of other real examples, nor of other seeds of the training,
between which scores usually differ much more.
"""

import math

import numpy as np

from gan_jax.metrics.arrays import with_repetition

# Keeps these draws apart from others made from the same seed.
_STREAM = 197912
_GROUPS = 10  # of the jackknife


def bootstrap(score, fake, *, seed: int, resamples: int = 1000):
  """Percentile interval of score(fake), with its bias removed.

  Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13. Scores
  that are biased for a finite number of fakes, such as the Frechet distance,
  have that bias twice in a resample, in which some fakes are repeated and
  others missing; so the mean of the resamples is shifted onto the score.

  Args:
    score: fake [M, ...] -> float.
    fake: [M, ...]; M of them are drawn with replacement for each resample.
    seed: 0 or more.
    resamples: 1000 for the ends of the interval, 200 for its rough width.

  Returns:
    (low, high), not below 0; NaN if a score is not finite.
  """
  total, value = len(fake), score(fake)
  found = np.array([
      score(fake[with_repetition(total, total, seed, _STREAM, i)])
      for i in range(resamples)])
  if not np.isfinite([value, *found]).all():
    return math.nan, math.nan
  # The levels as floats differ from 0.025 and 0.975 in the last bit.
  ends = np.quantile(found, [(1 - 0.95) / 2, (1 + 0.95) / 2])
  return tuple(np.maximum(ends - (found.mean() - value), 0.0).tolist())


def jackknife(score, fake) -> float:
  """Standard error of score(fake), leaving out a tenth of the fakes each time.

  For scores that see copies of an example as near neighbours or equal pairs,
  which a bootstrap would produce.
  """
  groups = np.arange(len(fake)) % _GROUPS
  without = [score(fake[groups != group]) for group in range(_GROUPS)]
  return math.sqrt((_GROUPS - 1) * float(np.var(without)))


def wilson(share: float, count: int):
  """(low, high) of a share of `count` examples; (None, None) of NaN.

  Wilson 1927 (JASA 22), with z = 1.96.
  """
  if not math.isfinite(share):
    return None, None
  z2 = 1.96 ** 2
  middle = (share + z2 / (2 * count)) / (1 + z2 / count)
  half = 1.96 / (1 + z2 / count) * math.sqrt(
      share * (1 - share) / count + z2 / (4 * count ** 2))
  return max(middle - half, 0.0), min(middle + half, 1.0)
