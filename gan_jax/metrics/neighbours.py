"""The examples of a set of any size that are nearest to some."""

from collections.abc import Iterable

import numpy as np

from gan_jax.metrics import pairs


def nearest(queries, parts: Iterable, k: int
            ) -> tuple[np.ndarray, np.ndarray]:
  """`pairs.nearest` among examples that are never in memory at once.

  Args:
    queries: [Q, F], finite.
    parts: arrays [n, F], one after the other all that is searched.
    k: neighbours of each query, 1 or more.

  Returns:
    (index int64 [Q, k] into all parts, distance float64 [Q, k]), the nearest
    first; with fewer than k examples, all.  A copy is at 0.
  """
  index = np.zeros((len(queries), 0), np.int64)
  distance = np.zeros((len(queries), 0))
  start = 0
  for part in parts:
    near, far = pairs.nearest(queries, part, min(k, len(part)))
    index = np.concatenate([index, start + near], axis=1)
    distance = np.concatenate([distance, far], axis=1)
    best = np.argsort(distance, axis=1, kind='stable')[:, :k]
    index = np.take_along_axis(index, best, axis=1)
    distance = np.take_along_axis(distance, best, axis=1)
    start += len(part)
  return index, distance
