"""Priors: their moments, and a key for each example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from gan_jax import latents, lookup

NAMES = lookup.names('gan_jax.latents')


@pytest.fixture(scope='module', params=NAMES)
def prior(request):
  """(the prior of 3 dimensions, compiled; 4 keys; their latents)."""
  latent = jax.jit(lookup.build('gan_jax.latents',
                                dict(name=request.param, size=3)))
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


def draw(factory):
  keys = random.split(random.key(1), 20_000)
  return np.asarray(jax.jit(factory(size=4))(keys))


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
