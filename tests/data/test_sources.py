"""Data sets: the real digits, arguments, selections, fingerprints."""

import hashlib
import inspect
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from arrays import fails, images, load, npz

from gan_jax.base import lookup
from gan_jax.data import load as data
from gan_jax.data import prepare, sources

COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]


def test_mnist10k_is_the_file_described():
  source = sources.mnist10k()
  assert source.images.shape == (10000, 28, 28, 1)
  assert source.images.dtype == np.uint8 and source.labels.dtype == np.int32
  assert np.bincount(source.labels).tolist() == COUNTS
  assert (np.diff(source.labels) >= 0).all()
  assert source[2:4] == (10, 'mnist10k') and source.licence == 'CC BY-SA 3.0'
  folder = os.path.dirname(prepare.__file__)
  with open(os.path.join(folder, 'mnist10k.npz'), 'rb') as file:
    digest = hashlib.sha256(file.read()).hexdigest()
  with open(os.path.join(folder, 'LICENSE-mnist10k.md')) as file:
    licence = file.read()
  assert digest.startswith('0217e13b') and digest in licence
  assert 'CC BY-SA 3.0' in licence and 'LeCun' in licence


def test_classes_keep_label_values():
  full, source = sources.mnist10k(), load(name='mnist10k', classes=(7, 1))
  assert source.num_classes == 10
  assert np.bincount(source.labels).tolist() == [0, 1127, 0, 0, 0, 0, 0, 1070]
  np.testing.assert_array_equal(source.images,
                                full.images[np.isin(full.labels, (1, 7))])


def test_fingerprint_is_of_shape_pixels_and_labels(tmp_path):
  pixels, labels = images(), np.array([2, 0, 1])
  def digest(**arrays):
    return sources.npz(path=npz(tmp_path, **arrays)).fingerprint
  expected = hashlib.sha256(b'(3, 5, 6, 1)' + pixels.tobytes() + struct.pack(
      '<3i', 2, 0, 1)).hexdigest()
  assert digest(images=pixels, labels=labels) == expected
  assert digest(x=pixels, y=labels) == expected  # of the data, not the file
  other = pixels.copy()
  other[2, 4, 5] ^= 1
  assert len({expected, digest(images=other, labels=labels),
              digest(images=pixels, labels=labels[::-1]),
              digest(images=pixels),
              digest(images=pixels.reshape(3, 6, 5), labels=labels)}) == 5


@pytest.mark.parametrize('kwargs, words', [
    (dict(resize=32), ['resize=32', '(32, 32)']),
    (dict(resize=(32,)), ['(height, width)']),
    (dict(resize=(0, 32)), ['at least 1']),
    (dict(resize=(1.5, 32)), ['tuple of integers']),
    (dict(pad=(27, 40)), ['[28, 28]', 'use resize']),
    (dict(pad=(10 ** 8, 10 ** 8)), ['bytes of memory']),
    (dict(crop=(29, 3)), ['[28, 28]', 'only cuts']),
    (dict(channels=2), ['channels=2', '(0, 1, 3, 4)']),
    (dict(background=(300,)), ['0..255']),
    (dict(holdout=1.5), ['[0, 1)']),
    (dict(classes=(3, 11)), ['[11]', '0, 1, 2']),
    (dict(classes=(3, 3)), ['occurs twice']),
    (dict(classes='3'), ['tuple of integers']),
])
def test_bad_arguments(kwargs, words):
  fails(*words, call=lambda: load(name='mnist10k', **kwargs))


def test_sets_take_keywords_none_of_which_is_shared():
  names = lookup.names('gan_jax.data.sources')
  assert {'mnist10k', 'npz', 'idx', 'mnist', 'fashion_mnist'} <= set(names)
  for name in names:
    parameters = inspect.signature(getattr(sources, name)).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert not set(parameters) & set(data.shared_arguments())


def test_check_names_what_all_sets_share():
  found = data.check(dict(name='mnist10k', resiz=(8, 8), flip=1, fit='zoom'),
                     'data')
  assert [p.path for p in found] == ['data.resiz', 'data.fit', 'data.flip']
  assert 'did you mean "resize"' in str(found[0])
  assert 'stretch' in str(found[1])
  assert data.check(dict(name='mnist10k', holdout=0.5), 'data') == []


def test_holdout_is_by_content_and_leaves_nothing_out():
  whole = load(name='mnist10k')
  split = load(name='mnist10k', holdout=0.2)
  held_out = split.held_out
  assert 1800 < len(held_out.images) < 2200
  rows = {image.tobytes() for image in split.images}
  kept_back = {image.tobytes() for image in held_out.images}
  assert not rows & kept_back
  assert rows | kept_back == {image.tobytes() for image in whole.images}
  # The same pictures on the same side when others are gone.
  some = load(name='mnist10k', holdout=0.2, classes=(3, 8))
  np.testing.assert_array_equal(
      some.held_out.images,
      held_out.images[np.isin(held_out.labels, (3, 8))])
  assert len({s.fingerprint for s in (whole, split, held_out, some)}) == 4


def test_rows_of_a_mapped_file_stay_there(tmp_path):
  path = tmp_path / 'images.npy'
  pixels = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2, 1)
  np.save(path, pixels)
  mapped = np.load(path, mmap_mode='r')
  source = prepare.make_source(mapped, [0, 1, 2, 0, 1, 2], 3, name='set',
                               fingerprint='known')
  taken = data._take(source, np.array([1, 4]), 'test')
  assert isinstance(taken.images, data.Rows)
  assert taken.images.shape == (2, 2, 2, 1) and taken.images.nbytes == 8
  np.testing.assert_array_equal(taken.images[np.array([1])], pixels[[4]])
  assert taken.labels.tolist() == [1, 1]


def test_a_users_own_set_is_shaped_and_selected(tmp_path, monkeypatch):
  (tmp_path / 'my_set.py').write_text(
      'import numpy as np\n'
      'from gan_jax.data.prepare import make_source\n'
      'def dots(*, count=4):\n'
      '  images = np.full((count, 4, 4, 1), 200, np.uint8)\n'
      '  return make_source(images, np.arange(count) % 2, 2, name="dots")\n'
      'def nothing():\n'
      '  return None\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  source = load(name='my_set:dots', count=6, resize=(2, 3), classes=(1,))
  assert source.images.shape == (3, 2, 3, 1) and source.images.min() == 200
  fails('NoneType', 'make_source', call=lambda: load(name='my_set:nothing'))


def test_imports_are_light():
  code = ('import sys, gan_jax.data.load; '
          'print([m for m in ("jax", "absl", "ml_collections", "orbax", '
          '"grain", "tensorflow_datasets") if m in sys.modules])')
  result = subprocess.run([sys.executable, '-c', code], capture_output=True,
                          text=True, check=True)
  assert result.stdout.strip() == '[]'
