"""Bounds by an encoder, of a linear decoder, whose posterior is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from decoders import linear
from jax import random
from jax.scipy.stats import multivariate_normal
from jax.tree_util import Partial

from gan_jax import inference
from gan_jax.data.prepare import make_source
from gan_jax.evaluators import elbo
from gan_jax.game.decoder import Decoder

SIZE, NUMBERS, SIGMA = 2, 6, 0.4
DECODE, W, BIAS = linear(size=SIZE, numbers=NUMBERS)
# Orthogonal rows: the posterior's covariance is diagonal, as an encoder's.
W = np.linalg.qr(np.asarray(W).T)[0].T * 1.3
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(8, SIZE)) @ W + BIAS
     + SIGMA * RNG.normal(size=(8, NUMBERS))).astype(np.float32)
X[7] = X[0]
LABEL = np.zeros(8, np.int32)
PRECISION = 1.0 + 1.3 ** 2 / SIGMA ** 2
DENSITY = np.asarray(jax.vmap(lambda x: multivariate_normal.logpdf(
    x, BIAS, W.T @ W + SIGMA ** 2 * np.eye(NUMBERS)))(X))


def decode(z, label):
  return z @ W + BIAS[None]


def posterior(x, label, shift=0.0, log_scale=0.0):
  mean = (x - BIAS[None]) @ W.T / SIGMA ** 2 / PRECISION
  return mean + shift, jnp.full_like(mean, log_scale - np.log(PRECISION))


def found(encode, samples):
  return inference.evidence(
      Partial(decode), Partial(encode), inference.gaussian(SIGMA), X, LABEL,
      random.key(1), samples=samples, chunk=50)


def test_the_true_posterior_makes_both_bounds_the_density():
  bounds = found(posterior, 3)
  np.testing.assert_allclose(bounds.elbo, DENSITY, atol=2e-4)
  np.testing.assert_allclose(bounds.weighted, DENSITY, atol=2e-4)


def test_a_wrong_posterior_costs_its_divergence_and_many_samples_mend_it():
  shift, log_scale = 0.1, 0.5
  wrong = found(lambda x, label: posterior(x, label, shift, log_scale), 4000)
  gap = SIZE * 0.5 * (np.exp(log_scale) + shift ** 2 * PRECISION - 1
                      - log_scale)
  np.testing.assert_allclose(np.mean(DENSITY - wrong.elbo), gap, rtol=0.05)
  np.testing.assert_allclose(wrong.weighted, DENSITY, atol=0.1)
  assert (np.asarray(wrong.weighted) > np.asarray(wrong.elbo)).all()
  assert wrong.elbo[7] != wrong.elbo[0]  # Of samples of their own.


def test_the_evaluator_scores_held_out_points():
  source = make_source(X, LABEL, 0, name='points')
  model = Decoder(Partial(decode), None, Partial(lambda u: u), SIZE,
                  Partial(posterior))
  one, many = elbo(num_test=8, draws=200, likelihood='gaussian', sigma=SIGMA,
                   source=source, seed=0)(None, lambda: model)
  assert (one.name, many.name) == ('elbo_8_train', 'elbo_weighted_200_8_train')
  np.testing.assert_allclose([one.value, many.value], DENSITY.mean(), atol=1e-3)
  error = 2.3646 * DENSITY.std(ddof=1) / np.sqrt(8)  # Student's t of 7
  np.testing.assert_allclose([one.value - one.low, one.high - one.value], error,
                             atol=1e-3)
  none, _ = elbo(num_test=8, source=source, seed=0)(
      None, lambda: model._replace(posterior=None))
  assert none.value is None and 'needs an encoder' in none.reason


@pytest.mark.parametrize('options, words', [
    (dict(draws=0), 'draws=0: must be 1 or more'),
    (dict(num_test=9), 'has 8 examples'), (dict(num_test=0), '1 or more'),
    (dict(sigma=0.0), 'must be above 0'), (dict(likelihood='x'), 'must be')])
def test_what_cannot_be_asked_for(options, words):
  source = make_source(X, LABEL, 0, name='points')
  with pytest.raises(ValueError, match=words):
    elbo(**{'num_test': 8, **options}, source=source, seed=0)
