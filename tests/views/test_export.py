"""--mode=export: what other programs make of the generator, and refusals."""

import json
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import safetensors
from exported import needs_onnx, session, some_average
from flax.traverse_util import flatten_dict, unflatten_dict
from PIL import Image
from written import names_in

from gan_jax.base import lookup
from gan_jax.base.errors import CheckpointError, RequestError
from gan_jax.data.label_values import to_users
from gan_jax.data.prepare import LabelColumn
from gan_jax.game import sampling
from gan_jax.game.state import Average
from gan_jax.views.export import PRIORS, export
from gan_jax.views.trained import Trained

# The files.


def test_stablehlo_is_a_function_of_any_batch_on_cpu_and_cuda(
    made_run, tmp_path, cli):
  out = tmp_path / 'cgan.stablehlo'
  status, said, _ = cli('--mode=export', f'--workdir={made_run("cgan")}',
                        f'--out={out}')
  assert status == 0 and 'generator of step 4 in' in said
  scope = {'jax': jax, 'pathlib': pathlib, 'z': np.ones((3, 4), np.float32),
           'label': np.array([0, 1, 2], np.int32)}
  exec(said.splitlines()[-1], scope)  # What it says loads and calls it.
  ours = Trained(made_run('cgan')).generator(scope['z'], scope['label'],
                                             dtype='float32')
  np.testing.assert_allclose(scope['images'], ours, rtol=0, atol=1e-5)
  loaded = jax.export.deserialize(out.read_bytes())
  assert loaded.platforms == ('cpu', 'cuda')
  np.testing.assert_allclose(
      loaded.call(scope['z'][:1], scope['label'][:1]), ours[:1], atol=1e-5)


@needs_onnx
def test_onnx_has_names_a_free_batch_and_what_the_run_is(made_run, tmp_path):
  out = str(tmp_path / 'a.onnx')
  said = export(made_run('cgan'), out)
  assert 'images [N, 8, 8, 1] float32 in [-1, 1] of z [N, 4] float' in said
  model = session(out)
  assert [(i.name, i.type, i.shape[1:]) for i in model.get_inputs()] == [
      ('z', 'tensor(float)', [4]), ('label', 'tensor(int32)', [])]
  assert isinstance(model.get_inputs()[0].shape[0], str)
  assert [o.name for o in model.get_outputs()] == ['images']
  found = model.get_modelmeta().custom_metadata_map
  assert (found['recipe'], found['step'], found['classes']) == (
      'cgan', '4', '[0, 1, 2]')
  assert json.loads(found['image_range']) == [-1, 1]
  assert json.loads(found['latent']) == {'name': 'normal', 'size': 4}


@needs_onnx
def test_of_points_and_without_labels_z_is_the_only_input(made_run, tmp_path):
  out = str(tmp_path / 'a.onnx')
  assert 'vectors [N, 2] float32 of z' in export(made_run('ring'), out)
  model, run = session(out), Trained(made_run('ring'))
  assert [i.name for i in model.get_inputs()] == ['z']
  z = run.latents(5)
  np.testing.assert_allclose(model.run(None, {'z': z})[0], run.generator(z),
                             atol=1e-4)


@needs_onnx
def test_images_that_differ_are_refused_and_nothing_is_written(
    made_run, tmp_path, monkeypatch):
  import jax2onnx
  convert = jax2onnx.to_onnx
  monkeypatch.setattr(jax2onnx, 'to_onnx', lambda f, *args, **kwargs: convert(
      lambda *x: f(*x) + 2e-4, *args, **kwargs))
  with pytest.raises(RequestError, match='differ by 0.0002, above 0.0001'):
    export(made_run('plain'), str(tmp_path / 'a.onnx'))
  assert names_in(tmp_path) == []


@pytest.mark.parametrize('columns_first', [False, True])
def test_safetensors_hold_the_average_by_name(made_run, tmp_path, monkeypatch,
                                              columns_first):
  out = str(tmp_path / 'a.safetensors')
  leaves = jax.tree_util.tree_leaves_with_path
  if columns_first:  # So a kernel may lie on a device.
    monkeypatch.setattr(jax.tree_util, 'tree_leaves_with_path', lambda tree: [
        (path, np.asfortranarray(leaf)) for path, leaf in leaves(tree)])
  export(made_run('cgan'), out)
  run = Trained(made_run('cgan'))
  with safetensors.safe_open(out, 'np') as file:
    names, meta = file.keys(), file.metadata()
    arrays = {name: file.get_tensor(name) for name in names}
  assert set(arrays) == {f'generator/params/Dense_{i}/{name}'
                         for i in range(2) for name in ('kernel', 'bias')}
  config = json.loads(meta['config'])
  assert config['generator']['conditioning'] == 'onehot'
  assert config['data']['path'] == 'grey.npz'
  assert meta['step'] == '4' and meta['version']
  params = unflatten_dict(arrays, sep='/')['generator']['params']
  z, label = run.latents(3), run.labels(3)
  np.testing.assert_allclose(
      sampling.generate(run.game.gen, Average(params, {}), z, label),
      run.generator(z, dtype='float32'), atol=1e-5)


def test_safetensors_hold_the_standing_statistics(made_run, tmp_path):
  out = str(tmp_path / 'a.safetensors')
  export(made_run('standing'), out)
  stats = Trained(made_run('standing')).average.stats
  with safetensors.safe_open(out, 'np') as file:
    found = {name: file.get_tensor(name) for name in file.keys()
             if name.startswith('generator/stats/')}
  wanted = flatten_dict(stats, sep='/')
  assert len(found) == 2
  for name, array in found.items():
    np.testing.assert_array_equal(
        array, wanted[name.removeprefix('generator/stats/')])


# The folder for a model hub.


@pytest.fixture(scope='module')
def hub(made_run, tmp_path_factory):
  """hub(name) -> the folder that was exported of a run."""
  pytest.importorskip('jax2onnx')
  base = tmp_path_factory.mktemp('hub')

  def exported(name):
    if not (base / name).exists():
      export(made_run(name), str(base / name))
    return base / name

  return exported


def drawn(folder, *args):
  """The picture that sample.py draws, in a process without JAX."""
  subprocess.run([sys.executable, '-P', folder / 'sample.py', '--out=grid.png',
                  *args], check=True, cwd=folder.parent)
  with Image.open(folder.parent / 'grid.png') as image:
    return np.asarray(image)


def test_the_folder_is_whole(hub):
  assert sorted(os.listdir(hub('cgan'))) == [
      'README.md', 'config.json', 'generator.onnx', 'labels.npy', 'sample.py',
      'samples.png', 'weights.safetensors']
  assert os.listdir(hub('cgan').parent).count('cgan') == 1
  assert not any('.tmp' in name for name in os.listdir(hub('cgan').parent))
  assert 'jax' not in (hub('cgan') / 'sample.py').read_text()


@pytest.mark.parametrize('name, said', [
    ('signals', 'images [N, 256, 2] float32 in [-1, 1] (in units of the data '
     '-1000 to 3000)'), ('volumes', '[N, 4, 6, 5, 1] float32 in [-1, 1].')])
def test_other_kinds_are_arrays(hub, made_run, name, said):
  folder = hub(name)
  card = ' '.join((folder / 'README.md').read_text().replace('`', '').split())
  assert said in card and 'pillow' not in card and 'samples.npy' in card
  out = folder.parent / f'{name}.npy'
  subprocess.run([sys.executable, '-P', folder / 'sample.py', '--seed=3',
                  f'--out={out}'], check=True)
  z = np.random.default_rng(3).normal(size=(64, 4))
  np.testing.assert_allclose(np.load(out), Trained(made_run(name)).generator(
      z, dtype='float32'), atol=1e-4)
  with Image.open(folder / 'samples.png') as image:
    assert np.asarray(image).std() > 0


def test_sample_py_takes_names_and_label_vectors(hub, made_run):
  bees, patients = (Trained(made_run(name)) for name in ('bees', 'patients'))
  z = np.random.default_rng(3).normal(size=(64, 4))
  for run, args, label in (
      (bees, ['--label=bee'], 'bee'), (bees, [], None),
      (patients, ['--label', '35', '1'], [35, 1]), (patients, [], None)):
    folder = hub(os.path.basename(run.folder))
    wanted = run.generator(z, label).reshape(8, 8, 8, 8).swapaxes(1, 2)
    found = drawn(folder, '--seed=3', *args)
    assert np.abs(found.astype(int) - wanted.reshape(64, 64)).max() <= 1
  card = (hub('patients') / 'README.md').read_text()
  assert '0 from 20 to 80, 1 from 0 to 1' in card and (
      '--label ' + ' '.join(f'{x:.6g}' for x in to_users(
          patients.drawn_labels[0], [LabelColumn('0', 20, 80),
                                     LabelColumn('1')]))) in card
  assert '`label` [N, 2] float32 in [0, 1]' in card
  card = (hub('bees') / 'README.md').read_text()
  assert 'classes ant, bee on demand' in card and '--label=bee' in card


def test_sample_py_draws_the_class_that_it_is_asked_for(hub, made_run):
  picture = drawn(hub('cgan'), '--label=1', '--seed=3')
  z = np.random.default_rng(3).normal(size=(64, 4))
  images = Trained(made_run('cgan')).generator(z, 1)
  want = images.reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
  assert np.abs(picture.astype(int) - want).max() <= 1
  assert picture.std() > 1
  assert (drawn(hub('cgan'), '--seed=3') != picture).any()


def test_sample_py_draws_noise(hub, made_run):
  picture = drawn(hub('styles'), '--seed=3')
  rng = np.random.default_rng(3)
  z, noise = (rng.normal(size=(64, size)).astype(np.float32)
              for size in (4, 16 + 2 * 64))
  images = np.asarray(Trained(made_run('styles')).function(
      z, np.zeros(64, np.int32), noise))
  want = images.reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
  want = np.clip(127.5 * (want + 1), 0, 255)
  assert np.abs(picture - want).max() <= 1 and picture.std() > 1
  card = ' '.join((hub('styles') / 'README.md').read_text().split())
  assert ('drawn from the prior normal, and `noise` [N, 144] float32, standard '
          'normal; its output') in card


def test_sample_py_plots_points(hub, made_run):
  picture = drawn(hub('ring'))
  assert picture.shape == (400, 400)
  assert 10 < (picture == 0).sum() <= 64
  # The box around the points is the picture.
  assert all(np.flatnonzero((picture == 0).any(axis))[[0, -1]].tolist()
             == [0, 399] for axis in (0, 1))


@needs_onnx
def test_the_card_says_how_it_was_made_and_how_good_it_is(
    copied_run, tmp_path):
  run = copied_run('cgan')
  (run / 'launches.jsonl').write_text(json.dumps({'step': 0, 'argv': [
      '/home/me/main.py', '--config', '/home/me/configs/cgan.py:quick',
      '--workdir=/home/me/x', '--config.loss.name=hinge', '--strict',
      '--config.data.path=/home/me/secret/a.npz']}) + '\n')
  row = dict(name='fd_random_2k_train', value=0.25, low=0.2, high=0.3, step=4,
             floor=0.0625)
  (run / 'scores.jsonl').write_text(
      json.dumps(row | dict(step=2, value=9.0)) + '\n' + json.dumps(row) + '\n')
  data = json.loads((run / 'data.json').read_text())
  (run / 'data.json').write_text(json.dumps(data | dict(licence='CC0-1.0')))
  export(run, str(tmp_path / 'hub/'))
  card = (tmp_path / 'hub' / 'README.md').read_text()
  for words in (
      '\npython -m gan_jax.main --config=cgan.py:quick '
      '--config.loss.name=hinge --config.data.path=a.npz\n',
      'licence CC0-1.0.', 'classes 0, 1, 2',
      '| fd_random_2k_train | 0.25 | 0.2 to 0.3 | 0.0625 | 4 |',
      'generator of images 8x8, grey', '## Limits',
      'python sample.py --seed=1 --label=2'):
    assert words in card, card
  assert '/home/me' not in card and '| 9 |' not in card
  config = json.loads((tmp_path / 'hub' / 'config.json').read_text())
  assert config['data']['path'] == 'grey.npz'


@pytest.mark.parametrize('name', lookup.names('gan_jax.game.latents'))
def test_numpy_draws_the_same_prior(name):
  latent = lookup.build('gan_jax.game.latents', dict(name=name))
  ours = np.asarray(sampling.latents(latent, jax.random.key(0), 4000))
  scope = {'np': np, 'rng': np.random.default_rng(0), 'n': 4000}
  exec(PRIORS[name].format(**{'size': 100} | lookup.defaults(
      'gan_jax.game.latents', name)), scope)
  theirs = scope['z']
  assert theirs.shape == ours.shape
  for statistic, tolerance in ((np.mean, 0.08), (np.std, 0.08)):
    np.testing.assert_allclose(statistic(theirs, 0), statistic(ours, 0),
                               atol=tolerance)
  np.testing.assert_allclose(
      np.std(np.linalg.norm(theirs, axis=1)),
      np.std(np.linalg.norm(ours, axis=1)), atol=0.05)
  np.testing.assert_allclose(np.quantile(theirs, [.01, .2, .8, .99]),
                             np.quantile(ours, [.01, .2, .8, .99]), atol=0.05)


# What cannot be had.


@needs_onnx
def test_a_table_has_no_folder(made_run, tmp_path):
  with pytest.raises(RequestError, match='makes tables; export F.onnx'):
    export(made_run('table'), str(tmp_path / 'a'))
  assert names_in(tmp_path) == []


@pytest.mark.parametrize('out, words', [
    ('a.pb', '.stablehlo, .onnx or .safetensors'),
    ('there.onnx', 'there.onnx exists; remove it'),
    ('there/', 'there/ exists; remove it'),
    ('there.onnx/a.safetensors', 'cannot write it'),
])
def test_what_cannot_be_written_is_status_2(
    cli, made_run, tmp_path, out, words):
  (tmp_path / 'there.onnx').write_text('mine')
  (tmp_path / 'there').mkdir()
  status, _, said = cli('--mode=export', f'--workdir={made_run("plain")}',
                        f'--out={tmp_path}/{out}')
  assert status == 2 and words in said, said
  assert names_in(tmp_path) == ['there', 'there.onnx']
  assert (tmp_path / 'there.onnx').read_text() == 'mine'


def test_without_a_run_a_checkpoint_or_a_name(cli, copied_run, tmp_path):
  status, _, said = cli('--mode=export', f'--workdir={tmp_path}')
  assert status == 2 and '--out' in said
  out = f'--out={tmp_path / "a.stablehlo"}'
  status, _, said = cli('--mode=export', f'--workdir={tmp_path / "no"}', out)
  assert status == 4 and 'config.json does not exist' in said
  run = copied_run('plain')
  array = next((run / 'checkpoints' / '4').rglob('d/*'))
  array.write_bytes(b'x' * array.stat().st_size)
  with pytest.raises(CheckpointError, match='damaged'):
    export(run, str(tmp_path / 'a.stablehlo'), strict=True)
  assert 'step 2' in export(run, str(tmp_path / 'a.safetensors'))
  for step in (2, 4):
    os.rename(run / 'checkpoints' / str(step), tmp_path / f'gone{step}')
  status, _, said = cli('--mode=export', f'--workdir={run}', out)
  assert status == 4 and 'no checkpoint' in said
  assert not (tmp_path / 'a.stablehlo').exists()


@pytest.mark.parametrize('module', ['jax2onnx', 'onnxruntime'])
@pytest.mark.parametrize('out', ['a.onnx', 'folder'])
def test_a_converter_that_is_not_installed(
    made_run, tmp_path, monkeypatch, module, out):
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(RequestError, match='pip install jax2onnx onnxruntime'):
    export(made_run('plain'), str(tmp_path / out))
  assert names_in(tmp_path) == []


OWN = '''
import jax
import jax.numpy as jnp
from flax import linen as nn


class Generator(nn.Module):
  image_shape: tuple

  @nn.compact
  def __call__(self, z, label, *, train):
    x = nn.Dense(64)(z)
    x = jax.pure_callback(lambda x: x, jax.typeof(x), x)
    return jnp.tanh(x).reshape(-1, *self.image_shape)


def prior(size=4):
  return jax.vmap(lambda key: jax.random.laplace(key, (size,)))
'''


@needs_onnx
def test_operations_and_priors_that_others_lack(
    made_run, copied_run, tmp_path, monkeypatch):
  (tmp_path / 'code').mkdir()
  (tmp_path / 'code' / 'export_nets.py').write_text(OWN)
  monkeypatch.syspath_prepend(tmp_path / 'code')
  run = copied_run('plain')
  config = json.loads((run / 'config.json').read_text())
  prior = config | dict(latent=dict(name='export_nets:prior', size=4))
  (run / 'config.json').write_text(json.dumps(prior))
  with pytest.raises(RequestError, match='export_nets:prior is not known how'):
    export(run, str(tmp_path / 'hub'))
  config['generator'] = {'name': 'export_nets:Generator'}
  (run / 'config.json').write_text(json.dumps(config))
  average = some_average(Trained(run).game.gen, 4)
  monkeypatch.setattr(Trained, 'state', SimpleNamespace(ema=average, step=4))
  for out, program in (('a.onnx', 'jax2onnx'), ('a.stablehlo', 'jax.export')):
    with pytest.raises(RequestError, match=(
        f'{program} cannot convert .* export_nets:Generator: .*allback')):
      export(run, str(tmp_path / out))
  monkeypatch.setattr(jax, '__version_info__', (0, 11, 2))
  monkeypatch.setattr('importlib.metadata.version', lambda name: '0.13.0')
  with pytest.raises(RequestError, match='--no-deps jax2onnx==0.17.1'):
    export(run, str(tmp_path / 'a.onnx'))
  assert names_in(tmp_path) == ['code', 'run']
