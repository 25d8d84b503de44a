"""R3GAN: the authors' layers, starts and parameters."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import (
  KEY,
  abstract,
  build,
  changed,
  count,
  forward,
  inputs,
  some_variables,
  struct,
)

from gan_jax.models import r3gan
from gan_jax.ops import resample

SHAPE = (16, 16, 3)


def network(kind, **kwargs):
  return build(f'r3gan.{kind}', kind, **dict(
      shape=SHAPE, width=4, max_width=8, group_width=4) | kwargs)


# Counted in brownvc/R3GAN's R3GAN/Networks.py with the presets of its train.py:
# CIFAR10, FFHQ-64 and FFHQ-256, without and with ten classes; for 256 px the
# paper's 23.06 and 23.01 million.
@pytest.mark.parametrize('side,width,classes,generator,discriminator', [
    (32, 768, 0, 20_732_160, 20_683_776),
    (32, 768, 10, 20_781_952, 21_280_512),
    (64, 384, 0, 22_429_824, 22_381_440),
    (256, 96, 0, 23_057_952, 23_009_568)])
def test_parameters_are_those_of_the_authors(side, width, classes, generator,
                                             discriminator):
  label = struct(2, dtype=jnp.int32)
  sized = dict(shape=(side, side, 3), width=width, max_width=768,
               group_width=16, num_classes=classes)
  for kind, conditioning, x, number in (
      ('Generator', 'embedding', struct(2, 64), generator),
      ('Discriminator', 'projection', struct(2, side, side, 3),
       discriminator)):
    model = network(kind, **sized,
                    conditioning=conditioning if classes else 'none')
    assert count(abstract(model, x, label)[0]) == number


def test_a_stage_of_the_generator_has_two_blocks():
  params, _ = abstract(network('Generator', width=384, max_width=768,
                               group_width=16, shape=(64, 64, 3)),
                       struct(2, 64), struct(2, dtype=jnp.int32))
  assert params['b64_channels']['kernel'].shape == (1, 1, 768, 384)
  assert [name for name in params if name.endswith('_channels')] == [
      'b64_channels']
  assert list(params['b64']) == ['Block_0', 'Block_1']
  block = params['b64']['Block_1']
  # 48 groups of 16 channels of the 768 between.
  assert {k: v['kernel'].shape for k, v in block.items() if 'Conv' in k} == {
      'Conv_0': (1, 1, 384, 768), 'Conv_1': (3, 3, 16, 768),
      'Conv_2': (1, 1, 768, 384)}
  assert {v['bias'].shape for k, v in block.items() if 'Act' in k} == {(768,)}


def test_a_block_starts_as_nothing_and_its_kernels_by_the_depth():
  block = r3gan.Block(depth=16, group_width=32)
  x = jax.random.normal(KEY, (2, 4, 4, 128))
  out, variables = jax.jit(block.init_with_output)(KEY, x)
  params = variables['params']
  np.testing.assert_array_equal(out, x)
  gain = np.sqrt(2 / 1.04) * 16 ** -0.25
  for name, fan_in in (('Conv_0', 128), ('Conv_1', 9 * 32)):
    kernel = np.asarray(params[name]['kernel'])
    assert kernel.std() == pytest.approx(gain / np.sqrt(fan_in), rel=0.012)


def test_a_trained_block_in_numpy():
  """Of 2 channels, 4 between them in two groups."""
  block = r3gan.Block(depth=1, group_width=2)
  rng = np.random.default_rng(0)
  x = np.float32(rng.normal(size=(2, 3, 3, 2)))
  params = jax.tree.map(lambda s: np.float32(rng.normal(size=s.shape)),
                        jax.eval_shape(block.init, KEY, x)['params'])

  def active(i, y):
    y = y + params[f'Activation_{i}']['bias']
    return np.where(y < 0, 0.2 * y, y)

  first, grouped, last = (np.float64(params[f'Conv_{i}']['kernel'])
                          for i in range(3))
  y = np.pad(active(0, x @ first[0, 0]), ((0, 0), (1, 1), (1, 1), (0, 0)))
  y = np.concatenate([
      sum(y[:, i:i + 3, j:j + 3, part] @ grouped[i, j][:, part]
          for i in range(3) for j in range(3))
      for part in (slice(0, 2), slice(2, 4))], -1)
  np.testing.assert_allclose(jax.jit(block.apply)({'params': params}, x),
                             x + active(1, y) @ last[0, 0], rtol=1e-4,
                             atol=1e-4)


def through(stage, x):
  apply = jax.jit(r3gan.Block(1, 4).apply)
  for params in stage.values():
    x = apply({'params': params}, x)
  return x


def test_a_trained_pair_in_numpy():
  """8 px and 4 px, the blocks by themselves; G enlarges before them."""
  shape = 8, 8, 1
  model = network('Discriminator', shape=shape, conditioning='projection',
                  code=5, stage_blocks=1)
  x, label = inputs('Discriminator', shape)
  p, stats = some_variables(model, x, label)
  y = np.asarray(through(p['b8'], x @ p['image']['kernel'][0, 0]))
  y = np.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
  y = sum(np.outer([1, 3, 3, 1], [1, 3, 3, 1])[i, j] / np.float32(64)
          * y[:, i:i + 8:2, j:j + 8:2] for i in range(4) for j in range(4))
  y = np.asarray(through(p['b4'], y @ p['b8_channels']['kernel'][0, 0]))
  features = (y * np.float64(p['basis'])).sum((1, 2))
  want = (features @ p['logits']['kernel']
          * p['label']['kernel'][label]).sum(1)
  out, _ = jax.jit(lambda x: model.apply(p, stats, x, label, train=True))(x)
  np.testing.assert_allclose(out.logits, want, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(out.features, features, rtol=1e-4, atol=1e-5)

  model = network('Generator', shape=shape, conditioning='embedding',
                  stage_blocks=1)
  z, label = inputs('Generator', shape)
  p, stats = some_variables(model, z, label)
  z = np.concatenate([z, p['label']['kernel'][label]], 1)
  y = p['basis'] * (z @ p['weights']['kernel'])[:, None, None]
  y = through(p['b4'], y) @ p['b8_channels']['kernel'][0, 0]
  y = through(p['b8'], resample.double(y))
  np.testing.assert_allclose(forward(model)(p, stats, inputs(
      'Generator', shape)[0], label), y @ p['image']['kernel'][0, 0],
                             rtol=1e-3, atol=1e-4)


def test_bases_codes_and_blocks_start_as_the_authors():
  """Of 8 px: four blocks, two in each stage."""
  block = 'b8/Block_0/Conv_0', np.sqrt(2 / 1.04 / 64) * 4 ** -0.25
  for kind, name, std in (
      ('Generator', 'basis', 1.0), ('Discriminator', 'basis', 0.25),
      ('Discriminator', 'label', (3 * 400) ** -0.5), ('Generator', *block)):
    fields = dict(conditioning='projection', code=400) if (
        kind == 'Discriminator') else {}
    model = network(kind, max_width=64, width=64, shape=(8, 8, 1), **fields)
    # Of no other result: nothing else is computed.
    start = jax.jit(lambda *args, model=model, name=name: jax.tree.leaves(
        functools.reduce(dict.get, name.split('/'), model.init(
            KEY, *args)[0]))[0])(*inputs(kind, (8, 8, 1)))
    assert start.std() == pytest.approx(std, rel=0.1)


@pytest.mark.parametrize('kind,conditioning', [
    ('Generator', 'embedding'), ('Discriminator', 'projection')])
def test_labels_bfloat16_and_the_table_of_layers(kind, conditioning):
  x, label = inputs(kind, SHAPE)
  exact, rough = (network(kind, conditioning=conditioning, dtype=dtype)
                  for dtype in (jnp.float32, jnp.bfloat16))
  params, stats = some_variables(exact, x, label)
  want, got = (np.asarray(forward(m)(params, stats, x, label))
               for m in (exact, rough))
  assert got.dtype == np.float32 and (got != want).any()
  np.testing.assert_allclose(got, want, rtol=0.1,
                             atol=0.05 * np.abs(want).max())
  other = np.asarray(forward(exact)(params, stats, x, changed(label, 1, 1)))
  assert np.abs(other - want)[1].max() > 1e-4
  np.testing.assert_array_equal(other[[0, 2, 3]], want[[0, 2, 3]])
  rows = exact.describe(x, label).splitlines()
  numbers = [int(row.split()[-1].replace(',', '')) for row in rows[1:]]
  assert numbers[-1] == sum(numbers[:-1]) == count(params)
  with pytest.raises(ValueError, match='needs labels, and the data have none'):
    jax.eval_shape(network(kind, conditioning=conditioning,
                           num_classes=0).init, KEY, x, label)


def test_other_sizes_and_groups_are_refused():
  for kind in ('Generator', 'Discriminator'):
    with pytest.raises(ValueError, match=r'not 28x28; use data.pad=\(32,32\)'):
      jax.eval_shape(network(kind, shape=(28, 28, 1)).init, KEY,
                     *inputs(kind, (28, 28, 1)))
  with pytest.raises(ValueError, match='group_width=3 does not divide the 16'):
    jax.eval_shape(network('Generator', group_width=3).init, KEY,
                   *inputs('Generator'))


def test_ranges_and_heads():
  low, high = (network('Generator', image_range=r)
               for r in ((-1.0, 1.0), (0.0, 1.0)))
  x, label = inputs('Generator')
  params, stats = some_variables(low, x, label)
  np.testing.assert_allclose(
      forward(high)(params, stats, x, label),
      (forward(low)(params, stats, x, label) + 1) / 2, rtol=1e-5, atol=1e-6)
  model = network('Discriminator', heads=(('class', 3),))
  params, out = abstract(model, *inputs('Discriminator', SHAPE))
  assert out.heads['class'].shape == (4, 3) and out.features.shape == (4, 8)
  assert 'logits' not in params['Heads_0'] and model.per_example
