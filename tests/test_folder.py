"""Folders of images, with the mess that real files are."""

import io
import json
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import decode, scan
from gan_jax.data.files import DataError
from gan_jax.data.geometry import Geometry
from gan_jax.data.sources import folder

GREY = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
SMALL = Geometry(resize=(8, 8))
OLD = 1_600_000_000  # seconds: long before any test


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path, monkeypatch):
  monkeypatch.setenv('GAN_JAX_CACHE', str(tmp_path / 'cache'))


@pytest.fixture
def root(tmp_path):
  (tmp_path / 'set').mkdir()
  return tmp_path / 'set'


def encoded(image, form='PNG', **more):
  file = io.BytesIO()
  if isinstance(image, np.ndarray):
    image = Image.fromarray(image)
  image.save(file, form, **more)
  return file.getvalue()


def put(path, data, when=OLD):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(data)
  os.utime(path, (when, when))


def chunk(name, data):
  return (struct.pack('>I', len(data)) + name + data
          + struct.pack('>I', zlib.crc32(name + data)))


def png_header(width, height, bits=8, colour=0):
  head = struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, 0)
  return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
          + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b''))


def fails(*words, **kwargs):
  """One DataError, on one line, that has all the words."""
  with pytest.raises(DataError) as info:
    folder(**kwargs)
  message = str(info.value)
  assert '\n' not in message and message.isprintable()
  for word in words:
    assert word in message, message


def only(root, data, **geometry):
  """The one image of a folder that holds one file."""
  put(root / 'one.png', data)
  return np.asarray(
      folder(path=root, geometry=Geometry(**geometry)).images[0])


class OpenedError(BaseException):
  """No `Exception`, which would count as a damaged file."""


def no_images(monkeypatch):
  def never(*args, **kwargs):
    raise OpenedError
  monkeypatch.setattr(Image, 'open', never)


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


def test_format_is_told_by_content(root):
  put(root / 'a.jpg', encoded(GREY, 'PNG'))
  put(root / 'b.png', encoded(GREY, 'BMP'))
  put(root / 'c.gif', encoded(GREY, 'TIFF'))
  put(root / 'D.JPEG', encoded(GREY, 'WEBP', lossless=True))
  put(root / 'e.pgm', b'P5 3 2 255\n' + GREY.tobytes())
  images = folder(path=root, geometry=Geometry(channels=1)).images
  assert images.shape == (5, 2, 3, 1)
  assert all((image[..., 0] == GREY).all() for image in images)


def test_modes(root):
  def mode(name, colour):
    return encoded(Image.new(name, (2, 2), colour))

  assert only(root, mode('1', 1)).tolist() == [[[255]] * 2] * 2
  assert only(root, mode('L', 7))[0, 0].tolist() == [7]
  assert only(root, mode('RGB', RED))[0, 0].tolist() == [255, 0, 0]
  # Alpha over black: 200 * 51 / 255; over 100: 200 * .2 + 100 * .8.
  assert only(root, mode('LA', (200, 51)))[0, 0].tolist() == [40]
  assert only(root, mode('LA', (200, 51)), background=(100,))[0, 0] == [120]
  rgba = mode('RGBA', (255, 0, 0, 51))
  assert only(root, rgba)[0, 0].tolist() == [51, 0, 0]
  assert only(root, rgba, background=(0, 0, 255))[0, 0].tolist() == [51, 0, 204]
  assert only(root, rgba, channels=4)[0, 0].tolist() == [255, 0, 0, 51]
  assert only(root, mode('LA', (9, 51)), channels=4)[0, 0].tolist() == [
      9, 9, 9, 51]
  cmyk = encoded(Image.new('CMYK', (8, 8), (0, 255, 255, 0)), 'JPEG')
  assert np.abs(only(root, cmyk)[0, 0].astype(int) - RED).max() <= 3


def test_palette_with_a_transparent_colour(root):
  image = Image.new('P', (2, 2), 0)
  image.putpalette([*GREEN, *BLUE])
  image.putpixel((1, 0), 1)
  data = encoded(image, transparency=1)
  assert only(root, data, background=(9,))[0].tolist() == [[0, 255, 0], [9] * 3]
  assert only(root, data, channels=4)[0].tolist() == [
      [0, 255, 0, 255], [0, 0, 255, 0]]


def test_16_bits_are_divided_by_257(root):
  values = np.array([[0, 128, 129, 257], [385, 386, 65406, 65535]])
  wanted = [[0, 0, 1, 1], [1, 2, 254, 255]]
  for form in ('PNG', 'TIFF'):
    image = only(root, encoded(values.astype(np.uint16), form))
    assert image[..., 0].tolist() == wanted
  image = only(root, encoded(values.astype(np.int32), 'TIFF'))
  assert image[..., 0].tolist() == wanted
  big_endian = b'P5 4 2 65535\n' + values.astype('>u2').tobytes()
  assert only(root, big_endian)[..., 0].tolist() == wanted


def test_16_bit_colours_keep_their_upper_bits(root):
  rows = np.array([[[0x12FF, 0x3400, 0xFFFF]] * 2] * 2, '>u2')
  raw = b''.join(b'\x00' + row.tobytes() for row in rows)
  data = png_header(2, 2, 16, 2).replace(
      chunk(b'IDAT', zlib.compress(b'')), chunk(b'IDAT', zlib.compress(raw)))
  put(root / 'a.png', data)
  source = folder(path=root)
  assert source.images[0, 0, 0].tolist() == [0x12, 0x34, 0xFF]
  assert '16-bit' in source.report['notices'][0]


def test_first_frame_of_an_animation(root):
  frames = [Image.new('RGB', (4, 4), colour) for colour in (RED, BLUE)]
  for name, form in (('a.gif', 'GIF'), ('b.webp', 'WEBP'), ('c.png', 'PNG'),
                     ('d.tif', 'TIFF')):
    lossless = {'lossless': True} if form == 'WEBP' else {}
    put(root / name, encoded(frames[0], form, save_all=True,
                             append_images=frames[1:], **lossless))
  source = folder(path=root)
  assert (source.images[:] == RED).all()
  assert source.report['notices'][0].startswith('4 of 4 images animated')


@pytest.mark.parametrize('form', ['PNG', 'TIFF', 'WEBP', 'JPEG'])
def test_exif_turns_the_image(root, form):
  exif = Image.Exif()
  exif[0x0112] = 6  # to be turned clockwise by 90 degrees
  options = {'WEBP': {'lossless': True}, 'JPEG': {'quality': 95}}.get(form, {})
  data = encoded(GREY, form, exif=exif, **options)
  image = only(root, data, channels=1)[..., 0]
  assert image.shape == (3, 2)
  wanted = np.rot90(GREY, -1).astype(int)
  assert np.abs(image - wanted).max() <= (30 if form == 'JPEG' else 0)
  assert 'turned upright' in str(folder(path=root).report['notices'])


def test_exif_behind_the_pixels_of_a_png(root):
  exif = Image.Exif()
  exif[0x0112] = 3
  data = encoded(GREY)
  late = chunk(b'eXIf', exif.tobytes()[6:])
  image = only(root, data[:-12] + late + data[-12:])
  assert (image[..., 0] == GREY[::-1, ::-1]).all()


def test_damaged_exif_costs_no_image(root):
  data = encoded(GREY)
  late = chunk(b'eXIf', b'MM\x00\x2a\xff\xff\xff\xff')
  assert (only(root, data[:-12] + late + data[-12:])[..., 0] == GREY).all()


def test_channels_are_those_that_all_can_have(root):
  put(root / 'a.png', encoded(GREY))
  assert folder(path=root).images.shape == (1, 2, 3, 1)
  put(root / 'b.png', encoded(Image.new('RGB', (3, 2), BLUE)))
  source = folder(path=root)
  assert source.images.shape == (2, 2, 3, 3)
  assert source.images[0, 0, 1].tolist() == [50] * 3
  assert source.images[1, 0, 1].tolist() == [0, 0, 255]


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
  assert list(scan.read_manifest(source.report['manifest'])) == ['x.png/in.png']
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
  assert list(scan.read_manifest(source.report['manifest'])) == [
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
  assert list(scan.read_manifest(source.report['manifest'])) == sorted(names)
  for name in names:
    put(root / name, b'')
  fails(r'line\nbreak.png', 'ünï 日本.png', r'latin\udce9.png', path=root)


def test_the_second_start_opens_no_image(root, monkeypatch):
  for i in range(3):
    put(root / f'{i}.png', encoded(GREY + np.uint8(i)))
  first = folder(path=root)
  no_images(monkeypatch)
  second = folder(path=root)
  assert second.fingerprint == first.fingerprint
  assert second.report == first.report
  assert isinstance(second.images, np.memmap)
  assert second.images[:, 0, 1, 0].tolist() == [50, 51, 52]
  with pytest.raises(OpenedError):
    folder(path=root, geometry=Geometry(resize=(4, 4)))
  put(root / '1.png', encoded(GREY), when=OLD + 1)
  with pytest.raises(OpenedError):
    folder(path=root)


def test_touched_files_are_not_decoded(root, monkeypatch):
  put(root / 'a.png', encoded(GREY))
  first = folder(path=root)
  put(root / 'a.png', encoded(GREY), when=OLD + 1)
  monkeypatch.setattr(decode, 'pixels', None)
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
  put(root / 'a.png', encoded(GREY))
  header = decode.header

  def then_change(data):
    put(root / 'a.png', encoded(NOISE))
    return header(data)

  monkeypatch.setattr(decode, 'header', then_change)
  fails('a.png', 'changed while', path=root)


def test_changes_in_words(root):
  for name in 'abcd':
    put(root / f'{name}.png', encoded(GREY))
  old = folder(path=root).report['manifest']
  assert scan.changes(old, old) == []
  put(root / 'b.png', encoded(GREY[::-1].copy()), when=OLD + 1)
  (root / 'a.png').unlink()
  for i in range(7):
    put(root / f'new{i}.png', encoded(GREY))
  new = folder(path=root).report['manifest']
  assert scan.changes(old, new) == [
      "7 files added: 'new0.png', 'new1.png', 'new2.png', 'new3.png', "
      "'new4.png' and 2 more",
      "1 file removed: 'a.png'", "1 file changed: 'b.png'"]


def test_labels_from_folders(root):
  for name in ('dog/1.png', 'cat/2.png', 'cat/deep/3.png'):
    put(root / name, encoded(GREY))
  source = folder(path=root)
  assert source.class_names == ('cat', 'dog') and source.num_classes == 2
  assert source.labels.tolist() == [0, 0, 1] and source.name == 'set'
  unlabelled = folder(path=root, labels='none')
  assert unlabelled.num_classes == 0
  assert unlabelled.fingerprint != source.fingerprint
  put(root / 'loose.png', encoded(GREY))
  fails('loose.png', 'cat/2.png', "labels='none'", path=root)


def test_one_folder_is_no_class(root):
  put(root / 'images' / 'a.png', encoded(GREY))
  source = folder(path=root)
  assert source.num_classes == 0 and 'one folder' in source.report['notices'][0]


def test_labels_from_csv(root):
  for name in ('a.png', 'b/c.png', 'b/\u00e9.png'):
    put(root / name, encoded(GREY))
  path = root / 'labels.csv'
  put(path, b'id,file,label\n1,a.png,4\n2,b\\c.png,0\n3,b/e\xcc\x81.png,1.0\n')
  source = folder(path=root, labels='labels.csv')
  assert source.labels.tolist() == [4, 0, 1] and source.num_classes == 5
  put(path, '\ufeffa.png,red\n./b/c.png,blue\n\nb/é.png,red\n'.encode())
  source = folder(path=root, labels=str(path))
  assert source.labels.tolist() == [1, 0, 1]
  assert source.class_names == ('blue', 'red')


@pytest.mark.parametrize(('text', 'words'), [
    ('a.png,1\n', ('1 images without a label', "'b.png'")),
    ('a.png,1\nb.png,1\nz.png,2\n', ('1 labels for files', "'z.png'")),
    ('a.png,1\na.png,2\nb.png,1\n', ("'a.png' has two labels", 'line 2')),
    ('a.png,1\nb.png,\n', ('line 2 has no label',)),
    ('a.png,1\nb.png\n', ('line 2 has 1 columns',)),
    ('a.png,1\nb.png,-1\n', ('-1..1',)),
    ('a,b,c\n', ('columns named file and label',)),
    ('', ('0 bytes',)),
])
def test_bad_csv(root, text, words):
  put(root / 'a.png', encoded(GREY))
  put(root / 'b.png', encoded(GREY))
  put(root / 'l.csv', text.encode())
  fails('l.csv', *words, path=root, labels='l.csv')


def test_labels_of_refused_files_are_no_error(root):
  put(root / 'a.png', encoded(GREY))
  put(root / 'b.png', b'')
  put(root / 'l.csv', b'a.png,0\nb.png,1\n')
  source = folder(path=root, labels='l.csv', on_bad_image='skip', max_bad=0.5)
  assert source.labels.tolist() == [0]


def test_labels_from_dataset_json(root):
  for name in ('00000/a.png', '00001/b.png'):
    put(root / name, encoded(GREY))
  path = root / 'dataset.json'
  pairs = [['00001/b.png', 3], ['00000/a.png', 0]]
  path.write_text(json.dumps({'labels': pairs}))
  source = folder(path=root, labels='dataset.json')
  assert source.labels.tolist() == [0, 3] and source.num_classes == 4
  # Its folders are parts; its labels are not used unless asked for.
  source = folder(path=root)
  assert source.num_classes == 0
  assert "labels='dataset.json'" in source.report['notices'][0]
  path.write_text('{"labels": null}')
  assert folder(path=root, labels='dataset.json').num_classes == 0
  path.write_text('{"labels": [["00000/a.png", [0.5]]]}')
  fails('entry 0', path=root, labels='dataset.json')
  path.write_text('{"labels"')
  fails('dataset.json', 'JSON', path=root, labels='dataset.json')
  path.write_text('{"other": 1}')
  assert folder(path=root).num_classes == 2
  fails('no such file', path=root, labels='absent.csv')


def test_warnings_of_pillow_are_not_the_users(root):
  put(root / 'large.png', png_header(9_600, 9_600))  # warned of, then truncated
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    fails('damaged', path=root)
