"""Labels of a folder: from its folders, from CSV, from dataset.json."""

import json

import pytest
from image_files import GREY, encoded, fails, put

from gan_jax.data.sources import folder


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
