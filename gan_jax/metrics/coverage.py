"""Which modes of a mixture a generator reaches.

Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761, section 4.1.
"""

import numpy as np


def modes_captured(points, centres, std: float) -> tuple[int, float]:
  """How many Gaussians have a sample, and how many samples are near one.

  A sample is of high quality within 3 std of the nearest centre; a mode is
  captured by one such sample. Of the mixture itself 98.889 % are (in 2-D,
  1 - exp(-9 / 2)).

  Args:
    points: [N, D].
    centres: [K, D].
    std: of each Gaussian, along each axis.

  Returns:
    (modes captured, 0..K; share of high quality, 0..1). Points that are not
    finite are of low quality.
  """
  points, centres = np.asarray(points, np.float64), np.asarray(centres)
  distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
  near = distance.min(axis=1) <= 3 * std  # False for NaN.
  found = np.unique(distance.argmin(axis=1)[near])
  return len(found), float(near.mean())
