"""Inception score of class probabilities.

Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4:
exp(mean_x KL(p(y | x) || p(y))), here of any classifier's logits.  It looks at
fakes only: a generator of one perfect image per class has the best score.
"""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.arrays import matrix, permutation

# Of a draw: keeps it apart from all others that are made of one seed.
_STREAM = 160603498


class Inception(NamedTuple):
  """Scores of `inception_score`."""

  mean: float
  std: float  # Over splits, ddof=0, as is usual.


def inception_score(logits, *, seed: int | None, splits: int = 10) -> Inception:
  """Mean and standard deviation of the scores of `splits` parts.

  Args:
    logits: [N, K], before softmax, float64 from here on.
    seed: of the order in which examples are split, 0 or more; None leaves them
      as they are, which is right only if neighbours are independent.
    splits: 10 in the literature; parts are equal but for one example.  The
      score grows with N / splits: compare at one of these.

  Returns:
    (mean, std), the mean 1..K; NaN where a logit is not finite.

  Raises:
    ValueError: another shape, splits < 1, fewer examples than splits.
  """
  if splits < 1:
    raise ValueError(f'splits={splits}: must be 1 or more; 10 is usual')
  x = matrix(logits, splits, 'logits').astype(np.float64)
  if not np.isfinite(x).all():
    return Inception(float('nan'), float('nan'))
  if seed is not None:
    x = x[permutation(len(x), seed, _STREAM)]
  with np.errstate(over='ignore'):  # A difference may be -inf: share 0.
    log_p = x - x.max(1, keepdims=True)
  log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
  edges = [i * len(x) // splits for i in range(splits + 1)]
  found = [_score(log_p[a:b])
           for a, b in zip(edges[:-1], edges[1:], strict=True)]
  return Inception(float(np.mean(found)), float(np.std(found)))


def _score(log_p):
  p = np.exp(log_p)
  marginal = p.mean(0)
  # Where p is 0 both logarithms may be -inf; the term is 0.
  terms = np.zeros_like(p)
  seen = p > 0
  terms[seen] = (p * (np.where(seen, log_p, 0.0)
                      - np.log(np.where(marginal > 0, marginal, 1.0))))[seen]
  return np.exp(terms.sum(1).mean())
