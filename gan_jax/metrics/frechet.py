"""Frechet distance between real and generated images.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500, eq. 6, without Inception,
whose weights cannot be part of this project: see `features.py`.  The distance
itself is the usual one and can be checked against other programs.
"""

import functools

import numpy as np

from gan_jax.metrics.features import random_features
from gan_jax.metrics.moments import moments

# Of a draw: keeps it apart from all others that are made of the run's seed.
_STREAM = 170608500
# Negative eigenvalues up to this, relative to the largest, are rounding.
_TOLERANCE = 1e-8


def frechet(*, num_samples: int = 2000, source, seed: int):
  """Frechet distance of random features, and what real images would get.

  The reference is `num_samples` images of the data set, drawn by the seed
  without repetition.  A finite sample of the real distribution is not at
  distance 0 but at about the floor: the distance between the reference and a
  second draw of the same size that shares no image with it.  Read a score as a
  multiple of its floor.  Both draws come from the training set, so a generator
  that repeats its training images reaches the floor too.

  The floor falls as 1 / num_samples, so scores compare at one num_samples only;
  it is in their names.  2000 is about the number of moments of 64 features.

  Args:
    num_samples: real and generated images of a score, 2 or more; at most half
      of the data set, for the two draws.
    source: a `data.sources.Source`.
    seed: 0 or more; of the draws.  The features do not depend on it.

  Returns:
    evaluate(sample) -> {'fd_random_2k': the score, 'fd_random_2k_floor': the
    floor} for 2000 samples (for 1500: 'fd_random_1500'), 0 or more.  The
    reference and the floor are computed in the first call.  It raises
    ValueError if sample(2000) does not give uint8 images like the real ones.

  Raises:
    ValueError: num_samples out of range, or vectors instead of images.
  """
  total = len(source.images)
  if len(source.images.shape) != 4:
    raise ValueError(
        f'the fixed random network is for images [H, W, C], and the examples '
        f'of {source.name} are vectors {list(source.images.shape[1:])}; leave '
        f'this evaluator out')
  if num_samples < 2:
    raise ValueError(f'num_samples={num_samples}: a covariance needs 2 images '
                     'or more; 2000 is usual')
  if num_samples > total // 2:
    fix = (f'use num_samples={total // 2} or less, or more images'
           if total >= 4 else 'use a data set of 4 images or more')
    raise ValueError(
        f'num_samples={num_samples}: two draws that share no image, for the '
        f'score and its floor, need {2 * num_samples} images, but '
        f'{source.name} has {total}; {fix}')
  shape = (num_samples, *source.images.shape[1:])
  name = f'fd_random_{_short(num_samples)}'

  @functools.cache
  def reference():
    first, second = _draws(total, num_samples, seed)
    real = moments(random_features(source.images[first]))
    other = moments(random_features(source.images[second]))
    return real, distance_of_moments(real, other)

  def evaluate(sample):
    real, floor = reference()
    images = np.asarray(sample(num_samples))
    if images.shape != shape or images.dtype != np.uint8:
      raise ValueError(
          f'sample({num_samples}) gave {images.dtype} {list(images.shape)}; '
          f'uint8 {list(shape)} is needed, like the images of {source.name}: '
          'convert with media.to_uint8')
    score = distance_of_moments(real, moments(random_features(images)))
    return {name: score, f'{name}_floor': floor}

  return evaluate


def _short(count):
  """2000 -> '2k', 1500 -> '1500'."""
  return str(count) if count % 1000 else f'{count // 1000}k'


def _draws(total, count, seed):
  """Indices of two disjoint draws, each [count]."""
  # Raw bits: numpy promises the stream of a bit generator for ever, but lets
  # the methods of Generator change.
  bits = np.random.PCG64(np.random.SeedSequence((seed, _STREAM)))
  order = np.argsort(bits.random_raw(total), kind='stable')
  return order[:count], order[count:2 * count]


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
