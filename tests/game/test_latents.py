"""Priors: their moments, and a key for each example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from gan_jax.base import lookup
from gan_jax.game import latents

NAMES = lookup.names('gan_jax.game.latents')
# Where the size is not an argument, what makes it 3.
THREE = {'infogan': dict(categories=(), continuous=1, noise=2)}


@pytest.fixture(scope='module', params=NAMES)
def prior(request):
  """(the prior of 3 dimensions, compiled; 4 keys; their latents)."""
  own = THREE.get(request.param, dict(size=3))
  latent = jax.jit(lookup.build('gan_jax.game.latents',
                                dict(name=request.param, **own)))
  keys = random.split(random.key(0), 4)
  return latent, keys, latent(keys)


def test_shape(prior):
  latent, keys, z = prior
  assert z.shape == (4, 3) and z.dtype == jnp.float32
  assert len(np.unique(z)) == 12


def test_a_latent_depends_on_its_own_key_only(prior):
  latent, keys, z = prior
  np.testing.assert_array_equal(latent(keys[::-1]), z[::-1])
  np.testing.assert_array_equal(latent(keys[1:3]), z[1:3])
  other = latent(keys.at[1].set(random.key(9)))
  np.testing.assert_array_equal(other[jnp.array([0, 2, 3])],
                                z[jnp.array([0, 2, 3])])
  assert (other[1] != z[1]).all()


def draw(factory, **kwargs):
  keys = random.split(random.key(1), 20_000)
  return np.asarray(jax.jit(factory(**(kwargs or dict(size=4))))(keys))


def test_normal():
  z = draw(latents.normal)
  # Standard errors over 80000 draws: 0.0035, 0.005, 0.0017.
  assert abs(z.mean()) < 0.015 and abs(z.var() - 1.0) < 0.02
  assert abs((np.abs(z) < 1.0).mean() - 0.6827) < 0.007
  np.testing.assert_allclose(np.corrcoef(z.T), np.eye(4), atol=0.03)


def test_uniform():
  z = draw(latents.uniform)
  assert z.min() >= -1.0 and z.max() < 1.0
  assert z.min() < -0.999 and z.max() > 0.999
  assert abs(z.mean()) < 0.01 and abs(z.var() - 1 / 3) < 0.005
  np.testing.assert_allclose(np.corrcoef(z.T), np.eye(4), atol=0.03)


@pytest.mark.parametrize('given,bound,variance', [
    ({}, 2.0, 0.7737), (dict(bound=0.5), 0.5, 0.0806)])
def test_truncated_normal(given, bound, variance):
  """The variance is 1 - 2 b pdf(b) / (2 cdf(b) - 1)."""
  z = draw(latents.truncated_normal, size=4, **given)
  assert np.abs(z).max() <= bound and np.abs(z).max() > 0.98 * bound
  assert abs(z.mean()) < 0.015
  assert z.var() == pytest.approx(variance, rel=0.02)
  np.testing.assert_allclose(np.corrcoef(z.T), np.eye(4), atol=0.03)


def test_sphere():
  z = draw(latents.sphere)
  np.testing.assert_allclose(np.linalg.norm(z, axis=1), np.full(len(z), 2.0),
                             rtol=1e-5)
  # Uniform: no direction is preferred, and a coordinate's fourth moment is
  # 3 / (n (n + 2)) of the radius to the fourth: 2 in 4 dimensions.
  np.testing.assert_allclose(z.mean(axis=0), np.zeros(4), atol=0.03)
  np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=0.03)
  np.testing.assert_allclose((z ** 4).mean(axis=0), np.full(4, 2.0), rtol=0.05)


def test_infogan():
  # Of as many categories: those of 2 and 3 of one key would be independent.
  z = draw(latents.infogan, categories=(3, 3), continuous=2, noise=3)
  assert z.shape[1] == 11
  first, second, codes, noise = np.split(z, [3, 6, 8], axis=1)
  for part in (first, second):
    assert set(np.unique(part)) == {0.0, 1.0}
    np.testing.assert_array_equal(part.sum(axis=1), np.ones(len(z)))
    np.testing.assert_allclose(part.mean(axis=0), 1 / part.shape[1], atol=0.015)
  assert codes.min() >= -1.0 and codes.max() < 1.0
  assert abs(codes.var() - 1 / 3) < 0.01
  assert abs(noise.mean()) < 0.02 and abs(noise.var() - 1.0) < 0.03
  # All are independent but for the one-hot parts.
  free = z[:, [0, 1, 3, 4, 6, 7, 8, 9, 10]]
  wanted = np.eye(9)
  wanted[[0, 1, 2, 3], [1, 0, 3, 2]] = -0.5
  np.testing.assert_allclose(np.corrcoef(free.T), wanted, atol=0.03)


@pytest.mark.parametrize('name', NAMES)
def test_sizes_are_those_of_the_papers(name):
  z = jax.eval_shape(getattr(latents, name)(), random.split(random.key(0), 2))
  assert z.shape == (2, 74 if name == 'infogan' else 100)
