"""--mode=sample: what is in the files, and what cannot be asked for."""

import functools
import json
import os
import shutil

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.io.wavfile
import tiny
from PIL import Image

from gan_jax import pictures
from gan_jax.base.errors import RequestError
from gan_jax.config import experiment
from gan_jax.game.sampling import latents
from gan_jax.views.sample import sample as write_samples
from gan_jax.views.trained import Trained


@pytest.fixture(scope='module')
def runs(made_run, tmp_path_factory):
  """A folder of runs: infogan has no checkpoint, it is refused before."""
  base = tmp_path_factory.mktemp('sampled')
  for name in ('cgan', 'bees', 'plain', 'sigmoid', 'styles'):
    shutil.copytree(made_run(name), base / name)
  (base / 'infogan').mkdir()
  shutil.copy(base / 'plain' / 'data.json', base / 'infogan')
  config = json.loads((base / 'plain' / 'config.json').read_text())
  (base / 'infogan' / 'config.json').write_text(json.dumps(
      config | dict(latent=dict(name='infogan', noise=2))))
  return base


@pytest.fixture(scope='module')
def sample(runs):
  """Samples from a run into an npz: (images, labels)."""
  @functools.cache
  def run(name, **request):
    out = str(runs / 'out.npz')
    write_samples(str(runs / name), out, **request)
    with np.load(out) as file:
      # Those of an unconditional run have none.
      assert sorted(file) == ['images'] + ['labels'] * (name == 'cgan')
      return file['images'], file['labels'] if 'labels' in file else None

  return run


def test_samples_in_an_npz_are_uint8_and_a_function_of_the_seed(
    sample, runs, cli, tmp_path):
  images, labels = sample('cgan', count=10)
  assert (images.shape, images.dtype) == ((10, 8, 8, 1), np.uint8)
  assert labels.tolist() == Trained(str(runs / 'cgan')).labels(10).tolist()
  assert images.std() > 1
  other, _ = sample('cgan', count=10, seed=1)
  assert (images != other).any()
  # More samples do not change the first ones; nor does the command line.
  status, _, said = cli('--mode=sample', f'--workdir={runs / "cgan"}',
                        '--num_samples=11', f'--out={tmp_path / "a.npz"}')
  assert status == 0, said
  with np.load(tmp_path / 'a.npz') as file:
    np.testing.assert_array_equal(file['images'][:10], images)


def test_a_class_on_demand(sample):
  everything, labels = sample('cgan', count=10, label='turn')
  assert labels.tolist() == [0, 1, 2] * 3 + [0]
  two, labels = sample('cgan', count=10, label=2)
  assert labels.tolist() == [2] * 10
  np.testing.assert_array_equal(two[[2, 5]], everything[[2, 5]])
  assert (two[0] != everything[0]).any()


@pytest.mark.parametrize('name, how, wanted', [
    ('cgan', dict(count=10, label='turn'),
     dict(columns=3, heads=('0', '1', '2'))),
    ('cgan', dict(count=2, label='turn'), dict(columns=2, heads=('0', '1'))),
    ('cgan', dict(count=4, label='turn', interpolate=3),
     dict(columns=3, names=('0', '1', '2', '0'))),
    # Those of one class are named by the command; of the data's, no row is.
    ('cgan', dict(count=10, label=2), {}), ('cgan', dict(count=9), {}),
    ('plain', dict(count=4, interpolate=3), dict(columns=3))])
def test_a_sheet_names_the_classes_of_its_rows_or_columns(
    sample, runs, tmp_path, name, how, wanted):
  images, _ = sample(name, **how)
  write_samples(str(runs / name), str(tmp_path / 'a.png'), **how)
  assert (tmp_path / 'a.png').read_bytes() == pictures.png(
      pictures.sheet(images, **wanted))


def test_truncation_reaches_the_latents(sample):
  usual, _ = sample('plain', count=10)
  tight, _ = sample('plain', count=10, truncation=0.06)
  spread = usual.astype(float).std(0).mean(), tight.astype(float).std(0).mean()
  assert spread[1] < 0.5 * spread[0]


def test_truncation_of_styles_brings_images_to_their_mean(sample):
  usual, _ = sample('styles', count=10)
  tight, _ = sample('styles', count=10, truncation=0.0)
  spread = usual.astype(float).std(0).mean(), tight.astype(float).std(0).mean()
  assert spread[1] < 0.5 * spread[0]
  same, _ = sample('styles', count=10, truncation=1.0)
  assert np.abs(same.astype(int) - usual).max() <= 1


def test_interpolation_goes_from_the_sample_to_another(sample):
  plain, drawn = sample('cgan', count=10)
  paths, labels = sample('cgan', count=2, interpolate=5)
  assert paths.shape[0] == 10
  assert labels.tolist() == [drawn[0]] * 5 + [drawn[1]] * 5
  for row in range(2):
    assert np.abs(paths[5 * row].astype(int) - plain[row]).max() <= 1
    steps = np.abs(np.diff(paths[5 * row:5 * row + 5].astype(float),
                           axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0).all()


def test_samples_come_from_the_average_in_the_newest_checkpoint(
    sample, runs, untraced):
  config = json.loads((runs / 'plain' / 'config.json').read_text())
  run = experiment.load(config)
  z = latents(run.game.latent, jax.random.fold_in(jax.random.key(0), 0), 10)

  @jax.jit
  def drawn(average):
    return run.game.gen.apply(average.params, average.stats, z,
                              np.zeros(10, np.int32), train=False)[0]

  expected = pictures.to_uint8(drawn(tiny.saved(run, runs / 'plain', 4).ema))
  images, _ = sample('plain', count=10)
  assert np.abs(images.astype(int) - expected).max() <= 1
  # That of step 2, and the trained weights, make other images.
  before = pictures.to_uint8(drawn(tiny.saved(run, runs / 'plain', 2).ema))
  assert np.abs(images.astype(int) - before).max() > 3


def test_png_gif_and_folder(cli, runs, tmp_path):
  ask = functools.partial(write_samples, str(runs / 'cgan'))
  status, printed, _ = cli('--mode=sample', f'--workdir={runs / "cgan"}',
                           '--num_samples=10')
  assert status == 0
  path = runs / 'cgan' / 'samples.png'
  assert printed == (f'10 images of step 4 in {path}; labels drawn as in '
                     'the data\n')
  picture = pictures.read_png(path.read_bytes())
  # 2 x 5 of different images: no place stays empty.
  cells = [cell for row in np.split(picture[:-2, :-2, 0], 2)
           for cell in np.split(row, 5, axis=1)]
  assert all(cell[2:, 2:].std() > 1 for cell in cells)
  ask(str(tmp_path / 'a.gif'), count=10)
  with Image.open(tmp_path / 'a.gif') as film:
    assert film.n_frames == 10
  ask(str(tmp_path / 'b.gif'), count=5, interpolate=2)
  with Image.open(tmp_path / 'b.gif') as film:
    assert film.n_frames == 2
    # Five paths are one row: 2 x 3 would have a hole.
    assert film.size[0] > 4 * film.size[1]
  folder = tmp_path / 'folder'
  ask(str(folder), count=10, label=1)
  assert sorted(os.listdir(folder)) == [
      f'00000{i}_class1.png' for i in range(10)]
  # Fewer would leave some of these among them.
  status, _, said = cli('--mode=sample', f'--workdir={runs / "cgan"}',
                        f'--out={folder}/', '--num_samples=3')
  assert status == 2 and said == (f'gan_jax: --out={folder}/ holds files '
                                  'already; remove it, or give another name\n')
  assert len(os.listdir(folder)) == 10
  assert pictures.read_png((folder / '000000_class1.png').read_bytes()
                           ).shape[:2] == (8, 8)


def test_named_classes_and_a_file_of_labels(runs, tmp_path, cli):
  folder, out = str(runs / 'bees'), tmp_path / 'out'
  write_samples(folder, str(out), count=2, label='bee')
  assert sorted(os.listdir(out)) == ['000000_bee.png', '000001_bee.png']
  (tmp_path / 'l.csv').write_text('label\nbee\nant\n1\n')
  status, printed, said = cli(
      '--mode=sample', f'--workdir={folder}', f'--out={tmp_path / "a.npz"}',
      f'--labels={tmp_path / "l.csv"}')
  assert status == 0 and printed.startswith('3 images'), said
  with np.load(tmp_path / 'a.npz') as file:
    assert file['labels'].tolist() == [1, 0, 1]
    assert file['class_names'].tolist() == ['ant', 'bee']
    assert len(file['images']) == 3
  status, _, said = cli('--mode=sample', f'--workdir={folder}',
                        f'--labels={tmp_path / "l.csv"}', '--num_samples=9')
  assert status == 2 and 'has 3 rows' in said


def test_label_vectors(made_run, tmp_path, cli):
  folder = str(made_run('patients'))
  for name, asked in (('a', '--label=0=35,1=1'), ('b', '--num_samples=40')):
    status, printed, said = cli('--mode=sample', f'--workdir={folder}', asked,
                                f'--out={tmp_path / name}.npz')
    assert status == 0, said
  assert 'labels drawn as in the data' in printed
  with np.load(tmp_path / 'a.npz') as file:
    assert file['labels'].tolist() == [[35, 1]] * 64
    assert file['label_columns'].tolist() == ['0', '1']
    wanted = Trained(folder).sample(64, label=[35, 1])
    np.testing.assert_array_equal(file['images'], wanted)
  with np.load(tmp_path / 'b.npz') as file:
    np.testing.assert_allclose(np.sort(file['labels'][:, 0]),
                               np.linspace(20, 80, 40), atol=1e-4)
  write_samples(folder, str(tmp_path / 'c'), count=1)
  assert os.listdir(tmp_path / 'c') == ['000000.png']
  write_samples(folder, str(tmp_path / 'd.gif'), count=2, interpolate=3)
  status, _, said = cli('--mode=sample', f'--workdir={folder}', '--label=0=90')
  assert status == 2 and '0=90 is not from 20 to 80' in said


def test_images_in_0_1_are_scaled_as_well(sample):
  images, _ = sample('sigmoid')
  # A sigmoid near its middle: grey, not the 3/4 white of a wrong range.
  assert abs(images.mean() - 127.5) < 25
  assert images.shape[0] == 64


@pytest.mark.parametrize('name, args, words', [
    ('plain', ['--label=1'], ['--label=1', 'not conditional']),
    ('cgan', ['--label=9'], ['--label=9', '(0, 1, 2)']),
    ('bees', ['--label=bea'], ['--label=', "did you mean 'bee'"]),
    ('bees', ['--label=bee', '--labels=x.csv'], ['--label or --labels']),
    ('bees', ['--labels=x.csv'], ['--labels=', 'x.csv', 'no such file']),
    ('cgan', ['--num_samples=0'], ['--num_samples=0']),
    ('cgan', ['--num_samples=-3'], ['--num_samples=-3']),
    ('cgan', ['--seed=-1'], ['--seed=-1', '2**32']),
    ('cgan', ['--truncation=0.001'], ['truncation', '0.05']),
    ('cgan', ['--truncation=-1'], ['truncation', '0.05']),
    ('infogan', ['--truncation=0.5'], ['--truncation=0.5', 'codes']),
    ('cgan', ['--interpolate=-2'], ['--interpolate=-2']),
    ('cgan', ['--interpolate=1'], ['--interpolate=1']),
    ('cgan', ['--out=/proc/no/such/x.png'], ['/proc/no/such/x.png']),
    ('cgan', ['--out=x.jpg'], ['x.jpg', '.npz']),
    # Of 8 x 8 bytes.
    ('cgan', ['--num_samples=1000000000000'],
     ['1,000,000,000,000 examples of 64 bytes', 'ask for fewer']),
    ('cgan', ['--interpolate=1000000000000'],
     ['64,000,000,000,000 examples of 64 bytes', 'ask for fewer']),
])
def test_what_a_run_cannot_be_asked_for_is_status_2(
    cli, runs, tmp_path, monkeypatch, name, args, words):
  monkeypatch.chdir(tmp_path)
  status, _, said = cli('--mode=sample', f'--workdir={runs / name}', *args)
  assert status == 2, said
  for word in words:
    assert word in said, said
  assert os.listdir(tmp_path) == []


def read_wav(path):
  """(rate, int16 [T, C]) by another program than that which wrote it."""
  return scipy.io.wavfile.read(path)


def test_signals_in_files(made_run, tmp_path):
  folder = str(made_run('signals'))
  for name in ('a.npz', 'a.wav', 'sounds', 'a.png', 'a.gif'):
    assert '3 signals of step 4 in' in write_samples(
        folder, str(tmp_path / name), count=3)
  with np.load(tmp_path / 'a.npz') as file:
    images, rate = file['images'], file['rate']
    assert file['units'].tolist() == [-1000, 3000] and rate == 8000
  assert images.shape == (3, 256, 2) and images.dtype == np.float32
  # -1,000 and 3,000 are -1 and 1, which are -32,767 and 32,767.
  pcm = np.rint(32767 * ((images.astype(float) + 1000) / 2000 - 1))
  rate, whole = read_wav(tmp_path / 'a.wav')
  assert rate == 8000 and whole.dtype == np.int16
  assert np.abs(whole - pcm.reshape(-1, 2)).max() <= 1
  names = [f'00000{i}_{("low", "high")[label]}.wav' for i, label in enumerate(
      Trained(folder).labels(3))]
  assert sorted(os.listdir(tmp_path / 'sounds')) == names
  _, one = read_wav(tmp_path / 'sounds' / names[1])
  assert np.abs(one - pcm[1]).max() <= 1
  with Image.open(tmp_path / 'a.gif') as film:
    assert film.n_frames == 3


def test_volumes_and_floats_in_files(made_run, tmp_path):
  write_samples(str(made_run('volumes')), str(tmp_path / 'v'), count=2)
  one = np.load(tmp_path / 'v' / '000001.npy')
  assert (one.shape, one.dtype) == ((4, 6, 5, 1), np.uint8)
  # Frames of a GIF are slices; of paths, each has a tile.
  for how, frames in ((dict(count=3), 4), (dict(count=2, interpolate=3), 3)):
    write_samples(str(made_run('volumes')), str(tmp_path / 'v.gif'), **how)
    with Image.open(tmp_path / 'v.gif') as film:
      assert film.n_frames == frames
  floats = str(made_run('floats'))
  for name in ('f.tif', 'f', 'f.npz', 'f.png'):
    write_samples(floats, str(tmp_path / name), count=3)
  with np.load(tmp_path / 'f.npz') as file:
    images = file['images']
    assert 'rate' not in file
  assert -1000 <= images.min() < images.max() <= 3000 and images.std() > 50
  np.testing.assert_array_equal(
      np.load(tmp_path / 'f' / '000002.npy'), images[2])
  with Image.open(tmp_path / 'f.tif') as pages:
    assert pages.n_frames == 3
    pages.seek(2)
    np.testing.assert_array_equal(np.asarray(pages), images[2, ..., 0])
  write_samples(str(made_run('plain')), str(tmp_path / 'b.tiff'), count=2)
  with Image.open(tmp_path / 'b.tiff') as pages:
    assert (pages.n_frames, pages.mode) == (2, 'L')


@pytest.mark.parametrize('name, channels', [('many', 12), ('two', 2)])
def test_a_folder_has_all_channels_and_a_sheet_says_which_it_has(
    made_run, tmp_path, name, channels):
  folder = str(made_run(name))
  said = write_samples(folder, str(tmp_path / 'x'), count=2)
  assert 'pictures show' not in said
  assert np.load(tmp_path / 'x' / '000000.npy').shape == (
      8, 8, channels)
  said = write_samples(folder, str(tmp_path / 'x.png'), count=2)
  assert said.endswith(f' of {channels}') and 'pictures show channel' in said


@pytest.mark.parametrize('name, out, words', [
    ('two', 'a.tif', 'images 8x8, 2 channels, this run can give F.png'),
    ('float_colours', 'a.tif', 'RGB, floats, .* a folder of NPY files'),
    ('unrated', 'a.wav', 'signals of 30 samples.* no whole rate'),
    ('volumes', 'a.wav', 'volumes 4x6x5, grey'), ('plain', 'a.wav', 'F.tif'),
    ('ring', 'a.gif', 'vectors of 2 numbers.*a plot of the points'),
    ('signals', 'a.tif', '0.032 s at 8,000 Hz, 2 channels.*F.wav')])
def test_files_that_cannot_hold_the_examples_are_refused(
    made_run, tmp_path, monkeypatch, name, out, words):
  monkeypatch.setattr('gan_jax.views.sample.Trained', None)  # Not even read.
  with pytest.raises(RequestError, match=words):
    write_samples(str(made_run(name)), str(tmp_path / out))
  assert not os.listdir(tmp_path)


def test_vectors_and_unrated_signals_are_npy_in_a_folder(made_run, tmp_path):
  for name, shape in (('ring', (2,)), ('unrated', (30, 1))):
    write_samples(str(made_run(name)), str(tmp_path / name), count=1)
    one = np.load(tmp_path / name / '000000.npy')
    assert (one.shape, one.dtype) == (shape, np.float32)


def test_sampling_without_a_run_or_checkpoint(cli, runs, tmp_path):
  status, _, said = cli('--mode=sample')
  assert status == 2 and '--workdir' in said
  status, _, said = cli('--mode=sample', f'--workdir={tmp_path / "none"}')
  assert status == 4 and str(tmp_path / 'none') in said
  assert not (tmp_path / 'none').exists()
  for name in ('config.json', 'data.json'):
    (tmp_path / name).write_bytes((runs / 'cgan' / name).read_bytes())
  status, _, said = cli('--mode=sample', f'--workdir={tmp_path}')
  assert status == 4 and 'no checkpoint' in said
  assert sorted(os.listdir(tmp_path)) == ['config.json', 'data.json']


def test_sampling_needs_no_data(runs, tmp_path):
  """A run is sampled from on a machine that lacks the data set."""
  config = json.loads((runs / 'cgan' / 'config.json').read_text())
  os.rename(config['data']['path'], tmp_path / 'gone.npz')
  try:
    said = write_samples(str(runs / 'cgan'), str(tmp_path / 'out.npz'),
                         count=10)
    assert said.startswith('10 images of step 4')
  finally:
    os.rename(tmp_path / 'gone.npz', config['data']['path'])


def test_rows_of_a_table(made_run, tmp_path):
  """A CSV with the columns, types and values of the data."""
  pytest.importorskip('sklearn')
  run = str(made_run('table'))
  said = write_samples(run, str(tmp_path / 'a.csv'), count=30)
  assert said.startswith('30 rows')
  rows = pd.read_csv(tmp_path / 'a.csv')
  assert list(rows) == ['x', 'kind'] and len(rows) == 30
  assert rows['x'].between(0, 3).all()
  assert (rows['x'] * 10 == (rows['x'] * 10).round()).all()
  assert set(rows['kind'].dropna()) <= {'a', 'b'}
  pd.testing.assert_frame_equal(
      Trained(run).sample(30), rows, check_dtype=False)
  write_samples(run, str(tmp_path / 'a.png'), count=30)
  with pytest.raises(RequestError, match=r'F.csv \(the rows\)'):
    write_samples(run, str(tmp_path / 'a.gif'))
  with pytest.raises(RequestError, match='this run can give'):
    write_samples(str(made_run('ring')), str(tmp_path / 'a.csv'))
