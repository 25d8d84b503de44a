"""Protocols of mode coverage: networks as published, and rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import ROOT

from experiments.modes import methods, networks
from gan_jax.config import experiment, population, recipe

SHARED = dict(num_classes=0)


def config_of(name, argument=''):
  return recipe.get_config(f'{ROOT}/experiments/modes/{name}.py:{argument}')


def count(network, *example):
  """Parameters of a network, without its running averages."""
  shapes = jax.eval_shape(lambda: network.init(
      jax.random.key(0), *example, jnp.zeros(2, jnp.int32), train=True))
  return sum(x.size for x in jax.tree.leaves(shapes['params']))


def test_networks_for_points_have_pacgans_parameters():
  given = SHARED | dict(image_shape=(2,), image_range=(-1, 1))
  z = jnp.zeros((2, 2))
  # 2-400-400-400-400-2: no bias before a batch norm, which has two.
  assert count(networks.PointGenerator(**given), z) == (
      2 * 400 + 3 * 400 ** 2 + 4 * 2 * 400 + 401 * 2)
  # Three layers of 200 units of 5 pieces.
  assert count(networks.PointDiscriminator(**SHARED), z) == (
      3 * 1000 + 2 * 201 * 1000 + 201)


def test_networks_for_digits_have_pacgans_parameters():
  given = SHARED | dict(image_shape=(28, 28, 3), image_range=(-1, 1))
  z, images = jnp.zeros((2, 100)), jnp.zeros((2, 28, 28, 3))
  # 2x2x512, 4x4x256, 7x7x128, 14x14x64, 28x28x3; 5x5 kernels, biases, norms.
  assert count(networks.DigitGenerator(**given), z) == (
      101 * 2048 + 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
      + 256 + 128 + 64 + 3 + 2 * (512 + 256 + 128 + 64))
  assert count(networks.DigitDiscriminator(**SHARED), images) == (
      25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64
      + 3 * (128 + 256 + 512) + 2 * 2 * 512 + 1)
  # Unrolled GAN: 4x4x64, 7x7x32, 14x14x16, 28x28x8, and a flat layer.
  assert count(networks.DigitGenerator(
      **given, channels=(64, 32, 16, 8), kernel=3, flat=True), z) == (
          101 * 1024 + 9 * (64 * 32 + 32 * 16 + 16 * 8 + 8 * 3)
          + 32 + 16 + 8 + 3 + 2 * (64 + 32 + 16 + 8))
  assert count(networks.DigitDiscriminator(
      channels=(2, 4, 8), kernel=3, norm_first=True, **SHARED), images) == (
          9 * (3 * 2 + 2 * 4 + 4 * 8) + 3 * (2 + 4 + 8) + 4 * 4 * 8 + 1)


def test_a_maxout_unit_is_the_largest_of_its_pieces():
  network = networks.PointDiscriminator(widths=(2,), pieces=2, **SHARED)
  x = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
  variables = network.init(jax.random.key(0), x, jnp.zeros(2, jnp.int32),
                           train=True)
  kernel = jnp.array([[1.0, -2.0, 3.0, 4.0], [0.0] * 4])
  params = variables['params'] | {'Dense_0': {'kernel': kernel,
                                              'bias': jnp.zeros(4)}}
  out = network.apply({'params': params}, x, None, train=True)
  np.testing.assert_array_equal(out.features, [[1.0, 4.0], [2.0, -3.0]])


def test_rows_keep_the_number_of_packs():
  config = config_of('gaussians', 'method=pacgan3')
  assert (config.packing, config.batch_size) == (3, 300)
  assert (config.updates, config.ema_decay) == ('simultaneous', 0.0)
  assert config.data.num_examples * 400 // 100 == config.train_steps
  config = config_of('stacked', 'protocol=unrolled,method=pacgan2')
  assert (config.packing, config.batch_size) == (2, 256)
  assert config_of('gaussians', 'method=wgan_gp').updates == 'alternating'
  weights = [float(p.weight) for p in config_of(
      'gaussians', 'data=grid,small,method=rpgan+r1+r2').penalties]
  assert weights == [0.01, 0.01]


def test_wrong_words_are_refused():
  with pytest.raises(ValueError, match='no method .*pacgan2'):
    methods.apply(recipe.base(), 'pacgan9', 1.0)
  with pytest.raises(ValueError, match='no protocol .*unrolled'):
    config_of('stacked', 'protocol=mine')


@pytest.mark.parametrize('protocol,method', [
    ('pacgan', 'pacgan2'), ('r3gan', 'rpgan+r1+r2')])
def test_protocols_for_digits_build(protocol, method):
  config = config_of('stacked', f'protocol={protocol},method={method}')
  config.data.num_examples = 2000
  run = experiment.load(config)
  assert run.game.gen_steps == (2 if protocol == 'pacgan' else 1)
  if protocol == 'r3gan':  # 10 million images in batches of 512
    assert run.train_steps == 19_532


def test_a_population_on_the_grid_builds():
  config = config_of('gaussians', 'data=grid,method=pacgan2,quick')
  config.population = 2
  config.data.num_examples = 100
  found = population.load(config)
  state = found.init(np.arange(2, dtype=np.uint32), found.numbers)
  assert len(found.members) == 2
  assert jax.tree.leaves(state.gen.params)[0].shape[0] == 2
