"""--mode=sample: what is in the files, and what cannot be asked for."""

import functools
import json
import os

import numpy as np
import pytest
import tiny
from PIL import Image
from recipes import parsed

from gan_jax import main, pictures
from gan_jax.config import experiment
from gan_jax.run import evaluator, train

pytestmark = tiny.READS_CONFIGS


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Folders of a conditional run with classes 0, 1, 2 and of plain ones."""
  base = tmp_path_factory.mktemp('runs')
  path = tiny.write_images(base / 'noise.npz')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train._Loop, 'draw', lambda self: None)
    for name in ('cgan', 'original_gan'):
      assert main.main([
          'main', f'--config=configs/{name}.py:data=npz,latent=normal,quick',
          f'--config.data.path={path}', f'--workdir={base / name}',
          '--config.latent.size=4']) == 0
    assert main.main([
        'main', '--config=configs/infogan.py:data=npz,quick',
        f'--config.data.path={path}', f'--workdir={base / "infogan"}']) == 0
  return base


@pytest.fixture
def sample(cli, runs, tmp_path):
  """Samples from a run into an npz: (images, labels)."""
  def run(name, *args):
    out = tmp_path / 'out.npz'
    status, _, said = cli('--mode=sample', f'--workdir={runs / name}',
                          f'--out={out}', *args)
    assert status == 0, said
    with np.load(out) as file:
      assert sorted(file) == ['images', 'labels']
      return file['images'], file['labels']

  return run


def test_samples_in_an_npz_are_uint8_and_a_function_of_the_seed(sample):
  images, labels = sample('cgan', '--num_samples=7')
  assert (images.shape, images.dtype) == ((7, 8, 8, 1), np.uint8)
  assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
  assert images.std() > 1
  again, _ = sample('cgan', '--num_samples=7', '--seed=0')
  np.testing.assert_array_equal(images, again)
  other, _ = sample('cgan', '--num_samples=7', '--seed=1')
  assert (images != other).any()
  # More samples do not change the first ones.
  more, _ = sample('cgan', '--num_samples=11')
  np.testing.assert_array_equal(more[:7], images)


def test_a_class_on_demand(sample):
  everything, _ = sample('cgan', '--num_samples=6')
  two, labels = sample('cgan', '--num_samples=6', '--label=2')
  assert labels.tolist() == [2] * 6
  np.testing.assert_array_equal(two[2], everything[2])
  np.testing.assert_array_equal(two[5], everything[5])
  assert (two[0] != everything[0]).any()


def test_truncation_reaches_the_latents(sample):
  usual, _ = sample('original_gan', '--num_samples=32')
  tight, _ = sample('original_gan', '--num_samples=32', '--truncation=0.06')
  spread = usual.astype(float).std(0).mean(), tight.astype(float).std(0).mean()
  assert spread[1] < 0.5 * spread[0]


def test_interpolation_goes_from_the_sample_to_another(sample):
  plain, _ = sample('cgan', '--num_samples=2')
  paths, labels = sample('cgan', '--num_samples=2', '--interpolate=5')
  assert paths.shape[0] == 10
  assert labels.tolist() == [0] * 5 + [1] * 5
  for row in range(2):
    assert np.abs(paths[5 * row].astype(int) - plain[row]).max() <= 1
    steps = np.abs(np.diff(paths[5 * row:5 * row + 5].astype(float),
                           axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0).all()


def test_samples_come_from_the_average_in_the_newest_checkpoint(
    sample, runs, monkeypatch):
  seen = []
  images = evaluator.Sampler.images

  def spy(self, average, z, label):
    seen.append(average)
    return images(self, average, z, label)

  monkeypatch.setattr(evaluator.Sampler, 'images', spy)
  sample('cgan', '--num_samples=2')
  config = parsed(
      '--config=configs/cgan.py:data=npz,latent=normal,quick',
      f'--config.data.path={runs / "noise.npz"}', '--config.latent.size=4')
  state = tiny.saved(experiment.load(config), runs / 'cgan', 4)
  average, = seen
  assert tiny.digest(average) == tiny.digest(state.ema)
  assert tiny.digest(average.params) != tiny.digest(
      state.gen.params)


def test_png_gif_and_folder(cli, runs, tmp_path):
  ask = functools.partial(cli, '--mode=sample', f'--workdir={runs / "cgan"}')
  assert ask('--num_samples=6', f'--out={tmp_path / "a.png"}')[0] == 0
  picture = pictures.read_png((tmp_path / 'a.png').read_bytes())
  assert picture.ndim == 3 and picture.shape[1] > picture.shape[0]  # 2 x 3
  for extra in ([], ['--interpolate=4']):
    path = tmp_path / f'film{len(extra)}.gif'
    assert ask('--num_samples=5', f'--out={path}', *extra)[0] == 0
    with Image.open(path) as film:
      assert film.n_frames == (4 if extra else 5)
  folder = tmp_path / 'folder'
  assert ask('--num_samples=3', '--label=1', f'--out={folder}')[0] == 0
  assert sorted(os.listdir(folder)) == [
      f'00000{i}_class1.png' for i in range(3)]
  assert pictures.read_png((folder / '000000_class1.png').read_bytes()
                        ).shape[:2] == (8, 8)
  status, printed, _ = ask('--num_samples=4')
  assert status == 0
  assert printed == f'4 images of step 4 in {runs / "cgan" / "samples.png"}\n'
  assert (runs / 'cgan' / 'samples.png').exists()


def test_images_in_0_1_are_scaled_as_well(cli, tmp_path, monkeypatch):
  monkeypatch.setattr(train._Loop, 'draw', lambda self: None)
  path = tiny.write_images(tmp_path / 'noise.npz')
  folder = tmp_path / 'run'
  assert cli('--config=configs/critic_mlp.py:data=npz,quick',
             f'--config.data.path={path}', f'--workdir={folder}')[0] == 0
  out = tmp_path / 'out.npz'
  assert cli('--mode=sample', f'--workdir={folder}', f'--out={out}')[0] == 0
  with np.load(out) as file:
    # A sigmoid near its middle: grey, not the 3/4 white of a wrong range.
    assert abs(file['images'].mean() - 127.5) < 25
    assert file['images'].shape[0] == 64


@pytest.mark.parametrize('name, args, words', [
    ('original_gan', ['--label=1'], ['--label=1', 'not conditional']),
    ('cgan', ['--label=9'], ['--label=9', '(0, 1, 2)']),
    ('cgan', ['--num_samples=0'], ['--num_samples=0']),
    ('cgan', ['--num_samples=-3'], ['--num_samples=-3']),
    ('cgan', ['--truncation=0.001'], ['truncation', '0.05']),
    ('cgan', ['--truncation=-1'], ['truncation', '0.05']),
    ('infogan', ['--truncation=0.5'], ['--truncation=0.5', 'codes']),
    ('cgan', ['--interpolate=-2'], ['--interpolate=-2']),
    ('cgan', ['--interpolate=1'], ['--interpolate=1']),
    ('cgan', ['--out=/proc/no/such/x.png'], ['/proc/no/such/x.png']),
    ('cgan', ['--out=x.jpg'], ['x.jpg', '.npz']),
])
def test_what_a_run_cannot_be_asked_for_is_status_2(
    cli, runs, tmp_path, monkeypatch, name, args, words):
  monkeypatch.chdir(tmp_path)
  status, _, said = cli('--mode=sample', f'--workdir={runs / name}', *args)
  assert status == 2, said
  for word in words:
    assert word in said, said
  assert os.listdir(tmp_path) == []


def test_sampling_without_a_run(cli, tmp_path):
  status, _, said = cli('--mode=sample')
  assert status == 2 and '--workdir' in said
  status, _, said = cli('--mode=sample', f'--workdir={tmp_path / "none"}')
  assert status == 4 and str(tmp_path / 'none') in said
  assert not (tmp_path / 'none').exists()


def test_sampling_a_run_without_a_checkpoint(cli, runs, tmp_path):
  for name in ('config.json', 'data.json'):
    (tmp_path / name).write_bytes((runs / 'cgan' / name).read_bytes())
  status, _, said = cli('--mode=sample', f'--workdir={tmp_path}')
  assert status == 4 and 'no checkpoint' in said
  assert sorted(os.listdir(tmp_path)) == ['config.json', 'data.json']


def test_sampling_needs_no_data(cli, runs, tmp_path):
  """A run is sampled from on a machine that lacks the data set."""
  config = json.loads((runs / 'cgan' / 'config.json').read_text())
  os.rename(config['data']['path'], tmp_path / 'gone.npz')
  try:
    out = tmp_path / 'out.npz'
    status, _, said = cli('--mode=sample', f'--workdir={runs / "cgan"}',
                          f'--out={out}', '--num_samples=2')
    assert status == 0, said
  finally:
    os.rename(tmp_path / 'gone.npz', config['data']['path'])
