"""The examples of a set of any size that are nearest to some."""

from collections.abc import Iterable

import numpy as np


def nearest(queries, parts: Iterable, k: int) -> tuple[np.ndarray, np.ndarray]:
  """The k nearest by Euclidean distance, read part by part.

  In float64, so that distances of bytes are exact and that of a copy is 0.

  Args:
    queries: [Q, D], of any dtype.
    parts: arrays [n, D], one after the other all that is searched.
    k: neighbours of each query, 1 or more.

  Returns:
    (index int64 [Q, k] into all parts, distance float64 [Q, k]), the nearest
    first and of equal ones the first; with fewer than k examples, all.
  """
  queries = np.asarray(queries, np.float64)
  norms = (queries ** 2).sum(1)[:, None]
  index = np.zeros((len(queries), 0), np.int64)
  distance = np.zeros((len(queries), 0))
  start = 0
  for part in parts:
    part = np.asarray(part, np.float64)
    squares = norms - 2.0 * (queries @ part.T) + (part ** 2).sum(1)[None]
    near = np.argsort(squares, axis=1, kind='stable')[:, :k]
    # The differences themselves: floats that are equal are at distance 0.
    exact = np.array([np.linalg.norm(part[i] - q, axis=1)
                      for q, i in zip(queries, near, strict=True)])
    index = np.concatenate([index, start + near], axis=1)
    distance = np.concatenate([distance, exact], axis=1)
    best = np.argsort(distance, axis=1, kind='stable')[:, :k]
    index = np.take_along_axis(index, best, axis=1)
    distance = np.take_along_axis(distance, best, axis=1)
    start += len(part)
  return index, distance
