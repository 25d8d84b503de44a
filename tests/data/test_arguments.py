"""Wrong arguments of data sets are told from bad files, in every format.

An `ArgumentError` is a mistake in the config, status 2, at its own key; a
`DataError` a problem of the files, status 3.
"""

import numpy as np
import pytest
from arrays import images, load
from image_files import encoded, put
from set_files import hdf5, parquet, tarred, zipped

from gan_jax.base.errors import ArgumentError, DataError

ARRAYS, FILES = ('npz', 'npy', 'hdf5'), ('folder', 'zip', 'webdataset',
                                         'parquet')
NAMED = ('npz', 'hdf5', 'parquet')  # Both images and labels have a key.
IMAGES = images(4, 8, 9)
CLASSES = np.arange(4) % 2
KEYS = {'npz': 'images', 'hdf5': 'images', 'parquet': 'image',
        'webdataset': 'png', 'folder': 'file', 'zip': 'file'}


def made(home, kind, examples=IMAGES):
  """The spec of a data set of that format, with labels."""
  path = str(home / 'data')
  if kind == 'npz':
    with open(path, 'wb') as file:
      np.savez(file, images=examples, labels=CLASSES)
  elif kind == 'npy':
    with open(path, 'wb') as file:
      np.save(file, examples)
    np.save(home / 'labels.npy', CLASSES)
    return dict(name=kind, path=path, labels=str(home / 'labels.npy'))
  elif kind == 'hdf5':
    hdf5(path, images=examples, labels=CLASSES)
  if kind in ARRAYS:
    return dict(name=kind, path=path)
  pngs = [encoded(image) for image in examples]
  files = {f'{i}.png': png for i, png in enumerate(pngs)} | {
      'l.csv': ('file,kind\n' + ''.join(
          f'{i}.png,{label}\n' for i, label in enumerate(CLASSES))).encode()}
  if kind == 'folder':
    for name, content in files.items():
      put(home / 'data' / name, content)
  elif kind == 'zip':
    zipped(path, files)
  elif kind == 'webdataset':
    tarred(path, {name: content for i, png in enumerate(pngs)
                  for name, content in ((f'{i}.png', png),
                                        (f'{i}.cls', b'%d' % CLASSES[i]))})
  else:
    parquet(path, {'image': pngs, 'label': CLASSES})
  labels = dict(labels='l.csv') if kind in ('folder', 'zip') else {}
  return dict(name=kind, path=path) | labels


def refused(spec, argument, value):
  """The rule that the argument breaks."""
  with pytest.raises(ArgumentError) as found:
    load(**spec)
  problem, = found.value.problems
  assert (problem.path, problem.value) == (f'data.{argument}', value)
  assert not isinstance(found.value, DataError) and found.value.status == 2
  return problem.rule


@pytest.mark.parametrize('name', ['', 'auto'])
@pytest.mark.parametrize('argument, value, kinds, rule', [
    ('crop', (9, 9), ARRAYS + FILES, 'is larger than the images, [8, 9]; crop'),
    ('pad', (8, 8), ARRAYS + FILES, 'is smaller than the images, [8, 9]; pad'),
    ('label_key', 'q', NAMED + ('folder', 'zip', 'webdataset'), ''),
    ('label_key', KEYS, NAMED + ('folder', 'zip', 'webdataset'), ''),
    ('image_key', 'q', NAMED, ''),
    ('image_key', {'npz': 'labels', 'hdf5': 'labels', 'parquet': 'label'},
     NAMED, ''),
    ('label_index', 7, ARRAYS, 'chooses a column of [N, K]'),
    ('split', 'q', ('folder', 'zip'), 'there is no such folder'),
    ('value_range', (1, 1), ARRAYS + FILES, "'auto', 'data' or two numbers"),
    ('max_bad', 1.0, ('npy', 'hdf5', *FILES), 'must be a share in [0, 1)')])
def test_an_argument_that_the_files_do_not_allow(tmp_path, name, argument,
                                                 value, kinds, rule):
  for kind in kinds:
    home = tmp_path / kind
    home.mkdir()
    spec = made(home, kind)
    load(**spec)  # Nothing else is wrong.
    given = value[kind] if isinstance(value, dict) else value
    assert rule in refused(
        spec | {argument: given} | ({'name': name} if name else {}), argument,
        given), kind


@pytest.mark.parametrize('kind', ARRAYS + FILES)
def test_the_range_of_values_that_are_all_the_same(tmp_path, kind):
  spec = made(tmp_path, kind, np.full_like(IMAGES, 7))
  assert refused(spec | dict(value_range='data'), 'value_range', 'data') == (
      'needs two different values, and all are 7')


@pytest.mark.parametrize('kind', ARRAYS)
@pytest.mark.parametrize('given, argument, words', [
    (dict(holds='volumes'), 'holds', 'needs volumes [N, D, H, W]'),
    (dict(holds='images'), 'holds', 'needs images [N, H, W]'),
    (dict(slices='axial'), 'slices', 'needs volumes [N, D, H, W]'),
    (dict(holds='signals', slices='axial'), 'slices', 'needs volumes')])
def test_what_vectors_cannot_be(tmp_path, kind, given, argument, words):
  spec = made(tmp_path, kind, np.float32(IMAGES.reshape(4, -1)) / 255)
  assert words in refused(spec | given, argument, given[argument])


def test_vectors_are_read_from_npz_only(tmp_path):
  for kind in ('npy', 'hdf5'):
    spec = made(tmp_path, kind, np.float32(IMAGES.reshape(4, -1)) / 255)
    assert 'needs an npz file' in refused(spec | dict(holds='vectors'), 'holds',
                                          'vectors')


@pytest.mark.parametrize('given, argument, words', [
    (dict(crop=(2, 2)), 'crop', "is for images, and 'data' holds vectors [72]"),
    (dict(resize=(2, 2)), 'resize', 'is for images, and')])
def test_vectors_have_no_geometry(tmp_path, given, argument, words):
  spec = made(tmp_path, 'npz', np.float32(IMAGES.reshape(4, -1)) / 255)
  assert words in refused(spec | dict(holds='vectors') | given, argument,
                          given[argument])


@pytest.mark.parametrize('kind', ('npy', 'hdf5'))
def test_channels_that_cannot_be_made(tmp_path, kind):
  spec = made(tmp_path, kind, np.repeat(IMAGES[..., None], 5, 3))
  rule = refused(spec | dict(holds='images', channels=3), 'channels', 3)
  assert rule.startswith('cannot be made of the 5 channels of these images')


@pytest.mark.parametrize('small', [0, 3])  # The first is looked at before.
def test_a_single_misfit_is_a_bad_file(tmp_path, small):
  for i in range(4):
    put(tmp_path / f'{i}.png',
        encoded(IMAGES[i, :7] if i == small else IMAGES[i]))
  spec = dict(name='folder', path=str(tmp_path), crop=(8, 9))
  with pytest.raises(DataError, match=f"1 of 4 .*'{small}.png' crop=") as found:
    load(**spec)
  assert found.value.status == 3
  source = load(**spec, on_bad_image='skip', max_bad=0.3)
  np.testing.assert_array_equal(source.images[..., 0],
                                np.delete(IMAGES, small, 0))


@pytest.mark.parametrize('given, argument, rule', [
    (dict(max_bad=0.5), 'max_bad', 'which is read by data=npz and has no '
     'max_bad; it has dtype, holds, '),
    (dict(on_bad_image='skip', max_bad=0.5), 'on_bad_image',
     'has no on_bad_image or max_bad; it has'),
    (dict(window='file'), 'window', 'has no window; it has')])
def test_auto_blames_what_was_set(tmp_path, given, argument, rule):
  spec = made(tmp_path, 'npz') | dict(name='auto')
  found = refused(spec | given, argument, given[argument])
  assert rule in found and 'reading' not in found


@pytest.mark.parametrize('path', ['', None, 3])
@pytest.mark.parametrize('kind', [*ARRAYS, *FILES, 'lmdb', 'auto'])
def test_what_is_no_path_is_not_the_current_folder(kind, path):
  assert 'is needed' in refused(dict(name=kind, path=path), 'path', path)
