"""The data set of a config: arguments, selections, labels, fingerprints."""

import hashlib
import inspect
import os
import struct

import numpy as np
import pytest
from arrays import fails, images, load, npz
from PIL import Image

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
  assert (source.images == full.images[np.isin(full.labels, (1, 7))]).all()


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
    (dict(pad=(4, 40)), ['[5, 6]', 'use resize']),
    (dict(pad=(10 ** 8, 10 ** 8)), ['bytes of memory']),
    (dict(crop=(6, 3)), ['[5, 6]', 'only cuts']),
    (dict(channels=2), ['channels=2', '(0, 1, 3, 4)']),
    (dict(background=(300,)), ['0..255']),
    (dict(background=(1, 2, 3), pad=(9, 9), holds='images', image_key='deep'),
     ['background=(1, 2, 3): is R, G, B', '5 channels: give one value']),
    (dict(holdout=1.5), ['[0, 1)']),
    (dict(holdout=1e-9), ['hold out 0 of 3']),
    (dict(labelled=0.0), ['labelled=0.0:', 'share in (0, 1]']),
    (dict(labelled=1.5), ['share in (0, 1]']),
    (dict(labelled=4), ['labelled=4: is more than the 3 examples']),
    (dict(labelled=2), [
        'labelled=2: is fewer than the 3 classes', 'use 3 or more']),
    (dict(labelled=0.5, labelled_seed=-1), ['labelled_seed=-1']),
    (dict(classes=(2, 11)), ['11 is not one', '0, 1, 2']),
    (dict(classes=('bee',)), ['bee is not one']),
    (dict(classes=(2, '2')), ['occurs twice']),
    (dict(classes='3'), ['tuple of names or numbers']),
])
def test_bad_arguments(tmp_path, kwargs, words):
  path = npz(tmp_path, images=images(), labels=np.arange(3),
             deep=images(5).reshape(3, 5, 2, 5))
  fails(*words, call=lambda: load(name='npz', path=path, **kwargs))


def test_sets_take_keywords_none_of_which_is_shared():
  names = lookup.names('gan_jax.data.sources')
  assert {'mnist10k', 'npz', 'idx', 'mnist', 'fashion_mnist'} <= set(names)
  for name in names:
    parameters = inspect.signature(getattr(sources, name)).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert not set(parameters) & set(data.shared_parameters(name))


def test_sets_take_the_groups_of_arguments_that_they_name():
  mnist, arrays, folders = map(data.shared_parameters,
                               ('mnist10k', 'npz', 'folder'))
  assert {'resize', 'classes', 'flip'} <= set(mnist) <= set(arrays)
  assert set(arrays) - set(mnist) == {'value_range', 'dtype', 'holds', 'slices',
                                      'rate'}
  assert set(folders) - set(mnist) == {'value_range', 'dtype', 'on_bad_image',
                                       'max_bad'}
  problem, absent = data.check(dict(name='npz', path='x', max_bad=0.5), 'data')
  assert problem.path == 'data.max_bad' and "'x': no such" in str(absent)
  assert data.check(dict(name='npz', path='x'), 'data') == []


def test_check_names_what_all_sets_share():
  found = data.check(dict(name='mnist10k', resiz=(8, 8), flip=1, fit='zoom'),
                     'data')
  assert [p.path for p in found] == ['data.resiz', 'data.fit', 'data.flip']
  assert 'did you mean "resize"' in str(found[0])
  assert 'stretch' in str(found[1])
  assert data.check(dict(name='mnist10k', holdout=0.5), 'data') == []


@pytest.fixture(scope='module')
def many(tmp_path_factory):
  """Two thousand images of noise in four classes of unequal sizes."""
  path = str(tmp_path_factory.mktemp('data') / 'many.npz')
  rng = np.random.default_rng(0)
  np.savez(path, images=rng.integers(0, 256, (2000, 3, 3), np.uint8),
           labels=rng.choice(4, 2000, p=(0.4, 0.3, 0.2, 0.1)))
  return dict(name='npz', path=path)


def test_holdout_is_by_content_and_leaves_nothing_out(many):
  whole, split = load(**many), load(**many, holdout=0.2)
  held_out = split.held_out
  assert 320 < len(held_out.images) < 480
  rows = {image.tobytes() for image in split.images}
  kept_back = {image.tobytes() for image in held_out.images}
  assert not rows & kept_back
  assert rows | kept_back == {image.tobytes() for image in whole.images}
  # The same images on the same side when others are gone.
  some = load(**many, holdout=0.2, classes=(1, 3))
  np.testing.assert_array_equal(
      some.held_out.images,
      held_out.images[np.isin(held_out.labels, (1, 3))])
  assert len({s.fingerprint for s in (whole, split, held_out, some)}) == 4


def noise_of(tmp_path, labels):
  """A set of noise images with these labels: its path."""
  pixels = np.random.default_rng(0).integers(
      0, 256, (len(labels), 4, 4), np.uint8)
  return npz(tmp_path, images=pixels, labels=labels)


def test_classes_are_chosen_by_the_users_names(tmp_path):
  labels = np.array([100000, 100001, 100002])[np.arange(30) % 3]
  path = noise_of(tmp_path, labels)
  source = load(name='npz', path=path)
  assert source.num_classes == 3  # not 100,003
  assert source.class_names == ('100000', '100001', '100002')
  assert 'without gaps' in source.report['notices'][0]
  for wanted in ((100001,), ['100001'], (1,)):
    some = load(name='npz', path=path, classes=wanted)
    assert some.labels.tolist() == [1] * 10
  path = noise_of(tmp_path, np.array(['ant', 'bee'])[np.arange(30) % 2])
  assert set(load(name='npz', path=path, classes=('bee',)).labels) == {1}
  assert data.check(dict(name='npz', path=path, classes=('bee', 3)),
                    'data') == []


def test_one_of_each_class_stays_in_training(tmp_path):
  """The only image of a class was held out, in one of ten classes of ten."""
  labels = np.r_[np.zeros(90, int), np.arange(1, 11)]
  path = noise_of(tmp_path, labels)
  whole = load(name='npz', path=path)
  source = load(name='npz', path=path, holdout=0.5)
  assert set(source.labels) == set(range(11))
  assert 30 < len(source.held_out.labels) < 60
  assert (source.held_out.labels == 0).all()
  assert "fewer than 5 examples, 'class 1 (1)'" in source.report['notices'][0]
  # The side of the others is that of their content, as with other labels.
  other = load(name='npz', path=noise_of(tmp_path, np.arange(100) % 2),
               holdout=0.5)
  rows = {image.tobytes() for image in source.held_out.images}
  assert rows == {image.tobytes() for image in other.held_out.images} & {
      image.tobytes() for image in whole.images[:90]}


def test_uneven_classes_are_said(tmp_path):
  path = noise_of(tmp_path, np.array(['cat'] * 50 + ['dog'] * 5))
  source = load(name='npz', path=path)
  assert source.report['notices'] == [
      'cat has 50 examples, dog has 5 examples: data.balanced=True draws all '
      'classes equally often']
  balanced = load(name='npz', path=path, balanced=True)
  assert balanced.report['notices'] == []
  path = noise_of(tmp_path, np.array(['cat'] * 45 + ['dog'] * 5))
  assert load(name='npz', path=path).report['notices'] == []


def test_label_vectors_are_split_and_fingerprinted(tmp_path):
  rng = np.random.default_rng(1)
  labels = rng.integers(0, 2, (100, 3)).astype(np.float32)
  path = noise_of(tmp_path, labels)
  source = load(name='npz', path=path, holdout=0.3)
  whole = load(name='npz', path=path)
  assert source.labels.shape == (len(source.images), 3)
  assert source.labels.dtype == np.float32 and source.num_classes == 0
  assert source.label_columns == source.held_out.label_columns == (
      ('0', 0, 1), ('1', 0, 1), ('2', 0, 1))
  place = {image.tobytes(): i for i, image in enumerate(whole.images)}
  rows = [place[image.tobytes()] for image in source.held_out.images]
  np.testing.assert_array_equal(source.held_out.labels, labels[rows])
  labels[0] = 1 - labels[0]
  other = load(name='npz', path=noise_of(tmp_path, labels))
  assert other.fingerprint != whole.fingerprint
  for asked in (dict(classes=(1,)), dict(labelled=0.5)):
    fails('vectors of 3 columns', 'label_index', call=lambda asked=asked: load(
        name='npz', path=path, **asked))


def test_labels_are_kept_of_a_share_of_each_class(many):
  whole, some = load(**many), load(**many, labelled=0.02)
  known = some.labels >= 0
  np.testing.assert_array_equal(some.labels[known], whole.labels[known])
  np.testing.assert_array_equal(
      np.bincount(some.labels[known], minlength=4),
      [max(1, round(0.02 * n)) for n in np.bincount(whole.labels)])
  assert some.num_classes == 4 and (some.labels[~known] == -1).all()
  np.testing.assert_array_equal(some.images, whole.images)
  # More of them contain the same ones.
  more, few = load(**many, labelled=0.1), load(**many, labelled=1e-6)
  assert known[more.labels < 0].sum() == 0 and (more.labels >= 0).sum() > 150
  assert (few.labels >= 0).sum() == 4
  assert len({s.fingerprint for s in (whole, some, more, few)}) == 4


def test_a_number_of_labels_is_spread_over_the_classes(many):
  def known(labelled, seed=0):
    found = load(**many, labelled=labelled, labelled_seed=seed)
    return found.fingerprint, found.labels >= 0

  whole = load(**many)
  for asked, want in ((40, [10, 10, 10, 10]), (42.0, [11, 11, 10, 10]),
                      (4, [1, 1, 1, 1])):
    assert np.bincount(whole.labels[known(asked)[1]]).tolist() == want
  # Fewer are among more; another seed chooses others, the same each time.
  assert not (known(4)[1] & ~known(40)[1]).any()
  draws = [known(40, seed) for seed in range(4)]
  assert len({print_ for print_, _ in draws}) == 4
  shared = [(draws[0][1] & other).sum() for _, other in draws[1:]]
  assert max(shared) < 8  # of 40, where 1 is expected
  np.testing.assert_array_equal(known(40, 3)[1], draws[3][1])
  fails('labelled=1200: takes 300 examples of each class', "'class 3 has",
        'or fewer', call=lambda: load(**many, labelled=1200))


def test_held_out_examples_keep_their_labels(many):
  both = dict(holdout=0.5, classes=(1, 2))
  some, alone = load(**many, labelled=0.1, **both), load(**many, **both)
  assert (some.held_out.labels >= 0).all()
  assert some.held_out.fingerprint == alone.held_out.fingerprint
  assert some.fingerprint != alone.fingerprint
  assert set(np.unique(some.labels)) == {-1, 1, 2}


def test_selections_need_labels(tmp_path):
  path = npz(tmp_path, images=images())
  fails('labelled=0.5: needs labels, and the data', call=lambda: load(
      name='npz', path=path, labelled=0.5))
  fails('classes=(1,): needs labels, and the data', call=lambda: load(
      name='npz', path=path, classes=(1,)))


def test_fingerprints_are_the_same_for_ever(tmp_path):
  """Recorded once: a run is refused where its data have another fingerprint."""
  path = npz(tmp_path, images=images(20), labels=np.arange(20) % 2)
  source = load(name='npz', path=path, pad=(8, 8), classes=(1,), holdout=0.3,
                labelled=0.5)
  assert source.fingerprint == (
      '259733acbe80b151effd41b55436ee22d8c72b8cece81363127231ee6ed8c2c3')
  assert source.held_out.fingerprint == (
      '9037ba912f2da5f7cb6101ba133e68391deae5438ff561218e241c436c976589')


def test_what_is_said_of_one_image_names_its_file(tmp_path, caplog):
  path = tmp_path / 'one.png'
  Image.new('RGBA', (8, 8), (255, 0, 0, 90)).save(path)
  with caplog.at_level('INFO', logger='gan_jax'):
    load(name='auto', path=str(path))
  assert caplog.messages == ['one.png: read as data=folder',
                             'one.png: 1 of 1 images with transparency, put on '
                             'data.background=(0,), 0 is black']
