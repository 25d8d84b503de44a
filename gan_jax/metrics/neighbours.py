"""Nearest neighbours, and the metrics that use them.

Distances of all pairs are computed on the device in float64, in blocks of at
most [1024, 4096]: 200 MB beside features of F = 64, 350 MB for F = 2048.
Squares are |x|^2 + |y|^2 - 2 x.y after subtracting the mean of one set. Their
rounding error is at most `slack` = 4 (F + 4) eps (|x|^2 + |y|^2), 1e-12
relative for F = 2048; compared squares must differ by more, so that copies tie.
"""

import math
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.arrays import chunks, finite, matrices, matrix

ROWS, COLUMNS = 1024, 4096


def blocks(x, most: int):
  """(rows [n, F] of x [N, F], their indices [n]), n <= most, of 2 sizes."""
  count = math.ceil(len(x) / most)
  return zip(np.array_split(x, count), np.array_split(np.arange(len(x)), count),
             strict=True)


def centre_of(x) -> np.ndarray:
  """Mean [F] of features [N, F], float64."""
  return sum(p.sum(0, dtype=np.float64) for p in chunks(x, COLUMNS)) / len(x)


def squared_distances(x, y, centre):
  """Squared distances of [A, F] and [B, F], and slack, in float64: [A, B]."""
  x = x.astype(jnp.float64) - centre[None]
  y = y.astype(jnp.float64) - centre[None]
  norms = (jnp.square(x).sum(1)[:, None] + jnp.square(y).sum(1)[None])
  slack = 4 * (x.shape[1] + 4) * np.finfo(np.float64).eps * norms
  return jnp.maximum(norms - 2 * x @ y.T, 0.0), slack


_squares = jax.jit(lambda *args: squared_distances(*args)[0])


def nearest(queries, examples: Iterable, k: int, *, same: bool = False
            ) -> tuple[np.ndarray, np.ndarray]:
  """The k nearest examples of each query.

  Args:
    queries: [Q, F], finite.
    examples: arrays [n, F], which need not be in memory at once.
    k: 1 or more.
    same: whether the examples are the queries, none its own neighbour.

  Returns:
    (index int64 [Q, k] into all examples, distance float64 [Q, k]), nearest
    first; fewer than k if there are fewer examples. Copies are at exactly 0.
  """
  index = np.zeros((len(queries), 0), np.int64)
  distance = np.zeros((len(queries), 0))
  start = 0
  for part in examples:
    for block, columns in blocks(part, COLUMNS):
      near, far = _nearest_of_block(queries, block, start + columns, k, same)
      index = np.concatenate([index, near], axis=1)
      distance = np.concatenate([distance, far], axis=1)
      best = np.argsort(distance, axis=1, kind='stable')[:, :k]
      index = np.take_along_axis(index, best, axis=1)
      distance = np.take_along_axis(distance, best, axis=1)
    start += len(part)
  return index, distance


def _nearest_of_block(queries, block, columns, k, same):
  """(index, distance) of the k nearest of a block, unordered."""
  chosen, k = [], min(k, len(block))
  with jax.enable_x64(True):
    centre = centre_of(block)
    for x, rows in blocks(queries, ROWS):
      squares = np.asarray(_squares(x, block, centre))
      if same:
        squares = np.where(rows[:, None] == columns[None], np.inf, squares)
      # numpy selects: lax.top_k of float64 takes 50 times as long on a CPU.
      chosen.append(np.argpartition(squares, k - 1, axis=1)[:, :k])
  chosen = np.concatenate(chosen)
  distance = np.concatenate([
      np.sqrt(np.square(np.subtract(x[:, None], block[i], dtype=np.float64))
              .sum(-1))
      for x, i in zip(chunks(queries, 256), chunks(chosen, 256), strict=True)])
  index = columns[chosen]
  if same:
    distance[index == np.arange(len(queries))[:, None]] = np.inf
  return index, distance


def manifold(real, fake, *, k: int = 5) -> dict[str, float]:
  """Precision, recall, density and coverage of features [N, F], fakes [M, F].

  The ball of an example has the distance to its k-th nearest other one as
  radius (5 in the second paper, 3 in the first). Precision: share of fakes in a
  ball of a real; recall: share of reals in a ball of a fake (Kynkaanniemi et
  al. 2019, https://arxiv.org/abs/1904.06991). Density: mean number of balls of
  reals that a fake is in, / k; coverage: share of reals with a fake in their
  ball (Naeem et al. 2020, https://arxiv.org/abs/2002.09797). Balls are open, by
  more than the slack, as in the program of the second paper; in the first they
  are closed. All depend on the number of examples: compare at one N.

  Returns:
    {name: 0..1, density 0 or more}; NaN for non-finite features.

  Raises:
    ValueError: shapes that do not match, N or M < k + 1.
  """
  found = manifolds(real, fake, np.ones((1, len(fake)), bool), k=k)
  return {name: float(values[0]) for name, values in found.items()}


def manifolds(real, fake, kept, *, k: int = 5) -> dict[str, np.ndarray]:
  """`manifold` of C parts of the fakes [M, F], in one pass: {name: [C]}.

  kept: bool [C, M], the fakes of each part: all, or all but a random tenth.
  """
  real, fake = matrices(real, fake, k + 1)
  recalled, covered = np.zeros((2, len(kept), len(real)), bool)
  balls = np.zeros(len(fake), np.int64)
  if not finite(real, fake):
    return dict.fromkeys(('precision', 'recall', 'density', 'coverage'),
                         np.full(len(kept), np.nan))
  real_radii = nearest(real, [real], k, same=True)[1][:, -1]
  fake_radii = _radii(fake, kept, k)
  with jax.enable_x64(True):
    centre = centre_of(real)
    for x, rows in blocks(real, ROWS):
      for y, columns in blocks(fake, COLUMNS):
        in_fake, in_real, count = _inside(
            x, y, centre, real_radii[rows], fake_radii[:, columns],
            kept[:, columns])
        recalled[:, rows] |= np.asarray(in_fake)
        covered[:, rows] |= np.asarray(in_real)
        balls[columns] += np.asarray(count)
  count = kept.sum(1)
  return {'precision': kept @ np.minimum(balls, 1) / count,
          'recall': recalled.mean(1), 'density': kept @ balls / count / k,
          'coverage': covered.mean(1)}


def _radii(x, kept, k):
  """Distances [C, N] to the k-th nearest other one of each part; 0 outside."""
  # Of 15 neighbours a random tenth has more than 10 once in 10^8: then it is
  # the farthest of those that are left.
  index, distance = nearest(x, [x], k if kept.all() else 3 * k, same=True)
  found = []
  for part in kept:
    rank = part[index].cumsum(1)
    last = np.argmax(rank == np.minimum(k, rank[:, -1:]), axis=1)
    found.append(np.where(part, distance[np.arange(len(x)), last], 0.0))
  return np.array(found)


@jax.jit
def _inside(x, y, centre, real_radii, fake_radii, kept):
  """Reals [C, A] in a fake ball, or with a fake; balls around each fake [B]."""
  squares, slack = squared_distances(x, y, centre)
  in_real = squares + slack < jnp.square(real_radii)[:, None]
  in_fake, with_fake = jax.lax.map(
      lambda part: ((squares + slack < jnp.square(part[0])[None]).any(1),
                    (in_real & part[1][None]).any(1)), (fake_radii, kept))
  return in_fake, with_fake, in_real.sum(0)


def authenticity(train, fake) -> float:
  """Share of fakes [M, F] that are not near copies of training examples [N, F].

  Alaa et al. 2022, https://arxiv.org/abs/2102.08921: a fake is authentic if it
  is farther from its nearest training example than that example is from its own
  nearest other training example. (Their text; their program indexes the other
  way round.) New samples of the true distribution get well below 1, 0.7 in 16
  dimensions: compare with held-out reals. NaN for non-finite features.

  Raises:
    ValueError: shapes that do not match, N < 2.
  """
  train, fake = matrices(matrix(train, 2, 'training features'), fake, 1)
  if not finite(train, fake):
    return float('nan')
  index, distances = nearest(fake, [train], 1)
  _, gaps = nearest(train, [train], 1, same=True)
  return float((distances > gaps[index[:, 0]]).mean())
