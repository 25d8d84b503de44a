"""Image files in the cache: what is trusted again, and changes in words."""

import itertools
import os
import pathlib
import time

import numpy as np
import pytest
from image_files import GREY, NOISE, OLD, encoded, fails, put
from sets import folder

from gan_jax.data import cache, collection, images
from gan_jax.data import load as data
from gan_jax.data.geometry import Geometry


class OpenedError(BaseException):
  """No `Exception`, which would count as a damaged file."""


def no_images(monkeypatch):
  def never(*args, **kwargs):
    raise OpenedError
  monkeypatch.setattr(images, 'read_header', never)


def test_the_second_start_opens_no_image(root, monkeypatch):
  for i in range(3):
    put(root / f'{i}.png', encoded(GREY + np.uint8(i)))
  first = folder(path=root)
  no_images(monkeypatch)
  second = folder(path=root)
  assert second.fingerprint == first.fingerprint
  assert second.report == first.report
  assert isinstance(second.images, cache.Stored)
  assert second.images[:, 0, 1, 0].tolist() == [50, 51, 52]
  with pytest.raises(OpenedError):
    folder(path=root, geometry=Geometry(resize=(4, 4)))
  put(root / '1.png', encoded(GREY), when=OLD + 1)
  with pytest.raises(OpenedError):
    folder(path=root)


def test_another_decoder_decodes_again(root, monkeypatch):
  put(root / 'a.png', encoded(GREY))
  folder(path=root)
  monkeypatch.setattr(images, 'DECODER', images.DECODER + 1)
  no_images(monkeypatch)
  with pytest.raises(OpenedError):
    folder(path=root)


def test_what_a_killed_start_left_is_removed_and_a_living_ones_is_not(root):
  put(root / 'a.png', encoded(GREY))
  parent = pathlib.Path(cache.root(), 'data')
  for name in ('.writing-dead', '.broken-dead', '.writing-alive',
               '.writing-new'):
    (parent / name).mkdir(parents=True)
    put(parent / name / 'images.npy', b'',
        when=time.time() if name == '.writing-alive' else OLD)
    if name != '.writing-new':
      os.utime(parent / name, (OLD, OLD))
  folder(path=root)
  assert sorted(n for n in os.listdir(parent) if n.startswith('.')) == [
      '.writing-alive', '.writing-new']


def test_a_damaged_entry_is_replaced(root):
  put(root / 'a.png', encoded(GREY))
  first = folder(path=root)
  pixels = np.array(first.images)
  entry = pathlib.Path(first.report['manifest']).parent
  for name in ('images.npy', 'entry.json', 'manifest'):
    (entry / name).write_bytes(b'{}')
    if name == 'manifest':
      (entry / name).unlink()
    again = folder(path=root)
    assert again.report == first.report
    np.testing.assert_array_equal(again.images, pixels)
  assert os.listdir(entry.parent) == [entry.name]


def test_keys_and_fingerprints_are_the_same_for_ever(root):
  """A resumed run is refused where its data have another fingerprint.

  Recorded once; those of an older version's cache are found again.
  """
  for name, label in (('x/a.pgm', 0), ('x/b.pgm', 40), ('y/c.pgm', 80)):
    put(root / name, b'P5 3 2 255\n' + (GREY // 2 + np.uint8(label)).tobytes())
  whole = folder(path=root)
  key = os.path.basename(os.path.dirname(whole.report['manifest']))
  assert key == '2518255ab7bdd4f8dcbe337a00356528'
  assert whole.fingerprint == (
      'd3cf61d207721acdbdf830f057029ebdc022233e95ab83679087db81b5f2d461')
  part = data.load(dict(name='folder', path=str(root), resize=(4, 4),
                        classes=(0,), labelled=0.5))
  assert part.fingerprint == (
      'e38890fa7425356674bb298b7fcbe763dd8bac076a6a9840097fad7795c1cedd')


def test_touched_files_are_not_decoded(root, monkeypatch):
  put(root / 'a.png', encoded(GREY))
  first = folder(path=root)
  put(root / 'a.png', encoded(GREY), when=OLD + 1)
  monkeypatch.setattr(images, 'decode', None)
  assert folder(path=root).fingerprint == first.fingerprint
  no_images(monkeypatch)
  assert folder(path=root).fingerprint == first.fingerprint


def test_fresh_files_are_not_trusted_by_date(root, monkeypatch):
  (root / 'a.png').write_bytes(encoded(GREY))
  folder(path=root)
  no_images(monkeypatch)
  with pytest.raises(OpenedError):
    folder(path=root)


def test_a_file_that_changes_meanwhile(root, monkeypatch):
  # Deep, so that the numbers of all are read before one is decoded.
  deep, count = GREY.astype(np.uint16) * 16, itertools.count(1)
  put(root / 'a.png', encoded(deep))
  header = images.read_header

  def then_change(data):
    put(root / 'a.png', encoded(deep + np.uint16(next(count))))
    return header(data)

  monkeypatch.setattr(images, 'read_header', then_change)
  fails('a.png', 'changed while', path=root)


def test_changes_in_words(root):
  for name in 'abcd':
    put(root / f'{name}.png', encoded(GREY))
  old = folder(path=root).report['manifest']
  assert cache.changes(old, old) == []
  put(root / 'b.png', encoded(GREY[::-1].copy()), when=OLD + 1)
  (root / 'a.png').unlink()
  for i in range(7):
    put(root / f'new{i}.png', encoded(GREY))
  new = folder(path=root).report['manifest']
  assert cache.changes(old, new) == [
      "7 files added: 'new0.png', 'new1.png', 'new2.png', 'new3.png', "
      "'new4.png' and 2 more",
      "1 file removed: 'a.png'", "1 file changed: 'b.png'"]


def test_rows_that_are_read_one_by_one(root):
  array = np.arange(60, dtype=np.uint8).reshape(10, 2, 3)
  np.save(root / 'a.npy', array)
  rows = cache.Stored(root / 'a.npy')
  assert (len(rows), rows.shape, rows.nbytes) == (10, (10, 2, 3), 60)
  for index in (3, -1, np.int8(-1), slice(None), slice(7, 2, -2), [], (..., 1),
                [1, 1, 9, -10], np.array([1], np.uint8), (slice(2), 0), [[1]],
                np.arange(10) % 3 == 0):
    np.testing.assert_array_equal(rows[index], array[index])
  np.testing.assert_array_equal(np.asarray(rows), array)
  for index in (10, -11, [0, 10], [1.5], np.ones(9, bool)):
    with pytest.raises(IndexError):
      rows[index]


def test_an_empty_file_in_the_cache_is_replaced(root):
  put(root / 'a.png', encoded(GREY))
  folder(path=root)
  for path in pathlib.Path(cache.root(), 'data').glob('*/images.npy'):
    path.write_bytes(b'')
  np.testing.assert_array_equal(folder(path=root).images[0, ..., 0], GREY)


def test_one_pass_gives_what_two_passes_give(root, monkeypatch):
  for i in range(300):
    put(root / f'{i:03d}.png', encoded(np.roll(NOISE, i, 0)))
  put(root / '150.png', b'damaged')
  more = dict(path=root, on_bad_image='skip', max_bad=0.5,
              geometry=Geometry(resize=(8, 8)))
  found = []
  for left_out in ('in_two_passes', 'at_once'):
    with monkeypatch.context() as patch:
      patch.setattr(collection._Work, left_out, lambda self: None)
      patch.setenv('GAN_JAX_CACHE', str(root / f'.{left_out}'))
      found.append(folder(**more))
  once, twice = found
  np.testing.assert_array_equal(once.images, twice.images)
  assert once.fingerprint == twice.fingerprint
  assert once.report | {'manifest': ''} == twice.report | {'manifest': ''}


@pytest.mark.parametrize('other', [
    encoded(NOISE),  # colour after grey
    encoded(NOISE[..., 0].astype(np.uint16))])  # deep after bytes
def test_a_later_image_changes_the_plan(root, other):
  put(root / 'a.png', encoded(NOISE[..., 0]))
  put(root / 'b.png', other)
  source = folder(path=root)
  assert len(source.images) == 2
  assert source.images.shape[3] == (3 if other == encoded(NOISE) else 1)
  if source.images.shape[3] == 3:
    np.testing.assert_array_equal(source.images[1], NOISE)
