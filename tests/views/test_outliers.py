"""--mode=outliers: ranks, pictures, and what cannot be asked for."""

import json
import os

import numpy as np
import pytest

from gan_jax import pictures
from gan_jax.views.outliers import outliers
from gan_jax.views.trained import Trained


@pytest.fixture(scope='module')
def mixed(made_run, tmp_path_factory):
  """path(name): five images that a run has drawn, and noise as the third."""
  folder = tmp_path_factory.mktemp('mixed')

  def path(name):
    run = Trained(str(made_run(name)))
    images = np.insert(run.sample(5), 2, np.random.default_rng(0).integers(
        0, 256, run.info.image_shape, np.uint8), axis=0)
    np.savez(folder / f'{name}.npz', images=images)
    return folder / f'{name}.npz'

  return path


def rows_of(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize('name,sort,scores', [
    ('plain', '', {'anogan', 'discriminator'}),
    ('encoded', 'anogan', {'anogan', 'fanogan', 'discriminator'}),
    ('alone', '', {'fanogan'}),
    ('alone', 'anogan', {'anogan', 'fanogan'})])
def test_what_a_run_has_not_drawn_is_ranked_by_its_scores(
    made_run, mixed, tmp_path, cli, name, sort, scores):
  out = tmp_path / 'ranks.jsonl'
  status, said, err = cli(
      '--mode=outliers', f'--workdir={made_run(name)}', f'--sort={sort}',
      f'--images={mixed(name)}', f'--out={out}')
  assert status == 0, err
  rows = rows_of(out)
  assert [row['rank'] for row in rows] == [1, 2, 3, 4, 5, 6]
  assert set(rows[0]) == {'rank', 'name', *scores}
  by = sort or ('fanogan' if 'fanogan' in scores else 'anogan')
  assert f'6 images ranked by {by}' in said
  values = [row[by] for row in rows]
  assert values == sorted(values, reverse=True)
  if by == 'anogan':
    assert rows[0]['name'] == '2' and values[0] > 5 * values[1]
  if 'discriminator' in scores:
    run = Trained(str(made_run(name)))
    with np.load(mixed(name)) as file:
      logits = run.discriminator(file['images'])
    np.testing.assert_allclose(
        [row['discriminator'] for row in rows],
        [-logits[int(row['name'])] for row in rows], rtol=1e-3, atol=1e-5)
  # Six triples of image, nearest and heat in rows of six, the file's name and
  # its rank above each: all that is not an image is the same.
  picture = pictures.read_png((tmp_path / 'ranks.png').read_bytes())
  blank = pictures.sheet(
      np.zeros((18, 8, 8, 1), np.uint8), 6,
      heads=('given', 'nearest', 'difference'),
      names=[f'#{row["rank"]}  {row["name"]}' for row in rows])
  assert picture.shape == blank.shape
  assert (picture == blank)[blank.any(-1)].all()
  assert np.ptp(picture, axis=-1).max() > 50


@pytest.mark.parametrize('name', [
    'signals', 'volumes', pytest.param('colour', marks=pytest.mark.slow)])
def test_other_kinds_than_grey_images(made_run, name, tmp_path):
  run = Trained(str(made_run(name)))
  more = {'units': run.info.units} if run.info.units else {}
  np.savez(tmp_path / 'a.npz', images=run.sample(3), **more)
  label = 0 if run.conditional else None
  said = outliers(str(made_run(name)), str(tmp_path / 'a.npz'),
                  str(tmp_path / 'b.jsonl'), label=label)
  assert '3 ' in said and (tmp_path / 'b.png').exists()


def test_labels_that_the_discriminator_alone_looks_at(
    made_run, given_sets, cli):
  """Its opinion is that of each image with its own label, or --label."""
  run, labels = Trained(str(made_run('judged'))), [0, 1, 2]
  ask = ('--mode=outliers', f'--workdir={run.folder}', '--sort=discriminator',
         '--out=a.jsonl')
  with np.load('right.npz') as file:
    images = file['images']
  for flags, labels in (['--images=right.npz'], [0, 1, 2]), (
      ['--images=bare.npz', '--label=2'], [2, 2, 2]):
    assert cli(*ask, *flags)[0] == 0
    np.testing.assert_allclose(
        [-row['discriminator'] for row in sorted(
            rows_of(given_sets / 'a.jsonl'), key=lambda row: row['name'])],
        run.discriminator(images, labels), rtol=1e-4, atol=1e-5)
  status, _, err = cli(*ask, '--images=bare.npz')
  assert status == 2 and 'say what the images show with --label' in err


def test_names_of_any_bytes_can_be_printed(made_run, pictures_8, tmp_path, cli):
  os.rename(pictures_8 / 'a.png', os.fsencode(pictures_8) + b'/caf\xe9\n.png')
  status, said, err = cli(
      '--mode=outliers', f'--workdir={made_run("plain")}',
      f'--images={pictures_8}', f'--out={tmp_path / "a.jsonl"}')
  assert status == 0, err
  assert r'caf\udce9\n.png' in said
  names = {row['name'] for row in rows_of(tmp_path / 'a.jsonl')}
  assert names == {'caf\udce9\n.png', 'b.png'}


@pytest.mark.parametrize('name', ['scalars', 'scores', 'launches'])
def test_the_records_of_a_run_stay(copied_run, given_sets, cli, name):
  path = copied_run('plain') / f'{name}.jsonl'
  path.write_text('kept')
  for ask in (['--mode=outliers', f'--workdir={path.parent}'],
              ['--mode=evaluate', '--reference=right.npz']):
    status, _, err = cli(*ask, '--images=right.npz', f'--out={path}')
    assert status == 2 and 'is a record of the run' in err
  assert path.read_text() == 'kept'


@pytest.mark.parametrize('name,flags,status,words', [
    ('plain', ['--sort=fanogan'], 2,
     'has no encoder; configs/encoder.py trains one for it'),
    ('alone', ['--sort=discriminator'], 2, 'has no discriminator'),
    ('plain', ['--sort=fd'], 2, '--sort=fd: no such score'),
    ('plain', ['--out=a.png'], 2, 'must be F.jsonl, for a JSON object'),
    ('plain', ['--images=large.npz'], 2, '--resize=8,8 makes them so'),
    ('plain', ['--images=nan.npz'], 3, 'images with NaN or Inf'),
    ('cgan', ['--images=bare.npz'], 2,
     'say what the images show with --label'),
    ('ring', ['--images=points.npz'], 2, 'makes vectors; outliers are of')])
def test_bad_input_is_one_message_and_nothing_is_written(
    made_run, given_sets, cli, name, flags, status, words):
  np.savez('points.npz', images=np.zeros((2, 2), np.float32))
  before = sorted(given_sets.iterdir())
  found, _, err = cli('--mode=outliers', f'--workdir={made_run(name)}',
                      '--images=right.npz', '--out=found.jsonl', *flags)
  assert found == status, err
  assert words in err and 'Traceback' not in err
  assert sorted(given_sets.iterdir()) == before
