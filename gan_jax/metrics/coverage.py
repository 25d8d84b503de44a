"""Which modes of a mixture, or of stacked digits, a generator reaches.

Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761, section 4.1.
"""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.classes import histogram, spread


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


class Stacked(NamedTuple):
  """Scores of `stacked_modes`, of K ** C modes."""

  hit: int  # Modes with an example.
  hit_five: int  # Modes with 5 examples or more.
  divergence: float  # KL(examples || uniform) in nats.
  effective: float  # exp(entropy), 1 .. K ** C.


def stacked_modes(labels, *, classes: int = 10) -> Stacked:
  """Modes of stacked digits: one class in each channel, all combinations.

  Metz et al. 2017, https://arxiv.org/abs/1611.02163; Srivastava et al. 2017:
  26,000 samples, 1000 modes.  Two traps.  A mode that is hit need not have been
  made: 10 modes through a classifier of 99 % accuracy per channel count as 236,
  so look at `hit_five` and `effective`, and at the same scores of real images.
  And the divergence does not reach 0: of 26,000 uniform samples it is
  0.0194 +- 0.0009, (K ** C - 1) / 2 N.

  Args:
    labels: predicted class of each channel, integers [N, C].
    classes: K.

  Returns:
    A Stacked.

  Raises:
    ValueError: another shape or dtype, a label out of range, no labels.
  """
  labels = np.asarray(labels)
  if labels.ndim != 2 or not labels.size:
    raise ValueError(f'labels of shape {list(labels.shape)}: one for each '
                     'channel, [N, C], is needed')
  for channel in labels.T:
    histogram(channel, classes)  # Raises.
  modes = classes ** labels.shape[1]
  powers = classes ** np.arange(labels.shape[1])
  counts = histogram(labels.astype(np.int64) @ powers, modes)
  found = spread(counts, np.ones(modes))
  return Stacked(found.hit, int((counts >= 5).sum()), found.divergence,
                 found.effective)
