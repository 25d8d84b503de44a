"""--mode=explore: directions, the folder, refusals; its page, by clicking."""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import time

import browser
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from PIL import Image
from scipy.stats import norm
from untrained import write_run
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
  vars(run)['function'] = lambda z, label: jnp.pad(
      z @ w, ((0, 0), (0, 62))).reshape(-1, 8, 8, 1)
  found = explore.directions(run)
  assert found.layer == '' and found.steps.shape == (2, 4)
  assert np.abs(found.steps - np.eye(4)[[0, 2]]).max() < 0.05


@pytest.fixture(scope='module')
def infogan(tmp_path_factory):
  base = tmp_path_factory.mktemp('infogan')
  return write_run(tiny.config(
      tiny.write_images(base / 'colour.npz', size=70, channels=3, classes=0),
      latent=dict(name='infogan', categories=(3, 2), continuous=2, noise=4)),
                   base / 'run')


def test_codes_stand_still(infogan):
  steps = explore.directions(Trained(infogan)).steps
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
  # Nothing but what lies beside it.
  assert set(re.findall(r'(?:src|href)="(.*?)"', page)) == {
      'explore.css', 'ort.wasm.min.js', 'runtime.js', 'data.js', 'explore.js'}
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
  again = explore.explore(str(made_run('plain')), str(tmp_path / 'plain'))
  assert 'plain/index.html' in again
  assert 'radio' not in (tmp_path / 'plain' / 'index.html').read_text()


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


# The page.


@pytest.fixture(scope='module')
def explorer(tmp_path_factory):
  """explorer(run) -> the url of its page, and what draws its images."""
  pytest.importorskip('jax2onnx')
  if not browser.CHROMIUM:
    pytest.skip('needs chromium')
  base = tmp_path_factory.mktemp('pages')

  def made(run):
    import onnxruntime
    out = base / os.path.basename(run)
    if not out.exists():
      try:
        with pytest.MonkeyPatch.context() as patch:
          patch.setenv('GAN_JAX_CACHE', str(base))  # Got once for all tests.
          explore.explore(str(run), str(out))
      except RequestError as e:
        if 'cannot get' in str(e):
          pytest.skip(str(e))
        raise
    data = json.loads((out / 'data.js').read_text()[len('const DATA = '):-2])
    session = onnxruntime.InferenceSession(
        base64.b64decode(data['model']), providers=['CPUExecutionProvider'])
    return out.as_uri() + '/index.html', session

  return made


def shown(page, session):
  """(z, label), once the picture on the page is what onnxruntime draws."""
  page.until('window.explorer?.ready')
  page.eval('explorer.show()')
  z, label, images, pixels = page.eval('''[
      [...explorer.z], explorer.label, [...explorer.images],
      [...paint.getImageData(0, 0, W, H).data]]''')
  given = {'z': np.float32([z]), 'label': np.array(
      [label], np.float32 if isinstance(label, list) else np.int32),
           'noise': np.float32([page.eval('DATA.noise')])}
  ours, = session.run(None, {i.name: given[i.name]
                             for i in session.get_inputs()})
  np.testing.assert_allclose(images, ours.ravel(), atol=1e-4)
  _, height, width, channels = ours.shape
  rgba = np.reshape(pixels, (height, width, 4))
  want = np.broadcast_to(np.clip((ours[0] + 1) * 127.5, 0, 255),
                         (height, width, 3))
  assert np.abs(rgba[..., :3] - want).max() <= 0.51
  assert (rgba[..., 3] == 255).all() and rgba[..., :3].std() > 1
  return np.array(z), label


@pytest.mark.slow
def test_label_vectors_by_sliders(explorer, made_run, tmp_path):
  url, session = explorer(made_run('patients'))
  with browser.opened(url, tmp_path) as page:
    _, label = shown(page, session)
    np.testing.assert_allclose(
        label, Trained(made_run('patients')).labels(1)[0])
    for name, value in (('label0', 35), ('label1', 1)):
      page.eval(f'''(slider => {{slider.value = {value};
                       slider.dispatchEvent(new Event("input"))}})(
                       document.getElementById("{name}"))''')
    _, label = shown(page, session)
    np.testing.assert_allclose(label, [0.25, 1], atol=0.01)
    page.click('#save-a')
    page.eval('''(slider => {slider.value = 65;
                  slider.dispatchEvent(new Event("input"))})(
                  document.getElementById("label0"))''')
    page.click('#save-b')
    page.click('#path')  # Its middle.
    _, label = shown(page, session)
    np.testing.assert_allclose(label, [0.5, 1], atol=0.02)


@pytest.mark.slow
def test_all_have_the_same_noise(explorer, made_run, tmp_path):
  url, session = explorer(made_run('styles'))
  assert [i.name for i in session.get_inputs()] == ['z', 'noise']
  with browser.opened(url, tmp_path) as page:
    a, _ = shown(page, session)
    page.click('#random')
    assert np.abs(shown(page, session)[0] - a).max() > 0.01


@pytest.mark.slow
def test_by_clicking(explorer, made_run, tmp_path):
  url, session = explorer(made_run('cgan'))
  steps = np.float32(explore.directions(Trained(made_run('cgan'))).steps)
  with browser.opened(url, tmp_path) as page:
    a, label = shown(page, session)
    assert label == 0
    page.click('#random')
    z, _ = shown(page, session)
    assert np.abs(z - a).max() > 0.01
    page.click('.choice:nth-of-type(3) span')  # The class 2.
    same, label = shown(page, session)
    assert label == 2 and (same == z).all()
    # A slider, by mouse and by key.
    page.click('#direction1')
    page.key('ArrowRight')
    moved, _ = shown(page, session)
    amount = page.eval('Number(document.getElementById("direction1").value)')
    assert 0 < abs(amount) < 0.5
    np.testing.assert_allclose(moved, z + amount * steps[1], atol=1e-4)
    # Locked, Random moves the sliders only.
    page.click('#lock')
    page.click('#random')
    locked, _ = shown(page, session)
    amounts = page.eval('explorer.where().amounts')
    assert all(amounts)
    np.testing.assert_allclose(locked, z + amounts @ steps, atol=1e-4)
    page.click('#reset')
    assert (shown(page, session)[0] == z).all()
    page.click('#lock')
    # From A, the class 2, to B, the class 1.
    page.click('#save-a')
    page.click('#random')
    page.key('1')
    end, label = shown(page, session)
    assert label == 1
    page.click('#save-b')
    page.click('#path')  # Its middle.
    middle, _ = shown(page, session)
    sizes = np.linalg.norm(z), np.linalg.norm(end)
    direction = z / sizes[0] + end / sizes[1]
    np.testing.assert_allclose(
        middle, direction / np.linalg.norm(direction) * np.mean(sizes),
        atol=0.03)
    page.click('#go-a')
    back, label = shown(page, session)
    assert label == 2 and (back == z).all()
    drawn = page.eval('explorer.drawn')
    page.click('#play')
    page.until('document.getElementById("rate").textContent')
    page.click('#play')
    page.until('document.getElementById("play").ariaPressed === "false"')
    assert page.eval('explorer.drawn') > drawn + 5
    # Truncation keeps quantiles.
    page.click('#go-a')
    page.eval('''(slider => {slider.value = 1;
                  slider.dispatchEvent(new Event("input"))})(
                  document.getElementById("truncation"))''')
    bounded, _ = shown(page, session)
    low, high = norm.cdf([-1, 1])
    np.testing.assert_allclose(
        bounded, norm.ppf(low + norm.cdf(z) * (high - low)), atol=1e-4)
    # Keys: sliders, random, and Space on the page, not on a button.
    for key in ('ArrowDown', 'ArrowDown', 'ArrowRight'):
      page.key(key)
    assert page.eval('document.activeElement.id') == 'direction3'
    page.key(' ', 'Space')
    assert np.abs(shown(page, session)[0] - bounded).max() > 0.01
    # What is downloaded is the picture.
    page.click('#download')
    end = time.monotonic() + 60
    while not (files := list(tmp_path.glob('*.png'))):
      assert time.monotonic() < end
      time.sleep(0.05)
    pixels = page.eval('[...paint.getImageData(0, 0, W, H).data]')
    with Image.open(files[0]) as image:
      assert (np.asarray(image.convert('RGBA')).ravel() == pixels).all()


@pytest.mark.slow
def test_other_priors(explorer, made_run, tmp_path):
  url, session = explorer(made_run('cgan'))
  with browser.opened(url, tmp_path) as page:
    shown(page, session)

    def prior(name, size, **latent):
      latent |= {'name': name, 'size': size}
      return np.array(page.eval(
          f'(Object.assign(latent, {json.dumps(latent)}), '
          'Array.from({length: 3000}, drawn))'))

    def truncated(bound, z):
      return np.array(page.eval(
          f'(document.getElementById("truncation").value = {bound}, '
          f'truncated({json.dumps(z.tolist())}))'))

    z = prior('normal', 2)
    assert np.abs([z.mean(0), z.std(0) - 1]).max() < 0.1
    z = prior('sphere', 2)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), np.sqrt(2))
    np.testing.assert_allclose(page.eval('fitted([3, 4])'),
                               np.sqrt(2) * np.array([0.6, 0.8]))
    z = prior('uniform', 2)
    assert (np.abs(z.std(0) - 1 / np.sqrt(3)) < 0.03).all()
    assert page.eval('fitted([2, -0.5])') == [1, -0.5]
    np.testing.assert_allclose(truncated(0.4, z[0]), 0.4 * z[0])
    z = prior('truncated_normal', 2, bound=1.5)
    assert 1.3 < np.abs(z).max() <= 1.5
    assert page.eval('fitted([-2, 0.5])') == [-1.5, 0.5]
    outer, inner = (norm.cdf([-b, b]) for b in (1.5, 0.5))
    quantile = (norm.cdf(z[0]) - outer[0]) / np.ptp(outer)
    np.testing.assert_allclose(
        truncated(0.5, z[0]), norm.ppf(inner[0] + quantile * np.ptp(inner)),
        atol=1e-4)
    assert page.eval('DATA.pool = [[7]], drawn()') == [7]


@pytest.mark.slow
def test_infogan_on_a_phone(explorer, infogan, tmp_path):
  url, session = explorer(infogan)
  with browser.opened(url, tmp_path, width=375, height=812) as page:
    z, _ = shown(page, session)
    assert page.eval('document.documentElement.scrollWidth') == 375
    assert sorted(z[:3]) == [0, 0, 1] and sorted(z[3:5]) == [0, 1]
    assert np.abs(z[5:7]).max() <= 1
    page.click('fieldset:nth-of-type(1) .choice:nth-of-type(2) span')
    page.click('fieldset:nth-of-type(2) .choice:nth-of-type(2) span')
    page.click('#code1')  # Its middle.
    coded, _ = shown(page, session)
    assert list(coded[:5]) == [0, 1, 0, 0, 1] and abs(coded[6]) < 0.05
    np.testing.assert_allclose(coded[7:], z[7:])
    # A finger on the picture moves the slider that was touched last.
    page.click('#direction0')
    before = page.eval('explorer.where().amounts[0]')
    page.drag('#image', 60)
    width = page.eval('document.getElementById("image").clientWidth')
    after = page.eval('explorer.where().amounts[0]')
    assert abs(after - before - 6 * 60 / width) < 0.06
    assert not (shown(page, session)[0][7:] == coded[7:]).all()
    # Half way, codes are one-hot too.
    page.click('#path')
    codes = shown(page, session)[0][:5]
    assert sorted(codes[:3]) == [0, 0, 1] and sorted(codes[3:]) == [0, 1]
