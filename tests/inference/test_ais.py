"""Densities of a decoder whose density is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from decoders import linear, no_labels
from jax.tree_util import Partial
from scipy.stats import multivariate_normal

from gan_jax.inference import ais, noise


def closed_form(x, w, b, sigma):
  """log N(x; b, W'W + sigma^2 I) of [N, D]."""
  return multivariate_normal.logpdf(
      np.asarray(x), b, w.T @ w + sigma ** 2 * np.eye(len(b)))


def test_the_density_of_a_linear_decoder_is_the_closed_form():
  decode, w, b = linear()
  sigma = 1.0
  x = noise.gaussian(sigma).draw(jax.random.key(0), decode(
      jax.random.normal(jax.random.key(1), (8, 3)), None))
  # One farther from what the decoder draws.
  x = x.at[0].add(2.0)
  found = ais.log_density(decode, noise.gaussian(sigma), x, no_labels(8),
                          jax.random.key(2), size=3, chains=128,
                          temperatures=400, chunk=8)
  np.testing.assert_allclose(found.log_p, closed_form(x, w, b, sigma), atol=0.1)
  assert ((found.ess > 5) & (found.ess <= 128)).all()
  assert ((found.acceptance > 0.5) & (found.acceptance < 0.95)).all()


def test_bounds_are_below_and_above_the_closed_form():
  """And a mean over chains of the ratio is that of the densities, or one."""
  decode, w, b = linear()
  lower, upper, x = ais.bounds(
      decode, noise.gaussian(1.0), no_labels(512), jax.random.key(0),
      size=3, chains=1, temperatures=50, chunk=512)
  truth = closed_form(x, w, b, 1.0)
  assert lower.mean() < truth.mean() - 0.1
  assert upper.mean() > truth.mean() + 0.1
  np.testing.assert_allclose(jnp.exp(lower - truth).mean(), 1.0, atol=0.1)
  np.testing.assert_allclose(jnp.exp(truth - upper).mean(), 1.0, atol=0.1)


def test_with_more_chains_the_bounds_meet():
  decode, _, _ = linear()
  lower, upper, _ = ais.bounds(
      decode, noise.gaussian(1.0), no_labels(32), jax.random.key(0),
      size=3, chains=32, temperatures=50, chunk=32)
  np.testing.assert_allclose(upper.mean(), lower.mean(), atol=0.1)


def test_a_coin_has_the_density_that_numbers_give():
  """p(x = 1) = E sigmoid(2 u), by a sum over a grid of u."""
  decode = Partial(_coin)
  u = np.linspace(-8, 8, 4001)
  prior = np.exp(-u ** 2 / 2) / np.sqrt(2 * np.pi) * (u[1] - u[0])
  share = (prior / (1 + np.exp(-2 * u - 1))).sum()
  found = ais.log_density(decode, noise.bernoulli(),
                          jnp.array([[0.0], [1.0]]), no_labels(2),
                          jax.random.key(0), size=1, chains=200,
                          temperatures=50)
  np.testing.assert_allclose(
      found.log_p, np.log([1 - share, share]), atol=0.03)


def _coin(u, label):
  del label
  return jax.nn.sigmoid(2 * u + 1)


def test_temperatures_go_from_the_prior_to_the_posterior():
  b = ais.schedule(100)
  assert b[0] == 0 and b[-1] == 1 and (jnp.diff(b) > 0).all()
  # The logistic function at -4, -3.92, ... by hand.
  first, second = (1 / (1 + np.exp(x)) for x in (4, 3.92))
  np.testing.assert_allclose(b[1], (second - first) / (1 - 2 * first),
                             rtol=1e-3)


def test_what_is_drawn_has_the_width_or_the_share():
  mean = jnp.stack([jnp.full(4000, 3.0), jnp.full(4000, -1.0)])
  drawn = np.asarray(noise.gaussian(0.2).draw(jax.random.key(0), mean))
  np.testing.assert_allclose(drawn.mean(1), [3.0, -1.0], atol=0.015)
  np.testing.assert_allclose(drawn.std(1), 0.2, rtol=0.05)
  bits = np.asarray(noise.bernoulli().draw(
      jax.random.key(0), jnp.stack([jnp.full(4000, 0.1), jnp.full(4000, 0.8)])))
  assert bits.dtype == np.float32 and set(np.unique(bits)) == {0.0, 1.0}
  np.testing.assert_allclose(bits.mean(1), [0.1, 0.8], atol=0.03)


@pytest.mark.parametrize('sigma', [0.0, -1.0, float('nan')])
def test_a_gaussian_has_a_width(sigma):
  with pytest.raises(ValueError, match=f'sigma={sigma}: must be above 0'):
    noise.gaussian(sigma)
