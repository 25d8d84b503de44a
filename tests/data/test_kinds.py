"""Volumes, signals, vectors and floats: from arrays and files to examples."""

import numpy as np
import pytest
import sets
from arrays import fails, load, npz
from image_files import encoded, put
from set_files import hdf5

from gan_jax.data.prepare import Layout

VOLUMES = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 7), np.uint8)
SIGNALS = np.random.default_rng(1).uniform(-1, 1, (6, 40)).astype(np.float32)


@pytest.mark.parametrize('shape, holds, kind', [
    ((9, 8, 8), 'auto', 'images'), ((9, 8, 8, 3), 'auto', 'images'),
    ((9, 28, 28, 28), 'images', 'images'), ((9, 40, 64, 8), 'auto', 'images'),
    ((9, 40, 64, 48), 'images', 'images'),
    ((9, 80, 2000), 'auto', 'images'),  # spectrograms
    ((9, 68, 17), 'auto', 'images'), ((9, 63, 16), 'auto', 'images'),
    ((9, 28, 28, 28), 'volumes', 'volumes'),
    ((9, 8, 8, 8, 1), 'auto', 'volumes'),
    ((9, 16384), 'signals', 'signals'), ((9, 128, 12), 'signals', 'signals'),
    ((9, 784), 'vectors', 'vectors')])
def test_kinds_of_arrays(shape, holds, kind):
  assert Layout(holds).kind(shape, 'file') == kind


@pytest.mark.parametrize('shape, holds, words', [
    ((), 'auto', ['labels']), ((9, 240, 240, 155), 'auto', ["'volumes'"]),
    ((9, 40, 64, 48), 'auto', ["'volumes'", "'images'", '48 channels']),
    ((9, 64, 16), 'auto', ['16 channels', "'signals'"]),
    ((9, 4, 8, 8, 3), 'auto', ["holds='volumes'"]),
    ((9, 8), 'images', ['[N, H, W]']), ((9, 8, 8), 'volumes', ['[N, D, H, W]']),
    ((9, 12, 5000), 'signals', ['[N, C, T]', 'transpose(0, 2, 1)']),
    ((9, 8, 8), 'vectors', ['[N, D]']), ((9, 0), 'vectors', ['no numbers'])])
def test_other_kinds_than_said(shape, holds, words):
  fails('file', str(list(shape)), *words,
        call=lambda: Layout(holds).kind(shape, 'file'))
  fails('slices', call=lambda: Layout('signals', 'axial').kind((9, 8), 'file'))


def test_slices_are_those_across_their_axis():
  for axis, name in enumerate(('axial', 'coronal', 'sagittal')):
    wanted = [volume.take(i, axis) for volume in VOLUMES
              for i in range(volume.shape[axis])]
    np.testing.assert_array_equal(
        Layout(slices=name).arranged(VOLUMES, 'volumes')[..., 0], wanted)


def test_volumes_are_bytes_as_images_are(tmp_path):
  np.save(tmp_path / 'a.npy', VOLUMES)
  paths = {'npz': npz(tmp_path, images=VOLUMES, labels=np.arange(6)),
           'hdf5': hdf5(tmp_path / 'a.h5', images=VOLUMES, labels=np.arange(6)),
           'npy': tmp_path / 'a.npy'}
  for name, path in paths.items():
    source = getattr(sets, name)(path=path, holds='volumes')
    assert source.images.dtype == np.uint8 and source.units == ()
    np.testing.assert_array_equal(source.images, VOLUMES[..., None])
    fails('volumes [5, 7, 7, 1]', 'resize', call=lambda name=name, path=path: (
        load(name=name, path=path, holds='volumes', resize=(4, 4))))
  assert load(name='npz', path=paths['npz'], holds='volumes', label_key='none',
              holdout=0.5).held_out.images.shape[1:] == (5, 7, 7, 1)


def test_signals_are_floats_with_a_unit(tmp_path):
  np.save(tmp_path / 'a.npy', (SIGNALS * 32768).astype(np.int16))
  for source, units in (
      (sets.npz(path=npz(tmp_path, x=SIGNALS), holds='signals', rate=8000.0),
       (-1, 1)),
      (sets.npy(path=tmp_path / 'a.npy', holds='signals', rate=8000.0),
       (-32768, 32768))):
    assert source.images.dtype == np.float32 and source.rate == 8000
    assert source.images.shape == (6, 40, 1) and source.units == units
    np.testing.assert_allclose(source.images[..., 0], SIGNALS, atol=2 / 32768)
  quiet = sets.npz(path=npz(tmp_path, x=SIGNALS / 8), holds='signals')
  assert 'quiet' in quiet.report['notices'][0]
  whole = sets.npz(path=npz(tmp_path, x=np.array([[0.0, -4, 2]])),
                   holds='signals', value_range='data')
  assert whole.units == (-4, 4)
  np.testing.assert_allclose(whole.images[0, :, 0], [0, -1, 0.5])
  fails('value_range=(-5, 5)', call=lambda: sets.npz(
      path=npz(tmp_path, x=5 * SIGNALS / np.abs(SIGNALS).max()),
      holds='signals'))


def test_vectors_are_as_they_are(tmp_path):
  source = sets.npz(path=npz(tmp_path, x=3 * SIGNALS), holds='vectors')
  np.testing.assert_array_equal(source.images, 3 * SIGNALS)
  np.save(tmp_path / 'a.npy', SIGNALS)
  fails('needs an npz file', call=lambda: sets.npy(path=tmp_path / 'a.npy',
                                          holds='vectors'))


def test_floats_are_not_rounded_to_bytes(tmp_path, root):
  """4,096 grey levels of a detector stay apart."""
  levels = np.arange(4096, dtype=np.uint16).reshape(1, 64, 64)
  put(root / 'a.png', encoded(levels[0]))
  np.save(tmp_path / 'a.npy', levels)
  more = dict(dtype='float32', value_range=(0, 4095))
  for source in (sets.folder(path=root, **more),
                 sets.npy(path=tmp_path / 'a.npy', **more),
                 sets.npz(path=npz(tmp_path, images=levels), **more)):
    assert source.images.dtype == np.float32 and source.units == (0, 4095)
    np.testing.assert_allclose(source.images[..., 0], levels / 2047.5 - 1,
                               atol=1e-6)
  # 12 bits are found in a file; as bytes sixteen levels become one.
  assert sets.folder(path=root, dtype='float32').units == (0, 4095)
  assert len(np.unique(sets.folder(path=root).images)) == 256


def test_geometry_of_floats(tmp_path):
  image = np.zeros((1, 4, 4), np.float32)
  image[0, :2] = 0.6
  path = npz(tmp_path, images=image)
  source = load(name='npz', path=path, dtype='float32', resize=(2, 2),
                resample='box', pad=(4, 2), channels=3)
  wanted = np.array([0, 0.6, 0, 0]) * 2 - 1
  for column in (0, 1):
    for channel in range(3):
      np.testing.assert_allclose(source.images[0, :, column, channel], wanted,
                                 atol=1e-6)
  assert source.units == (0, 1)


def test_floats_of_colours_and_transparency(root):
  colours = np.zeros((2, 3, 4), np.uint8)
  colours[..., 0], colours[..., 3] = 255, 51  # a fifth of red, over black
  put(root / 'a.png', encoded(colours))
  source = sets.folder(path=root, dtype='float32')
  np.testing.assert_allclose(source.images[0, 0, 0], [-0.6, -1, -1], atol=1e-6)
  grey = load(name='folder', path=str(root), dtype='float32', channels=1)
  np.testing.assert_allclose(grey.images[0, 0, 0], 2 * 0.2 * 0.299 - 1,
                             atol=1e-6)
  assert source.units == (0, 255)
