"""Frechet distance for infinitely many fakes, by extrapolation.

Chong & Forsyth 2020, https://arxiv.org/abs/1911.07023: the bias of the distance
for N fakes is about a / N, where a depends on the generator.  So distances of
N = 50,000 do not rank generators truly, and extrapolated ones do.
"""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.arrays import matrices, permutation
from gan_jax.metrics.frechet import distance_of_moments
from gan_jax.metrics.moments import moments

# Of a draw: keeps it apart from all others that are made of one seed.
_STREAM = 191107023


class Line(NamedTuple):
  """FD_N = value + slope / N, by least squares."""

  value: float  # FD-infinity; of a small distance it may be below 0.
  slope: float


def frechet_infinity(real, fake, *, seed: int, points: int = 15,
                     smallest: int = 5000) -> Line:
  """FD-infinity from distances of subsets of the fakes.

  Sizes of subsets are at even distances from `smallest` to M; each subset is
  drawn by the seed, without repetition.  All N reals are used each time, so the
  bias of the real side stays.

  Args:
    real: features [N, F].
    fake: [M, F], M above `smallest`; 50,000 in the paper.
    seed: 0 or more.
    points: sizes, 2 or more; 15 in the paper.
    smallest: more than F, as with fewer the bias is no longer a / N.

  Returns:
    (value, slope); NaN where a feature is not finite.

  Raises:
    ValueError: shapes that do not match, or a setting out of range.
  """
  real, fake = matrices(real, fake, 2)
  if points < 2:
    raise ValueError(f'points={points}: a line needs 2 or more; 15 is usual')
  if not real.shape[1] < smallest < len(fake):
    raise ValueError(
        f'smallest={smallest}: subsets must be larger than the '
        f'{real.shape[1]} dimensions of the features, or the bias is not '
        f'proportional to 1 / N, and smaller than the {len(fake)} fakes')
  sizes = np.linspace(smallest, len(fake), points).astype(int)
  reference = moments(real)
  found = []
  for i, size in enumerate(sizes):
    part = fake[permutation(len(fake), seed, _STREAM, i)[:size]]
    found.append(distance_of_moments(reference, moments(part)))
  if not np.isfinite(found).all():
    return Line(float('nan'), float('nan'))
  inverse = 1.0 / sizes
  centred = inverse - inverse.mean()
  slope = centred @ np.array(found) / (centred @ centred)
  return Line(float(np.mean(found) - slope * inverse.mean()), float(slope))
