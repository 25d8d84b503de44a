"""Sets that a function of the user's own returns."""

import sys

import numpy as np
import pytest
from arrays import fails, load

from gan_jax.data import load as data
from gan_jax.data import prepare


def test_a_users_own_set_is_shaped_and_selected(tmp_path, monkeypatch):
  (tmp_path / 'my_set.py').write_text(
      'import numpy as np\n'
      'from gan_jax.data.prepare import make_source\n'
      'def dots(*, count=4):\n'
      '  images = np.full((count, 4, 4, 1), 200, np.uint8)\n'
      '  return make_source(images, np.arange(count) % 2, 2, name="dots")\n'
      'def mapped(*, path):\n'
      '  images = np.load(path, mmap_mode="r")\n'
      '  return make_source(images, np.arange(6) % 3, 3, name="set",\n'
      '                     fingerprint="known")\n'
      'def parts(*, rate, value_range, max_bad):\n'
      '  return dots(count=int(rate + value_range + max_bad))\n'
      'def nothing():\n'
      '  return None\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  source = load(name='my_set:dots', count=6, resize=(2, 3), classes=(1,))
  assert source.images.shape == (3, 2, 3, 1) and source.images.min() == 200
  # Names of groups that it does not take are its own.
  spec = dict(name='my_set:parts', rate=-1.0, value_range=2.0, max_bad=5.0)
  assert data.check(spec, 'data') == [] and len(data.load(spec).images) == 6
  with pytest.raises(ValueError, match='my_set:nothing returns nothing'):
    load(name='my_set:nothing')
  # Rows of a mapped file stay there.
  pixels = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2, 1)
  np.save(tmp_path / 'images.npy', pixels)
  taken = load(name='my_set:mapped', path=str(tmp_path / 'images.npy'),
               classes=(1,))
  assert not isinstance(taken.images, np.ndarray)
  assert taken.images.shape == (2, 2, 2, 1) and taken.images.nbytes == 8
  assert len(taken.images) == 2 and taken.images.dtype == np.uint8
  np.testing.assert_array_equal(taken.images[np.array([1])], pixels[[4]])
  assert taken.labels.tolist() == [1, 1]


@pytest.mark.parametrize('images,labels,words', [
    ('np.zeros((4, 2, 2, 1))', '(), 0', 'examples of float64; return uint8'),
    ('np.float32([[0, 1], [np.nan, 2]])', '(), 0', 'NaN or Inf; remove'),
    ('np.full((2, 4, 1), -np.inf, np.float32)', '(), 0', 'NaN or Inf; remove'),
    ('255 * np.eye(4, dtype=np.float32).reshape(4, 2, 2, 1)', '(), 0',
     'float32 from 0 to 255, and -1 is black and 1 white; return uint8'),
    ('np.zeros((4, 2, 2), np.uint8)', '(), 0', 'uint8 [4, 2, 2]; images have '
     'an axis of channels too: return images[..., None], or signals'),
    ('np.zeros((4, 2, 2, 1), np.uint8)', '[0, 1], 2', '2 labels of 4 examples'),
    ('np.zeros((4, 2, 2, 1), np.uint8)', '[0, 1, 2, 1], 2',
     'labels from 0 to 2, and num_classes=2: the last one is num_classes - 1'),
    ('np.zeros((0, 2, 2, 1), np.uint8)', '(), 0', 'examples [0, 2, 2, 1]: no'),
    ('np.zeros((4, 2, 2, 1), np.uint8)', 'np.eye(4), 4',
     'labels [4, 4], and num_classes=4, label_columns=(); classes are [N]'),
    ('np.zeros((4, 2, 2, 1), np.uint8)', 'np.eye(4), 0, label_columns="abcd"',
     'label_columns=abcd; each is a gan_jax.data.prepare.LabelColumn'),
    ('np.zeros((4, 2, 2, 1), np.uint8)', '9 * np.eye(4)[:, :1], 0, '
     'label_columns=(LabelColumn("age", 0, 90),)',
     'label vectors from 0.0 to 9.0; they are from 0 to 1'),
    ('np.zeros((4, 2, 2, 1), np.uint8)', '[0, 1, 1, 0], 2, class_names=("a",)',
     '1 class_names, and num_classes=2')])
def test_mistakes_in_a_set_of_ones_own(images, labels, words, tmp_path,
                                       monkeypatch):
  name = _own(tmp_path, monkeypatch, f'{images}, {labels}')
  with pytest.raises(ValueError) as error:
    load(name=name)
  assert str(error.value).startswith(f'{name} returned {words}')


@pytest.mark.parametrize('labels, words', [
    (np.array(['cat', 'dog']), 'labels of <U3; gan_jax.data.label_values.of_a'),
    ([1, 0], r'labels \[2\], and num_classes=0; give their number'),
    ([[0.5], [0.1]], r'labels \[2, 1\], and num_classes=0')])
def test_labels_are_not_dropped_silently(labels, words):
  with pytest.raises(ValueError, match=words):
    prepare.make_source(np.zeros((2, 4, 4, 1), np.uint8), labels, 0, name='x')


def test_images_of_a_list_are_named():
  with pytest.raises(ValueError, match='images are a list; .* np.stack'):
    prepare.make_source([np.zeros((4, 4, 1), np.uint8)], (), 0, name='x')


def test_class_names_are_plain_texts():
  made = prepare.make_source(np.zeros((2, 4, 4, 1), np.uint8), [0, 1], 2,
                             name='x', class_names=np.array(['cat', 'dog']))
  assert made.class_names == ('cat', 'dog')
  assert all(type(name) is str for name in made.class_names)


def test_a_set_of_ones_own_may_be_read_row_by_row(tmp_path, monkeypatch):
  (tmp_path / 'own_rows.py').write_text("""
import numpy as np
from gan_jax.data.prepare import make_source

class Rows:
  shape, dtype, nbytes = (6, 2, 2, 1), np.dtype('uint8'), 24
  def __len__(self):
    return 6
  def __getitem__(self, rows):
    return np.ones((6, 2, 2, 1), np.uint8)[rows]

def made():
  return make_source(Rows(), (), 0, name='x', fingerprint='first')
""")
  monkeypatch.syspath_prepend(tmp_path)
  source = load(name='own_rows:made')
  assert type(source.images).__name__ == 'Rows'


def test_floats_of_ones_own_that_are_all_grey_or_white_are_said(
    tmp_path, monkeypatch):
  eye = 'np.eye(4, dtype=np.float32).reshape(4, 2, 2, 1)'
  said, = load(name=_own(tmp_path, monkeypatch, f'{eye}, (), 0'
                         )).report['notices']
  assert said.startswith('float32 from 0 to 1: -1 is black and 1 white')
  source = load(name=_own(tmp_path, monkeypatch, f'2 * {eye} - 1, (), 0'))
  assert 'notices' not in source.report


def test_a_set_of_ones_own_may_have_examples_without_a_label(
    tmp_path, monkeypatch):
  """Four cats, two dogs, and forty of which nothing is known."""
  spec = dict(name=_own(
      tmp_path, monkeypatch, 'np.arange(46 * 4, dtype=np.uint8).reshape('
      '46, 2, 2, 1), [0] * 4 + [1] * 2 + [-1] * 40, 2, '
      'class_names=("cat", "dog")'))
  assert 'notices' not in load(**spec).report  # 40 are no large class
  assert load(**spec, classes=('dog',)).labels.tolist() == [1, 1]
  for wrong in ('dgo', -1):
    fails(f'{wrong} is not one of the classes (cat, dog)',
          call=lambda wrong=wrong: load(**spec, classes=(wrong,)))
  labels = load(**spec, labelled=4).labels
  assert np.bincount(labels + 1).tolist() == [42, 2, 2]
  assert np.bincount(load(**spec, labelled=0.5).labels + 1).tolist() == [
      43, 2, 1]
  fails('is more than the 6 examples', call=lambda: load(**spec, labelled=7))
  said, = load(**spec, holdout=0.3).report['notices']
  assert "'cat (4)', 'dog (2)': one of each" in said


def _own(folder, monkeypatch, arguments) -> str:
  """A set of a file of one's own, named as in a config."""
  module = f'own_set_{len([*folder.iterdir()])}'
  (folder / f'{module}.py').write_text(
      'import numpy as np\n'
      'from gan_jax.data.prepare import LabelColumn, make_source\n'
      f'def made():\n  return make_source({arguments}, name="x")\n')
  monkeypatch.syspath_prepend(folder)
  monkeypatch.delitem(sys.modules, module, raising=False)
  return f'{module}:made'
