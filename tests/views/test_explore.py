"""--mode=explore: directions, the folder, refusals."""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from written import names_in

from gan_jax.base.errors import CheckpointError, RequestError
from gan_jax.views import explore
from gan_jax.views.trained import Trained

# Directions.


def by_hand(features, z, count):
  """Components by the covariance, and one least-squares fit for each."""
  features, z = np.float64(features), z - z.mean(0)
  values, vectors = np.linalg.eigh(features.T @ features / len(z))
  fits = []
  for k in range(1, count + 1):
    x = features @ vectors[:, -k:][:, :1] / np.sqrt(values[-k])
    fits.append(np.linalg.lstsq(x, z, rcond=None)[0][0])
  return np.array(fits), values[::-1][:count] / values.sum()


def same_lines(ours, theirs):
  """Equal but for the sign; ours has its largest entry above 0."""
  signs = np.sign(np.sum(ours * theirs, 1, keepdims=True))
  np.testing.assert_allclose(ours, signs * theirs, atol=2e-4)
  assert (ours.max(1) == np.abs(ours).max(1)).all()


def test_principal_is_pca_and_least_squares():
  rng = np.random.default_rng(0)
  z = rng.normal(size=(500, 6)).astype(np.float32)
  features = np.tanh(z @ rng.normal(size=(6, 20)).astype(np.float32))
  features -= features.mean(0)
  steps, shares = explore.principal(features, z)
  assert steps.shape == (6, 6)
  theirs, their_shares = by_hand(features, z, 6)
  same_lines(steps, theirs)
  np.testing.assert_allclose(shares, their_shares, rtol=1e-3)


def test_of_a_linear_layer_they_are_its_singular_vectors():
  rng = np.random.default_rng(0)
  z = rng.normal(size=(200_000, 3)).astype(np.float32)
  u, _ = np.linalg.qr(rng.normal(size=(3, 3)))
  w = np.float32(u * [3.0, 2.0, 1.0] @ np.eye(3, 7))
  steps, shares = explore.principal(z @ w, z)
  assert np.abs(np.abs(steps @ u) - np.eye(3)).max() < 0.02
  np.testing.assert_allclose(shares, np.array([9, 4, 1]) / 14, atol=0.01)


def test_the_first_layer_is_found_and_classes_are_taken_out(made_run):
  run = Trained(made_run('cgan'))
  found = explore.directions(run)
  assert found.layer == 'Dense_0'
  kernel = run.params['generator']['Dense_0']['kernel'][:4]
  z, label = run.latents(4096), run.labels(4096)
  features = z @ np.asarray(kernel)
  for value in (0, 1, 2):
    features[label == value] -= features[label == value].mean(0)
  theirs, shares = by_hand(features, z, 4)
  same_lines(found.steps, theirs)
  np.testing.assert_allclose(found.shares, shares, rtol=1e-3)


def test_what_is_linear_in_a_label_vector_is_taken_out(made_run):
  run = Trained(made_run('patients'))
  found = explore.directions(run)
  assert found.layer == 'Dense_0'
  kernel = np.asarray(run.params['generator']['Dense_0']['kernel'][:4])
  z, label = run.latents(4096), run.labels(4096)
  features, known = z @ kernel, np.column_stack([np.ones(4096), label])
  fitted = known @ np.linalg.pinv(known) @ features  # The layer is linear.
  theirs, shares = by_hand(features - fitted, z, 4)
  same_lines(found.steps, theirs)
  np.testing.assert_allclose(found.shares, shares, rtol=1e-3)


def test_of_a_network_without_layers_they_are_of_the_images(made_run):
  run = Trained(made_run('plain'))
  w = np.float32([[3, 0], [0, 0], [0, 1], [0, 0]])
  vars(run)['function'] = partial(lambda w, z, label: jnp.pad(
      z @ w, ((0, 0), (0, 62))).reshape(-1, 8, 8, 1), w)
  found = explore.directions(run)
  assert found.layer == '' and found.steps.shape == (2, 4)
  assert np.abs(found.steps - np.eye(4)[[0, 2]]).max() < 0.05


def test_the_weights_are_no_constants_of_what_is_compiled(
    made_run, monkeypatch):
  run, seen, layers = Trained(made_run('plain')), [], explore._layers

  def watched(function, weights, *inputs):
    seen.extend(jax.tree.leaves(weights))
    return layers(function, weights, *inputs)

  monkeypatch.setattr(explore, '_layers', watched)
  explore.directions(run)
  assert all(isinstance(x, jax.core.Tracer) for x in seen)
  wanted = [x.shape for x in jax.tree.leaves(run.average)]
  assert [x.shape for x in seen] == wanted * 2 and len(wanted) > 1


def test_codes_stand_still(made_run):
  steps = explore.directions(Trained(made_run('infogan'))).steps
  assert np.abs(steps[:, :7]).max() < 1e-6
  assert np.abs(steps[:, 7:]).max(1).min() > 0.1


# The folder.


def test_the_folder_is_whole(made_run, tmp_path, monkeypatch, cli):
  pytest.importorskip('jax2onnx')
  parts = {'ort.wasm.min.js': b'ort', 'ort-wasm-simd-threaded.mjs': b'"glue"',
           'ort-wasm-simd-threaded.wasm': b'\0wasm'}
  packed = io.BytesIO()
  with tarfile.open(fileobj=packed, mode='w:gz') as tar:
    for name, data in parts.items():
      entry = tarfile.TarInfo(f'package/dist/{name}')
      entry.size = len(data)
      tar.addfile(entry, io.BytesIO(data))
  monkeypatch.setattr(explore, '_SHA512', base64.b64encode(
      hashlib.sha512(packed.getvalue()).digest()).decode())
  # A registry that is a folder.
  (tmp_path / 'onnxruntime-web' / '-').mkdir(parents=True)
  package = tmp_path / 'onnxruntime-web' / '-' / explore._PACKAGE
  package.write_bytes(packed.getvalue())
  monkeypatch.setenv('npm_config_registry', tmp_path.as_uri())
  out = tmp_path / 'page'
  status, said, _ = cli('--mode=explore', f'--workdir={made_run("cgan")}',
                        f'--out={out}')
  assert status == 0 and f'step 4 in {out}/index.html: open it' in said
  package.unlink()  # From now on it is in the cache.
  assert sorted(os.listdir(out)) == [
      'data.js', 'explore.css', 'explore.js', 'index.html',
      'onnxruntime-LICENSE', 'onnxruntime-ThirdPartyNotices.txt',
      'ort.wasm.min.js', 'runtime.js']
  assert not [name for name in os.listdir(tmp_path) if name.endswith('.tmp')]
  data = json.loads((out / 'data.js').read_text()[len('const DATA = '):-2])
  assert data['latent'] == {'name': 'normal', 'size': 4}
  assert (data['shape'], data['classes']) == ([8, 8, 1], [0, 1, 2])
  assert np.shape(data['directions']) == (4, 4) and 'pool' not in data
  model = tmp_path / 'a.onnx'
  cli('--mode=export', f'--workdir={made_run("cgan")}', f'--out={model}')
  assert base64.b64decode(data['model']) == model.read_bytes()
  runtime = json.loads((out / 'runtime.js').read_text()[len('const RUNTIME = '):
                                                        -2])
  assert runtime['glue'] == '"glue"'
  assert gzip.decompress(base64.b64decode(runtime['wasm'])) == b'\0wasm'
  assert 'MIT License' in (out / 'onnxruntime-LICENSE').read_text()
  page = (out / 'index.html').read_text()
  assert page.count('type="radio"') == 3 and 'output of Dense_0' in page
  assert 'id="truncation"' in page
  # Nothing but what lies beside it.
  assert set(re.findall(r'(?:src|href)="(.*?)"', page)) == {
      'explore.css', 'ort.wasm.min.js', 'runtime.js', 'data.js', 'explore.js'}


def test_the_page_asks_for_what_the_generator_takes(
    made_run, tmp_path, monkeypatch):
  pytest.importorskip('jax2onnx')
  monkeypatch.setattr(explore, '_runtime', lambda folder: {})
  monkeypatch.setattr(explore.export, 'onnx_of', lambda run: (b'a model', ''))
  explore.explore(str(made_run('patients')), str(tmp_path / 'patients'))
  data = (tmp_path / 'patients' / 'data.js').read_text()
  assert '"columns": [["0", 20.0, 80.0], ["1", 0.0, 1.0]]' in data
  page = (tmp_path / 'patients' / 'index.html').read_text()
  assert page.count('data-kind="label"') == 2 and 'max="80.0"' in page
  assert '"noise": null' in data
  explore.explore(str(made_run('styles')), str(tmp_path / 'styles'))
  data = (tmp_path / 'styles' / 'data.js').read_text()
  noise = json.loads(data[len('const DATA = '):-2])['noise']
  assert len(noise) == 144 and 0.8 < np.std(noise) < 1.2
  # Truncation of styles is another one than that of z.
  page = (tmp_path / 'styles' / 'index.html').read_text()
  assert 'id="truncation"' not in page and 'radio' not in page


# What cannot be had.


def test_refusals_leave_nothing_behind(
    made_run, copied_run, tmp_path, monkeypatch, cli):
  pytest.importorskip('jax2onnx')
  monkeypatch.setenv('npm_config_registry', (tmp_path / 'none').as_uri())
  out = tmp_path / 'page'
  status, _, said = cli('--mode=explore')
  assert status == 2 and '--workdir' in said
  status, _, said = cli('--mode=explore', f'--workdir={made_run("plain")}',
                        f'--out={out}')
  assert status == 2 and re.search(
      r'cannot get file://.*none/onnxruntime-web/-/onnxruntime-web-\S+\.tgz: '
      r'.*; `npm pack onnxruntime-web@1\.\S+` gets \S+ \(33 MB\) elsewhere: '
      rf'put it into {tmp_path}/cache\n', said), said
  with monkeypatch.context() as alone:
    alone.delenv('npm_config_registry')
    alone.setattr(explore.shutil, 'which', lambda _: None)
    with pytest.raises(RequestError, match='no npm .*`npm pack onnxruntime-w'):
      explore.explore(str(made_run('plain')), str(out))
  with pytest.raises(RequestError, match=r'1, 3 or 4 channels.* are \[2\]'):
    explore.explore(str(made_run('ring')), str(out))
  (tmp_path / 'there').mkdir()
  with pytest.raises(RequestError, match='there exists; remove it'):
    explore.explore(str(made_run('plain')), f'{tmp_path}/there/')
  other = tmp_path / 'none' / 'onnxruntime-web' / '-' / explore._PACKAGE
  other.parent.mkdir(parents=True)
  other.write_bytes(b'another file')
  with pytest.raises(RequestError, match='not the file that is known'):
    explore.explore(str(made_run('plain')), str(out))
  assert not (tmp_path / 'cache').exists()
  run = copied_run('plain')
  for step in (2, 4):
    os.rename(run / 'checkpoints' / str(step), tmp_path / f'gone{step}')
  monkeypatch.setattr(explore, '_runtime', lambda folder: {})
  with pytest.raises(CheckpointError, match='no checkpoint'):
    explore.explore(str(run), str(out))
  assert names_in(tmp_path) == ['gone2', 'gone4', 'none', 'run', 'there']
