"""Projected discriminators: files, mixing, heads, what is trained."""

import os
import pathlib
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_backbones
import tiny
from safetensors.numpy import load_file, save_file
from small_models import KEY, count, of_bfloat16, struct

from gan_jax import models
from gan_jax.base.errors import ConfigError, DataError
from gan_jax.config import experiment, tracing
from gan_jax.config.build import make_game
from gan_jax.extractors import backbones, projected
from gan_jax.game.step import train_step
from gan_jax.parallel import Batch


@pytest.fixture(scope='module')
def lite0(tmp_path_factory):
  return random_backbones.efficientnet(
      tmp_path_factory.mktemp('lite0') / 'lite0.safetensors')


@pytest.fixture(scope='module')
def small(tmp_path_factory):
  return random_backbones.classifier(
      tmp_path_factory.mktemp('small') / 'small.safetensors')


def network(weights, **fields):
  return models.as_model(projected.Discriminator(
      num_classes=fields.pop('num_classes', 3), weights=weights, **fields))


# Files.


def without(name):
  return lambda tensors: {k: v for k, v in tensors.items() if k != name}


def with_one(name, value):
  return lambda tensors: tensors | {name: np.asarray(value, np.float32)}


@pytest.mark.parametrize('change, words', [
    (lambda data: data[:len(data) // 2], 'damaged, truncated or unreadable'),
    (lambda data: data[:20], 'damaged, truncated or unreadable'),
    (lambda data: data[:9] + b'\xff' + data[10:], 'must be a complete file of'),
    (without('Norm_1/LayerNorm_0/scale'), 'LayerNorm_0/scale is absent, not '),
    (without('Conv_1/kernel'), 'Conv_1/kernel is absent'),
    (with_one('Conv_1/kernel', np.ones((3, 3, 7, 4))),
     r'Conv_1/kernel is \(3, 3, 7, 4\), not \(3, 3, 3, 4\); what fits'),
    (with_one('Conv_0/kernel', np.ones(4)), r'Conv_0/kernel is \(4,\)'),
    (with_one('Conv_2/kernel', np.full((4, 4, 4, 5), np.nan)),
     'Conv_2/kernel has NaN or Inf; download or write it again'),
    (with_one('std', 0.0), 'std is not above 0; write it again')])
def test_a_damaged_file_is_one_message_with_its_name(
    small, tmp_path, change, words):
  """No error of Python or of safetensors: the file, what is wrong, the fix."""
  path = tmp_path / 'damaged.safetensors'
  try:
    path.write_bytes(change(pathlib.Path(small).read_bytes()))
  except (AttributeError, TypeError):
    save_file(change(load_file(small)), path)
  images = tiny.write_images(tmp_path / 'x.npz', size=28)
  with pytest.raises(ConfigError, match=words) as caught:
    experiment.load(tiny.config(images, discriminator=dict(
        name='gan_jax.extractors.projected:Discriminator', weights=str(path)),
        loss=dict(name='hinge_each')))
  said = str(caught.value)
  assert said.startswith('one problem') and len(said.splitlines()) == 2
  assert repr(str(path)) in said and not re.search(r'\w+Error', said), said


def test_efficientnet_has_its_published_number_of_parameters():
  """4,652,008 of timm's tf_efficientnet_lite0, of which 1,693,160 after the
  last map: a convolution of 320 to 1,280, its norm, and 1,000 classes."""
  size = sum(np.prod(shape) + 2 * shape[3]
             for *_, shape in backbones.efficientnet_table())
  assert size == 4_652_008 - (320 * 1280 + 2 * 1280) - 1281 * 1000


def test_maps_of_efficientnet(lite0):
  """Compared once with timm 1.0.19 on random weights: equal to 5e-7."""
  network = backbones.read(lite0)
  images = np.random.default_rng(0).normal(size=(1, 64, 64, 1))
  images = np.float32(images)
  maps = jax.jit(network.maps)(network.weights, images)
  assert [m.shape[1:] for m in maps] == [(16, 16, 24), (8, 8, 40), (4, 4, 112),
                                         (2, 2, 320)]
  colours = jax.jit(network.maps)(network.weights, np.repeat(images, 3, -1))
  for grey, colour in zip(maps, colours, strict=True):
    np.testing.assert_array_equal(grey, colour)
    assert np.isfinite(grey).all() and np.std(grey) > 1e-3


@pytest.mark.parametrize('other,words', [
    ({'blocks.2.1.conv_dw.weight': np.zeros((240, 1, 3, 3))},
     r'blocks.2.1.conv_dw.weight is \(240, 1, 3, 3\), not \(240, 1, 5, 5\); '
     'what fits is tf_efficientnet_lite0'),
    ({'blocks.6.0.bn3.bias': None}, 'blocks.6.0.bn3.bias is absent'),
    ({'bn1.weight': np.full(32, np.nan)}, 'bn1.weight has NaN')])
def test_weights_of_another_network_are_refused(tmp_path, other, words):
  path = random_backbones.efficientnet(tmp_path / 'x.safetensors', **other)
  with pytest.raises(DataError, match=words):
    backbones.read(path)


def test_files_that_are_no_network(tmp_path):
  path = tmp_path / 'mine.safetensors'
  random_backbones.save_file({'mine': np.zeros(2, np.float32)}, path)
  with pytest.raises(DataError, match=r'has 1 tensors, of \["mine"\].*fits is'):
    backbones.read(str(path))
  path.write_bytes(b'\x89PNG and so on')
  with pytest.raises(DataError, match='is a PNG image; what fits is'):
    backbones.read(str(path))
  with pytest.raises(DataError, match='nowhere'):
    backbones.read(str(tmp_path / 'nowhere.pth'))


def test_a_file_that_was_replaced_is_read_again(small, tmp_path):
  path, tensors = str(tmp_path / 'replaced.safetensors'), load_file(small)
  for mean in (33.0, 34.0):
    save_file(tensors | {'mean': np.array(mean, np.float32)}, path)
    os.utime(path, (mean, mean))  # Not within a tick of the clock.
    assert backbones.read(path).weights['mean'] == mean
  assert backbones.read(path) is backbones.read(path)


def test_maps_of_the_classifier_in_numpy(small):
  """Layer norm over all of an image; the last layer that halves."""
  network = backbones.read(small)
  images = np.float32(np.random.default_rng(1).uniform(-1, 1, (2, 8, 8, 1)))
  maps = jax.jit(network.maps)(network.weights, images)
  assert [m.shape for m in maps] == [(2, 4, 4, 3), (2, 2, 2, 5)]
  x = ((np.float64(images) + 1) * 127.5 - 33) / 78
  padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  y = np.stack([np.stack([np.einsum(
      'bhwi,hwio->bo', padded[:, 2 * i:2 * i + 4, 2 * j:2 * j + 4],
      network.weights['Conv_0/kernel']) for j in range(4)], 1)
      for i in range(4)], 1)
  y = (y - y.mean((1, 2, 3), keepdims=True)) / np.sqrt(
      y.var((1, 2, 3), keepdims=True) + 1e-5)
  y = y * network.weights['Norm_0/LayerNorm_0/scale'] + (
      network.weights['Norm_0/LayerNorm_0/bias'])
  np.testing.assert_allclose(maps[0], np.maximum(y, 0), rtol=1e-3, atol=1e-4)


# The discriminator.


@pytest.mark.parametrize('conditioning,want', [('none', 10_331_328),
                                               ('projection', 12_940_736)])
def test_the_heads_have_the_published_number_of_parameters(
    lite0, conditioning, want):
  """MultiScaleD of autonomousvision/projected-gan, with 4 heads, 1,000 classes.

  channels=[64, 64, 128, 256], resolutions=[128, 64, 32, 16]; counted with
  PyTorch 2.13. All else is frozen: the network and the mixing.
  """
  model = network(lite0, size=224, num_classes=1000, conditioning=conditioning)
  image, label = struct(2, 64, 64, 3), struct(2, dtype=jnp.int32)
  params, stats = jax.eval_shape(model.init, KEY, image, label)
  assert count(params) == want
  assert set(stats) == {'batch_stats', 'frozen', 'spectral'}
  out, _ = jax.eval_shape(lambda *a: model.apply(*a, train=True), params, stats,
                          image, label)
  # 4x4 places of each of four heads.
  assert out.logits.shape == (2,) and out.features.shape == (2, 64)


def test_linear_resizing_keeps_the_corners():
  x = jnp.asarray([0.0, 3.0, 9.0]).reshape(1, 3, 1, 1)
  np.testing.assert_allclose(projected.resize(x, 5, 1)[0, :, 0, 0],
                             [0.0, 1.5, 3.0, 6.0, 9.0])
  x = jnp.arange(4.0).reshape(1, 2, 2, 1)
  np.testing.assert_allclose(projected.resize(x, 3, 3)[0, :, :, 0], [
      [0.0, 0.5, 1.0], [1.0, 1.5, 2.0], [2.0, 2.5, 3.0]])


def doubled(x):
  """Linear to twice the sides, corners kept, of [1, side, side, C]."""
  for axis in (1, 2):
    side = x.shape[axis]
    places = np.linspace(0, side - 1, 2 * side)
    x = np.apply_along_axis(
        lambda line, places=places, side=side: np.interp(
            places, np.arange(side), line), axis, x)
  return x


def by_hand(x, kernel, stride):
  """A convolution of an even image; one of stride 2 is padded by 1."""
  x = np.pad(x, ((0, 0), (stride - 1,) * 2, (stride - 1,) * 2, (0, 0)))
  places = range(0, x.shape[1] - 3, stride)
  return np.stack([np.stack([np.einsum(
      'bhwi,hwio->bo', x[:, r:r + 4, c:c + 4], kernel) for c in places], 1)
                   for r in places], 1)


def test_scales_are_mixed_from_the_smallest_up(small):
  """A head of large places sees the small map, the other only itself.

  In numpy: u(m) of twice the sides, y_1 = S_1 u(C_1 m_1),
  y_0 = S_0 u(C_0 m_0 + y_1), and a head for each.
  """
  plain = dict(mix=4, width=8, norm='none', weight_norm='none')
  model = network(small, **plain)
  large = np.random.default_rng(0).uniform(0, 2, (1, 32, 32, 1))
  # Each pixel between four.
  image = np.float32(large.reshape(1, 16, 2, 16, 2, 1).mean((2, 4)) - 1.0)
  label = jnp.zeros(1, jnp.int32)
  params, stats = jax.jit(model.init)(KEY, image, label)
  run = jax.jit(lambda stats: model.apply(params, stats, image, label,
                                          train=False)[0])
  out = run(stats)
  run, base = lambda stats, run=run: run(stats).features, out.features
  # Maps of 16 and 8 px: 13 x 13 places of 16, halved to 8, and 5 x 5 of 8.
  assert base.shape == (1, 25 + 25)
  np.testing.assert_allclose(out.logits, base.mean(1), rtol=1e-5)
  backbone = backbones.read(small)
  maps = jax.jit(backbone.maps)(backbone.weights, image)
  frozen, heads = jax.tree.map(np.asarray, (
      stats['frozen'], (params['Head_0'], params['Head_1'])))

  def fixed(name, x):
    return np.asarray(x) @ frozen[name]['kernel'] + frozen[name]['bias']

  second = fixed('scales_1', doubled(fixed('channels_1', maps[1])))
  first = fixed('scales_0', doubled(fixed('channels_0', maps[0]) + second))
  first = by_hand(first, heads[0]['Conv_0']['kernel'], 2) + (
      heads[0]['Conv_0']['bias'])
  first = np.where(first > 0, first, 0.2 * first)
  np.testing.assert_allclose(base, np.concatenate([
      by_hand(x, head['_Last_0']['kernel'], 1).reshape(1, 25)
      for x, head in zip((first, second), heads, strict=True)], 1), rtol=1e-3,
      atol=1e-4)
  other = network(small, size=16, image_range=(0.0, 2.0), **plain)
  np.testing.assert_allclose(jax.jit(partial(other.apply, train=False))(
      params, stats, np.float32(large), label)[0].features, base, atol=1e-4)
  for layer in stats['frozen']['channels_1'], stats['frozen']['scales_1']:
    bound = 1 / np.sqrt(len(layer['kernel']))
    assert 0.5 * bound < np.abs(layer['bias']).max() <= bound
  for name, changes in (('channels_0', (True, False)),
                        ('channels_1', (True, True))):
    frozen = dict(stats['frozen'])
    frozen[name] = jax.tree.map(lambda x: x + 1.0, frozen[name])
    moved = np.abs(run({**stats, 'frozen': frozen}) - base)[0]
    assert (moved[:25].max() > 1e-4, moved[25:].max() > 1e-4) == changes


def test_a_head_in_numpy():
  """It starts within 1 / sqrt(fan in), the norm is before the activation."""
  head = projected.Head(width=8, norm=lambda: lambda x: x - 1.0,
                        act=jax.nn.relu, weights={}, num_classes=3)
  x = np.random.default_rng(0).normal(size=(2, 16, 16, 4)).astype(np.float32)
  label = jnp.array([2, 0])
  y, variables = jax.jit(head.init_with_output)(KEY, x, label)
  first, last, dense, table = (variables['params'][name] for name in (
      'Conv_0', '_Last_0', 'Dense_0', 'embedding'))
  for layer, inputs in ((first, 64), (last, 128), (dense, 128)):
    assert 0.95 < np.abs(layer['kernel']).max() * np.sqrt(inputs) <= 1.0
  x = by_hand(np.maximum(by_hand(x, first['kernel'], 2) - 1.0, 0.0),
              last['kernel'], 1)
  code = table['embedding'][label] @ dense['kernel']
  code = np.where(code > 0, code, 0.2 * code)
  np.testing.assert_allclose(
      y, np.einsum('bhwc,bc->bhw', x, code).reshape(2, 25) / 8,
      rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('conditioning', ['none', 'projection'])
def test_the_last_layer_of_bfloat16_is_float32(small, conditioning):
  model = network(small, mix=4, width=8, dtype=jnp.bfloat16,
                  conditioning=conditioning)
  image = np.random.default_rng(0).normal(size=(2, 16, 16, 1))
  label = jnp.zeros(2, jnp.int32)
  params, stats = jax.jit(model.init)(KEY, image, label)
  out, _ = jax.jit(partial(model.apply, train=False))(params, stats, image,
                                                      label)
  assert out.features.dtype == np.float32 and not of_bfloat16(out.features)


def test_only_the_heads_are_trained(small, tmp_path, monkeypatch):
  """The frozen part is not in the optimiser, and a step leaves it as it is.

  Nor are means of it taken over devices, of which many would round it.
  """
  config = tiny.config(tiny.write_images(
      tmp_path / 'images.npz', size=16), discriminator=dict(
      name='gan_jax.extractors.projected:Discriminator', weights=small, mix=4,
      width=8, size=0), loss=dict(name='hinge_each'))
  # It is traced below, with other means.
  monkeypatch.setattr(tracing, 'trace', lambda *_: None)
  run = experiment.load(config, devices=1)
  state = run.init()
  names = {path[0].key for path, _ in
           jax.tree_util.tree_leaves_with_path(state.disc.params)}
  assert names == {'Head_0', 'Head_1'}
  assert 'frozen' not in str(jax.tree_util.tree_structure(state.disc.opt_state))
  batch = tracing.shapes_of_batch(run.game, run.info.image_shape,
                                np.zeros(4, np.int32))
  rng = np.random.default_rng(0)
  batch = Batch(rng.normal(size=batch.image.shape).astype(np.float32),
                np.zeros(batch.label.shape, np.int32), np.arange(4))
  game = make_game(run.config, run.info, 4, axis_name=None)
  after, scalars = jax.jit(partial(
      train_step, game=game, pmean=lambda tree: jax.tree.map(
          lambda x: 1.125 * x, tree)))(state, batch, jax.random.key(0))
  jax.tree.map(np.testing.assert_array_equal, after.disc.stats['frozen'],
               state.disc.stats['frozen'])
  moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), after.disc.params,
                       state.disc.params)
  assert all(size > 0 for size in jax.tree.leaves(moved['Head_0']['Conv_0']))
  assert np.isfinite(scalars['loss/disc'])


@pytest.mark.parametrize('fields,words', [
    (dict(weights=''), 'needs the features of a network: use weights=FILE'),
    (dict(conditioning='onehot'), "cannot read; use 'projection' or 'none'"),
    (dict(minibatch='std'), "minibatch 'std' needs features that are learnt"),
    (dict(shape=(16, 16, 3)), 'for images of 1 channels, the data have 3; use '
     'data.channels=1')])
def test_what_does_not_fit_is_refused(small, fields, words):
  fields = dict(weights=small) | fields
  shape = fields.pop('shape', (16, 16, 1))
  model = network(**fields)
  with pytest.raises(ValueError, match=words):
    jax.eval_shape(model.init, KEY, struct(2, *shape),
                   struct(2, dtype=jnp.int32))
