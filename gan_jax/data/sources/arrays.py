"""Data sets that are arrays in one file or a few."""

import os

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.data import files, prepare, readers
from gan_jax.data.prepare import Source

_MNIST_LICENCE = 'CC BY-SA 3.0'
_UNLABELLED = 'none'
# Names of images and labels that belong together.  Training arrays are
# guessed; the rest only say which labels belong to a given image_key.
_GUESSED = {'images': 'labels', 'image': 'label', 'x': 'y', 'data': 'targets',
            'x_train': 'y_train', 'train_images': 'train_labels',
            'arr_0': 'arr_1'}
_PARTNERS = _GUESSED | {
    'x_test': 'y_test', 'x_val': 'y_val', 'test_images': 'test_labels',
    'val_images': 'val_labels'}
_ANY_LABELS = ('labels', 'label', 'y', 'targets')
_PREFIXES = {'train': ('train',), 'test': ('t10k',), 'all': ('train', 't10k')}


def mnist10k() -> Source:
  """The embedded 10,000 MNIST digits, [10000, 28, 28, 1], sorted by class.

  LeCun, Cortes; attribution and licence in LICENSE-mnist10k.md.
  """
  home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
  path = os.path.join(home, 'mnist10k.npz')
  images = prepare.as_images(readers.npz_array(path, 'images'), path)
  labels, _ = prepare.as_labels(readers.npz_array(path, 'labels'),
                                 len(images), path)
  return prepare.make_source(
      images, labels, 10, name='mnist10k', licence=_MNIST_LICENCE)


def npz(*, path, image_key='', label_key='') -> Source:
  """Images, and labels if there are any, of one npz file.

  Args:
    path: the file; read without pickle, so no code of it ever runs.
    image_key: name of the images, '' to guess: images, image, x, data,
      x_train, train_images or arr_0 in any case, or the only array of three
      or more axes.  Two candidates are an error.  What images may look like:
      `prepare.as_images`.
    label_key: name of the labels, '' to guess: the partner of the images
      (x_test: y_test), else labels, label, y or targets, else unlabelled.
      'none' for unlabelled.  Integers [N] or one-hot [N, K].

  Raises:
    DataError: whatever is wrong with the file or an argument.
  """
  path = files.check_file(path)
  headers = readers.npz_headers(path)
  image_key = image_key or _guess_images(path, headers)
  label_key = label_key or _guess_labels(path, headers, image_key)
  images = prepare.as_images(readers.npz_array(path, image_key),
                              f'{path!r}, array {image_key!r}')
  labels, num_classes = (), 0
  if label_key != _UNLABELLED or label_key in headers:
    labels, num_classes = prepare.as_labels(
        readers.npz_array(path, label_key), len(images),
        f"{path!r}, array {label_key!r} (label_key='none' ignores it)")
  name = os.path.splitext(os.path.basename(path))[0]
  return prepare.make_source(images, labels, num_classes, name=name)


def idx(*, images, labels='') -> Source:
  """Images of an IDX file, and labels of another.

  Args:
    images: path of an IDX file [N, H, W] or [N, H, W, C], gzipped or not,
      whatever its extension.
    labels: path of an IDX file [N], '' when unlabelled.

  Raises:
    DataError: whatever is wrong with a file or an argument.
  """
  name = os.path.basename(files.check_file(images)).split('.')[0]
  pixels, classes_of, num_classes = _read_pair(images, labels)
  return prepare.make_source(pixels, classes_of, num_classes, name=name)


def mnist(*, folder, split='train') -> Source:
  """MNIST from its own four IDX files.

  LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to
  document recognition.

  Args:
    folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte,
      t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte; a name may also end in
      .gz, and read images.idx3-ubyte.
    split: 'train' (60,000), 'test' (10,000), or 'all', train first.

  Raises:
    DataError: whatever is wrong with a file or an argument.
  """
  images, labels = _read_folder(folder, split, '')
  return prepare.make_source(
      images, labels, 10, name=f'mnist_{split}', licence=_MNIST_LICENCE)


def fashion_mnist(*, folder='/usr/share/datasets/fashion-mnist',
                  split='train') -> Source:
  """Fashion-MNIST from its four IDX files.

  Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747.

  Args:
    folder: where the files are, named as in `mnist`; by default where Debian's
      package dataset-fashion-mnist installs them.
    split: 'train' (60,000), 'test' (10,000), or 'all', train first.

  Raises:
    DataError: whatever is wrong with a file or an argument.
  """
  images, labels = _read_folder(
      folder, split, '; or install the Debian package dataset-fashion-mnist')
  return prepare.make_source(
      images, labels, 10, name=f'fashion_mnist_{split}', licence='MIT')


def _guess_images(path, headers):
  found = [key for key in headers if key.lower() in _GUESSED]
  if not found:
    found = [k for k, header in headers.items() if len(header.shape) > 2]
  if len(found) != 1:
    raise DataError(
        f'{path!r}: {len(found)} arrays may be the images; say which with '
        f'image_key: it holds {readers.describe(headers)}')
  return found[0]


def _guess_labels(path, headers, image_key):
  by_lower = {key.lower(): key for key in headers}
  partner = by_lower.get(_PARTNERS.get(image_key.lower(), ''))
  if partner:
    return partner
  found = [by_lower[name] for name in _ANY_LABELS if name in by_lower]
  if len(found) > 1:
    raise DataError(
        f"{path!r}: {found} may all be the labels; say which with label_key, "
        f"or 'none': it holds {readers.describe(headers)}")
  return found[0] if found else _UNLABELLED


def _read_pair(images_path, labels_path):
  images = prepare.as_images(readers.read_idx(images_path),
                              repr(str(images_path)))
  if not labels_path:
    return images, (), 0
  labels = readers.read_idx(labels_path)
  return images, *prepare.as_labels(labels, len(images),
                                     repr(str(labels_path)))


def _read_folder(folder, split, fix):
  """Images [N, 28, 28, 1] and labels [N] of a folder laid out as MNIST."""
  if split not in _PREFIXES:
    raise DataError(f'split={split!r}: must be one of {list(_PREFIXES)}')
  if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
    raise DataError(f'folder={folder!r}: the path of a folder is needed')
  folder = os.path.expanduser(os.fspath(folder))
  if not os.path.isdir(folder):
    raise DataError(f'folder={folder!r}: no such folder; give the one that '
                    f'holds train-images-idx3-ubyte.gz and the rest{fix}')
  pairs = []
  for prefix in _PREFIXES[split]:
    images, labels, num_classes = _read_pair(
        _find(folder, prefix, 'images', 3, fix),
        _find(folder, prefix, 'labels', 1, fix))
    if num_classes > 10:
      raise DataError(f'{folder!r}: {prefix} labels up to {num_classes - 1}; '
                      f'this set has classes 0..9: use idx for another set')
    pairs.append((images, labels))
  if len({images.shape[1:] for images, _ in pairs}) > 1:
    raise DataError(f'{folder!r}: images of train {list(pairs[0][0].shape)} '
                    f'and t10k {list(pairs[1][0].shape)} differ in size; the '
                    f'files are of two sets: download them again')
  if len(pairs) == 1:
    return pairs[0]
  return tuple(np.concatenate(parts) for parts in zip(*pairs, strict=True))


def _find(folder, prefix, kind, rank, fix):
  names = [f'{prefix}-{kind}{dash}idx{rank}-ubyte{suffix}'
           for dash in '-.' for suffix in ('', '.gz')]
  for name in names:
    if os.path.isfile(os.path.join(folder, name)):
      return os.path.join(folder, name)
  raise DataError(f'{folder!r}: no {prefix} {kind}; one of {names} is needed, '
                  f'it holds {files.list_folder(folder)[:8]}: give another '
                  f'folder{fix}')
