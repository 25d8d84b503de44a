"""Scores of the labels or logits that a classifier gives to fakes.

A classifier of 99 % accuracy finds classes that were never generated: compare
with the same scores of real examples, and prefer `effective` to `hit`.
"""

import numpy as np

from gan_jax.metrics.arrays import matrix, permutation

# Keeps these draws apart from others made from the same seed.
_STREAM = 160603498


def spread(counts, reference) -> tuple[int, float, float]:
  """Distribution of examples over K classes: (hit, divergence, effective).

  hit: classes with an example.
  divergence: KL(counts || reference) in nats; for N samples of the reference
    itself about (K - 1) / (2 N), not 0.
  effective: exp(entropy), 1..K, the number of equally frequent classes.

  Args:
    counts: examples of each class, [K], not all 0.
    reference: counts or shares in the data, [K]; ones for uniform.

  Raises:
    ValueError: infinite divergence: a class that the data do not have.
  """
  p, q = (np.asarray(v, np.float64) / np.sum(v) for v in (counts, reference))
  if unknown := np.flatnonzero((p > 0) & (q == 0)).tolist():
    more = f' and {len(unknown) - 5} more' if len(unknown) > 5 else ''
    raise ValueError(f'the reference has no example of classes {unknown[:5]}'
                     f'{more}, so the divergence is infinite; more real '
                     'examples may have')
  p, q = p[p > 0], q[p > 0]
  return (len(p), max(float((p * np.log(p / q)).sum()), 0.0),
          float(np.exp(-(p * np.log(p)).sum())))


def inception_score(logits, *, seed: int | None,
                    splits: int = 10) -> tuple[float, float]:
  """Mean, 1..K, and std (ddof=0) of the scores of `splits` parts; or NaN.

  Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4:
  exp(mean_x KL(p(y | x) || p(y))), of any classifier's logits. It looks at
  fakes only: one perfect image per class has the best score.

  Args:
    logits: [N, K], before softmax.
    seed: of the order in which examples are split, 0 or more; None keeps the
      order, valid only if neighbours are independent.
    splits: 10 in the literature; the score grows with N / splits.

  Raises:
    ValueError: another shape, fewer examples than splits.
  """
  x = matrix(logits, splits, 'logits').astype(np.float64)
  if not np.isfinite(x).all():
    return float('nan'), float('nan')
  if seed is not None:
    x = x[permutation(len(x), seed, _STREAM)]
  found, edges = [], [i * len(x) // splits for i in range(splits + 1)]
  # Log-probabilities may be -inf.
  with np.errstate(over='ignore', divide='ignore', invalid='ignore'):
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    for part in (p[a:b] for a, b in zip(edges, edges[1:], strict=False)):
      mean = part.mean(0)[None]
      # The mean of the smallest numbers may be 0 too.
      terms = np.where(part * mean > 0, part * np.log(part / mean), 0.0)
      found.append(np.exp(terms.sum(1).mean()))
  return float(np.mean(found)), float(np.std(found))
