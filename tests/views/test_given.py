"""Images that a user gives, as a run understands them."""

import numpy as np
import pandas as pd
import pytest
import tiny
from PIL import Image
from scipy.io import wavfile
from untrained import write_run

from gan_jax.base.errors import RequestError
from gan_jax.data import values
from gan_jax.views import given
from gan_jax.views.sample import sample
from gan_jax.views.trained import Trained


def test_numbers_in_units_are_bytes_to_a_run_of_bytes(made_run, tmp_path):
  """Units of 0 to 10: 255 x / 10 of the first image, row by row."""
  x = np.linspace(0, 10, 128).reshape(2, 8, 8, 1).astype(np.float32)
  np.savez(tmp_path / 'a.npz', images=x, units=(0.0, 10.0))
  found = given.images(Trained(str(made_run('plain'))), str(tmp_path / 'a.npz'))
  np.testing.assert_array_equal(found.stored, np.rint(x * 25.5))
  assert found.stored.dtype == np.uint8


@pytest.mark.parametrize('name,save,axes', [
    ('unrated', np.savez, slice(None)), ('unrated', np.savez, 0),
    ('unrated', np.save, slice(None)), ('volumes', np.savez, slice(None)),
    ('volumes', np.savez, 0), ('volumes', np.save, slice(None))])
def test_arrays_hold_what_the_run_makes(made_run, tmp_path, name, save, axes):
  run = Trained(str(made_run(name)))
  drawn = run.sample(3)
  path = str(tmp_path / ('a.npz' if save is np.savez else 'a.npy'))
  save(path, drawn[..., axes])
  found = given.images(run, path).stored
  np.testing.assert_allclose(values.in_units(found, run.info.units), drawn,
                             rtol=1e-5, atol=1e-3)


def test_arrays_that_cannot_be_what_the_run_makes(made_run, given_sets):
  with pytest.raises(RequestError, match=r'run of vectors needs .*\[N, D'):
    given.images(Trained(str(made_run('ring'))), 'right.npz')


def test_recordings_are_cut_into_what_the_run_makes(made_run, tmp_path):
  pytest.importorskip('soundfile')
  x = np.arange(-64, 26, dtype=np.int16)
  wavfile.write(tmp_path / 'a.wav', 8000, 256 * x)
  run = Trained(str(made_run('unrated')))
  for path in (tmp_path / 'a.wav', tmp_path):
    found = given.images(run, str(path))
    assert found.names == ['a.wav@0', 'a.wav@1', 'a.wav@2']
    np.testing.assert_allclose(
        values.in_units(found.stored, run.info.units).ravel(), x / 128,
        atol=1e-3)


def test_rows_of_a_table_are_vectors_as_the_run_has_them(made_run, tmp_path):
  """Of a part of the table, which has other modes of its own."""
  run = Trained(str(made_run('table')))
  rows = pd.read_csv(run.config['data']['path'])
  whole = given.images(run, run.config['data']['path']).stored
  rows[:12].to_csv(tmp_path / 'part.csv', index=False)
  part = given.images(run, str(tmp_path / 'part.csv'))
  np.testing.assert_array_equal(part.stored, whole[:12])
  # Two numbers, and one mode of the one of the two columns.
  rows[['x']][:12].to_csv(tmp_path / 'x.csv', index=False)
  with pytest.raises(RequestError, match='is a table, and .* makes vectors'):
    given.images(Trained(str(made_run('ring'))), str(tmp_path / 'x.csv'))


def test_samples_are_given_back_with_their_labels(made_run, tmp_path):
  """Label vectors, and the classes 1, 2, 3, whose numbers are 0, 1, 2."""
  path = str(tmp_path / 'drawn.npz')
  for name in ('patients', 'numbered'):
    run = Trained(str(made_run(name)))
    sample(run.folder, path, count=5)
    np.testing.assert_allclose(given.images(run, path).labels, run.labels(5),
                               atol=1e-6)
  with np.load(path) as file:
    drawn = file['images'][:3]
  np.savez(path, images=drawn, labels=[1, 3, 2])
  assert given.images(run, path).labels.tolist() == [0, 2, 1]
  np.savez(path, images=drawn, labels=[0, 2, 1])
  with pytest.raises(RequestError, match='0 is no name of a class, and 1 is'):
    given.images(run, path)


def test_one_folder_may_be_a_class_of_the_run(made_run, pictures_8):
  """Of ant and bee; to a data set one folder is no class."""
  run = Trained(str(made_run('bees')))
  with pytest.raises(RequestError, match='folders named as the classes'):
    given.images(run, str(pictures_8.parent))
  pictures_8.rename(pictures_8.parent / 'bee')
  assert given.images(run, str(pictures_8.parent)).labels.tolist() == [1, 1]
  (pictures_8.parent / 'bee').rename(pictures_8.parent / '2')
  found = given.images(Trained(str(made_run('cgan'))), str(pictures_8.parent))
  assert found.labels.tolist() == [2, 2]


def test_images_are_brought_to_size_as_the_data_were(tmp_path, pictures_8):
  """4 x 8 in 8 x 8 with black above and below, as the run's; or as asked."""
  images = tmp_path / 'wide.npz'
  np.savez(images, images=np.full((8, 4, 8, 1), 200, np.uint8))
  config = tiny.config(str(images))
  config['data'] |= dict(resize=(8, 8), fit='pad')
  run = Trained(write_run(config, tmp_path / 'run'))
  padded = np.zeros((8, 8, 8, 1))
  padded[:, 2:6] = 200
  np.testing.assert_array_equal(given.images(run, str(images)).stored, padded)
  stretched = given.images(run, str(images), resize=(8, 8)).stored
  np.testing.assert_array_equal(stretched, np.full((8, 8, 8, 1), 200))
  # What has the size already stays, even where a crop would cut it.
  config['data'] |= dict(crop=(4, 4))
  run = Trained(write_run(config, tmp_path / 'cropped'))
  drawn = given.images(run, str(pictures_8)).stored
  for name, image in zip('ab', drawn, strict=True):
    with Image.open(pictures_8 / f'{name}.png') as file:
      np.testing.assert_array_equal(image[..., 0], np.asarray(file))
  np.savez(images, images=np.zeros((3, 3, 8, 1), np.uint8))
  with pytest.raises(RequestError, match=r'data of .* by crop=\(4, 4\), resize='
                     r'.* is larger than .* \[3, 8\].*; give --resize'):
    given.images(run, str(images))


@pytest.mark.parametrize('name', ['found.jsonl', 'found.png'])
def test_a_folder_where_a_result_goes_is_told_first(tmp_path, name):
  (tmp_path / name).mkdir()
  with pytest.raises(RequestError, match=f'{name}: .* it is a folder'):
    given.check(f'{tmp_path}/found.jsonl', '.jsonl', 'rows', 0)
