"""Data sets in array files: IDX and npz. No pickle is ever loaded.

Sizes in headers are checked before anything is allocated; the content decides
the format, not the suffix.
"""

import gzip
import math
import os
import zipfile
from typing import Literal

import numpy as np

from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import files, sniff
from gan_jax.data.label_values import Labels, of_array
from gan_jax.data.prepare import Layout, Source, as_examples, make_source
from gan_jax.data.values import Scale

_MNIST_LICENCE = 'CC BY-SA 3.0'
UNLABELLED = 'none'
_WRITE = 'write one with numpy.savez_compressed(path, images=..., labels=...)'
# Names of images and labels that belong together. Training arrays are guessed;
# the rest only say which labels belong to a given image_key.
_GUESSED = {'images': 'labels', 'imgs': 'labels', 'image': 'label', 'x': 'y',
            'signals': 'labels', 'volumes': 'labels', 'data': 'targets',
            'x_train': 'y_train', 'train_images': 'train_labels',
            'arr_0': 'arr_1'}
_PARTNERS = _GUESSED | {
    'x_test': 'y_test', 'x_val': 'y_val', 'test_images': 'test_labels',
    'val_images': 'val_labels'}
_ANY_LABELS = ('labels', 'label', 'y', 'targets')
_Split = Literal['train', 'test', 'all']
_PREFIXES = {'train': ('train',), 'test': ('t10k',), 'all': ('train', 't10k')}
# http://yann.lecun.com/exdb/mnist: third byte of the magic number -> type.
_IDX_TYPES = {0x08: 'u1', 0x09: 'i1', 0x0B: '>i2', 0x0C: '>i4', 0x0D: '>f4',
              0x0E: '>f8'}


def mnist10k() -> Source:
  """The embedded 10,000 MNIST digits, [10000, 28, 28, 1], sorted by class.

  LeCun, Cortes; attribution and licence in LICENSE-mnist10k.md.
  """
  home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
  return npz(path=os.path.join(home, 'mnist10k.npz'))._replace(
      licence=_MNIST_LICENCE)


def npz(*, path, image_key='', label_key='', label_index=-1, layout=Layout(),
        scale=Scale()) -> Source:
  """Examples, and labels if there are any, of one npz file.

  Args:
    path: the file; read without pickle.
    image_key: name of the examples, '' to guess: images, image, x, data,
      x_train, train_images or arr_0 in any case, or the only array of three or
      more axes. Two candidates are an error.
    label_key: name of the labels, '' to guess: the partner of the images
      (x_test: y_test), else labels, label, y or targets, else unlabelled.
      'none' for unlabelled. What becomes of labels: `label_values.of_array`.
    label_index: of several labels per image [N, K], the column that is the
      class, instead of a label vector.
    layout: what the axes are.
    scale: black and white.
  """
  if isinstance(path, str | os.PathLike) and os.path.isdir(path):
    sniff.refuse(path, 'npz')
  path = files.check_file(path)
  headers = _npz_headers(path)
  image_key, label_key = guess(path, headers, image_key, label_key)
  array = _npz_array(path, headers, image_key)
  examples, units, notices = as_examples(
      array, f'{path!r}, array {image_key!r}', scale, layout)
  labels = Labels()
  if label_key != UNLABELLED:
    labels = of_array(
        _npz_array(path, headers, label_key), len(array),
        f"{path!r}, array {label_key!r} (label_key='none' ignores it)",
        label_index=label_index)
    each = len(examples) // len(array)  # slices of a volume
    labels = labels.of(np.arange(len(examples)) // each)
  return make_source(
      examples, **labels.described(), units=units, rate=layout.rate,
      name=os.path.splitext(os.path.basename(path))[0],
      report={'notices': [*notices, *labels.notices]})


def idx(*, images, labels='') -> Source:
  """Images of an IDX file, and labels of another.

  Args:
    images: path of an IDX file [N, H, W] or [N, H, W, C], gzipped or not.
    labels: path of an IDX file [N], '' if unlabelled.
  """
  pixels, found = _read_pair(images, labels)
  return make_source(
      pixels, **found.described(), report={'notices': [*found.notices]},
      name=os.path.basename(images).split('.')[0])


def mnist(*, folder='', split: _Split = 'train') -> Source:
  """MNIST from its four IDX files.

  LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to
  document recognition.

  Args:
    folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte,
      t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte; a name may also end in
      .gz, and read images.idx3-ubyte.
    split: 'train' (60,000), 'test' (10,000), or 'all', train first.
  """
  fix = ('; or use data=mnist10k, 10,000 of the digits, which come with the '
         'code, or the set of TensorFlow Datasets, data=tfds with '
         '--config.data.dataset=mnist')
  return make_source(*_read_folder(folder, split, fix), 10,
                     name=f'mnist_{split}', licence=_MNIST_LICENCE)


def fashion_mnist(*, folder='/usr/share/datasets/fashion-mnist',
                  split: _Split = 'train') -> Source:
  """Fashion-MNIST from its four IDX files.

  Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747.

  Args:
    folder: where the files are, named as in `mnist`; by default where Debian's
      package dataset-fashion-mnist installs them.
    split: 'train' (60,000), 'test' (10,000), or 'all', train first.
  """
  fix = '; or install the Debian package dataset-fashion-mnist'
  return make_source(*_read_folder(folder, split, fix), 10,
                     name=f'fashion_mnist_{split}', licence='MIT')


def _npz_headers(path) -> dict[str, tuple]:
  """{name: (shape, dtype)} of the arrays, without loading them."""
  with files.one_error(path, 'npz file'):
    with open(path, 'rb') as raw:
      head = raw.read(24)
    if not head.startswith(b'PK\x03\x04'):
      raise DataError(f'{path!r}: begins with {head[:4].hex(" ")} '
                      f'({files.looks_like(head)}){sniff.hint(path)}; an npz '
                      f'is a zip archive of npy arrays: {_WRITE}')
    with zipfile.ZipFile(path) as archive:
      headers = {info.filename[:-4]: _npy_header(path, archive, info)
                 for info in archive.infolist()
                 if info.filename.endswith('.npy')}
  if not headers:
    raise DataError(f'{path!r}: a zip archive without npy arrays'
                    f'{sniff.hint(path)}; {_WRITE}')
  return headers


def _npy_header(path, archive, info) -> tuple:
  where = f'{path!r}, member {info.filename!r}'
  with archive.open(info) as stream:
    version = np.lib.format.read_magic(stream)
    if version > (2, 0):
      raise DataError(f'{where}: npy version {version}; 1.0 and 2.0 are read: '
                      f'save plain arrays of numbers')
    shape, _, dtype = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                       else np.lib.format.read_array_header_2_0)(stream)
    present = info.file_size - stream.tell()
  # An object array holds a pickle, of any length; it is refused on loading.
  needed = math.prod(shape) * dtype.itemsize
  if not dtype.hasobject and (needed != present or min(shape, default=0) < 0):
    raise DataError(f'{where} is damaged: its header declares {dtype} '
                    f'{list(shape)} = {needed:,} bytes, it holds {present:,}')
  return shape, dtype


def _npz_array(path, headers, key) -> np.ndarray:
  """Loads one array of an npz, never running code from it."""
  where = f'{path!r}, array {key!r}'
  shape, dtype = headers[key]
  if dtype.hasobject:
    raise DataError(f'{where}: Python objects are a pickle, which can run code '
                    f'and is never loaded: save numpy.stack(list_of_images)')
  files.check_memory(math.prod(shape) * dtype.itemsize, where)
  with files.one_error(path, 'npz file'), np.load(path) as archive:
    # With its suffix: a member named as the key itself would come first.
    return archive[f'{key}.npy']


def _describe(headers) -> str:
  return ', '.join(f'{key!r} {dtype} {list(shape)}'
                   for key, (shape, dtype) in headers.items())


def guess(path, headers, image_key, label_key) -> tuple:
  """Names of images and labels among headers {name: (shape, dtype)}."""
  by_lower = {key.lower(): key for key in headers}
  images, labels = [image_key], [label_key]
  if not image_key:
    images = [key for key in headers if key.lower() in _GUESSED] or [
        key for key, (shape, _) in headers.items() if len(shape) > 2]
  if not label_key and len(images) == 1:
    partner = _PARTNERS.get(images[0].lower())
    labels = [by_lower[name] for name in (
        [partner] if partner in by_lower else _ANY_LABELS)
        if name in by_lower] or [UNLABELLED]
  for what, found, argument in (('images', images, 'image_key'),
                                ('labels', labels, 'label_key')):
    if len(found) != 1:
      raise DataError(f'{path!r}: {len(found)} arrays may be the {what}; say '
                      f'which with {argument}: it holds {_describe(headers)}')
    if found[0] not in headers and (what, found[0]) != ('labels', UNLABELLED):
      raise ArgumentError(argument, found[0], (
          f'is no array in {path!r}{lookup.near(found[0], headers)}'))
  if images == labels != [UNLABELLED] and (image_key or label_key):
    argument = 'label_key' if label_key else 'image_key'
    raise ArgumentError(argument, images[0], (
        f'is taken for images and labels alike, of {_describe(headers)} in '
        f'{path!r}'))
  for argument, given, few, most, needed in (
      ('image_key', image_key, 2, np.inf, 'examples [N, ...]'),
      ('label_key', label_key, 1, 2, 'labels [N] or [N, K]')):
    shape, dtype = headers.get(given, ((0,) * few, np.dtype(int)))
    if not few <= len(shape) <= most and not dtype.hasobject:
      raise ArgumentError(argument, given, (
          f'names an array of shape {list(shape)}, and {needed} are needed; '
          f'{path!r} holds {_describe(headers)}'))
  return images[0], labels[0]


def _read_idx(path) -> np.ndarray:
  """Reads one IDX file, gzipped or not, with its declared dtype."""
  path = files.check_file(path)
  with files.one_error(path, 'IDX file'), open(path, 'rb') as raw:
    zipped = raw.read(2) == b'\x1f\x8b'
    raw.seek(0)
    stream = gzip.GzipFile(fileobj=raw) if zipped else raw
    head = stream.read(4)
    if (len(head) < 4 or head[:2] != b'\x00\x00' or head[2] not in _IDX_TYPES
        or not 1 <= head[3] <= 4):
      raise DataError(
          f'{path!r}: begins with {head.hex(" ") or "nothing"} '
          f'({files.looks_like(head + stream.read(20))}); an IDX file, such as '
          f"MNIST's, has 00 00, a type code 08..0e and 1..4 dimensions there")
    sizes = stream.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
      raise DataError(f'{path!r}: ends within its header; download it again')
    shape = np.frombuffer(sizes, '>u4').tolist()
    dtype = np.dtype(_IDX_TYPES[head[2]])
    needed = math.prod(shape) * dtype.itemsize
    declared = f'{path!r}: its header declares {shape} = {needed:,} bytes'
    files.check_memory(needed, declared)
    # One byte more: also what makes gzip compare its checksum.
    data = stream.read(needed + 1)
    if len(data) != needed:
      found = (f'it holds only {len(data):,}' if len(data) < needed else
               'more bytes follow')
      raise DataError(f'{declared}, but {found}: download it again')
    return np.frombuffer(data, dtype).reshape(shape)


def _read_pair(images_path, labels_path, known=0):
  """Images and their `Labels`; `known` as of `label_values.of_array`."""
  images, _, _ = as_examples(_read_idx(images_path), repr(str(images_path)))
  return images, of_array(
      _read_idx(labels_path), len(images), repr(str(labels_path)),
      known=known) if labels_path else Labels()


def _read_folder(folder, split, fix) -> list:
  """Images [N, 28, 28, 1] and labels [N] of a folder laid out like MNIST."""
  folder, parts = os.path.expanduser(folder), []
  if not os.path.isdir(folder):
    raise DataError(f'folder={folder!r}: no such folder; give the one that '
                    f'holds train-images-idx3-ubyte.gz and the rest{fix}')
  for prefix in _PREFIXES[split]:
    images, labels = _read_pair(
        _find(folder, f'{prefix}-images', 'idx3', fix),
        _find(folder, f'{prefix}-labels', 'idx1', fix), 10)
    parts.append((images, labels.values))
  shapes = [list(images.shape) for images, _ in parts]
  if shapes[0][1:] != shapes[-1][1:]:
    raise DataError(f'{folder!r}: images of train {shapes[0]} and t10k '
                    f'{shapes[1]} differ in size: download them again')
  return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _find(folder, stem, kind, fix) -> str:
  names = [f'{stem}{mark}{kind}-ubyte{suffix}'
           for mark in '-.' for suffix in ('', '.gz')]
  for name in names:
    if os.path.isfile(os.path.join(folder, name)):
      return os.path.join(folder, name)
  raise DataError(f'{folder!r}: no {stem.replace("-", " ")}; one of {names} is '
                  f'needed, it holds {files.list_folder(folder)[:8]}: give '
                  f'another folder{fix}')
