"""Residual networks and BigGAN: sizes, parameters, blocks in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import KEY, abstract, build, count, struct, struct_of

from gan_jax import models
from gan_jax.models import biggan, layers, resnet


@pytest.mark.parametrize('height,width,to,want', [
    (32, 32, 4, [(32, 32), (16, 16), (8, 8), (4, 4)]),
    (28, 28, 4, [(28, 28), (14, 14), (7, 7)]),
    (28, 28, 8, [(28, 28), (14, 14), (7, 7)]),
    (32, 48, 4, [(32, 48), (16, 24), (8, 12), (4, 6)]),
    (64, 64, 8, [(64, 64), (32, 32), (16, 16), (8, 8)])])
def test_resnet_sizes(height, width, to, want):
  assert resnet.sizes(height, width, to) == want


def test_resnet_refuses_sizes_that_do_not_halve_and_attention_nowhere():
  with pytest.raises(ValueError, match='50x30 ends at 25x15; bring them'):
    resnet.sizes(50, 30)
  for kind in ('Generator', 'Discriminator'):
    model = build(f'resnet.{kind}', kind, shape=(32, 32, 3), attention=7)
    with pytest.raises(ValueError, match='attention=7 is the height of no'):
      jax.eval_shape(model.init, KEY, *struct_of(kind, (32, 32, 3)))


def test_resnets_of_sngan_have_the_published_numbers_of_parameters():
  """Of Miyato et al.'s table 4: blocks of 256 and of 128 channels."""
  module = resnet.Generator(num_classes=0, image_shape=(32, 32, 3),
                            image_range=(-1.0, 1.0))
  params, _ = abstract(models.as_model(module), struct(2, 128), None)
  block = 2 * (9 * 256 * 256 + 256) + (256 * 256 + 256) + 2 * 2 * 256
  assert count(params) == (129 * 16 * 256 + 3 * block + 2 * 256
                           + 9 * 256 * 3 + 3)
  module = resnet.Discriminator(num_classes=0, weight_norm='spectral')
  params, _ = abstract(models.as_model(module), struct(2, 32, 32, 3), None)
  conv = 9 * 128 * 128 + 128
  first = 9 * 3 * 128 + 128 + conv + 3 * 128 + 128
  down = 2 * conv + 128 * 128 + 128
  assert count(params) == first + down + 2 * 2 * conv + 129


def test_resnet_channels_of_128_pixels():
  for module, x, want in (
      (resnet.Generator(num_classes=0, image_shape=(128, 128, 3), width=64,
                        image_range=(-1.0, 1.0), max_width=1024),
       struct(2, 128), [1024, 512, 256, 128, 64]),
      (resnet.Discriminator(num_classes=0, width=64, max_width=1024, to=4,
                            flat_blocks=1), struct(2, 128, 128, 3),
       [64, 128, 256, 512, 1024, 1024])):
    params, _ = abstract(models.as_model(module), x, None)
    block = 'Up' if module.__class__ is resnet.Generator else 'Down'
    blocks = [params[f'{block}_{i}'] for i in range(len(want))]
    assert [b['Conv_1']['kernel'].shape[-1] for b in blocks] == want


def test_residual_blocks_in_numpy():
  """1x1 kernels: a block is arithmetic by pixel, and means over 2x2."""
  x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 4, 3)))

  def conv(features, size=1):
    return layers.Conv(features, size=1, dtype=x.dtype)

  def norm():
    return lambda x, cond=None: x

  def arrays(params):
    return [(np.float64(p['kernel'][0, 0]), np.float64(p['bias']))
            for p in (params[f'Conv_{i}'] for i in range(3))]

  for first in (True, False):
    module = resnet.Down(5, conv, norm, jax.nn.relu, layers.average_pool, first)
    got, variables = jax.jit(module.init_with_output)(KEY, x)
    (a, _), (b, _), (c, _) = arrays(variables['params'])
    y = x if first else np.maximum(x, 0)
    y = np.maximum(y @ a, 0) @ b + x @ c
    want = np.asarray(y).reshape(2, 2, 2, 2, 2, 5).mean((2, 4))
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
  module = resnet.Up(5, conv, norm, jax.nn.relu)
  got, variables = jax.jit(module.init_with_output)(KEY, x, None)
  (a, _), (b, _), (c, _) = arrays(variables['params'])
  y = np.maximum(np.maximum(x, 0) @ a, 0) @ b + x @ c
  np.testing.assert_allclose(got, np.kron(y, np.ones((1, 2, 2, 1))), rtol=1e-3,
                             atol=1e-4)


# BigGAN.


def test_biggan_cuts_z_and_shares_the_embedding():
  model = build('biggan.Generator', 'Generator', shape=(32, 32, 3),
                embed_dim=7)
  params, _ = abstract(model, struct(2, 22), struct(2, dtype=jnp.int32))
  # 22 numbers in four pieces: 7, 5, 5, 5.
  assert params['Dense_0']['kernel'].shape[0] == 7
  assert params['embedding']['embedding'].shape == (3, 7)
  for i in range(3):
    assert params[f'Up_{i}']['Norm_1']['scale']['kernel'].shape[0] == 7 + 5
  with pytest.raises(ValueError, match='4 pieces, and z has 3 numbers'):
    jax.eval_shape(model.init, KEY, struct(2, 3), struct(2, dtype=jnp.int32))


def test_biggan_starts_orthogonal():
  for network in (biggan.Generator, biggan.Discriminator):
    kernel = np.asarray(network.start(KEY, (3, 3, 4, 8))).reshape(-1, 8)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(8), atol=1e-5)
