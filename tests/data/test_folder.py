"""Folders of images, with the mess that real files are, and their labels."""

import json
import os
import warnings

import numpy as np
import pytest
from image_files import GREY, NOISE, SMALL, encoded, fails, png_header, put
from sets import folder

from gan_jax.base.errors import DataError
from gan_jax.data import cache
from gan_jax.data import load as data
from gan_jax.data.bad_files import Reading
from gan_jax.data.geometry import Geometry

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


def test_bad_files_are_refused_in_one_message_with_their_reasons(root):
  put(root / 'good.png', encoded(NOISE))
  for name, (content, _) in BAD.items():
    put(root / name, content)
  fails(f'{len(BAD)} of {len(BAD) + 1} files', 'data.on_bad_image=skip',
        path=root, geometry=SMALL)
  source = folder(path=root, geometry=SMALL, on_bad_image='skip', max_bad=0.95)
  found = dict(line.split(': ', 1) for line in source.report['refused'])
  assert sorted(found) == sorted(BAD)
  for name, (_, reason) in BAD.items():
    assert reason in found[name], found[name]
  for i in range(30):
    put(root / f'empty{i}.png', b'')
  fails(f'and {len(BAD) + 10} more', path=root, geometry=SMALL)


def test_the_settings_that_leave_bad_files_out_are_said_at_once(root):
  for i in range(5):
    put(root / f'{i}.png', encoded(GREY + np.uint8(i)))
  put(root / 'bad.png', b'')
  fails('1 of 6', 'repair or remove them, or leave them out by '
        'data.on_bad_image=skip and data.max_bad=0.17 (the share of files that '
        'may be skipped, now 0.01)', path=root)
  fails('leave them out by data.max_bad=0.17 (the share', path=root,
        on_bad_image='skip')
  assert len(folder(path=root, on_bad_image='skip', max_bad=0.17).images) == 5
  # Where as many may be skipped, nothing more is said.
  with pytest.raises(DataError, match='out by data.on_bad_image=skip$'):
    folder(path=root, max_bad=0.2)
  # Of a set without a usable image there is nothing to leave out.
  for i in range(5):
    put(root / f'{i}.png', b'')
  with pytest.raises(DataError, match='6 of 6 .*; repair or remove them$'):
    folder(path=root)


@pytest.mark.parametrize('bad, total, share', [
    (1, 6, 0.17), (1, 2, 0.5), (1, 100, 0.01), (199, 200, 0.995),
    (2999, 3000, 0.9997)])
def test_the_share_that_a_message_asks_for_allows_so_many(bad, total, share):
  with pytest.raises(DataError, match=f'data.max_bad={share} '):
    Reading('skip', 0.0).check('set', [('x', 'is bad')] * bad, total)
  Reading('skip', share).checked().check('set', [('x', 'is bad')] * bad, total)


def test_skipped_files_are_listed_and_capped(root):
  for i in range(3):
    put(root / f'{i}.png', encoded(GREY + np.uint8(i)))
  put(root / '0b.png', encoded(NOISE)[:2000])  # header passes, pixels do not
  put(root / '0c.png', b'')
  geometry = Geometry(resize=(2, 3), channels=1)
  fails('2 of 5', 'now 0.3', path=root, on_bad_image='skip', max_bad=0.3,
        geometry=geometry)
  source = folder(path=root, on_bad_image='skip', max_bad=0.4,
                  geometry=geometry)
  assert source.images.shape == (3, 2, 3, 1)
  assert source.images[:, 0, 1, 0].tolist() == [50, 51, 52]
  assert [line.split(':')[0] for line in source.report['refused']] == [
      '0b.png', '0c.png']
  assert source.report['notices'][0].startswith(
      '2 of 5 files are not usable and left out, the first 0b.png: ')
  # The cached entry does not escape the rules of another start.
  fails('0b.png', '0c.png', path=root, geometry=geometry)
  fails('now 0.1', path=root, on_bad_image='skip', max_bad=0.1,
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
  fails('set', 'this folder is empty', path=root)
  put(root / 'a.npy', b'1')
  put(root / 'b.npy', b'1')
  fails("2 of '.npy'", '.jpeg', path=root)
  (root / 'x.png').mkdir()
  put(root / 'x.png' / 'in.png', encoded(GREY))
  for name in ('.DS_Store', '.hidden.png', '__MACOSX/._a.png', 'Thumbs.db'):
    put(root / name, b'mess')
  manifest = folder(path=root).report['manifest']
  assert list(cache.read_manifest(manifest)) == ['x.png/in.png']
  fails('is a file', path=root / 'a.npy')
  fails('no such folder', path=tmp_path / 'absent')
  fails('max_bad', path=root, max_bad=1.5)
  problem, = data.check(dict(name='folder', path=str(root),
                             on_bad_image='ignore'), 'data')
  assert problem.path == 'data.on_bad_image' and 'skip' in str(problem)


def test_a_file_is_a_set_of_one_or_says_what_reads_it(root, tmp_path):
  path = root / 'a' / 'one.png'
  put(path, encoded(NOISE))
  source = folder(path=path)
  assert len(source.images) == 1 and source.num_classes == 0
  assert len(data.load(dict(name='auto', path=str(path))).images) == 1
  text = tmp_path / 'notes.txt'
  text.write_text('no image')
  fails('notes.txt', 'is a file, and none that data=folder reads', path=text)
  fails('no such folder', path=tmp_path / 'nowhere')


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


# Labels.


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
  assert source.labels.tolist() == [2, 0, 1] and source.num_classes == 3
  assert source.class_names == ('0', '1', '4')
  put(path, '\ufeffa.png,red\n./b/c.png,blue\n\nb/é.png,red\n'.encode())
  source = folder(path=root, labels=str(path))
  assert source.labels.tolist() == [1, 0, 1]
  assert source.class_names == ('blue', 'red')


@pytest.mark.parametrize(('text', 'words'), [
    ('a.png,1\n', ('1 images without a label', "'b.png'")),
    ('y.png,1\nz.png,2\n', ('2 labels in it are for files', "'z.png'")),
    ('a.png,1\na.png,2\nb.png,1\n', ("'a.png' has two labels", 'line 2')),
    ('a.png,1\nb.png,\n', ('1 images have no label', "'b.png' (line 2: '')")),
    ('a.png,1\nb.png\n', ('line 2 has 1 columns',)),
    ('a.png,2\nb.png,-1\n', ('-1..2',)),
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
  assert source.labels.tolist() == [0, 1]
  assert source.class_names == ('0', '3')
  # Its folders are parts; its labels are not used unless asked for.
  source = folder(path=root)
  assert source.num_classes == 0
  assert "labels='dataset.json'" in source.report['notices'][0]
  path.write_text('{"labels": null}')
  assert folder(path=root, labels='dataset.json').num_classes == 0
  path.write_text('{"labels": [["00000/a.png", [0.5]], ["00001/b.png", 2]]}')
  source = folder(path=root, labels='dataset.json')
  assert source.labels.tolist() == [[0.0], [1.0]]
  assert source.label_columns == (('0', 0.5, 2.0),)
  path.write_text('{"labels": [["00000/a.png", null]]}')
  fails('entry 0', path=root, labels='dataset.json')
  path.write_text('{"labels"')
  fails('dataset.json', 'JSON', path=root, labels='dataset.json')
  path.write_text('{"other": 1}')
  assert folder(path=root).num_classes == 2
  fails('no such file', path=root, labels='absent.csv')


def test_splits_are_no_classes(root):
  """{train,test,val}/{NORMAL,PNEUMONIA}: the classes are the innermost."""
  for i, split in enumerate(('train', 'test', 'val')):
    for name in ('NORMAL', 'PNEUMONIA'):
      put(root / split / name / f'{i}.png', encoded(GREY + np.uint8(i)))
  source = folder(path=root)
  assert source.class_names == ('NORMAL', 'PNEUMONIA')
  assert source.images[:, 0, 0, 0].tolist() == [0, 0]
  said = ' '.join(source.report['notices'])
  assert "train of the splits 'test', 'train', 'val': 2 of 6" in said
  assert "level 2" in said and "'train/NORMAL'" in said
  source = folder(path=root, split='test')
  assert source.images[:, 0, 0, 0].tolist() == [1, 1]
  source = folder(path=root, split='all')
  assert len(source.images) == 6 and source.num_classes == 2
  assert len(folder(path=root, labels='none').images) == 2
  put(root / 'l.csv', b'test/NORMAL/1.png,4\n' + b''.join(
      b'%s/%s/%d.png,3\n' % (split, name, i) for i, split in enumerate(
          (b'train', b'test', b'val')) for name in (b'NORMAL', b'PNEUMONIA')
      if (split, name) != (b'test', b'NORMAL')))
  source = folder(path=root, split='test', labels='l.csv')
  assert source.labels.tolist() == [1, 0]
  assert source.class_names == ('3', '4')
  for split, words in (
      ('tran', 'there is no such folder; did you mean "train"? Known: test, '
       "train, val; 'all' takes all"), ('dev', 'folder. Known: test, train')):
    fails(f'split={split!r}', words, path=root, split=split)


def test_innermost_folders_of_one_name_are_different_classes(root):
  for name in ('a/x/1.png', 'b/x/2.png', 'b/y/3.png'):
    put(root / name, encoded(GREY))
  source = folder(path=root)
  assert source.class_names == ('a/x', 'b/x', 'b/y')


def test_what_is_left_out_is_counted_and_content_decides(root):
  put(root / 'a.png', encoded(GREY))
  put(root / 'scan', encoded(GREY))  # an image without a suffix
  for i in range(3):
    put(root / f'{i}.txt', b'words')
  source = folder(path=root)
  assert len(source.images) == 2
  assert source.report['notices'] == ["3 other files are no images: 3 of "
                                      "'.txt'"]
