"""Parzen-window log-likelihood, for comparison with early papers only.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, section 5: the density
of a test image under a Gaussian of standard deviation sigma round each of M
samples,

  log p(x) = logsumexp_j(-|x - s_j|^2 / 2 sigma^2) - log M
             - D log(sigma sqrt(2 pi)),

with the sigma that is best for validation images.  It ranks models badly
(Theis et al. 2016, https://arxiv.org/abs/1511.01844) and depends on the scale
of the pixels: theirs are in [0, 1], with M = 10,000.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics import pairs
from gan_jax.metrics.arrays import finite, matrices, matrix

# The paper's grid.
SIGMAS = tuple(np.logspace(-1.0, 0.0, 10).tolist())


class Parzen(NamedTuple):
  """Scores of `parzen`, in nats."""

  mean: float
  standard_error: float  # std (ddof=0) / sqrt(N), as in the paper's program.
  sigma: float


def parzen(test, validation, samples, *, sigmas=SIGMAS) -> Parzen:
  """Mean log-likelihood of test images and its standard error.

  Args:
    test: images in [0, 1], flattened: [N, D].
    validation: [V, D], others than the test images; 1,000 in the paper.
    samples: of the generator, [M, D].
    sigmas: to choose from, above 0.  If the best is at an end, use a wider
      grid.

  Returns:
    (mean, standard error, sigma); NaN where a pixel is not finite.

  Raises:
    ValueError: shapes that do not match, an empty set, a sigma of 0 or less.
  """
  test, samples = matrices(test, samples, 1)
  validation, _ = matrices(matrix(validation, 1, 'validation images'), test, 1)
  if not finite(test, validation, samples):
    return Parzen(*[float('nan')] * 3)
  tried = log_likelihoods(validation, samples, sigmas).mean(0)
  sigma = float(np.asarray(sigmas)[tried.argmax()])
  found = log_likelihoods(test, samples, (sigma,))[:, 0]
  return Parzen(float(found.mean()), float(found.std() / np.sqrt(len(found))),
                sigma)


def log_likelihoods(images, samples, sigmas) -> np.ndarray:
  """Log-density of each image for each sigma: [N, S] of [N, D] and [M, D].

  NaN, all of it, where a pixel is not finite.

  Raises:
    ValueError: shapes that do not match, an empty set, a sigma of 0 or less.
  """
  images, samples = matrices(images, samples, 1)
  sigmas = np.asarray(sigmas, np.float64)
  if sigmas.ndim != 1 or not sigmas.size or not np.all(
      (sigmas > 0) & np.isfinite(sigmas)):
    raise ValueError(f'sigmas={sigmas.tolist()}: numbers above 0 are needed')
  if not finite(images, samples):
    return np.full((len(images), len(sigmas)), np.nan)
  found = []
  with jax.enable_x64(True):
    centre = pairs.centre_of(samples)
    for x, rows in pairs.blocks(images, pairs.ROWS):
      total = np.full((len(x), len(sigmas)), -np.inf)
      for y, columns in pairs.blocks(samples, pairs.COLUMNS):
        total = _add(total, x, y, centre, columns, sigmas)
      found.append(np.asarray(total)[rows >= 0])
  return (np.concatenate(found) - np.log(len(samples))
          - images.shape[1] * np.log(sigmas * np.sqrt(2 * np.pi)))


@jax.jit
def _add(total, x, y, centre, columns, sigmas):
  squares, _ = pairs.squared_distances(x, y, centre)
  squares = jnp.where((columns < 0)[None], jnp.inf, squares)
  # One sigma at a time: [A, B, S] would be large.
  found = jax.lax.map(
      lambda s: jax.nn.logsumexp(-0.5 * squares / s**2, axis=1), sigmas)
  return jnp.logaddexp(total, found.T)
