"""--mode=export of every network: as StableHLO and in ONNX Runtime."""

import json
from types import SimpleNamespace
from typing import get_args

import jax
import numpy as np
import pandas as pd
import pytest
import small_models
import tiny
from exported import needs_onnx, session, some_average, started_average

from gan_jax.base import lookup
from gan_jax.ops import conv, conv_nd
from gan_jax.views.export import export
from gan_jax.views.trained import Trained

MLP, DCGAN, RESNET, BIGGAN = (f'{name}.Generator' for name in (
    'mlp', 'dcgan', 'resnet', 'biggan'))
STYLEGAN2, R3GAN = 'stylegan2.Generator', 'r3gan.Generator'
SMALL = dict(width=4, max_width=8, style=6, mapping_layers=2)
ODD = (9, 11, 3)
NETWORKS = [
    (MLP, (2,), dict(norm='virtual_batch')),
    (MLP, (8, 8, 1), dict(norm='pixel', conditioning='embedding')),
    (MLP, (8, 8, 1), dict(norm='conditional_batch', weight_norm='weight',
                          activation='sigmoid')),
    (DCGAN, (8, 8, 1), dict(norm='batch', conditioning='onehot',
                            activation='tanh')),
    (DCGAN, ODD, dict(norm='none', kernel=5, activation='leaky_relu')),
    (DCGAN, ODD, dict(norm='conditional_batch', weight_norm='spectral',
                      kernel=3, activation='elu')),
    (DCGAN, ODD, dict(norm='self_modulation', weight_norm='weight', kernel=2,
                      activation='silu')),
    (RESNET, (8, 8, 3), dict(norm='adain', weight_norm='equalized',
                             attention=8)),
    (RESNET, (8, 8, 3), dict(norm='group', width=8, conditioning='embedding')),
    (RESNET, (8, 8, 3), dict(norm='instance', activation='gelu')),
    (BIGGAN, (8, 8, 3), dict(attention=8)),
    (BIGGAN, (8, 8, 3), dict(norm='layer', dtype='bfloat16')),
    ('biggan_deep.Generator', (8, 8, 3), {}),
    ('sndcgan.Generator', (8, 8, 3), {}),
    ('gat.Generator', (8, 8, 3), dict(conditioning='embedding')),
    (STYLEGAN2, (8, 8, 1), SMALL | dict(conditioning='embedding')),
    (R3GAN, (8, 8, 1), dict(width=8, max_width=8, group_width=4, stage_blocks=1,
                            conditioning='embedding')),
]
SLOW = [
    (DCGAN, (8, 8, 1), dict(norm='virtual_batch', activation='tanh')),
    (RESNET, (8, 8, 1), dict(norm='pixel', weight_norm='spectral')),
    ('gat.Generator', (8, 8, 1), {}),
    (STYLEGAN2, (16, 16, 3), SMALL),
    (R3GAN, (16, 16, 3), dict(width=8, max_width=16, group_width=8,
                              stage_blocks=1)),
    (R3GAN, (8, 8, 1), dict(width=16, max_width=16, group_width=16,
                            conditioning='embedding', dtype='bfloat16')),
]


def test_the_list_has_every_network_and_setting():
  from gan_jax.models import layers, norms
  assert {name for name, *_ in NETWORKS} | {'table.Generator'} == set(
      lookup.names('gan_jax.models', 'Generator'))
  for key, known, default in (
      ('norm', norms.NormName, 'none'),
      ('activation', layers.ActivationName, 'relu'),
      ('weight_norm', layers.WeightNormName, 'none'),
      ('conditioning', layers.Conditioning, 'none')):
    assert {default, *(settings.get(key) for *_, settings in NETWORKS)} >= set(
        get_args(known)) - {'projection'}, key  # It is of discriminators.


def made(folder, name, shape, settings, monkeypatch) -> Trained:
  """A run with some weights of a network."""
  settings = dict(settings)
  config = tiny.config('', dtype=settings.pop('dtype', 'float32'),
                       generator={'name': name} | settings)
  info = dict(name='noise', image_shape=shape, num_examples=9, num_classes=3,
              classes=(0, 1, 2), fingerprint='', licence='')
  for file, value in (('config', config), ('data', info)):
    (folder / f'{file}.json').write_text(json.dumps(value))
  run = Trained(folder)
  # Of kernels that are scaled when used the usual size is another.
  weights = started_average if name in (
      STYLEGAN2, R3GAN, 'gat.Generator') else some_average
  average = weights(run.game.gen, 4)
  monkeypatch.setattr(Trained, 'state', SimpleNamespace(ema=average, step=4))
  return run


def tiny_of(name):
  return small_models.TINY.get(name.split('.')[0], {})


@pytest.mark.parametrize('name, shape, settings', [
    (STYLEGAN2, (8, 8, 1), SMALL),
    pytest.param('gat.Generator', (8, 8, 1), tiny_of('gat'),
                 marks=pytest.mark.slow)])
def test_a_network_draws_the_same_as_stablehlo(
    name, shape, settings, tmp_path, monkeypatch):
  run = made(tmp_path, name, shape, settings, monkeypatch)
  export(tmp_path, str(tmp_path / 'a.stablehlo'))
  loaded = jax.export.deserialize((tmp_path / 'a.stablehlo').read_bytes())
  z = run.latents(5, seed=1)
  ours = run.generator(z, None, dtype='float32')
  assert ours.std() > 0.02  # Not all black.
  for count in (1, 5):
    np.testing.assert_allclose(
        loaded.call(z[:count], np.zeros(count, np.int32)), ours[:count],
        rtol=0, atol=1e-5)


@needs_onnx
@pytest.mark.parametrize('name, shape, settings', [*NETWORKS, *(
    pytest.param(*twin, marks=pytest.mark.slow) for twin in SLOW)])
def test_a_network_draws_the_same_as_onnx(
    name, shape, settings, tmp_path, monkeypatch):
  run = made(tmp_path, name, shape, tiny_of(name) | settings, monkeypatch)
  said = export(tmp_path, str(tmp_path / 'a.onnx'))
  assert float(said.rpartition(' is ')[2]) < 1e-4, said
  model = session(tmp_path / 'a.onnx')
  z, label = run.latents(64, seed=1), run.labels(64)
  ours = run.generator(z, label if run.conditional else None, dtype='float32')
  assert ours.std(0).mean() > 0.02  # Not all black, nor all the same.
  given = {'z': z, 'label': label, 'noise': run.noise(z)}
  given = {i.name: given[i.name] for i in model.get_inputs()}
  assert list(given) == ['z', *['label'] * run.conditional,
                         *['noise'] * (name == STYLEGAN2)]
  for count in (1, 3, 64):
    theirs, = model.run(['images'], {k: v[:count] for k, v in given.items()})
    assert theirs.shape == (count, *shape) and theirs.dtype == np.float32
    np.testing.assert_allclose(theirs, ours[:count], rtol=0, atol=(
        0.2 if settings.get('dtype') == 'bfloat16' else 1e-4))


# Noise.


def test_noise_of_an_image_is_an_input(tmp_path, monkeypatch):
  """The same z has as many images as noises; one for all is `const`."""
  run = made(tmp_path, STYLEGAN2, (8, 8, 1), SMALL, monkeypatch)
  assert run.input_noise == ('normal', 16 + 2 * 64)  # 4 px, and 8 px twice.
  z, label = np.repeat(run.latents(1), 3, axis=0), np.zeros(3, np.int32)
  noise = run.noise(z).copy()
  assert noise.shape == (3, 144) and (noise == noise[:1]).all()
  function = jax.jit(run.function)
  same = np.asarray(function(z, label))
  np.testing.assert_allclose(function(z, label, noise), same, atol=1e-6)
  np.testing.assert_allclose(run.generator(z, dtype='float32'), same, atol=1e-5)
  # The last 64 numbers are of the last layer: pixel (2, 5) is number 21.
  noise[1, 80 + 21] += 1.0
  moved = np.abs(np.asarray(function(z, label, noise)) - same)[..., 0]
  assert np.argwhere(moved > 1e-6).tolist() == [[1, 2, 5]]
  noise[2] = np.random.default_rng(0).normal(size=144)
  moved = np.abs(np.asarray(function(z, label, noise)) - same)[..., 0]
  assert (moved[2] > 1e-4).mean() > 0.9 and moved[0].max() < 1e-6


def test_noise_follows_from_z_and_is_of_its_distribution(tmp_path, monkeypatch):
  run = made(tmp_path, STYLEGAN2, (8, 8, 1), SMALL, monkeypatch)
  noise = run.noise(run.latents(300))
  np.testing.assert_array_equal(run.noise(run.latents(5)), noise[:5])
  assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
  assert np.abs(np.corrcoef(noise[:4]) - np.eye(4)).max() < 0.4


@needs_onnx
def test_a_table_draws_its_choices_by_noise(made_run, tmp_path):
  said = export(made_run('table'), str(tmp_path / 'a.onnx'))
  model, run = session(tmp_path / 'a.onnx'), Trained(made_run('table'))
  z = run.latents(2000)
  size, = run.info.image_shape
  assert f'noise [N, {size}] float32, standard gumbel' in said
  rows = [model.run(None, {'z': z, 'noise': noise})[0] for noise in (
      run.noise(z), np.random.default_rng(0).gumbel(size=(2000, size)).astype(
          np.float32))]
  np.testing.assert_allclose(rows[0], run.generator(z, dtype='float32'),
                             atol=1e-4)
  # What the metadata say of the vectors makes the table of them.
  about = model.get_modelmeta().custom_metadata_map
  assert json.loads(about['noise']) == {'name': 'gumbel', 'size': size}
  x, kind = json.loads(about['columns'])
  assert x[:2] == ['x', 'number'] and kind[:3] == ['kind', 'category',
                                                   ['a', 'b', None]]
  assert size == 1 + len(x[3]) + 3
  choices = [part[:, -3:].argmax(1) for part in rows]
  table = run.generator(z)
  assert [kind[2][k] for k in choices[0]] == [
      None if k is pd.NA else k for k in table['kind'].replace(np.nan, None)]
  # Other noise chooses otherwise, and as often.
  shares = [np.bincount(k, minlength=3) / 2000 for k in choices]
  assert (choices[0] != choices[1]).mean() > 0.3
  np.testing.assert_allclose(*shares, atol=0.05)


# Operations.


@needs_onnx
@pytest.mark.parametrize('function, shape', [
    (lambda x: conv_nd.conv(x, np.ones((3, 3, 3, 2, 4), 'f')), (4, 5, 6, 2)),
    (lambda x: conv.conv(x, np.ones((3, 3, 2, 4), 'f'),
                         padding=((-1, 2), (1, -2))), (7, 6, 2)),
    (lambda x: conv.conv_groups(x, np.arange(9 * 12, dtype='f').reshape(
        3, 3, 2, 6), 3), (5, 4, 6))], ids=['volumes', 'cropped', 'groups'])
def test_convolutions_of_an_own_network_convert(function, shape):
  import jax2onnx
  x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
  want = np.asarray(jax.jit(function)(x))

  def plain(x):
    with conv.plain():
      return function(x)

  model = jax2onnx.to_onnx(plain, [('batch', *shape)], input_names=['x'])
  del model.graph.value_info[:]
  got, = session(model.SerializeToString()).run(None, {'x': x})
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
