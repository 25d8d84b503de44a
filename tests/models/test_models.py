"""Networks: sizes and numbers of parameters by hand; vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from small_models import (
  DISCRIMINATORS,
  GENERATORS,
  KEY,
  RESIDUAL,
  abstract,
  build,
  changed,
  count,
  forward,
  inputs,
  some_variables,
  struct,
)

from gan_jax import models
from gan_jax.models import dcgan, layers

# Shapes.


@pytest.mark.parametrize('want', [
    [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)],
    [(32, 32), (16, 16), (8, 8), (4, 4)],
    [(28, 28), (14, 14), (7, 7), (4, 4)],
    [(50, 30), (25, 15), (13, 8), (7, 4)],
    [(8, 100), (4, 50)],
    [(17,), (9,), (5,), (3,)],
    [(28, 20, 9), (14, 10, 5), (7, 5, 3)]])
def test_dcgan_halves_until_a_side_is_4_or_less(want):
  assert dcgan.sizes(want[0]) == want


def test_dcgan_of_stride_4_divides_until_a_side_is_16_or_less():
  assert dcgan.sizes((16384,), 4) == [(16384,), (4096,), (1024,), (256,), (64,),
                                      (16,)]
  assert dcgan.sizes((32, 70), 4) == [(32, 70), (8, 18)]


@pytest.mark.parametrize('space,stride,words', [
    ((7, 64), 2, 'sides of 8 or more, not 7x64; enlarge'),
    ((64, 1), 2, 'not 64x1'), ((31,), 4, 'sides of 32 .*use stride=2'),
    ((64, 64), 1, 'stride of 2 or more, not 1')])
def test_dcgan_refuses_sizes_that_leave_no_layer(space, stride, words):
  with pytest.raises(ValueError, match=words):
    dcgan.sizes(space, stride)


# Even and odd sizes, squares and others, each number of channels.
SHAPES = [(28, 28, 1), (32, 48, 3), (50, 30, 4)]


def with_shapes(names):
  """Of the sizes that halve exactly one waits for -m slow."""
  return [pytest.param(name, (56, 40, 4), marks=pytest.mark.slow)
          if shape == (50, 30, 4) and name.split('.')[0] in RESIDUAL else
          pytest.param(name, shape) for name in names for shape in SHAPES]


@pytest.mark.parametrize('name,shape', with_shapes(GENERATORS))
def test_generators_make_images_of_the_data(name, shape):
  model = build(name, 'Generator', shape=shape)
  _, out = abstract(model, struct(2, 100), struct(2, dtype=jnp.int32))
  assert out.shape == (2, *shape) and out.dtype == jnp.float32


@pytest.mark.parametrize('name,shape', with_shapes(DISCRIMINATORS))
def test_discriminators_give_a_logit_for_an_image(name, shape):
  model = build(name, 'Discriminator')
  _, out = abstract(model, struct(2, *shape), struct(2, dtype=jnp.int32))
  assert out.logits.shape == (2,) and out.logits.dtype == jnp.float32
  assert out.features.ndim == 2 and len(out.features) == 2
  assert isinstance(out, models.Critique)


@pytest.mark.parametrize('shape', [(21, 2), (16, 8, 9, 1)])
@pytest.mark.parametrize('kind', ['Generator', 'Discriminator'])
@pytest.mark.parametrize('kwargs', [
    dict(weight_norm='spectral', norm='layer'),
    dict(weight_norm='weight', norm='instance', conditioning='onehot'),
    dict(weight_norm='equalized', norm='group')])
def test_dcgan_of_signals_and_volumes(kind, shape, kwargs):
  model = build('dcgan.Generator' if kind == 'Generator' else
                'dcgan.Discriminator', kind, shape=shape, **kwargs)
  x, label = inputs(kind, shape)
  variables = some_variables(model, x, label)
  run = forward(model)
  out = np.asarray(run(*variables, x, label))
  assert out.shape == ((4, *shape) if kind == 'Generator' else (4,))
  assert np.isfinite(out).all()
  # Another example changes no other.
  same = np.asarray(run(*variables, changed(x, 1, 1.0), label)) == out
  assert same[[0, 2, 3]].all() and not same[1].all()


# Numbers of parameters.


def test_wavegan_has_the_layers_of_its_paper():
  """Tables of the appendix of arXiv:1802.04208, with c = 1 and d = 64."""
  d, label = 64, struct(2, dtype=jnp.int32)
  fields = dict(width=d, kernel=25, stride=4, norm='none')
  generator = build('dcgan.Generator', 'Generator', shape=(16384, 1), **fields)
  params, out = abstract(generator, struct(2, 100), label)
  assert out.shape == (2, 16384, 1)
  assert {name: layer['kernel'].shape for name, layer in params.items()} == {
      'Dense_0': (100, 256 * d), 'ConvTranspose_0': (25, 16 * d, 8 * d),
      'ConvTranspose_1': (25, 8 * d, 4 * d),
      'ConvTranspose_2': (25, 4 * d, 2 * d),
      'ConvTranspose_3': (25, 2 * d, d), 'ConvTranspose_4': (25, d, 1)}
  kernels = 25 * (16 * 8 + 8 * 4 + 4 * 2 + 2) * d * d + 25 * d
  assert count(params) == 101 * 256 * d + kernels + (8 + 4 + 2 + 1) * d + 1
  critic = build('dcgan.Discriminator', 'Discriminator', phase_shuffle=2,
                 **fields)
  params, out = abstract(critic, struct(2, 16384, 1), label)
  assert out.features.shape == (2, 16 * 16 * d)
  assert {name: layer['kernel'].shape for name, layer in params.items()
          if name != 'Heads_0'} == {
      'Conv_0': (25, 1, d), 'Conv_1': (25, d, 2 * d),
      'Conv_2': (25, 2 * d, 4 * d), 'Conv_3': (25, 4 * d, 8 * d),
      'Conv_4': (25, 8 * d, 16 * d)}
  assert count(params) == kernels + (1 + 2 + 4 + 8 + 16) * d + 256 * d + 1


def test_dcgan_generator_has_the_published_number_of_parameters():
  """The PyTorch example of 64x64x3 prints 3,576,704, and has no last bias.

  Its first layer, a transposed convolution of 100x1x1 to 512x4x4, is our dense
  layer 100 -> 4*4*512.
  """
  model = build('dcgan.Generator', 'Generator', shape=(64, 64, 3), width=64)
  params, _ = abstract(model, struct(2, 100), struct(2, dtype=jnp.int32))
  kernels = 16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
  norms = 2 * (512 + 256 + 128 + 64)
  assert kernels + norms == 3_576_704
  assert count(params) == 3_576_704 + 3


def test_dcgan_discriminator_has_the_published_number_of_parameters():
  """2,765,568 there, without a bias in the first and last layers."""
  model = build('dcgan.Discriminator', 'Discriminator', width=64)
  params, _ = abstract(model, struct(2, 64, 64, 3), struct(2, dtype=jnp.int32))
  kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
  norms = 2 * (128 + 256 + 512)
  assert kernels + norms == 2_765_568
  assert count(params) == 2_765_568 + 64 + 1


def test_mlp_and_pooling_cnn_have_the_parameters_of_their_widths():
  generator = build('mlp.Generator', 'Generator', widths=(128, 256),
                    shape=(28, 28, 1))
  params, _ = abstract(generator, struct(2, 100), struct(2, dtype=jnp.int32))
  assert count(params) == 101 * 128 + 129 * 256 + 257 * 784
  image, label = struct(2, 28, 28, 1), struct(2, dtype=jnp.int32)
  critic = build('mlp.Discriminator', 'Discriminator', widths=(64, 32))
  assert count(abstract(critic, image, label)[0]) == 785 * 64 + 65 * 32 + 33
  critic = build('pooling_cnn.Discriminator', 'Discriminator', widths=(32, 64),
                 dense=256)
  assert count(abstract(critic, image, label)[0]) == (
      26 * 32 + (25 * 32 + 1) * 64 + (7 * 7 * 64 + 1) * 256 + 257)


def test_the_layer_table_names_each_layer_with_its_parameters():
  model = build('pooling_cnn.Discriminator', 'Discriminator', widths=(32, 64),
                dense=256)
  table = model.describe(jnp.zeros((2, 28, 28, 1)), jnp.zeros(2, jnp.int32))
  rows = [line.split() for line in table.splitlines()]
  # Layer, output (four or two numbers), parameters.
  assert [(row[0], row[-1]) for row in rows[1:]] == [
      ('Conv_0', '832'), ('Conv_1', '51,264'), ('Dense_0', '803,072'),
      ('Heads_0/logits', '257'), ('all', '855,425')]
  assert rows[1][1:-1] == ['[2,', '28,', '28,', '32]']


# Vectors.


def test_an_mlp_makes_vectors_of_any_size():
  """Linear: with the last bias at 5 they are beyond any image's range."""
  x, label = inputs('Generator')
  model = build('mlp.Generator', 'Generator', shape=(2,))
  params, stats = some_variables(model, x, label)
  params['Dense_2']['bias'] += 5.0
  out = forward(model, train=True)(params, stats, x, label)
  assert out.shape == (4, 2) and out.dtype == jnp.float32
  assert out.min() > 1.0
  critic = build('mlp.Discriminator', 'Discriminator', num_classes=3,
                 conditioning='onehot')
  params, critique = abstract(critic, out, label)
  assert critique.logits.shape == (4,)
  assert params['Dense_0']['kernel'].shape == (2 + 3, 8)


@pytest.mark.parametrize('kind,name', [
    *(('Generator', n) for n in GENERATORS if not n.startswith('mlp.')),
    *(('Discriminator', n) for n in DISCRIMINATORS if not n.startswith('mlp.'))
])
def test_convolutions_refuse_vectors(kind, name):
  model = build(name, kind, shape=(2,))
  with pytest.raises(ValueError, match=(
      rf'\w+.{kind} needs (signals, )?images( or volumes)?, the data are '
      rf'vectors \[2\]; use {kind.lower()}=mlp.{kind}')):
    model.init(KEY, *inputs(kind, (2,)))


@pytest.mark.parametrize('shape', [(64, 1), (8, 8, 8, 1)])
@pytest.mark.parametrize('kind,name', [
    (name.partition('.')[2], name) for name in (*GENERATORS, *DISCRIMINATORS)
    if name.partition('.')[0] not in ('mlp', 'dcgan')])
def test_networks_of_images_name_one_that_takes_other_kinds(kind, name, shape):
  model = build(name, kind, shape=shape)
  with pytest.raises(ValueError, match=(
      rf'{name} needs images, the data are (signals|volumes) .*; use '
      rf'{kind.lower()}=dcgan.{kind}')):
    jax.eval_shape(model.init, KEY, *inputs(kind, shape))


@pytest.mark.parametrize('shape', [(24, 2), (4, 5, 6, 1)])
def test_an_mlp_takes_signals_and_volumes(shape):
  x, label = inputs('Generator')
  _, out = abstract(build('mlp.Generator', 'Generator', shape=shape), x, label)
  critic = build('mlp.Discriminator', 'Discriminator')
  assert abstract(critic, out, label)[1].logits.shape == (4,)


# Phase shuffle.


def test_phase_shuffle_mirrors_each_signal_by_its_own_shift():
  signals = np.random.default_rng(0).normal(size=(400, 9, 2))
  signals = jnp.float32(signals)
  keys = [random.split(random.key(i), 400) for i in (0, 1)]
  shuffle = jax.jit(layers.phase_shuffle, static_argnums=2)
  by_key = [np.asarray(shuffle(signals, k, 2)) for k in keys]
  shifts = []
  for out in by_key:
    found = []
    for x, y in zip(np.asarray(signals), out, strict=True):
      mirrored = np.pad(x, ((2, 2), (0, 0)), mode='reflect')
      found.append([i for i in range(5) if (mirrored[i:i + 9] == y).all()])
    assert all(len(f) == 1 for f in found)
    shifts.append(np.ravel(found))
    # Uniform: 80 of each, with a deviation of 8.
    assert (np.abs(np.bincount(shifts[-1], minlength=5) - 80) < 32).all()
  assert (shifts[0] != shifts[1]).mean() > 0.6  # 0.8 if independent
  # An example's shift is its own, whatever the batch.
  part = shuffle(signals[7:9], keys[0][7:9], 2)
  np.testing.assert_array_equal(part, by_key[0][7:9])


def test_a_critic_with_phase_shuffle_has_second_derivatives():
  model = build('dcgan.Discriminator', 'Discriminator', kernel=5, stride=2,
                norm='none', phase_shuffle=2, activation='tanh')
  x, label = inputs('Discriminator', (32, 1))
  params, stats = some_variables(model, x, label)

  def penalty(params):
    return jnp.sum(jax.grad(lambda x: jnp.sum(model.apply(
        params, stats, x, label, train=True, keys=keys)[0].logits))(x) ** 2)

  logits = jax.jit(lambda keys: model.apply(params, stats, x, label, train=True,
                                            keys=keys)[0].logits)
  keys = random.split(KEY, len(x))
  slopes = jax.jit(jax.grad(penalty))(params)
  assert (logits(keys) != logits(random.split(random.key(9), len(x)))).any()
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(slopes))
  assert np.abs(slopes['Conv_0']['kernel']).max() > 0
  with pytest.raises(ValueError, match='use phase_shuffle=0'):
    model.init(KEY, *inputs('Discriminator', (8, 8, 1)))
