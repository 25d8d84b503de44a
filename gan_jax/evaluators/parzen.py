"""The evaluator `parzen`, for comparison with early papers only.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, section 5: the density
of a test image under a Gaussian of standard deviation sigma around each of M
samples,

  log p(x) = logsumexp_j(-|x - s_j|^2 / 2 sigma^2) - log M
             - D log(sigma sqrt(2 pi)),

with the sigma that is best for validation images. It ranks models badly
(Theis et al. 2016, https://arxiv.org/abs/1511.01844) and depends on the scale
of the pixels: theirs are in [0, 1], with M = 10,000.
"""

import functools
from typing import Any

import jax
import numpy as np

from gan_jax.evaluators.score import Score, order, short, unseen
from gan_jax.metrics.arrays import finite, matrices, matrix
from gan_jax.metrics.neighbours import blocks, centre_of, squared_distances

# The paper's grid.
SIGMAS = tuple(np.logspace(-1.0, 0.0, 10).tolist())
_ROWS = 256  # images beside all samples: 20 MB for 10,000


def parzen(*, num_samples: int = 10000, num_test: int = 1000,
           num_validation: int = 1000, source: Any, seed: int):
  """Parzen-window log-likelihood of real examples, in nats.

  Test and validation examples are held-out ones if there are any
  (`data.holdout`). Bytes are scaled to [0, 1].

  Args:
    num_samples: generated examples.
    num_test: real examples whose likelihood it is.
    num_validation: others, for the width of the window.
    source: a `data.prepare.Source`.
    seed: of the draw of real examples.

  Returns:
    evaluate(sample) -> [parzen]; its interval is 1.96 standard errors, its
    floor that of as many training examples in place of the generated ones.

  Raises:
    ValueError: fewer real examples than are asked for.
  """
  real, side = unseen(source)
  needed = num_test + num_validation
  if min(num_test, num_validation, num_samples) < 1 or needed > len(
      real.images):
    raise ValueError(f'num_test={num_test} and num_validation='
                     f'{num_validation} need {needed} examples, and '
                     f'{source.name} has {len(real.images)} in {side!r}')
  rows = order(len(real.images), seed)

  def score(samples):
    return mean_likelihood(*(_flat(x) for x in (
        real.images[rows[:num_test]], real.images[rows[num_test:needed]],
        samples)))

  @functools.cache
  def floor():
    others = (rows[needed:] if side == 'train' else
              order(len(source.images), seed))[:num_samples]
    return (None if len(others) < num_samples else
            score(source.images[others])[0])

  def evaluate(sample):
    mean, error, sigma = score(sample(0, num_samples)[0])
    return [Score(
        f'parzen_{short(num_samples)}_{side}', mean, floor=floor(),
        low=mean - 1.96 * error, high=mean + 1.96 * error,
        found={'sigma': sigma}, protocol={
            'metric': 'parzen', 'num_fake': num_samples, 'num_test': num_test,
            'num_validation': num_validation, 'reference': side,
            'data': source.name, 'seed': seed,
            'data_fingerprint': real.fingerprint})]

  return evaluate


def _flat(images):
  """[N, ...] of bytes or numbers -> [N, D] float64, bytes in [0, 1]."""
  x = np.asarray(images)
  scale = 255.0 if x.dtype == np.uint8 else 1.0
  return x.reshape(len(x), -1).astype(np.float64) / scale


def mean_likelihood(test, validation, samples) -> tuple[float, float, float]:
  """Mean log-likelihood of test images, its standard error, and sigma.

  Args:
    test: images in [0, 1], flattened: [N, D].
    validation: [V, D], others than the test images.
    samples: of the generator, [M, D].

  Returns:
    In nats; the error is std (ddof=0) / sqrt(N), as in the paper's program. NaN
    where a pixel is not finite.

  Raises:
    ValueError: shapes that do not match.
  """
  test, samples = matrices(test, samples, 1)
  validation = matrix(validation, 1, 'validation images')
  if not finite(test, validation, samples):
    return (float('nan'),) * 3
  tried = log_likelihoods(validation, samples, SIGMAS).mean(0)
  sigma = SIGMAS[tried.argmax()]
  found = log_likelihoods(test, samples, (sigma,))[:, 0]
  return float(found.mean()), float(found.std() / np.sqrt(len(found))), sigma


def log_likelihoods(images, samples, sigmas) -> np.ndarray:
  """Log-density of each image for each sigma: [N, S] of [N, D] and [M, D]."""
  sigmas = np.asarray(sigmas, np.float64)
  with jax.enable_x64(True):
    centre = centre_of(samples)
    found = [np.asarray(_log_sums(x, samples, centre, sigmas))
             for x, _ in blocks(images, _ROWS)]
  return (np.concatenate(found) - np.log(len(samples))
          - images.shape[1] * np.log(sigmas * np.sqrt(2 * np.pi)))


@jax.jit
def _log_sums(x, samples, centre, sigmas):
  squares, _ = squared_distances(x, samples, centre)
  # One sigma at a time: [S, N, M] would be large.
  return jax.lax.map(
      lambda s: jax.nn.logsumexp(-0.5 * squares / s**2, axis=1), sigmas).T
