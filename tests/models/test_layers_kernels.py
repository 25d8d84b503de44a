"""Spectral norm, weight norm and equalized kernels in numpy."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from layer_runs import KEY, images, run

from gan_jax.models import layers


def sigma_of(kernel):
  matrix = np.asarray(kernel).reshape(-1, kernel.shape[-1])
  return np.linalg.svd(matrix, compute_uv=False)[0]


LAYERS = [(layers.Dense, {}, (2, 6)), (layers.Conv, {}, (2, 5, 5, 3)),
          (layers.ConvTranspose, dict(to=(6, 6)), (2, 3, 3, 3))]


@pytest.mark.parametrize('layer,kwargs,shape', LAYERS)
def test_sigma_tends_to_the_largest_singular_value(layer, kwargs, shape):
  module = layer(4, weight_norm='spectral', bias=False, **kwargs)
  plain = layer(4, bias=False, **kwargs)
  x = images(*shape)

  @jax.jit
  def iterate(variables):
    def body(_, spectral):
      return module.apply({**variables, 'spectral': spectral}, x,
                          mutable=['spectral'])[1]['spectral']

    return jax.lax.fori_loop(0, 200, body, variables['spectral'])

  variables = jax.jit(module.init)(KEY, x)
  params = variables['params']
  state = iterate(variables)
  sigma = sigma_of(params['kernel'])
  np.testing.assert_allclose(state['sigma'], sigma, rtol=1e-4)
  np.testing.assert_allclose(np.linalg.norm(state['u']), 1.0, rtol=1e-5)
  divided = {'kernel': params['kernel'] / sigma}
  np.testing.assert_allclose(sigma_of(divided['kernel']), 1.0, rtol=1e-5)
  want = jax.jit(plain.apply)({'params': divided}, x)
  test = jax.jit(module.apply)
  for scale in (1.0, 0.1):  # The length of an averaged u plays no part.
    stats = {**state, 'u': state['u'] * scale}
    np.testing.assert_allclose(
        test({'params': params, 'spectral': stats}, x), want,
        rtol=1e-3, atol=1e-4)


def test_one_power_iteration_in_numpy_and_its_gradient():
  x = images(3, 5)
  module = layers.Dense(4, weight_norm='spectral', bias=False)
  variables, state = jax.tree.map(np.asarray, jax.jit(lambda: (
      module.init(KEY, x), module.apply(module.init(KEY, x), x,
                                        mutable=['spectral'])[1]))())
  w, u = variables['params']['kernel'], variables['spectral']['u']
  v = w @ u
  new = w.T @ (v / np.linalg.norm(v))
  new = new / np.linalg.norm(new)
  np.testing.assert_allclose(state['spectral']['u'], new, rtol=1e-4)
  np.testing.assert_allclose(state['spectral']['sigma'],
                             np.linalg.norm(w @ new), rtol=1e-5)

  # Eq. 12 of the paper: d sigma / d W = v u^T, u and v held fixed.
  def total(w):
    return jnp.sum(module.apply({'params': {'kernel': w}, **state}, x))

  left = np.asarray(w @ new) / np.linalg.norm(w @ new)
  s, outer = np.linalg.norm(w @ new), np.outer(left, new)
  by_kernel = np.asarray(x).T @ np.ones((3, 4))
  want = by_kernel / s - np.sum(by_kernel * np.asarray(w)) / s ** 2 * outer
  np.testing.assert_allclose(jax.jit(jax.grad(total))(w), want, rtol=1e-3,
                             atol=1e-3)


def test_a_kernel_of_zeros_has_finite_gradients():
  x = images(2, 3)
  for name in ('spectral', 'weight'):
    module = layers.Dense(2, weight_norm=name,
                          kernel_init=nn.initializers.zeros)
    variables = jax.jit(module.init)(KEY, x)
    gradient = jax.jit(jax.grad(lambda p, m=module, v=variables: jnp.sum(
        m.apply({**v, 'params': p}, x))))(variables['params'])
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize('layer,kwargs,shape', LAYERS)
def test_weight_norm_starts_as_without_and_its_scale_is_the_length(
    layer, kwargs, shape):
  x = images(*shape)
  plain, variables = run(layer(4, **kwargs), x)
  module = layer(4, weight_norm='weight', **kwargs)
  got, own = run(module, x)
  np.testing.assert_allclose(got, plain, rtol=1e-4, atol=1e-5)
  # Doubled scale, tripled direction: twice the output.
  p = dict(own['params'], scale=2 * own['params']['scale'],
           kernel=3 * own['params']['kernel'])
  np.testing.assert_allclose(run(module, x, params=p)[0], 2 * plain, rtol=1e-4,
                             atol=1e-5)
  kernel = np.asarray(variables['params']['kernel']).reshape(-1, 4)
  np.testing.assert_allclose(own['params']['scale'],
                             np.linalg.norm(kernel, axis=0), rtol=1e-5)


def test_equalized_kernels_are_scaled_when_used():
  x = images(2, 7, 7, 50)
  module = layers.Conv(40, weight_norm='equalized', bias=False,
                       kernel_init=nn.initializers.normal(0.02))
  got, variables = run(module, x)
  kernel = variables['params']['kernel']
  assert abs(np.std(kernel) - 1.0) < 0.02
  scaled = {'kernel': kernel * np.float32(np.sqrt(2 / (9 * 50)))}
  want, _ = run(layers.Conv(40, bias=False), x, params=scaled)
  np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def test_an_unknown_weight_norm_is_refused():
  with pytest.raises(ValueError, match="weight_norm 'spectrum' is not one of"):
    layers.Dense(2, weight_norm='spectrum').init(KEY, jnp.zeros((1, 2)))
  assert set(typing.get_args(layers.WeightNormName)) == {
      'none', 'spectral', 'weight', 'equalized'}
