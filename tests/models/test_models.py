"""Networks: sizes and numbers of parameters by hand; vectors."""

import jax.numpy as jnp
import pytest
from small_models import (
  DISCRIMINATORS,
  GENERATORS,
  KEY,
  RESIDUAL,
  abstract,
  build,
  count,
  forward,
  inputs,
  some_variables,
  struct,
)

from gan_jax import models
from gan_jax.models import dcgan

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


# Even and odd sizes, squares and others, each number of channels.
SHAPES = [(28, 28, 1), (32, 48, 3), (50, 30, 4)]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('name', GENERATORS)
def test_generators_make_images_of_the_data(name, shape):
  if shape == (50, 30, 4) and name.split('.')[0] in RESIDUAL:
    shape = (56, 40, 4)
  model = build(name, 'Generator', shape=shape)
  _, out = abstract(model, struct(2, 100), struct(2, dtype=jnp.int32))
  assert out.shape == (2, *shape) and out.dtype == jnp.float32


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_discriminators_give_a_logit_for_an_image(name, shape):
  if shape == (50, 30, 4) and name.split('.')[0] in RESIDUAL:
    shape = (56, 40, 4)
  model = build(name, 'Discriminator')
  _, out = abstract(model, struct(2, *shape), struct(2, dtype=jnp.int32))
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
      rf'\w+.{kind} needs images \[H, W, C\], the data are vectors \[2\]; '
      rf'use {kind.lower()}=mlp.{kind}')):
    model.init(KEY, *inputs(kind, (2,)))
