"""The transformer pair: parameters of the authors' code, tokens in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import (
  KEY,
  build,
  count,
  forward,
  inputs,
  some_variables,
  struct,
)

from gan_jax.models import gat

FULL = dict(width=384, depth=12)


def parameters(kind, shape, *x, **fields):
  model = build(f'gat.{kind}', kind, shape=shape, num_classes=1000,
                **{**FULL, **fields})
  params, _ = jax.eval_shape(model.init, KEY, struct(2, *x),
                             struct(2, dtype=jnp.int32))
  return count(params)


@pytest.mark.parametrize('fields,gen,disc', [
    (FULL, 29_263_040 - 6_528, 32_556_160),
    (dict(width=768, depth=12), 116_558_144 - 13_056, 97_135_360)])
def test_the_pair_has_the_published_number_of_parameters(fields, gen, disc):
  """GAT-S/2 and B/2 of hse1032/GAT for 32x32x4 codes, z_dims=[0], qk_norm.

  Counted with PyTorch 2.13. Their generator also has an embedding of patches
  that it multiplies by 0 (6,528 and 13,056), and their discriminator sees four
  images of 4 channels.
  """
  assert parameters('Generator', (32, 32, 4), 64, conditioning='embedding',
                    embed_dim=64, **fields) == gen
  assert parameters('Discriminator', (32, 32, 16), 32, 32, 16,
                    conditioning='projection', **fields) == disc


def test_rotated_products_depend_on_the_distance_alone():
  q, k = np.random.default_rng(0).normal(size=(2, 1, 8)).astype(np.float32)
  angle = gat.rotations(4, 5, 8)
  assert angle.shape == (20, 8)
  q, k = (np.asarray(gat.rotate(np.broadcast_to(v, (20, 8)), angle))
          for v in (q, k))
  products = (q @ k.T).reshape(4, 5, 4, 5)
  np.testing.assert_allclose(products[0, 1, 2, 2], products[1, 2, 3, 3],
                             rtol=1e-4)
  np.testing.assert_allclose(products[3, 0, 1, 3], products[2, 1, 0, 4],
                             rtol=1e-4)
  assert abs(products[0, 1, 2, 2] - products[0, 1, 2, 3]) > 1e-3
  # Row 1 alone turns the first pair by 1 radian, and no pair of the columns.
  turned = gat.rotate(jnp.asarray([[1.0, 0.0] * 4] * 20), angle)[5]
  np.testing.assert_allclose(turned, [
      np.cos(1), np.sin(1), np.cos(0.01), np.sin(0.01), 1, 0, 1, 0], atol=1e-6)


def test_positions_by_hand():
  code = gat.positions(2, 3, 8)
  assert code.shape == (6, 8)
  # Row 1, column 2: sines and cosines of 2 and 0.02, then of 1 and 0.01.
  np.testing.assert_allclose(code[5], [
      np.sin(2), np.sin(0.02), np.cos(2), np.cos(0.02), np.sin(1),
      np.sin(0.01), np.cos(1), np.cos(0.01)], rtol=1e-5)


def test_each_patch_is_where_its_token_is():
  """Of 4x6 px in patches of 2: a token in a corner changes that corner."""
  model = build('gat.Generator', 'Generator', shape=(4, 6, 1), width=8, depth=1,
                weight_norm='none')
  z, label = jnp.ones((1, 3)), jnp.zeros(1, jnp.int32)
  params, stats = jax.jit(model.init)(KEY, z, label)
  # A tenth of Glorot's deviation, of 8 numbers to 32.
  assert params['Dense_0']['kernel'].std() == pytest.approx(
      0.1 * np.sqrt(2 / 40), rel=0.2)
  # No attention: a patch depends on the position of its token alone.
  params['Dense_0'] = jax.tree.map(jnp.zeros_like, params['Dense_0'])
  image = np.asarray(forward(model)(params, stats, z, label))[0, ..., 0]
  code = np.float64(gat.positions(2, 3, 8))
  code /= np.sqrt((code ** 2).mean(-1, keepdims=True))
  w = params['Mapping_0']
  style = np.ones(3) @ (np.float64(w['first']) / 100)
  style = (style / (1 + np.exp(-style))) @ (np.float64(w['second']) / 100)
  style = style / (1 + np.exp(-style))
  last = [params[f'Dense_{i}'] for i in (5, 6)]
  code = code * (1 + style @ np.float64(last[0]['kernel']))
  patches = np.tanh(code @ np.float64(last[1]['kernel']))
  want = np.block([[patches[3 * i + j].reshape(2, 2) for j in range(3)]
                   for i in range(2)])
  np.testing.assert_allclose(image, want, rtol=1e-3, atol=1e-5)


def test_the_discriminator_in_numpy():
  """Of 4x6 px: 6 patches and the token, a block of two heads, the label."""
  model = build('gat.Discriminator', 'Discriminator', shape=(4, 6, 1), width=8,
                depth=1, head_dim=4, code=5, conditioning='projection',
                weight_norm='none')
  x, label = inputs('Discriminator', (4, 6, 1))
  start = jax.jit(lambda x: [model.init(KEY, x, label)[0][name] for name in (
      '_Scale_0', '_Scale_1', '_Scale_4', 'token')])(x)
  np.testing.assert_allclose([v['scale'][0] for v in start[:3]],
                             [0.1, 1, 0.1])
  assert start[3].std() < 0.06  # 0.02
  params, stats = some_variables(model, x, label)
  for name in ('_Scale_2', '_Scale_3'):
    params[name]['scale'] += 2.0  # So that attention chooses.
  p = jax.tree.map(np.float64, params)

  def dense(i, x):
    return x @ p[f'Dense_{i}']['kernel'] + p[f'Dense_{i}']['bias']

  def unit(x):
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-8)

  def scaled(i, x):
    return x * p[f'_Scale_{i}']['scale']

  def silu(x):
    return x / (1 + np.exp(-x))

  t = np.stack([x[:, i:i + 2, j:j + 2].reshape(4, 4) for i in (0, 2)
                for j in (0, 2, 4)], 1)
  t = dense(0, t) + gat.positions(2, 3, 8)
  t = np.concatenate([np.broadcast_to(p['token'], (4, 1, 8)), t], 1)
  q, k, v = np.split(dense(1, scaled(1, unit(t))), 3, -1)
  found = []
  for head in (slice(0, 4), slice(4, 8)):
    # The token alone does not turn.
    a, b = (np.concatenate([y[:, :1], np.asarray(gat.rotate(
        y[:, 1:], gat.rotations(2, 3, 4)))], 1)
            for y in (scaled(2, unit(q[..., head])),
                      scaled(3, unit(k[..., head]))))
    weights = np.exp(a @ b.swapaxes(1, 2) / np.sqrt(4))
    found.append(weights / weights.sum(-1, keepdims=True) @ v[..., head])
  t = t + scaled(0, dense(2, np.concatenate(found, -1)))
  gate, y = np.split(dense(3, scaled(5, unit(t))), 2, -1)
  t = t + scaled(4, dense(4, silu(gate) * y))
  features = dense(5, scaled(6, unit(t))[:, 0])
  m, code = p['Mapping_0'], p['embedding']['embedding'][label]
  code = silu(code @ m['first'] / 100 + m['first_bias'] / 100)
  code = code @ m['second'] / 100 + m['second_bias'] / 100
  np.testing.assert_allclose(forward(model)(params, stats, x, label),
                             (features * code).sum(1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('kind', ['Generator', 'Discriminator'])
@pytest.mark.parametrize('fields,words', [
    (dict(patch=3), 'patches of 3x3, and 28x28 does not divide; use patch=7'),
    (dict(width=12, head_dim=5), 'width=12 is not made of heads of 5')])
def test_sizes_that_do_not_fit_are_refused(kind, fields, words):
  model = build(f'gat.{kind}', kind, shape=(28, 28, 1), **fields)
  x = struct(2, 9) if kind == 'Generator' else struct(2, 28, 28, 1)
  with pytest.raises(ValueError, match=words):
    jax.eval_shape(model.init, KEY, x, struct(2, dtype=jnp.int32))


def test_blocks_that_no_part_of_the_image_follows_are_refused():
  model = build('gat.Generator', 'Generator', shape=(8, 8, 1), width=8, depth=9)
  with pytest.raises(ValueError, match='depth=9: .*use a multiple of 4'):
    jax.eval_shape(model.init, KEY, struct(2, 5), struct(2, dtype=jnp.int32))
