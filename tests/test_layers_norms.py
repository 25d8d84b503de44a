"""Layers by hand and in numpy: norms, kernels, attention, heads."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import random

from gan_jax.models import layers

KEY = random.key(0)
RNG = np.random.default_rng(0)


def images(*shape):
  return jnp.asarray(RNG.normal(1.0, 3.0, shape), jnp.float32)


def run(module, *args, params=None, train=False, **kwargs):
  """(output, variables after) of one compiled call, from given parameters."""
  def call(*args):
    variables = dict(module.init(KEY, *args, **kwargs))
    if params is not None:
      variables['params'] = jax.tree.map(jnp.asarray, params)
    mutable = [k for k in variables if k != 'params'] if train else False
    out = module.apply(variables, *args, mutable=mutable, **kwargs)
    return (out[0], {**variables, **out[1]}) if train else (out, variables)

  return jax.jit(call)(*args)


def standard(x, axes, epsilon=1e-5):
  x = np.float64(x)
  mean = x.mean(axes, keepdims=True)
  return (x - mean) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


# Normalisations.


@pytest.mark.parametrize('name,axes', [('batch', (0, 1, 2)),
                                       ('layer', (1, 2, 3)),
                                       ('instance', (1, 2))])
def test_norms_are_over_their_axes(name, axes):
  x = images(5, 3, 2, 4)
  got, _ = run(layers.Norm(name, train=True), x, train=True)
  np.testing.assert_allclose(got, standard(x, axes), atol=1e-5)


@pytest.mark.parametrize('channels,groups', [(4, 2), (6, 3), (64, 32),
                                             (96, 32), (1, 1)])
def test_group_norm_has_up_to_32_groups_of_two_channels_or_more(channels,
                                                                 groups):
  x = images(2, 3, 2, channels)
  got, _ = run(layers.Norm('group', train=True), x)
  want = standard(np.asarray(x).reshape(2, 3, 2, groups, -1), (1, 2, 4))
  np.testing.assert_allclose(got, want.reshape(x.shape), atol=1e-5)


def test_pixel_norm_by_hand():
  x = jnp.array([[3.0, 4.0], [0.0, 0.0]]).reshape(1, 1, 2, 2)
  got, variables = run(layers.Norm('pixel', train=True), x)
  # |(3, 4)|^2 / 2 = 12.5; a pixel of zeros stays one.
  np.testing.assert_allclose(got[0, 0], [np.array([3, 4]) / 12.5 ** 0.5,
                                         [0, 0]], rtol=1e-6)
  assert not variables


@pytest.mark.parametrize('name', ['instance', 'group', 'pixel', 'layer'])
def test_norms_of_an_example_do_not_look_at_the_batch(name):
  for x in (images(4, 3, 2, 4), images(4, 8)):
    module = layers.Norm(name, train=True)
    base, _ = run(module, x)
    other, _ = run(module, x.at[1].add(5.0 * x[0]))
    rest = np.array([0, 2, 3])
    np.testing.assert_array_equal(base[rest], other[rest])
    assert np.abs(base[1] - other[1]).max() > 1e-3


def test_conditional_batch_norm_is_a_table_of_the_classes():
  x, label = images(6, 3, 2, 4), np.array([0, 2, 1, 1, 0, 2])
  tables = {name: {'kernel': np.float32(RNG.normal(size=(3, 4)))}
            for name in ('scale', 'shift')}
  got, variables = run(layers.Norm('conditional_batch', train=True), x,
                       jnp.eye(3)[label], params=tables, train=True)
  scale, shift = (np.float64(tables[name]['kernel'])[label][:, None, None]
                  for name in ('scale', 'shift'))
  want = standard(x, (0, 1, 2)) * (1 + scale) + shift
  np.testing.assert_allclose(got, want, atol=1e-4)
  assert set(variables['batch_stats']['BatchNorm_0']) == {'mean', 'var'}


def test_self_modulation_goes_through_a_hidden_layer():
  x, z = images(6, 3, 2, 4), images(6, 5)
  p = {name: {'kernel': np.float32(RNG.normal(size=(a, b))),
              'bias': np.float32(RNG.normal(size=(b,)))}
       for name, a, b in (('hidden', 5, 32), ('scale', 32, 4),
                          ('shift', 32, 4))}
  got, _ = run(layers.Norm('self_modulation', train=True), x, z, params=p,
               train=True)
  h = np.maximum(np.asarray(z) @ p['hidden']['kernel'] + p['hidden']['bias'], 0)
  scale, shift = ((h @ p[name]['kernel'] + p[name]['bias'])[:, None, None]
                  for name in ('scale', 'shift'))
  np.testing.assert_allclose(
      got, standard(x, (0, 1, 2)) * (1 + scale) + shift, rtol=1e-3, atol=1e-3)


def test_adain_styles_each_example_by_itself():
  x, z = images(3, 4, 5, 2), images(3, 6)
  p = {name: {'kernel': np.float32(RNG.normal(size=(6, 2))),
              'bias': np.float32(RNG.normal(size=(2,)))}
       for name in ('scale', 'shift')}
  got, _ = run(layers.Norm('adain', train=True), x, z, params=p)
  scale, shift = ((np.asarray(z) @ p[name]['kernel'] + p[name]['bias'])
                  [:, None, None] for name in ('scale', 'shift'))
  np.testing.assert_allclose(got, standard(x, (1, 2)) * (1 + scale) + shift,
                             rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('name', layers.CONDITIONAL_NORMS)
def test_conditional_norms_start_near_the_plain_ones_and_need_a_cond(name):
  x = images(4, 3, 3, 2)
  plain, _ = run(layers.Norm('instance' if name == 'adain' else 'batch',
                             train=True), x, train=True)
  got, _ = run(layers.Norm(name, train=True), x, jnp.eye(4), train=True)
  assert 0 < np.abs(got - plain).max() < 0.4
  with pytest.raises(ValueError, match='needs what it is conditioned on'):
    layers.Norm(name, train=True).init(KEY, x)


def virtual(x, reference, batch):
  """The formula of the paper, given moments (mean, square) by channel."""
  x, weight = np.float64(x), 1 / (batch + 1)
  mean, square = ((1 - weight) * r + weight * v.mean((1, 2), keepdims=True)
                  for r, v in zip(reference, (x, x ** 2), strict=True))
  return (x - mean) / np.sqrt(square - mean ** 2 + 1e-5)


def test_virtual_batch_norm_refers_to_the_first_training_batch():
  first, x = images(6, 3, 2, 4), images(3, 3, 2, 4) * 0.5
  train = layers.Norm('virtual_batch', train=True)
  test = layers.Norm('virtual_batch', train=False)
  variables = jax.jit(train.init)(KEY, first)
  evaluate = jax.jit(test.apply)
  assert variables['reference']['VirtualBatchNorm_0']['taken'] == 0
  # Before: the moments of each example alone.
  np.testing.assert_allclose(evaluate(variables, x), standard(x, (1, 2)),
                             atol=1e-4)
  step = jax.jit(lambda v, x: train.apply(v, x, mutable=['reference']))
  y, state = step(variables, first)
  moments = [np.float64(v).mean((0, 1, 2)) for v in (first, first ** 2)]
  np.testing.assert_allclose(y, virtual(first, moments, 6), atol=1e-4)
  variables = {**variables, **state}
  y, state = step(variables, x)
  want = virtual(x, moments, 6)
  np.testing.assert_allclose(y, want, atol=1e-4)
  jax.tree.map(np.testing.assert_array_equal, state['reference'],
               variables['reference'])
  np.testing.assert_allclose(evaluate(variables, x[:1]), want[:1], atol=1e-4)
  # An average of the statistics that began before the first batch.
  late = jax.tree.map(lambda v: 0.3 * v, variables['reference'])
  np.testing.assert_allclose(evaluate({**variables, 'reference': late}, x),
                             want, atol=1e-4)


# Kernels.


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
  variables = module.init(KEY, x)
  w, u = variables['params']['kernel'], variables['spectral']['u']
  _, state = module.apply(variables, x, mutable=['spectral'])
  v = np.asarray(w @ u)
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
  np.testing.assert_allclose(jax.grad(total)(w), want, rtol=1e-3, atol=1e-3)


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


# Places.


def test_pools_and_upsampling_by_hand():
  x = jnp.arange(8.0).reshape(1, 2, 4, 1)  # 0 1 2 3 / 4 5 6 7
  np.testing.assert_array_equal(layers.average_pool(x)[0, 0, :, 0], [2.5, 4.5])
  np.testing.assert_array_equal(layers.max_pool(x)[0, 0, :, 0], [5, 7])
  up = layers.upsample(x)
  np.testing.assert_array_equal(
      up[0, :, :, 0], np.kron(np.arange(8).reshape(2, 4), np.ones((2, 2))))


def test_blur_pool_by_hand():
  x = np.zeros((1, 6, 5, 2), np.float32)
  x[0, 2, 2, 0] = 16.0
  got, _ = run(layers.BlurPool(), x)
  assert got.shape == (1, 3, 3, 2)
  want = np.zeros((3, 3))
  want[1, 1] = 4.0  # The middle of (1, 2, 1) x (1, 2, 1) / 16.
  np.testing.assert_allclose(got[0, :, :, 0], want, atol=1e-6)
  x[0, 2, 2, 0], x[0, 1, 1, 1] = 0, 16.0
  got = run(layers.BlurPool(), x)[0][0, :, :, 1]
  # At the edge the mirror shows the odd pixel twice: (1, 2, 1) of (16, 0, 16).
  np.testing.assert_allclose(got, [[4, 2, 0], [2, 1, 0], [0, 0, 0]], atol=1e-6)
  flat, _ = run(layers.BlurPool((1, 3, 3, 1)), jnp.ones((1, 8, 8, 1)))
  np.testing.assert_allclose(flat, np.ones((1, 4, 4, 1)), rtol=1e-6)


def test_attention_starts_as_nothing_and_is_attention_in_numpy():
  x = images(2, 4, 6, 16) * 0.2
  module = layers.SelfAttention()
  out, variables = run(module, x)
  np.testing.assert_array_equal(out, x)
  p = jax.tree.map(np.asarray, variables['params'])
  assert {k: v['kernel'].shape[2:] for k, v in p.items() if k != 'gamma'} == {
      'query': (16, 2), 'key': (16, 2), 'value': (16, 8), 'out': (8, 16)}
  p['gamma'] = np.float32(0.5)
  out, _ = run(module, x, params=p)
  x = np.float64(x)

  def pooled(v):
    return v.reshape(2, 2, 2, 3, 2, -1).max((2, 4)).reshape(2, 6, -1)

  q, k, v = (x @ p[name]['kernel'][0, 0] for name in ('query', 'key', 'value'))
  scores = np.einsum('bqc,bkc->bqk', q.reshape(2, 24, -1), pooled(k))
  weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
  mixed = np.einsum('bqk,bkc->bqc', weights, pooled(v)) @ p['out']['kernel'][
      0, 0]
  np.testing.assert_allclose(out, x + 0.5 * mixed.reshape(x.shape), atol=1e-4)


# The batch.


def test_minibatch_std_by_hand():
  # Groups of two: examples (0, 2) and (1, 3).
  x = jnp.array([[0.0, 0.0], [5.0, 1.0], [2.0, 6.0], [5.0, 1.0]])
  got, _ = run(layers.MinibatchStd(group=2), x)
  np.testing.assert_allclose(got[:, :2], x)
  # Deviations 1 and 3 in the first group, none in the second.
  np.testing.assert_allclose(got[:, 2], [2.0, 1e-4, 2.0, 1e-4], atol=1e-6)
  maps = np.asarray(run(layers.MinibatchStd(), images(6, 3, 2, 5))[0])
  assert maps.shape == (6, 3, 2, 6)  # Six in groups of two, not of four.
  assert (maps[..., 5] == maps[:, :1, :1, 5]).all()


def test_minibatch_discrimination_in_numpy():
  x = images(4, 3) * 0.1
  module = layers.MinibatchDiscrimination(kernels=5, dim=2)
  got, variables = run(module, x)
  m = (x @ variables['params']['Dense_0']['kernel']).reshape(4, 5, 2)
  m = np.float64(m)
  want = np.exp(-np.abs(m[:, None] - m[None]).sum(-1)).sum(1)
  np.testing.assert_allclose(got[:, 3:], want, rtol=1e-4)


# The end of a discriminator.


def test_projection_by_hand():
  features = jnp.array([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]])
  params = {'logits': {'kernel': np.float32([[1.0], [0.5]]),
                       'bias': np.float32([0.25])},
            'projection': {'kernel': np.float32([[1.0, 0.0], [0.0, -1.0]])}}
  module = layers.Heads(2, 'projection')
  out, _ = run(module, features, jnp.array([0, 0, 1]), params=params)
  # w.x + b: 2.25, 5.25, 5.25; the class adds x_0, x_0, -x_1.
  np.testing.assert_allclose(out.logits, [3.25, 8.25, 1.25])
  np.testing.assert_array_equal(out.features, features)


def test_heads_are_linear_in_the_features_and_proxies_a_table():
  features, label = images(4, 6), jnp.array([0, 1, 2, 0])
  module = layers.Heads(3, heads=(('classes', 3), ('embedding', 5),
                                  ('proxies', 5)))
  out, variables = run(module, features, label)
  assert {k: v.shape for k, v in out.heads.items()} == {
      'classes': (4, 3), 'embedding': (4, 5), 'proxies': (3, 5)}
  p = variables['params']
  for name in ('classes', 'embedding'):
    want = features @ p[name]['kernel'] + p[name]['bias'].reshape(1, -1)
    np.testing.assert_allclose(out.heads[name], want, rtol=1e-4, atol=1e-4)
  np.testing.assert_array_equal(out.heads['proxies'], p['proxies'])
  half, _ = run(layers.Heads(3, heads=(('classes', 3),), dtype=jnp.bfloat16),
                features, label)
  assert half.heads['classes'].dtype == half.logits.dtype == jnp.float32


@pytest.mark.parametrize('kwargs,words', [
    (dict(heads=(('logits', 1),)), "cannot be named 'logits'"),
    (dict(heads=(('a', 1), ('a', 2))), "cannot be named 'a'"),
    (dict(heads=(('proxies', 2),)), "'proxies' needs labels"),
    (dict(conditioning='projection'), "'projection' needs labels")])
def test_heads_that_cannot_be_are_refused(kwargs, words):
  with pytest.raises(ValueError, match=words):
    layers.Heads(**kwargs).init(KEY, jnp.zeros((2, 3)), jnp.zeros(2, jnp.int32))
