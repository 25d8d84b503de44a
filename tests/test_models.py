"""Networks: sizes and numbers of parameters by hand, properties of each."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax, random

from gan_jax import lookup, models
from gan_jax.models import dcgan, layers, mlp

ROOM = 'gan_jax.models'
GENERATORS = lookup.names(ROOM, 'Generator')
DISCRIMINATORS = lookup.names(ROOM, 'Discriminator')
KEY = random.key(0)
# Smallest that keep the shape of the full networks.
TINY = {'dcgan': dict(width=4), 'mlp': dict(widths=(8, 6)),
        'pooling_cnn': dict(widths=(4, 5), dense=6),
        'resnet': dict(width=4, max_width=8),
        'biggan': dict(width=4, max_width=8),
        'autoencoder': dict(width=4, code=6)}
# Halve exactly, hence not 50x30.
RESIDUAL = ('resnet', 'biggan')


def build(name, kind, *, shape=(8, 8, 1), image_range=(-1.0, 1.0),
          num_classes=3, dtype=jnp.float32, **kwargs):
  tiny = TINY.get(name.split('.')[0], {})
  return models.as_model(lookup.build(
      ROOM, dict(name=name, **{**tiny, **kwargs}), kind=kind, image_shape=shape,
      image_range=image_range, num_classes=num_classes, axis_name=None,
      dtype=dtype))


def inputs(kind, shape=(8, 8, 1), batch=4):
  size = (5,) if kind == 'Generator' else shape
  x = np.random.default_rng(1).normal(size=(batch, *size))
  return jnp.asarray(x, jnp.float32), jnp.arange(batch) % 3


def count(params):
  return sum(x.size for x in jax.tree.leaves(params))


def abstract(model, x, label):
  """(params, output) as shapes; nothing is computed."""
  params, stats = jax.eval_shape(model.init, KEY, x, label)
  out, _ = jax.eval_shape(lambda *a: model.apply(*a, train=True), params, stats,
                          x, label)
  return params, out


def struct(*shape, dtype=jnp.float32):
  return jax.ShapeDtypeStruct(shape, dtype)


# Shapes.


@pytest.mark.parametrize('height,width,want', [
    (64, 64, [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]),
    (32, 32, [(32, 32), (16, 16), (8, 8), (4, 4)]),
    (28, 28, [(28, 28), (14, 14), (7, 7), (4, 4)]),
    (50, 30, [(50, 30), (25, 15), (13, 8), (7, 4)]),
    (8, 100, [(8, 100), (4, 50)])])
def test_dcgan_halves_until_a_side_is_4_or_less(height, width, want):
  assert dcgan.sizes(height, width) == want


@pytest.mark.parametrize('height,width', [(7, 64), (64, 1)])
def test_dcgan_refuses_images_below_8_pixels(height, width):
  with pytest.raises(ValueError, match=f'not {height}x{width}; enlarge'):
    dcgan.sizes(height, width)


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('size', [(28, 28), (32, 48), (64, 64), (50, 30)])
@pytest.mark.parametrize('name', GENERATORS)
def test_generators_make_images_of_the_data(name, size, channels):
  if size == (50, 30) and name.split('.')[0] in RESIDUAL:
    size = (56, 40)
  model = build(name, 'Generator', shape=(*size, channels))
  _, out = abstract(model, struct(2, 100), struct(2, dtype=jnp.int32))
  assert out.shape == (2, *size, channels) and out.dtype == jnp.float32


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('size', [(28, 28), (32, 48), (64, 64), (50, 30)])
@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_discriminators_give_a_logit_for_an_image(name, size, channels):
  if size == (50, 30) and name.split('.')[0] in RESIDUAL:
    size = (56, 40)
  model = build(name, 'Discriminator')
  _, out = abstract(model, struct(2, *size, channels),
                    struct(2, dtype=jnp.int32))
  assert out.logits.shape == (2,) and out.logits.dtype == jnp.float32
  assert out.features.ndim == 2 and len(out.features) == 2
  assert isinstance(out, models.Critique)


# Numbers of parameters.


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


# Behaviour of all networks, of those to come too.


def networks():
  return ([(name, 'Generator') for name in GENERATORS]
          + [(name, 'Discriminator') for name in DISCRIMINATORS])


def some_variables(model, x, label):
  """Parameters and statistics in numpy, of a network after some training."""
  rng = np.random.default_rng(0)
  params, stats = jax.tree.map(
      lambda s: np.asarray(rng.normal(0.2, 0.3, s.shape), s.dtype),
      jax.eval_shape(model.init, KEY, x, label))
  return params, jax.tree.map(lambda s: np.abs(s) + 0.5, stats)


def forward(model, train=False):
  """Compiled: images of a generator, logits of a discriminator."""
  def run(params, stats, x, label):
    out, _ = model.apply(params, stats, x, label, train=train)
    return jax.tree.leaves(out)[0]

  return jax.jit(run)


@pytest.mark.parametrize('conditioning', ['onehot', 'embedding'])
@pytest.mark.parametrize('name,kind', networks())
def test_conditioning_makes_the_label_count(name, kind, conditioning):
  model = build(name, kind, conditioning=conditioning)
  x, label = inputs(kind)
  params, stats = some_variables(model, x, label)
  params = jax.tree.map(lambda p: 0.5 * p, params)  # tanh would saturate.
  run = forward(model)
  base = np.asarray(run(params, stats, x, label))
  other = np.asarray(run(params, stats, x, label.at[1].set(2)))
  same = np.array([0, 2, 3])
  np.testing.assert_array_equal(other[same], base[same])
  assert np.abs(other[1] - base[1]).max() > 1e-4


@pytest.mark.parametrize('name,kind', networks())
def test_without_conditioning_the_label_is_not_looked_at(name, kind):
  norm = 'layer' if name == 'biggan.Generator' else 'none'
  abstract(build(name, kind, conditioning='none', norm=norm), inputs(kind)[0],
           None)


@pytest.mark.parametrize('name,kind', networks())
def test_conditioning_that_cannot_be_is_refused(name, kind):
  with pytest.raises(ValueError, match='no such choice'):
    build(name, kind, conditioning='x')
  model = build(name, kind, conditioning='onehot', num_classes=0)
  with pytest.raises(ValueError, match='needs labels, and the data have none'):
    jax.eval_shape(model.init, KEY, *inputs(kind))


@pytest.mark.parametrize('name,kind', networks())
def test_bfloat16_arithmetic_keeps_float32_parameters(name, kind):
  x, label = inputs(kind)
  exact, rough = (build(name, kind, dtype=d)
                  for d in (jnp.float32, jnp.bfloat16))
  params, stats = some_variables(rough, x, label)
  assert {p.dtype for p in jax.tree.leaves((params, stats))} == {
      jnp.dtype('float32')}
  want = forward(exact)(params, stats, x, label)
  got = forward(rough)(params, stats, x, label)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, want, rtol=0.1, atol=0.05)
  assert (got != want).any()  # It does compute in bfloat16.
  # What a mixed-precision step needs: gradients in the parameters' dtype.
  gradient = jax.eval_shape(jax.grad(lambda p: jnp.sum(
      forward(rough)(p, stats, x, label))), params)
  assert {g.dtype for g in jax.tree.leaves(gradient)} == {jnp.dtype('float32')}


@pytest.mark.parametrize('image_range', [(-1.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize('name', GENERATORS)
def test_images_fill_their_range_and_stay_in_it(name, image_range):
  model = build(name, 'Generator', image_range=image_range)
  x, label = inputs('Generator', batch=16)
  params, stats = some_variables(model, x, label)
  centred = jax.tree.map(lambda p: 20.0 * (p - 0.2), params)
  images = forward(model)(centred, stats, x, label)
  assert images.min() >= image_range[0] and images.max() <= image_range[1]
  low, high = image_range
  assert images.min() < low + 0.1 and images.max() > high - 0.1


def test_squash_is_tanh_or_sigmoid():
  x = jnp.array([-1.0, 0.0, 2.0])
  np.testing.assert_allclose(layers.squash(x, (-1.0, 1.0)), np.tanh(x),
                             rtol=1e-6)
  np.testing.assert_allclose(layers.squash(x, (0.0, 1.0)),
                             1 / (1 + np.exp(-x)), rtol=1e-6)
  assert layers.squash(x.astype(jnp.bfloat16), (0.0, 1.0)).dtype == jnp.float32


@pytest.mark.parametrize('name,kind', [
    (n, k) for n, k in networks() if n.split('.')[0] in ('dcgan', 'mlp')])
def test_only_training_moves_the_running_statistics(name, kind):
  model = build(name, kind, norm='batch', norm_momentum=0.75, shape=(16, 16, 1))
  x, label = inputs(kind, shape=(16, 16, 1))
  params, stats = some_variables(model, x, label)
  after, kept = jax.jit(lambda *a: [model.apply(*a, train=train)[1]
                                    for train in (True, False)])(
                                        params, stats, x, label)
  leaves = jax.tree.leaves(stats)
  assert leaves and jax.tree.structure(stats) == jax.tree.structure(after)
  for old, new, same in zip(leaves, jax.tree.leaves(after),
                            jax.tree.leaves(kept), strict=True):
    assert (old != new).any()
    np.testing.assert_array_equal(old, same)


@pytest.mark.parametrize('norm,has_stats', [
    ('none', False), ('layer', False), ('batch', True)])
def test_statistics_are_of_batch_norm_only(norm, has_stats):
  model = build('mlp.Generator', 'Generator', norm=norm)
  _, stats = jax.eval_shape(model.init, KEY, *inputs('Generator'))
  assert bool(stats) == has_stats


def test_constructors_refuse_what_they_do_not_know():
  for kwargs, words in ((dict(norm='bach'), 'did you mean "batch"'),
                        (dict(activation='rleu'), 'did you mean "relu"')):
    with pytest.raises(ValueError, match=words):
      build('dcgan.Generator', 'Generator', **kwargs)
  with pytest.raises(ValueError, match="norm 'bach' is not one of none"):
    layers.Norm('bach', train=True).init(KEY, jnp.zeros((2, 3)))
  with pytest.raises(ValueError, match="activation 'rule' is not one of"):
    layers.activation('rule', 0.2)


# Layers against numpy and lax.


def test_batch_norm_and_its_running_averages_in_numpy():
  x = random.normal(KEY, (6, 3, 2, 4)) * 3.0 + 1.0
  module = layers.Norm('batch', train=True, momentum=0.75)
  variables = jax.jit(module.init)(KEY, x)
  y, new = jax.jit(lambda *a: module.apply(*a, mutable=['batch_stats']))(
      variables, x)
  x = np.float64(x)
  mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
  np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)
  stats = new['batch_stats']['BatchNorm_0']
  np.testing.assert_allclose(stats['mean'], 0.25 * mean, rtol=1e-4)
  np.testing.assert_allclose(stats['var'], 0.75 + 0.25 * var, rtol=1e-4)
  running = jax.jit(layers.Norm('batch', train=False).apply)(
      {'params': variables['params'], **new}, np.float32(x))
  np.testing.assert_allclose(
      running, (x - 0.25 * mean) / np.sqrt(0.75 + 0.25 * var + 1e-5), atol=1e-4)


def test_layer_norm_is_over_all_of_an_example():
  x = random.normal(KEY, (5, 3, 2, 4)) * 3.0 + 1.0
  module = layers.Norm('layer', train=True)
  y = jax.jit(module.init_with_output)(KEY, x)[0]
  x = np.float64(x)
  mean, var = (f(x, (1, 2, 3), keepdims=True) for f in (np.mean, np.var))
  np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=1e-5)


def test_scales_of_dcgan_start_around_one():
  module = layers.Norm('batch', train=True, scale_std=0.02)
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
  got = layers.activation(name, 0.3)(jnp.array([-1.0, 2.0]))
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
  label = jnp.array([2, 0])

  class Joined(nn.Module):
    @nn.compact
    def __call__(self, x):
      return layers.concat_label(x, label, conditioning='onehot', num_classes=3,
                                 embed_dim=0)

  z = Joined().apply({}, jnp.full((2, 1), 7.0))
  np.testing.assert_array_equal(z, [[7, 0, 0, 1], [7, 1, 0, 0]])
  images = Joined().apply({}, jnp.full((2, 2, 3, 1), 7.0))
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
  with pytest.raises(ValueError, match='3 is neither a flax.linen module nor'):
    models.as_model(3)


# Vectors.


def test_an_mlp_makes_vectors_of_any_size():
  """Linear: with the last bias at 5 they are beyond any image's range."""
  x, label = inputs('Generator')
  model = build('mlp.Generator', 'Generator', shape=(2,))
  params, stats = model.init(KEY, x, label)
  params['Dense_2']['bias'] += 5.0
  out, _ = model.apply(params, stats, x, label, train=True)
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
      rf'\w+.{kind} needs images \[H, W, C\], the data are vectors \[2\]; '
      rf'use {kind.lower()}=mlp.{kind}')):
    model.init(KEY, *inputs(kind, (2,)))
