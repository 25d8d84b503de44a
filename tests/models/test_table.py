"""The generator of tables: its blocks, and its noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import KEY, build, count, struct

BLOCKS = (('number', 1), ('choice', 3), ('choice', 2), ('number', 1))


def made(**kwargs):
  return build('table.Generator', 'Generator', shape=(7,), num_classes=0,
               row_blocks=BLOCKS, **kwargs)


def run(model, z, change=lambda params: params):
  params, stats = jax.jit(model.init)(KEY, z[:2], jnp.zeros(2, jnp.int32))
  params = change(dict(params))
  return np.asarray(jax.jit(lambda z: model.apply(
      params, stats, z, jnp.zeros(len(z), jnp.int32), train=False)[0])(z))


def latents(number=8, seed=0):
  return jax.random.normal(jax.random.key(seed), (number, 5))


def test_each_layer_is_joined_to_its_input():
  """With z of 5: 5 -> 4 joined to 5 -> 3 joined to 9 -> 7."""
  model = made(widths=(4, 3))
  params, _ = jax.eval_shape(model.init, KEY, struct(2, 5),
                             struct(2, dtype=jnp.int32))
  assert [params[f'Dense_{i}']['kernel'].shape for i in range(3)] == [
      (5, 4), (9, 3), (12, 7)]
  # Of the first two the norms have the shift, and a scale.
  assert count(params) == 20 + 27 + 84 + 7 + 2 * (4 + 3)


def test_choices_are_distributions_and_numbers_within_their_range():
  def louder(params):
    return params | {'Dense_2': jax.tree.map(lambda p: 20 * p,
                                             params['Dense_2'])}

  rows = run(made(widths=(16, 16)), latents(200), louder)
  assert rows.shape == (200, 7) and rows.dtype == np.float32
  for part in (slice(1, 4), slice(4, 6)):
    np.testing.assert_allclose(rows[:, part].sum(1), 1.0, rtol=1e-5)
    assert (rows[:, part] >= 0).all()
  numbers = rows[:, [0, 6]]
  assert np.abs(numbers).max() <= 1 and np.abs(numbers).max() > 0.9


def test_choices_are_made_with_the_probabilities_of_their_logits():
  """The largest of logits + Gumbel noise is k with probability softmax_k."""
  bias = np.float32([0.3, *np.log([0.6, 0.3, 0.1]), *np.log([0.2, 0.8]), 0.0])

  def fixed(params):
    last = params['Dense_2']
    return params | {'Dense_2': {'kernel': jnp.zeros_like(last['kernel']),
                                 'bias': jnp.asarray(bias)}}

  number = 20_000  # three deviations of a frequency are 0.011
  rows = run(made(widths=(4, 4)), latents(number), fixed)
  np.testing.assert_allclose(rows[:, 0], np.tanh(0.3), rtol=1e-5)
  first, second = rows[:, 1:4].argmax(1), rows[:, 4:6].argmax(1)
  shares = np.bincount(first) / number, np.bincount(second) / number
  np.testing.assert_allclose(shares[0], [0.6, 0.3, 0.1], atol=0.011)
  np.testing.assert_allclose(shares[1], [0.2, 0.8], atol=0.011)
  # Two choices of a row do not depend on each other.
  both = np.mean((first == 0) & (second == 1))
  assert abs(both - 0.48) < 0.011
  # A temperature of 0.2 makes most of them clear.
  assert np.mean(rows[:, 1:4].max(1) > 0.9) > 0.7


def test_a_row_follows_from_its_z_alone():
  model, z = made(widths=(4, 4)), latents()
  rows = run(model, z)
  np.testing.assert_allclose(run(model, z[3:6]), rows[3:6], atol=1e-5)
  # A z that hardly differs has other noise.
  other = run(model, z * (1 + 1e-6))
  assert np.abs(other - rows)[:, 1:6].max(1).min() > 1e-3


def test_it_is_exported_for_any_batch():
  model, z = made(widths=(4, 4)), latents()
  params, stats = jax.jit(model.init)(KEY, z, jnp.zeros(8, jnp.int32))

  @jax.jit
  def rows(z):
    return model.apply(params, stats, z, jnp.zeros(z.shape[:1], jnp.int32),
                       train=False)[0]

  batch, = jax.export.symbolic_shape('batch')
  exported = jax.export.export(rows)(struct(batch, 5))
  np.testing.assert_allclose(exported.call(z), rows(z), atol=1e-5)


def test_gradients_are_finite():
  model, z = made(widths=(4, 4)), latents()
  params, stats = jax.jit(model.init)(KEY, z, jnp.zeros(8, jnp.int32))

  def loss(params, z):
    rows, _ = model.apply(params, stats, z, jnp.zeros(8, jnp.int32), train=True)
    return jnp.sum(rows ** 3)

  slopes = jax.jit(jax.grad(loss, (0, 1)))(params, z)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(slopes))
  assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(slopes[0]))


def test_other_data_are_refused():
  model = build('table.Generator', 'Generator', shape=(7,), row_blocks=())
  with pytest.raises(ValueError, match='data=table, or generator=mlp.Gen'):
    model.init(KEY, latents(), jnp.zeros(8, jnp.int32))
