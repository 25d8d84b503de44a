"""Distances of all pairs of two sets of features, a block at a time.

Blocks are [1024, 4096] at most, so that 50,000 x 50,000 distances never exist
at once: 200 MB beside features of F = 64, 350 MB for F = 2048.  They are made
on the device, in float64: squared distances as |x|^2 + |y|^2 - 2 x.y, after the
mean of one set was taken off both, which keeps the three terms small.

Their rounding error is at most `slack` = 4 (F + 4) eps (|x|^2 + |y|^2), 1e-12
relative for F = 2048.  Whoever compares two of them asks for a difference
beyond the slack, so that copies tie: with itself, an example is at no distance,
and two examples that are the same have the same neighbours.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.arrays import chunks

ROWS, COLUMNS = 1024, 4096


def blocks(x, most: int):
  """Rows of x [N, F] in blocks of one size, at most `most`.

  Yields:
    (block [size, F], index [size] of its rows in x). The last block is filled
    up with zeros, whose index is -1.
  """
  size = math.ceil(len(x) / math.ceil(len(x) / most))
  for start in range(0, len(x), size):
    block = x[start:start + size]
    index = np.full(size, -1, np.int32)
    index[:len(block)] = np.arange(start, start + len(block))
    fill = np.zeros((size - len(block), x.shape[1]), x.dtype)
    yield np.concatenate([block, fill]), index


def centre_of(x) -> np.ndarray:
  """Mean [F] of features [N, F], float64."""
  total = sum(part.sum(0, dtype=np.float64) for part in chunks(x, COLUMNS))
  return total / len(x)


def squared_distances(x, y, centre):
  """Squared distances and their slack, [A, B] both, of [A, F] and [B, F].

  To be traced in float64: under `jax.enable_x64(True)`.
  """
  x = x.astype(jnp.float64) - centre[None]
  y = y.astype(jnp.float64) - centre[None]
  norms = (jnp.square(x).sum(1)[:, None] + jnp.square(y).sum(1)[None])
  slack = 4 * (x.shape[1] + 4) * np.finfo(np.float64).eps * norms
  return jnp.maximum(norms - 2 * x @ y.T, 0.0), slack


def nearest(queries, examples, k: int = 1, *, same: bool = False) -> tuple:
  """The k nearest examples to each query.

  Args:
    queries: [M, F], finite.
    examples: [N, F], finite.
    k: 1 .. N, or .. N - 1 where they are the same.
    same: whether the sets are one, and an example is no neighbour of its own.

  Returns:
    (indices [M, k] int32, distances [M, k] float64), nearest first. Distances
    are those of the differences x - y: 0.0 to a copy, precisely.

  Raises:
    ValueError: k out of range.
  """
  if not 1 <= k <= len(examples) - same:
    raise ValueError(f'k={k}: of {len(examples)} examples, an example has '
                     f'1 .. {len(examples) - same} neighbours; take more')
  found = []
  with jax.enable_x64(True):
    centre = centre_of(examples)
    for x, rows in blocks(queries, ROWS):
      best = np.full((len(x), 0), np.inf), np.zeros((len(x), 0), np.int32)
      for y, columns in blocks(examples, COLUMNS):
        squares = _other_squares(x, y, centre, rows, columns, same=same)
        best = _nearer(best, np.asarray(squares), columns, k)
      found.append(best[1][rows >= 0])
  index = np.concatenate(found)
  distances = np.concatenate([
      np.sqrt(np.square(np.subtract(x[:, None], examples[i], dtype=np.float64))
              .sum(-1))
      for x, i in zip(chunks(queries, 256), chunks(index, 256), strict=True)])
  # The order of the products may differ from theirs by rounding.
  order = np.argsort(distances, axis=1, kind='stable')
  return (np.take_along_axis(index, order, 1),
          np.take_along_axis(distances, order, 1))


@functools.partial(jax.jit, static_argnames='same')
def _other_squares(x, y, centre, rows, columns, *, same):
  squares, _ = squared_distances(x, y, centre)
  skip = jnp.broadcast_to(columns[None] < 0, squares.shape)
  if same:
    skip |= rows[:, None] == columns[None]
  return jnp.where(skip, jnp.inf, squares)


def _nearer(best, squares, columns, k):
  """The k best of those so far and a block [A, B], in any order."""
  # Here numpy selects: lax.top_k of float64 takes 50 times as long on a CPU.
  place = np.argpartition(squares, min(k, squares.shape[1]) - 1, axis=1)[:, :k]
  squares = np.concatenate(
      [best[0], np.take_along_axis(squares, place, 1)], 1)
  index = np.concatenate([best[1], columns[place]], 1)
  place = np.argsort(squares, axis=1, kind='stable')[:, :k]
  return (np.take_along_axis(squares, place, 1),
          np.take_along_axis(index, place, 1))
