"""--mode=invert: latents in files, and what cannot be asked for."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_jax import pictures
from gan_jax.views.invert import invert
from gan_jax.views.trained import Trained


@pytest.fixture(scope='module')
def drawn(made_run, tmp_path_factory):
  """An .npz of six images that the run `plain` has drawn, and their z."""
  run = Trained(str(made_run('plain')))
  z = run.latents(6)
  path = tmp_path_factory.mktemp('drawn') / 'drawn.npz'
  np.savez(path, images=run.generator(z))
  return str(path), z


def ask(run, *flags):
  return '--mode=invert', f'--workdir={run}', *flags


def test_latents_of_images_that_the_run_has_drawn_are_found(
    made_run, drawn, tmp_path, cli):
  path, z = drawn
  out = tmp_path / 'found.npz'
  status, said, err = cli(*ask(made_run('plain'), f'--images={path}',
                               f'--out={out}', '--posterior=17'))
  assert status == 0, err
  assert '6 images inverted by the generator of step 4' in said
  assert '17 samples of P(z | x) of each, noise of' in said
  with np.load(out) as found:
    assert (found['rhat'] > 1.05).any() and 'the chains have not mixed' in said
    assert found['z'].shape == z.shape
    assert (found['error'] < 1e-3).all()
    # What it says it draws, it draws.
    run = Trained(str(made_run('plain')))
    gap = (run.generator(found['z']).astype(int)
           - found['reconstruction'].astype(int))
    assert abs(gap).max() <= 1
    with np.load(path) as file:
      given = file['images'] / 255
    np.testing.assert_allclose(
        ((given - found['reconstruction'] / 255.0) ** 2).mean((1, 2, 3)),
        found['error'], atol=1e-4)
    assert found['posterior'].shape == (6, 17, z.shape[1])
    for name in ('rhat', 'ess', 'acceptance', 'divergent'):
      assert np.isfinite(found[name]).all() and found[name].shape == (6,)
    assert list(found['name']) == list('012345')
  # Six pairs in rows of ten.
  picture = pictures.read_png((tmp_path / 'found.png').read_bytes())
  blank = pictures.sheet(np.zeros((12, 8, 8, 1), np.uint8), 10,
                         heads=('given', 'nearest'))
  assert picture.shape == blank.shape and (picture[:20] == blank[:20]).all()


def test_a_folder_gives_the_names_of_its_files(
    made_run, pictures_8, tmp_path):
  said = invert(str(made_run('plain')), str(pictures_8),
                str(tmp_path / 'a.npz'))
  assert 'the worst, ' in said
  with np.load(tmp_path / 'a.npz') as found:
    assert list(found['name']) == ['a.png', 'b.png']


def test_a_conditional_run_asks_what_the_images_show(
    made_run, drawn, tmp_path, cli):
  asked = ask(made_run('cgan'), f'--images={drawn[0]}',
              f'--out={tmp_path / "a.npz"}')
  status, _, err = cli(*asked)
  assert status == 2 and 'say what the images show with --label' in err
  assert cli(*asked, '--label=2')[0] == 0
  status, _, err = cli(*asked, '--label=7')
  assert status == 2 and '--label=7' in err


def test_labels_may_come_with_the_images(made_run, tmp_path):
  """Of the classes 0, 1, 2: in an .npz, or as the names of folders."""
  run = Trained(str(made_run('cgan')))
  drawn = run.generator(run.latents(4), [2, 0, 2, 1])
  np.savez(tmp_path / 'a.npz', images=drawn, labels=[2, 0, 2, 1])
  for name in '02':
    (tmp_path / 'a' / name).mkdir(parents=True)
    pixels = drawn[int(name == '0')]
    (tmp_path / 'a' / name / 'one.png').write_bytes(pictures.png(pixels))
  for path, labels in (('a.npz', [2, 0, 2, 1]), ('a', [0, 2])):
    invert(run.folder, str(tmp_path / path), str(tmp_path / 'found.npz'))
    with np.load(tmp_path / 'found.npz') as found:
      assert (found['error'] < 1e-3).all()
      again = run.generator(found['z'], labels).astype(int)
      assert abs(again - found['reconstruction']).max() <= 1


def test_one_image_is_a_set_too_and_may_have_any_name(
    made_run, pictures_8, tmp_path, monkeypatch):
  path, logged = tmp_path / os.fsdecode(b'caf\xe9.png'), []  # not UTF-8
  shutil.copy(pictures_8 / 'a.png', path)
  monkeypatch.setattr('gan_jax.data.load._LOG.info',
                      lambda form, *args: logged.append(form % args))
  said = invert(str(made_run('plain')), str(path), str(tmp_path / 'found.npz'))
  assert r'caf\udce9.png' in said
  assert [line.isprintable() for line in logged] == [True]
  with np.load(tmp_path / 'found.npz') as found:
    assert list(found['name']) == ['caf\udce9.png']


@pytest.mark.parametrize('name', ['ring', 'signals', 'volumes', 'sigmoid'])
def test_examples_of_every_kind(made_run, name, tmp_path):
  run = Trained(str(made_run(name)))
  path = tmp_path / 'some.npz'
  more = {'units': run.info.units} if run.info.units else {}
  np.savez(path, images=run.sample(4), **more)
  label = 0 if run.conditional else None
  said = invert(str(made_run(name)), str(path), str(tmp_path / 'a.npz'),
                label=label)
  assert said.startswith('4 ')
  with np.load(tmp_path / 'a.npz') as found:
    assert found['reconstruction'].shape[1:] == tuple(run.info.image_shape)


def test_images_of_several_sizes_are_told_by_the_words_of_the_command_line(
    made_run, tmp_path, cli):
  for width, height in ((40, 30), (60, 50)):
    Image.new('L', (width, height)).save(tmp_path / f'{width}.png')
  status, _, err = cli(*ask(made_run('plain'), f'--images={tmp_path}'))
  assert status == 3 and '2 sizes (width x height: 40x30 (1), 60x50 (1))' in err
  assert 'Here resize is --resize=8,8 and channels is --channels=1' in err


def test_a_damaged_image_is_named_without_words_about_sizes(made_run, tmp_path,
                                                            cli):
  (tmp_path / 'bad.png').write_bytes(b'\x89PNG\r\n\x1a\n' + b'0' * 40)
  status, _, err = cli(*ask(made_run('plain'), f'--images={tmp_path}/bad.png'))
  assert status == 3 and "'bad.png'" in err and '--resize' not in err


def test_rgba_is_asked_for(made_run, tmp_path, cli):
  pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 4), np.uint8)
  Image.fromarray(pixels).save(tmp_path / 'a.png')
  flags = ask(made_run('colour'), f'--images={tmp_path}/a.png',
              f'--out={tmp_path}/found.npz')
  status, _, err = cli(*flags)
  assert status == 2 and '--channels=4 makes them so' in err
  status, _, err = cli(*flags, '--channels=4')
  assert status == 0, err
  with np.load(tmp_path / 'found.npz') as found:
    assert found['reconstruction'].shape == (1, 9, 9, 4)


def test_of_a_file_with_nan_no_key_is_named_that_is_not_there(
    made_run, tmp_path, cli):
  for i, value in enumerate((0.5, np.nan)):
    Image.fromarray(np.full((8, 8), value, np.float32)).save(
        tmp_path / f'{i}.tif')
  status, _, err = cli(*ask(made_run('plain'), f'--images={tmp_path}'))
  assert status == 3 and "'1.tif' NaN or Inf among its pixels" in err
  assert 'repair or remove them' in err and 'on_bad_image' not in err


@pytest.mark.parametrize('flags,status,words', [
    ([], 2, 'give the --workdir of a run, and --images'),
    (['--images=large.npz', '--resize=²,²'], 2, 'must be H,W, as 64,64'),
    (['--images=large.npz'], 2, '--resize=8,8 makes them so'),
    (['--images=large.npz', '--resize=8,8'], 0, ''),
    (['--images=colour.npz'], 2, '--channels=1 makes them so'),
    (['--images=colour.npz', '--channels=1'], 0, ''),
    (['--images=nan.npz'], 3, 'images with NaN or Inf, first in image 0'),
    (['--images=nothing.npz'], 3, 'nothing.npz'),
    (['--images=right.npz', '--seed=-1'], 2, '--seed=-1 must be a whole'),
    (['--images=right.npz', '--out=a.png'], 2,
     '--out=a.png: must be F.npz, for the arrays z'),
    (['--images=right.npz', '--likelihood=bernoulli'], 2,
     '--likelihood is of the samples of --posterior=N'),
    (['--images=right.npz', '--posterior=3'], 2, 'must be 16 samples or more'),
    (['--images=right.npz', '--posterior=16', '--likelihood=gaussian:-1'], 2,
     'gaussian:-1: must be gaussian, gaussian:0.1'),
    (['--images=right.npz', '--posterior=1000000000000'], 2,
     '--posterior=1000000000000: so many of 3 examples need more than'),
    (['--images=right.npz', '--posterior=16', '--likelihood=laplace'], 2,
     '--likelihood=laplace: must be gaussian')])
def test_bad_input_is_one_message_and_nothing_is_written(
    made_run, given_sets, cli, flags, status, words):
  before = sorted(given_sets.iterdir())
  if not any('--out' in flag for flag in flags):
    flags = [*flags, '--out=found.npz']
  found, _, err = cli(*ask(made_run('plain'), *flags))
  assert found == status, err
  assert words in err
  if status:
    assert 'Traceback' not in err
    assert sorted(given_sets.iterdir()) == before


@pytest.mark.parametrize('images,out', [
    ('right.npz', 'right.npz'), ('one.png', 'one.npz'),
    ('folder', 'folder/found.npz'), ('folder', './folder/../folder/a.npz'),
    ('link', 'folder/found.npz')])
def test_a_result_never_replaces_what_is_read(made_run, given_sets, cli, images,
                                              out):
  """Nor its picture; nor is it among the images that are read next."""
  (given_sets / 'folder').mkdir()
  for name in ('one.png', 'folder/a.png'):
    Image.new('L', (8, 8)).save(name)
  (given_sets / 'link').symlink_to('folder')
  before = {path: path.is_file() and path.read_bytes()
            for path in given_sets.rglob('*')}
  status, _, err = cli(*ask(made_run('plain'), f'--images={images}',
                            f'--out={out}'))
  assert status == 2 and f'is among what is read, {images}; give' in err
  assert before == {path: path.is_file() and path.read_bytes()
                    for path in given_sets.rglob('*')}
