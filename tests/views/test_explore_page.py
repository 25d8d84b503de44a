"""--mode=explore: its page, by clicking."""

import base64
import json
import os
import time

import browser
import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm

from gan_jax.base.errors import RequestError
from gan_jax.views import explore
from gan_jax.views.trained import Trained


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


@pytest.fixture
def opened(explorer, made_run, tmp_path):
  """The page of cgan in a browser, and what draws its images."""
  url, session = explorer(made_run('cgan'))
  with browser.opened(url, tmp_path) as page:
    page.until('window.explorer?.ready')
    yield page, session


def slide(page, name, value):
  """Moves the slider of some id to a value."""
  page.eval(f'''(slider => {{slider.value = {value};
                  slider.dispatchEvent(new Event("input"))}})(
                  document.getElementById("{name}"))''')


@pytest.mark.slow
def test_all_have_the_same_noise(explorer, made_run, tmp_path):
  url, session = explorer(made_run('styles'))
  assert [i.name for i in session.get_inputs()] == ['z', 'noise']
  with browser.opened(url, tmp_path) as page:
    first, _ = shown(page, session)
    page.click('#random')
    assert np.abs(shown(page, session)[0] - first).max() > 0.01


@pytest.mark.slow
def test_random_draws_and_a_class_does_not(opened):
  page, session = opened
  first, label = shown(page, session)
  assert label == 0
  page.click('#random')
  z, _ = shown(page, session)
  assert np.abs(z - first).max() > 0.01
  page.click('.choice:nth-of-type(3) span')  # The class 2.
  same, label = shown(page, session)
  assert label == 2 and (same == z).all()


@pytest.mark.slow
def test_sliders_move_along_the_directions(opened, made_run):
  page, session = opened
  steps = np.float32(explore.directions(Trained(made_run('cgan'))).steps)
  z, _ = shown(page, session)
  # By mouse and by key.
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


@pytest.mark.slow
def test_the_way_from_a_to_b(opened):
  """From the class 2 to the class 1, by its middle, back, and as a film."""
  page, session = opened
  page.click('.choice:nth-of-type(3) span')
  start, _ = shown(page, session)
  page.click('#save-a')
  page.click('#random')
  page.key('1')
  end, label = shown(page, session)
  assert label == 1
  page.click('#save-b')
  page.click('#path')  # Its middle.
  middle, _ = shown(page, session)
  sizes = np.linalg.norm(start), np.linalg.norm(end)
  direction = start / sizes[0] + end / sizes[1]
  np.testing.assert_allclose(
      middle, direction / np.linalg.norm(direction) * np.mean(sizes),
      atol=0.03)
  page.click('#go-a')
  back, label = shown(page, session)
  assert label == 2 and (back == start).all()
  drawn = page.eval('explorer.drawn')
  page.click('#play')
  page.until('document.getElementById("rate").textContent')
  page.click('#play')
  page.until('document.getElementById("play").ariaPressed === "false"')
  assert page.eval('explorer.drawn') > drawn + 5


@pytest.mark.slow
def test_truncation_keeps_quantiles(opened):
  page, session = opened
  z, _ = shown(page, session)
  slide(page, 'truncation', 1)
  bounded, _ = shown(page, session)
  low, high = norm.cdf([-1, 1])
  np.testing.assert_allclose(
      bounded, norm.ppf(low + norm.cdf(z) * (high - low)), atol=1e-4)


@pytest.mark.slow
def test_keys_choose_a_slider_and_space_draws(opened):
  page, session = opened
  z, _ = shown(page, session)
  page.click('#direction1')
  for key in ('ArrowDown', 'ArrowDown', 'ArrowRight'):
    page.key(key)
  assert page.eval('document.activeElement.id') == 'direction3'
  page.key(' ', 'Space')  # On the page, not on a button.
  assert np.abs(shown(page, session)[0] - z).max() > 0.01


@pytest.mark.slow
def test_what_is_downloaded_is_the_picture(opened, tmp_path):
  page, _ = opened
  page.click('#download')
  end = time.monotonic() + 60
  while not (files := list(tmp_path.glob('*.png'))):
    assert time.monotonic() < end
    time.sleep(0.05)
  pixels = page.eval('[...paint.getImageData(0, 0, W, H).data]')
  with Image.open(files[0]) as image:
    assert (np.asarray(image.convert('RGBA')).ravel() == pixels).all()


@pytest.mark.slow
def test_label_vectors_by_sliders(explorer, made_run, tmp_path):
  url, session = explorer(made_run('patients'))
  with browser.opened(url, tmp_path) as page:
    _, label = shown(page, session)
    np.testing.assert_allclose(
        label, Trained(made_run('patients')).labels(1)[0])
    slide(page, 'label0', 35)
    slide(page, 'label1', 1)
    _, label = shown(page, session)
    np.testing.assert_allclose(label, [0.25, 1], atol=0.01)
    page.click('#save-a')
    slide(page, 'label0', 65)
    page.click('#save-b')
    page.click('#path')  # Its middle.
    _, label = shown(page, session)
    np.testing.assert_allclose(label, [0.5, 1], atol=0.02)


@pytest.mark.slow
def test_other_priors(opened):
  page, _ = opened

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
def test_infogan_on_a_phone(explorer, made_run, tmp_path):
  url, session = explorer(made_run('infogan'))
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
