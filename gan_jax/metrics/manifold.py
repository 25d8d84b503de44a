"""Precision, recall, density, coverage and authenticity, by neighbours.

The manifold of a set is the union of balls round its examples, each as large as
the distance to the k-th nearest other example.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics import pairs
from gan_jax.metrics.arrays import finite, matrices, matrix


class Manifold(NamedTuple):
  """Scores of `manifold`."""

  precision: float
  recall: float
  density: float
  coverage: float


def manifold(real, fake, *, k: int = 5) -> Manifold:
  """Precision, recall, density and coverage.

  Precision: share of fakes in a ball of a real; recall: share of reals in a
  ball of a fake (Kynkaanniemi et al. 2019, https://arxiv.org/abs/1904.06991).
  Density: balls of reals that a fake is in, mean over fakes, / k; coverage:
  share of reals with a fake in their ball (Naeem et al. 2020,
  https://arxiv.org/abs/2002.09797).  In a ball is strictly nearer than its
  radius, by more than rounding (see `pairs.py`), as in the program of the
  second paper; in the first, the edge belongs to the ball.  All depend on the
  number of examples: compare at one N.

  Args:
    real: features [N, F], N of k + 1 or more.
    fake: [M, F], M of k + 1 or more.
    k: neighbours, the example itself not counted; 5 in the second paper, 3 in
      the first.

  Returns:
    The scores, 0..1, density 0 or more; NaN where a feature is not finite.

  Raises:
    ValueError: shapes that do not match, too few examples, k < 1.
  """
  if k < 1:
    raise ValueError(f'k={k}: must be 1 or more; 5 is usual')
  real, fake = matrices(real, fake, k + 1)
  if not finite(real, fake):
    return Manifold(*[float('nan')] * 4)
  radii = [pairs.nearest(x, x, k, same=True)[1][:, -1] for x in (real, fake)]
  recalled = np.zeros(len(real), bool)
  covered = np.zeros(len(real), bool)
  balls = np.zeros(len(fake), np.int64)
  with jax.enable_x64(True):
    centre = pairs.centre_of(real)
    for x, rows in pairs.blocks(real, pairs.ROWS):
      for y, columns in pairs.blocks(fake, pairs.COLUMNS):
        found = _inside(x, y, centre, rows, columns,
                        radii[0][rows], radii[1][columns])
        in_fake, in_real, count = (np.asarray(v) for v in found)
        recalled[rows[rows >= 0]] |= in_fake[rows >= 0]
        covered[rows[rows >= 0]] |= in_real[rows >= 0]
        balls[columns[columns >= 0]] += count[columns >= 0]
  return Manifold(float((balls > 0).mean()), float(recalled.mean()),
                  float(balls.mean() / k), float(covered.mean()))


@jax.jit
def _inside(x, y, centre, rows, columns, real_radii, fake_radii):
  """Reals [A] in a fake ball, reals with a fake, balls round each fake [B]."""
  squares, slack = pairs.squared_distances(x, y, centre)
  valid = (rows >= 0)[:, None] & (columns >= 0)[None]
  far = jnp.where(valid, squares + slack, jnp.inf)
  in_real = far < jnp.square(real_radii)[:, None]
  in_fake = far < jnp.square(fake_radii)[None]
  return in_fake.any(1), in_real.any(1), in_real.sum(0)


def nearest_examples(fake, train) -> tuple[np.ndarray, np.ndarray]:
  """The training example that is nearest to each fake, to look for copies.

  Args:
    fake: features [M, F].
    train: [N, F].

  Returns:
    (indices into train [M] int32, distances [M] float64, 0.0 to a copy); where
    a feature is not finite, all indices are -1 and all distances NaN.

  Raises:
    ValueError: shapes that do not match, an empty set.
  """
  train, fake = matrices(train, fake, 1)
  if not finite(train, fake):
    return np.full(len(fake), -1, np.int32), np.full(len(fake), np.nan)
  index, distances = pairs.nearest(fake, train)
  return index[:, 0], distances[:, 0]


def authenticity(train, fake) -> float:
  """Share of fakes that are no near copies of a training example.

  Alaa et al. 2022, https://arxiv.org/abs/2102.08921: a fake is authentic if it
  is farther from its nearest training example than that example is from its
  own nearest other training example.  (The authors' program indexes the other
  way round; this is the definition in their text.)  Of new samples of the true
  distribution it is well below 1, 0.7 in 16 dimensions: compare with the same
  of held-out reals.

  Args:
    train: features [N, F], N of 2 or more: those the generator was trained on.
    fake: [M, F].

  Returns:
    0..1, 0 for copies; NaN where a feature is not finite.

  Raises:
    ValueError: shapes that do not match, too few examples.
  """
  train, fake = matrices(matrix(train, 2, 'training features'), fake, 1)
  if not finite(train, fake):
    return float('nan')
  index, distances = nearest_examples(fake, train)
  _, gaps = pairs.nearest(train, train, same=True)
  return float((distances > gaps[index, 0]).mean())
