"""Frechet distance between real and generated images.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500, eq. 6.
"""

import numpy as np

from gan_jax.metrics.moments import moments

# Negative eigenvalues up to this, relative to the largest, are rounding.
_TOLERANCE = 1e-8


def frechet_distance(real, fake) -> float:
  """Frechet distance between the Gaussians fitted to two sets of features.

  Args:
    real: [N, F], N 2 or more; need not exceed F.
    fake: [M, F].

  Returns:
    0 or more; NaN where a feature is not finite.

  Raises:
    ValueError: other shapes.
  """
  return distance_of_moments(moments(real), moments(fake))


def distance_of_moments(real, fake) -> float:
  """|m1 - m2|^2 + Tr C1 + Tr C2 - 2 Tr (C1 C2)^(1/2).

  The last term as Tr (sqrt(C1) C2 sqrt(C1))^(1/2), which has the same
  eigenvalues and is symmetric: `eigh` is faster than a matrix square root,
  never complex, and at home in singular covariances.

  Args:
    real: (m1 [F], C1 [F, F]).
    fake: (m2 [F], C2 [F, F]).

  Returns:
    0 or more; NaN where a moment is not finite.

  Raises:
    ValueError: shapes that do not match, or a matrix that is no covariance:
      not symmetric, or with negative eigenvalues beyond rounding.
  """
  mean1, cov1, mean2, cov2 = (np.asarray(v, np.float64)
                              for v in (*real, *fake))
  size = mean1.size
  shapes = [v.shape for v in (mean1, cov1, mean2, cov2)]
  if shapes != [(size,), (size, size)] * 2:
    raise ValueError(f'moments of shapes {shapes}: [F], [F, F], [F], [F, F] of '
                     'one F are needed; take both from one network')
  if not all(np.isfinite(v).all() for v in (mean1, cov1, mean2, cov2)):
    return float('nan')
  # eigh looks at one triangle only.
  for cov in (cov1, cov2):
    largest = np.abs(cov - cov.T).max(initial=0.0)
    if largest > _TOLERANCE * np.abs(cov).max(initial=0.0):
      raise ValueError(f'C and its transpose differ by {largest}: a covariance '
                       'is symmetric; compute it by moments()')
  values, vectors = np.linalg.eigh(cov1)
  scale = np.abs(values).max(initial=0.0)
  root = vectors * np.sqrt(_clamped(values, scale)) @ vectors.T
  product = root @ cov2 @ root
  scale = scale * np.linalg.norm(cov2)
  values = _clamped(np.linalg.eigvalsh((product + product.T) / 2), scale)
  distance = (np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2)
              - 2.0 * np.sqrt(values).sum())
  return max(float(distance), 0.0)  # Of equal sets, rounding leaves -1e-15.


def _clamped(values, scale):
  lowest = values.min(initial=0.0)
  if lowest < -_TOLERANCE * scale:
    raise ValueError(f'eigenvalue {lowest}: a covariance has none below 0, '
                     f'save by rounding ({-_TOLERANCE * scale}); compute it in '
                     'float64, by moments()')
  return np.maximum(values, 0.0)
