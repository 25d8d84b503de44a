"""Which classes a generator makes, by the labels that a classifier gives.

A classifier of 99 % accuracy finds classes that were never made: compare with
the same scores of real examples, and prefer `effective` to `hit`.
"""

from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
  """How labels spread over K classes."""

  hit: int  # Classes with an example, 0..K.
  divergence: float  # KL(labels || reference) in nats, 0 or more.
  effective: float  # exp(entropy): 1..K, classes of equal size as spread out.


def histogram(labels, classes: int) -> np.ndarray:
  """Examples of each class, int64 [K].

  Args:
    labels: integers [N], N of 1 or more, in 0 .. K - 1.
    classes: K.

  Raises:
    ValueError: another shape or dtype, a label out of range, no labels.
  """
  labels = np.asarray(labels)
  if labels.ndim != 1 or not labels.size or labels.dtype.kind not in 'iu':
    raise ValueError(f'labels {labels.dtype} {list(labels.shape)}: integers '
                     '[N], one or more, are needed')
  if labels.min() < 0 or labels.max() >= classes:
    raise ValueError(f'labels from {labels.min()} to {labels.max()}: of '
                     f'{classes} classes they are 0 .. {classes - 1}')
  return np.bincount(labels.astype(np.int64), minlength=classes)


def spread(counts, reference) -> Spread:
  """Classes hit, KL divergence to the data's classes, exp(entropy).

  Of N samples of the reference itself the divergence is about
  (K - 1) / (2 N), not 0.

  Args:
    counts: examples of each class, [K].
    reference: counts or shares of each class in the data, [K]; ones for the
      uniform distribution.

  Returns:
    A Spread.

  Raises:
    ValueError: shapes that do not match, a negative or non-finite number, sums
      of 0, or an example of a class that the data do not have: the divergence
      is infinite.
  """
  p, q = (np.asarray(v, np.float64) for v in (counts, reference))
  if p.ndim != 1 or p.shape != q.shape:
    raise ValueError(f'counts of shapes {list(p.shape)} and {list(q.shape)}: '
                     'both are [K]')
  for v in (p, q):
    if not np.isfinite(v).all() or v.min(initial=0) < 0 or not v.sum():
      raise ValueError(f'counts {v}: numbers of 0 or more, not all 0, are '
                       'needed')
  if strangers := np.flatnonzero((p > 0) & (q == 0)).tolist():
    more = f' and {len(strangers) - 5} more' if len(strangers) > 5 else ''
    raise ValueError(f'the reference has no example of classes {strangers[:5]}'
                     f'{more}, so the divergence is infinite; more real '
                     'examples may have')
  seen = p > 0
  p, q = p[seen] / p.sum(), q[seen] / q.sum()
  divergence = max(float((p * np.log(p / q)).sum()), 0.0)
  entropy = -float((p * np.log(p)).sum())
  return Spread(int(seen.sum()), divergence, float(np.exp(entropy)))
