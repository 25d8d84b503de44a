"""The evaluator `parzen`: log-likelihood under a window around samples."""

import functools
from typing import Any

import numpy as np

from gan_jax.evaluators.score import Score, order, short
from gan_jax.metrics.parzen import parzen as window


def parzen(*, num_samples: int = 10000, num_test: int = 1000,
           num_validation: int = 1000, source: Any, seed: int):
  """Parzen-window log-likelihood of real examples, in nats.

  Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, section 5: a Gaussian
  window around the samples, its width chosen on validation examples. It says
  little of the samples' quality (Theis et al. 2016, arXiv:1511.01844); it is
  here to compare with the papers that report it. Test and validation examples
  are held out if any are (`data.holdout`). Pixels are in [0, 1].

  Args:
    num_samples: generated examples.
    num_test: real examples whose likelihood it is.
    num_validation: others, for the width.
    source: a `data.prepare.Source`.
    seed: of the draw of real examples.

  Returns:
    evaluate(sample) -> [parzen]; its interval is 1.96 standard errors, its
    floor that of as many training examples in place of the generated ones.

  Raises:
    ValueError: fewer real examples than are asked for.
  """
  real = source if source.held_out is None else source.held_out
  side = 'train' if source.held_out is None else 'held_out'
  needed = num_test + num_validation
  if min(num_test, num_validation, num_samples) < 1 or needed > len(
      real.images):
    raise ValueError(f'num_test={num_test} and num_validation='
                     f'{num_validation} need {needed} examples, and '
                     f'{source.name} has {len(real.images)} in {side!r}')
  rows = order(len(real.images), seed)

  def likelihood(samples):
    return window(_flat(real.images[rows[:num_test]]),
                  _flat(real.images[rows[num_test:needed]]), _flat(samples))

  @functools.cache
  def floor():
    if side == 'held_out' and num_samples <= len(source.images):
      return likelihood(source.images[
          order(len(source.images), seed)[:num_samples]]).mean
    if side == 'train' and needed + num_samples <= len(rows):
      return likelihood(real.images[rows[needed:needed + num_samples]]).mean
    return None

  def evaluate(sample):
    found = likelihood(sample(0, num_samples)[0])
    error = 1.96 * found.standard_error
    return [Score(f'parzen_{short(num_samples)}_{side}', found.mean,
                  floor=floor(), low=found.mean - error,
                  high=found.mean + error, found={'sigma': found.sigma},
                  protocol={
                      'metric': 'parzen', 'num_fake': num_samples,
                      'num_test': num_test,
                      'num_validation': num_validation, 'reference': side,
                      'data': source.name, 'seed': seed,
                      'data_fingerprint': real.fingerprint})]

  return evaluate


def _flat(images):
  """[N, ...] of bytes or numbers -> [N, D] float64, bytes in [0, 1]."""
  x = np.asarray(images)
  scale = 255.0 if x.dtype == np.uint8 else 1.0
  return x.reshape(len(x), -1).astype(np.float64) / scale
