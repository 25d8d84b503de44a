"""Samples of a posterior that is known."""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from decoders import linear, no_labels
from jax.tree_util import Partial

from gan_jax.inference import noise
from gan_jax.inference.mcmc import posterior


def test_of_a_linear_decoder_it_is_normal():
  """Mean S W (x - b) / sigma^2, covariance S = (I + W W' / sigma^2)^-1."""
  decode, w, b = linear()
  x = np.random.default_rng(1).normal(size=(2, 6)).astype(np.float32)
  found = posterior(
      decode, noise.gaussian(0.5), x, no_labels(2),
      jax.random.normal(jax.random.key(1), (2, 4, 3)), jax.random.key(0),
      draws=500)
  cov = np.linalg.inv(np.eye(3) + w @ w.T / 0.25)
  mean = (x - b) @ w.T @ cov / 0.25
  assert found.u.shape == (2, 4, 500, 3)
  u = np.asarray(found.u).reshape(2, 2000, 3)
  std = np.sqrt(np.diag(cov))
  error = 5 * std / np.sqrt(np.asarray(found.ess))[:, None]
  assert (abs(u.mean(1) - mean) < error).all()
  for i in range(2):
    np.testing.assert_allclose(np.cov(u[i].T), cov, atol=0.15 * cov.max())
  # The worst of the three numbers.
  for got, of, worst in ((found.rhat, blackjax.rhat, np.max),
                         (found.ess, blackjax.ess, np.min)):
    each = [[of(found.u[i, ..., j]) for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(got, worst(each, 1), rtol=1e-4)
  assert (found.rhat < 1.02).all() and (found.rhat > 0.99).all()
  assert (found.ess > 200).all()
  assert ((found.acceptance > 0.6) & (found.acceptance <= 1.0)).all()
  assert (found.divergent == 0).all()


def test_chains_in_modes_that_never_meet_are_told():
  """x = u^2 = 9: u is 3 or -3, and no chain goes from one to the other.

  x = (u - 1) (u + 5) = 0: u is 1 or -5, but -5 has a prior exp(-12) times that
  of 1, so that all chains start from 1.
  """
  def decode(u, label):
    return jnp.where(label[:, None] == 0, u ** 2, (u - 1.0) * (u + 5.0))

  found = posterior(
      Partial(decode), noise.gaussian(0.3), jnp.array([[9.0], [0.0]]),
      jnp.arange(2), jnp.array([[[3.0], [-3.0], [2.5]],
                                [[-5.0], [1.0], [-5.0]]]),
      jax.random.key(3), draws=100, warmup=100)
  assert found.rhat[0] > 1.5
  assert found.ess[0] < 10
  np.testing.assert_allclose(jnp.abs(found.u[0]), 3.0, atol=0.5)
  sides = found.u[0].mean((1, 2)) > 0
  assert 0 < sides.sum() < 4
  np.testing.assert_allclose(found.u[1], 1.0, atol=0.5)
