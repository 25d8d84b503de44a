"""The largest singular value of spectral norm, as it is logged."""

import jax
import jax.numpy as jnp
import pytest
from jax import random
from test_diagnosis import REAL, A, linear_game, look

from gan_jax import models
from gan_jax.diagnosis import largest_sigma
from gan_jax.models import mlp


def test_sigma_is_the_largest_of_a_player_with_spectral_norm():
  def layer(sigma):
    return {'u': jnp.full(3, 99.0), 'sigma': jnp.float32(sigma)}

  stats = {'spectral': {'Dense_0': layer(2.0), 'Up_0': {
      'Conv_0': layer(7.0), 'Conv_1': layer(3.0)}},
           'batch_stats': {'Norm_0': {'sigma': jnp.float32(50.0)}}}
  assert float(largest_sigma(stats)) == 7.0
  for other in ({}, {'batch_stats': stats['batch_stats']}, (), jnp.ones(2)):
    assert largest_sigma(other) is None


def test_sigma_is_that_of_the_kernels():
  layer = models.as_model(mlp.Discriminator(
      num_classes=0, widths=(3,), weight_norm='spectral'))
  image, label = jnp.ones((2, 1, 2, 2)), jnp.zeros(2, jnp.int32)
  params, stats = layer.init(random.key(0), image, label)
  values = [jnp.diag(jnp.array([0.1, 0.0, 4.0, 0.0]))[:, :3],
            jnp.array([[0.0], [3.0], [-4.0]])]  # Of norm 4 and 5.
  params = jax.tree.unflatten(jax.tree.structure(params), [
      x if x.ndim < 2 else values[x.shape[1] == 1]
      for x in jax.tree.leaves(params)])
  _, stats = layer.apply(params, stats, image, label, train=True)
  assert float(largest_sigma(stats)) == pytest.approx(5.0, rel=1e-6)


def test_a_game_without_spectral_norm_has_none():
  found = look(linear_game(), A, REAL)
  assert 'auc' in found and not [k for k in found if k.startswith('sigma/')]
