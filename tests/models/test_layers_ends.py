"""Layers by hand and in numpy: pools, attention, the batch, heads."""

import jax
import numpy as np
import pytest
from layer_runs import KEY, images, run

from gan_jax.models import batch_layers, layers

# Places.


def test_pools_and_upsampling_by_hand():
  x = np.arange(8.0, dtype=np.float32).reshape(1, 2, 4, 1)  # 0 1 2 3 / 4 5 6 7
  each = layers.average_pool, layers.max_pool, layers.upsample
  average, largest, up = map(np.asarray, jax.jit(
      lambda x: [function(x) for function in each])(x))
  np.testing.assert_array_equal(average[0, 0, :, 0], [2.5, 4.5])
  np.testing.assert_array_equal(largest[0, 0, :, 0], [5, 7])
  np.testing.assert_array_equal(
      up[0, :, :, 0], np.kron(np.arange(8).reshape(2, 4), np.ones((2, 2))))


def test_blur_pool_by_hand():
  x = np.zeros((1, 6, 5, 2), np.float32)
  x[0, 2, 2, 0] = 16.0
  blur_pool = jax.jit(layers.blur_pool)
  got = np.asarray(blur_pool(x))
  assert got.shape == (1, 3, 3, 2)
  want = np.zeros((3, 3))
  want[1, 1] = 4.0  # The middle of (1, 2, 1) x (1, 2, 1) / 16.
  np.testing.assert_allclose(got[0, :, :, 0], want, atol=1e-6)
  x[0, 2, 2, 0], x[0, 1, 1, 1] = 0, 16.0
  got = np.asarray(blur_pool(x))[0, :, :, 1]
  # At the edge the mirror shows the odd pixel twice: (1, 2, 1) of (16, 0, 16).
  np.testing.assert_allclose(got, [[4, 2, 0], [2, 1, 0], [0, 0, 0]], atol=1e-6)
  flat = jax.jit(lambda x: layers.blur_pool(x, (1, 3, 3, 1)))(
      np.ones((1, 8, 8, 1), np.float32))
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
  x = np.float32([[0.0, 0.0], [5.0, 1.0], [2.0, 6.0], [5.0, 1.0]])
  got = np.asarray(jax.jit(lambda x: batch_layers.minibatch_std(x, group=2))(x))
  np.testing.assert_allclose(got[:, :2], x)
  # Deviations 1 and 3 in the first group, none in the second.
  np.testing.assert_allclose(got[:, 2], [2.0, 1e-4, 2.0, 1e-4], atol=1e-6)


@pytest.mark.parametrize('batch,size', [(1, 1), (2, 2), (3, 3), (4, 4), (6, 3),
                                        (8, 4), (9, 3), (10, 2), (12, 4)])
def test_minibatch_std_has_groups_of_up_to_four_in_numpy(batch, size):
  x = np.float64(images(batch, 3, 2, 5))
  got = np.asarray(jax.jit(batch_layers.minibatch_std)(np.float32(x)))
  assert got.shape == (batch, 3, 2, 6)
  groups = x.reshape(size, batch // size, -1)
  want = np.sqrt(groups.var(0) + 1e-8).mean(-1)
  np.testing.assert_allclose(
      got[..., 5], np.tile(want, size)[:, None, None] + np.zeros((1, 3, 2)),
      rtol=1e-4)


def test_minibatch_std_refuses_a_batch_that_makes_no_groups():
  """Of one example each the channel would be constant, and say nothing."""
  for batch in (5, 7, 25):
    with pytest.raises(ValueError, match=f'a batch of {batch} does not divide '
                       'into groups of 2 to 4 examples; use a multiple of 4'):
      batch_layers.minibatch_std(np.zeros((batch, 3)))


def test_minibatch_discrimination_in_numpy():
  x = images(4, 3) * 0.1
  module = batch_layers.MinibatchDiscrimination(kernels=5, dim=2)
  got, variables = run(module, x)
  m = (x @ variables['params']['Dense_0']['kernel']).reshape(4, 5, 2)
  m = np.float64(m)
  want = np.exp(-np.abs(m[:, None] - m[None]).sum(-1)).sum(1)
  np.testing.assert_allclose(got[:, 3:], want, rtol=1e-4)


# The end of a discriminator.


def test_projection_by_hand():
  features = np.float32([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]])
  params = {'logits': {'kernel': np.float32([[1.0], [0.5]]),
                       'bias': np.float32([0.25])},
            'projection': {'kernel': np.float32([[1.0, 0.0], [0.0, -1.0]])}}
  module = layers.Heads(2, 'projection')
  out, _ = run(module, features, np.array([0, 0, 1], np.int32), params=params)
  # w.x + b: 2.25, 5.25, 5.25; the class adds x_0, x_0, -x_1.
  np.testing.assert_allclose(out.logits, [3.25, 8.25, 1.25])
  np.testing.assert_array_equal(out.features, features)


def test_heads_are_linear_in_the_features_and_proxies_a_table():
  features, label = images(4, 6), np.array([0, 1, 2, 0], np.int32)
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


@pytest.mark.parametrize('kwargs,words', [
    (dict(heads=(('logits', 1),)), "cannot be named 'logits'"),
    (dict(heads=(('a', 1), ('a', 2))), "cannot be named 'a'"),
    (dict(heads=(('proxies', 2),)), "'proxies' needs labels"),
    (dict(conditioning='projection'), "'projection' needs labels")])
def test_heads_that_cannot_be_are_refused(kwargs, words):
  with pytest.raises(ValueError, match=words):
    jax.eval_shape(layers.Heads(**kwargs).init, KEY, np.zeros((2, 3)),
                   np.zeros(2, np.int32))
