"""Encoders: shapes, what they are told, what they refuse."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import (
  KEY,
  TINY,
  count,
  inputs,
  of_bfloat16,
  some_variables,
)

from gan_jax import models
from gan_jax.base import lookup

NAMES = [name for name in lookup.names('gan_jax.models', 'Encoder')
         if not name.startswith('none')]


def encoder(name, **kwargs):
  return models.as_model(lookup.build(
      'gan_jax.models', {'name': name, **TINY[name.partition('.')[0]],
                         **kwargs},
      kind='Encoder', image_range=(-1.0, 1.0), image_shape=(8, 8, 1),
      num_classes=3, axis_name=None, latent_size=5))


def run_of(model, train):
  return jax.jit(partial(model.apply, train=train))


def test_none_is_no_network():
  for kind in ('Encoder', 'Discriminator'):
    assert models.as_model(lookup.build(
        'gan_jax.models', dict(name=f'none.{kind}'), kind=kind,
        num_classes=0)) is None


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('norm', ['none', 'layer'])
def test_a_normal_distribution_for_each_image(name, norm):
  model = encoder(name, norm=norm)
  x, label = inputs('Encoder')
  params, stats = some_variables(model, x, label)
  assert not jax.tree.leaves(stats)
  found, _ = run_of(model, train=True)(params, stats, x, label)
  assert found.mean.shape == found.log_var.shape == (4, 5)
  assert found.mean.dtype == found.log_var.dtype == np.float32
  alone, _ = run_of(model, train=False)(params, stats, x[1:2], label[1:2])
  np.testing.assert_allclose(alone.mean, found.mean[1:2], atol=1e-5)
  assert np.abs(found.mean - found.log_var).max() > 1e-3


@pytest.mark.parametrize('name', NAMES)
def test_the_last_layer_of_bfloat16_is_float32(name):
  model = encoder(name, dtype=jnp.bfloat16)
  x, label = inputs('Encoder')
  # Biases start as 0: a sum with one would hide what the product is.
  found, _ = run_of(model, train=False)(*jax.jit(model.init)(KEY, x, label), x,
                                        label)
  assert found.mean.dtype == np.float32
  assert not of_bfloat16(found.mean) and not of_bfloat16(found.log_var)


@pytest.mark.parametrize('name', NAMES)
def test_the_label_counts_if_it_is_told(name):
  x, label = inputs('Encoder')
  for conditioning in ('none', 'onehot'):
    model = encoder(name, conditioning=conditioning)
    params, stats = some_variables(model, x, label)
    run = run_of(model, train=False)
    one, other = (run(params, stats, x, label * 0 + i)[0] for i in (0, 1))
    assert np.allclose(one.mean, other.mean) == (conditioning == 'none')


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('norm', ['batch', 'virtual_batch',
                                  'conditional_batch', 'adain'])
def test_norms_that_keep_averages_or_need_z_are_refused(name, norm):
  x, label = inputs('Encoder')
  with pytest.raises(ValueError, match="use 'none', 'layer'"):
    jax.eval_shape(encoder(name, norm=norm).init, KEY, x, label)


def test_mlp_encoder_has_the_parameters_of_its_layers():
  model = encoder('mlp.Encoder', widths=(8, 6))
  params, _ = jax.eval_shape(model.init, KEY, *inputs('Encoder'))
  assert count(params) == 65 * 8 + 9 * 6 + 7 * 10


def test_the_pair_has_both_networks_and_one_table():
  gen = models.as_model(lookup.build(
      'gan_jax.models', dict(name='mlp.Generator', widths=(8,), norm='batch'),
      kind='Generator', image_range=(-1.0, 1.0), image_shape=(8, 8, 1),
      num_classes=3, axis_name=None))
  pair = models.with_encoder(gen, encoder('mlp.Encoder'), frozen=False)
  z, label = inputs('Generator')
  params, stats = some_variables(pair, z, label)
  assert set(params) == {'generator', 'encoder'}
  image, new = run_of(pair, train=True)(params, stats, z, label)
  alone, wanted = run_of(gen, train=True)(params['generator'], stats, z, label)
  np.testing.assert_array_equal(image, alone)
  jax.tree.map(np.testing.assert_array_equal, new, wanted)
  found = pair.encode(params, stats, image, label, train=False)
  assert found.mean.shape == z.shape
  table = pair.describe(z, label)
  assert '\nEncoder\n' in table and f'{count(params["encoder"]):,}' in table
