"""Folders of images, with the mess that real files are."""

import os
import warnings

import numpy as np
import pytest
from image_files import GREY, NOISE, SMALL, encoded, fails, png_header, put

from gan_jax.data import cache
from gan_jax.data.images import Geometry
from gan_jax.data.sources import folder

BAD = {
    'truncated.jpg': (encoded(NOISE, 'JPEG')[:600], 'truncated'),
    'truncated.png': (encoded(NOISE)[:2000], 'truncated'),
    'nothing.png': (b'', 'empty (0 bytes)'),
    'text.png': (b'<html>404</html>', 'a web page'),
    'crc.png': (encoded(NOISE)[:-14] + b'\x00\x00' + encoded(NOISE)[-12:],
                'damaged'),
    'bomb.png': (png_header(60_000, 60_000), 'too large'),
    'large.png': (png_header(10_001, 10_000), 'over 100,000,000'),
    'dot.png': (encoded(np.zeros((1, 1), np.uint8)), '1x1'),
    'line.png': (encoded(np.zeros((2, 41), np.uint8)), '41x2 pixels, over'),
    'float.tiff': (encoded(np.ones((4, 4), np.float32), 'TIFF'),
                   'floating-point'),
    'deep.tiff': (encoded(np.full((4, 4), 65536, np.int32), 'TIFF'),
                  'beyond 16 bits'),
    'eps.png': (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n',
                'no image of a known format'),
}


@pytest.mark.parametrize('name', BAD)
def test_a_bad_file_is_refused_with_its_reason(root, name):
  data, reason = BAD[name]
  put(root / 'good.png', encoded(GREY))
  put(root / name, data)
  fails(name, reason, '1 of 2 files', 'skip', path=root, geometry=SMALL)


def test_all_bad_files_are_in_one_message(root):
  put(root / 'good.png', encoded(NOISE))
  for name, (data, _) in BAD.items():
    put(root / name, data)
  fails(*BAD, f'{len(BAD)} of {len(BAD) + 1} files', path=root,
        geometry=SMALL)
  for i in range(30):
    put(root / f'empty{i}.png', b'')
  fails(f'and {len(BAD) + 10} more', path=root, geometry=SMALL)


def test_skipped_files_are_listed_and_capped(root):
  for i in range(3):
    put(root / f'{i}.png', encoded(GREY + np.uint8(i)))
  put(root / '0b.png', encoded(NOISE)[:2000])  # header passes, pixels do not
  put(root / '0c.png', b'')
  geometry = Geometry(resize=(2, 3), channels=1)
  fails('2 of 5', 'max_bad=0.3', path=root, on_bad_image='skip', max_bad=0.3,
        geometry=geometry)
  source = folder(path=root, on_bad_image='skip', max_bad=0.4,
                  geometry=geometry)
  assert source.images.shape == (3, 2, 3, 1)
  assert source.images[:, 0, 1, 0].tolist() == [50, 51, 52]
  assert [line.split(':')[0] for line in source.report['refused']] == [
      '0b.png', '0c.png']
  # The cached entry does not escape the rules of another start.
  fails('0b.png', '0c.png', path=root, geometry=geometry)
  fails('max_bad=0.1', path=root, on_bad_image='skip', max_bad=0.1,
        geometry=geometry)


def test_nothing_but_bad_files_is_an_error_even_when_skipping(root):
  put(root / 'a.png', b'')
  put(root / 'b.png', encoded(NOISE)[:2000])
  for name in ('a.png', 'b.png'):
    fails(name, path=root, on_bad_image='skip', max_bad=0.99)


def test_mixed_sizes_need_a_resize(root):
  put(root / 'a.png', encoded(np.zeros((4, 6), np.uint8)))
  put(root / 'b.png', encoded(np.zeros((4, 6), np.uint8)))
  put(root / 'c.png', encoded(np.zeros((5, 6), np.uint8)))
  fails('2 sizes', '6x4 (2), 6x5 (1)', 'resize=(64, 64)', path=root)
  source = folder(path=root, geometry=Geometry(resize=(8, 7)))
  assert source.images.shape == (3, 8, 7, 1)
  assert source.report['sizes'] == {'6x4': 2, '6x5': 1}
  fails('a.png', 'b.png', 'crop=(5, 6)', '2 of 3', path=root,
        geometry=Geometry(crop=(5, 6)))


def test_what_is_no_image_file(root, tmp_path):
  fails('no image among 0 files', '.png', path=root)
  put(root / 'a.npy', b'1')
  put(root / 'b.npy', b'1')
  fails("2 of '.npy'", '.jpeg', path=root)
  (root / 'x.png').mkdir()
  put(root / 'x.png' / 'in.png', encoded(GREY))
  for name in ('.DS_Store', '.hidden.png', '__MACOSX/._a.png', 'Thumbs.db'):
    put(root / name, b'mess')
  source = folder(path=root)
  assert list(cache.read_manifest(source.report['manifest'])) == ['x.png/in.png']
  fails('is a file', path=root / 'a.npy')
  fails('no such folder', path=tmp_path / 'absent')
  fails('max_bad', path=root, max_bad=1.5)
  fails('on_bad_image', path=root, on_bad_image='ignore')


def test_links(root):
  put(root / 'b' / 'a.png', encoded(GREY))
  put(root / 'b' / 'c' / 'd.png', encoded(GREY))
  os.symlink(root, root / 'b' / 'c' / 'up')
  os.symlink('b', root / 'a')
  source = folder(path=root, labels='none')
  assert list(cache.read_manifest(source.report['manifest'])) == [
      'b/a.png', 'b/c/d.png']
  assert "a leads to 'b' again: read once" in source.report['notices']
  os.symlink('loop.png', root / 'loop.png')
  os.symlink('nowhere', root / 'none.png')
  os.mkfifo(root / 'pipe.png')
  fails('loop.png', 'none.png', 'pipe.png', 'not a regular file', '3 of 5',
        path=root)


def test_any_name(root):
  names = ['line\nbreak.png', 'ünï 日本.png', '-rf.png', "it's.png",
           os.fsdecode(b'latin\xe9.png')]
  for name in names:
    put(root / name, encoded(GREY))
  source = folder(path=root)
  assert list(cache.read_manifest(source.report['manifest'])) == sorted(names)
  for name in names:
    put(root / name, b'')
  fails(r'line\nbreak.png', 'ünï 日本.png', r'latin\udce9.png', path=root)


def test_warnings_of_pillow_are_not_the_users(root):
  put(root / 'large.png', png_header(9_600, 9_600))  # warned of, then truncated
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    fails('damaged', path=root)
