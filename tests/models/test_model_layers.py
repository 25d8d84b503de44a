"""Layers against numpy and lax, and where their weights start."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, random
from small_models import KEY, build, forward, inputs, some_variables

from gan_jax import models
from gan_jax.models import layers, mlp, norms


def test_batch_norm_and_its_running_averages_in_numpy():
  x = random.normal(KEY, (6, 3, 2, 4)) * 3.0 + 1.0
  module = norms.Norm('batch', train=True, momentum=0.75)
  variables = jax.jit(module.init)(KEY, x)
  y, new = jax.jit(lambda *a: module.apply(*a, mutable=['batch_stats']))(
      variables, x)
  x = np.float64(x)
  mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
  np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)
  stats = new['batch_stats']['BatchNorm_0']
  np.testing.assert_allclose(stats['mean'], 0.25 * mean, rtol=1e-4)
  np.testing.assert_allclose(stats['var'], 0.75 + 0.25 * var, rtol=1e-4)
  running = jax.jit(norms.Norm('batch', train=False).apply)(
      {'params': variables['params'], **new}, np.float32(x))
  np.testing.assert_allclose(
      running, (x - 0.25 * mean) / np.sqrt(0.75 + 0.25 * var + 1e-5), atol=1e-4)


def test_layer_norm_is_over_all_of_an_example():
  x = random.normal(KEY, (5, 3, 2, 4)) * 3.0 + 1.0
  module = norms.Norm('layer', train=True)
  y = jax.jit(module.init_with_output)(KEY, x)[0]
  x = np.float64(x)
  mean, var = (f(x, (1, 2, 3), keepdims=True) for f in (np.mean, np.var))
  np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)


def test_scales_of_dcgan_start_around_one():
  module = norms.Norm('batch', train=True, scale_std=0.02)
  params = jax.jit(module.init)(KEY, jnp.zeros((2, 4000)))['params']
  scale = np.asarray(params['BatchNorm_0']['scale'])
  assert abs(scale.mean() - 1.0) < 0.002 and abs(scale.std() - 0.02) < 0.001


def test_weights_of_dcgan_start_at_their_deviation():
  model = build('dcgan.Discriminator', 'Discriminator', width=32,
                weight_std=0.05)
  params, _ = jax.jit(model.init)(KEY, *inputs('Discriminator', (16, 16, 3)))
  leaves = jax.tree_util.tree_leaves_with_path(params)
  kernels = [np.asarray(p) for path, p in leaves if path[-1].key == 'kernel']
  assert len(kernels) == 3
  for kernel in kernels:
    assert abs(kernel.std() - 0.05) < 0.005 and abs(kernel.mean()) < 0.005


@pytest.mark.parametrize('name,want', [
    ('relu', [0.0, 2.0]), ('leaky_relu', [-0.3, 2.0]),
    ('tanh', [-0.7615942, 0.9640276]), ('sigmoid', [0.2689414, 0.8807970]),
    ('elu', [-0.6321206, 2.0]), ('silu', [-0.2689414, 1.7615942]),
    ('gelu', [-0.158808, 1.954598])])
def test_activations_by_hand(name, want):
  got = layers.activation(name, 0.3)(np.float32([-1.0, 2.0]))
  np.testing.assert_allclose(got, want, rtol=1e-5)
  assert name in typing.get_args(layers.ActivationName)


@pytest.mark.parametrize('size', [(6, 8), (7, 5)])
def test_max_pool_equals_reduce_window_to_the_second_derivative(size):
  x = random.normal(KEY, (2, *size, 3))

  def reference(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1),
                             'VALID')

  def all_orders(pool):
    def loss(x):
      return jnp.sum(jnp.sin(pool(x)))

    def penalty(x):
      return jnp.sum(jax.grad(loss)(x) ** 2)

    return jax.jit(lambda x: (pool(x), jax.grad(loss)(x)))(x), penalty

  (y, slope), penalty = all_orders(layers.max_pool)
  (want, want_slope), _ = all_orders(reference)
  np.testing.assert_array_equal(y, want)
  np.testing.assert_allclose(slope, want_slope, rtol=1e-6)
  # d/dx sum cos(m)^2 = -sin(2 m) at the maxima, 0 elsewhere.
  at_maxima = np.asarray(want_slope) != 0
  np.testing.assert_allclose(
      jax.jit(jax.grad(penalty))(x),
      np.where(at_maxima, -np.sin(2 * np.asarray(x)), 0.0), atol=1e-5)


def test_label_code_joins_vectors_and_images():
  join = jax.jit(lambda x: layers.LabelCode(
      'onehot', num_classes=3, embed_dim=0).apply(
          {}, x, np.array([2, 0], np.int32)))
  z = np.asarray(join(np.full((2, 1), 7.0, np.float32)))
  np.testing.assert_array_equal(z, [[7, 0, 0, 1], [7, 1, 0, 0]])
  images = join(np.full((2, 2, 3, 1), 7.0, np.float32))
  np.testing.assert_array_equal(images, np.tile(z[:, None, None], (1, 2, 3, 1)))


def test_an_mlp_in_numpy():
  model = models.as_model(mlp.Discriminator(num_classes=0, widths=(4, 3),
                                            leak=0.1))
  images = random.normal(KEY, (5, 2, 3, 1))
  params, stats = some_variables(model, images, None)
  logits = forward(model, train=True)(params, stats, images, None)
  x = np.float64(images).reshape(5, 6)
  for i in range(3):
    if i:
      x = np.where(x > 0, x, 0.1 * x)
    layer = params[f'Dense_{i}'] if i < 2 else params['Heads_0']['logits']
    x = x @ np.float64(layer['kernel']) + np.float64(layer['bias'])
  np.testing.assert_allclose(logits, x[:, 0], rtol=1e-5)


def test_any_pair_of_functions_is_a_model():
  class Pair:
    @staticmethod
    def init(key, x, label):
      return 'params', {}

    @staticmethod
    def apply(params, stats, x, label, *, train):
      return x, stats

  model = models.as_model(Pair())
  assert model.init(None, None, None) == ('params', {})
  assert model.apply(None, {}, 3, None, train=True) == (3, {})
  assert isinstance(model.describe(None, None), str)
  with pytest.raises(ValueError, match='int is neither a flax.linen module'):
    models.as_model(3)
