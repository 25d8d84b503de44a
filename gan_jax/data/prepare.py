"""Makes a `Source` of arrays: checks images and labels, fingerprints them."""

import hashlib
import math
import re
from typing import Any, Literal, NamedTuple

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import values

_BLOCK = 1024  # images converted at a time, so that the float copy stays small


class LabelColumn(NamedTuple):
  """One of several numbers that describe an example.

  name: of the column.
  low, high: what 0 and 1 stand for; (0, 1) where a thing is there or is not.
  """
  name: str
  low: float = 0.0
  high: float = 1.0


class Column(NamedTuple):
  """A column of a table.

  name: its header.
  kind: 'category', 'integer' or 'number'.
  values: of a category, None for a missing one.
  modes: (mean, standard deviation) of each; 'missing' in place of the last
    where numbers are missing.
  low, high, decimals: of the numbers in the table; what is generated is
    clipped and rounded to these.
  """
  name: str
  kind: str
  values: tuple = ()
  modes: tuple = ()
  low: float = 0.0
  high: float = 0.0
  decimals: int = 0

  @property
  def blocks(self) -> tuple:
    """Parts of the vector: ('number', 1), ('choice', n)."""
    if self.kind == 'category':
      return (('choice', len(self.values)),)
    return ('number', 1), ('choice', len(self.modes))


def blocks_of(columns) -> tuple:
  """Parts of the vectors of a table, in order."""
  return tuple(block for column in columns for block in Column(*column).blocks)


class Source(NamedTuple):
  """A data set with random access.

  images: the examples, see `base.examples.KINDS`: images [N, H, W, C] or
    volumes [N, D, H, W, C], uint8, or float32 in [-1, 1]; signals [N, T, C],
    float32 in [-1, 1]; vectors [N, D], float32. A numpy array, perhaps
    memory-mapped, or anything with shape, dtype, nbytes, images[indices].
  labels: int32 [N] in 0..num_classes - 1, -1 if withheld; zeros if unlabelled.
    Or float32 [N, L] in [0, 1], the numbers of `label_columns`.
  num_classes: 0 if unlabelled, or where labels are vectors.
  name: letters, digits, `.`, `_` and `-` only.
  fingerprint: sha256 in hex of images and labels, AFTER preprocessing.
  licence: '' if unknown.
  class_names: () if the classes are only numbers.
  report: notes of the reader, all optional: {'sizes': {'64x64': 12},
    'refused': ['a.png: truncated'], 'notices': [...], 'manifest': its path}.
  held_out: examples kept from training, a `Source`, or None.
  label_columns: of label vectors, () else.
  units: (low, high) that -1 and 1 of float images, volumes and signals stand
    for; () for bytes and vectors.
  rate: of signals, in Hz, 0 if unknown.
  columns: of a table, each a `Column`; () for other vectors.
  """
  images: Any
  labels: np.ndarray
  num_classes: int
  name: str
  fingerprint: str
  licence: str
  class_names: tuple = ()
  report: dict = {}
  held_out: Any = None
  label_columns: tuple[LabelColumn, ...] = ()
  units: tuple = ()
  rate: float = 0.0
  columns: tuple = ()


class Layout(NamedTuple):
  """What the axes of an array are.

  holds: 'images' [N, H, W] or [N, H, W, C], 'volumes' [N, D, H, W] or [N, D, H,
    W, C], 'signals' [N, T] or [N, T, C], 'vectors' [N, D]; 'auto' for images,
    or volumes of five axes, where the shape can hardly be anything else.
  slices: 'axial', 'coronal' or 'sagittal' slices (axis 1, 2 or 3) of volumes as
    images; '' for none.
  rate: of signals, in Hz; 0 if unknown.
  """
  holds: Literal['auto', 'images', 'volumes', 'signals', 'vectors'] = 'auto'
  slices: Literal['', 'axial', 'coronal', 'sagittal'] = ''
  rate: float = 0.0

  def checked(self) -> 'Layout':
    """The same; ArgumentError for an invalid field."""
    if self.rate < 0:
      raise ArgumentError('rate', self.rate, 'must be 0 or more Hz')
    return self

  def kind(self, shape, where) -> str:
    """Kind of the examples of an array, before it is sliced.

    Raises:
      ArgumentError: what was said of it cannot be true of this shape.
      DataError: the shape may be of several kinds, or of none; begins with
        `where`.
    """
    kind, wrong, problem = self.holds, '', ''
    if self.slices and kind == 'auto':
      kind = 'volumes'
    if kind == 'auto':
      kind = 'volumes' if len(shape) == 5 else 'images'
      problem, needed = _doubts(shape), _AXES['images'][1]
    else:
      needed = _AXES[kind][1]
      if len(shape) not in _AXES[kind][0]:
        wrong = 'slices' if self.holds == 'auto' else 'holds'
      if kind == 'signals' and len(shape) == 3 and shape[1] < shape[2]:
        problem = (' looks like [N, C, T], but channels come last: save '
                   'x.transpose(0, 2, 1)')
    if self.slices and kind != 'volumes':
      wrong, needed = 'slices', _AXES['volumes'][1]
    if 0 in shape:
      problem = ': no numbers in it: check how the file was written'
    elif wrong:
      raise ArgumentError(wrong, getattr(self, wrong), (
          f'needs {needed}; {where}: an array of shape {list(shape)}'))
    if problem:
      raise DataError(f'{where}: an array of shape {list(shape)}{problem}; '
                      f'{needed} are needed')
    return kind

  def arranged(self, array, kind) -> np.ndarray:
    """With an axis of channels, and slices as images one after the other."""
    if kind != 'vectors' and array.ndim == min(_AXES[kind][0]):
      array = array[..., None]
    if not self.slices:
      return array
    array = np.moveaxis(array, _SLICES[self.slices], 1)
    return array.reshape(-1, *array.shape[2:])


_AXES = {'images': ((3, 4), 'images [N, H, W] or [N, H, W, C]'),
         'volumes': ((4, 5), 'volumes [N, D, H, W] or [N, D, H, W, C]'),
         'signals': ((2, 3), 'signals [N, T] or [N, T, C]'),
         'vectors': ((2,), 'vectors [N, D]')}
_SLICES = {'axial': 1, 'coronal': 2, 'sagittal': 3}
_FEW = 16  # channels of a recording


def _doubts(shape) -> str:
  """Why a shape may be none of images, with what says what it is; or ''."""
  if len(shape) < 2:
    return ': are these the labels?'
  if len(shape) == 2:
    side = math.isqrt(shape[1])
    sides = f'{side}, {side}' if side ** 2 == shape[1] else 'H, W'
    return (f": say holds='signals' or holds='vectors', or save flattened "
            f'images as x.reshape(-1, {sides})')
  if len(shape) > 5:
    return ': reshape or drop the other axes'
  if len(shape) == 5:
    return '' if shape[4] <= 4 < min(shape[1:4]) else (
        ": say holds='volumes' for [N, D, H, W, C]")
  if len(shape) == 3:
    if shape[2] in (1, 3, 4) and min(shape[:2]) > 4:
      return (' look like ONE image [H, W, C]: save x[None]; or say '
              "holds='signals' for [N, T, C], holds='images' where they are "
              'narrow')
    if shape[2] <= _FEW and shape[1] >= 4 * shape[2]:
      return (f' look like signals [N, T, C] of {shape[2]} channels, such as '
              f"an ECG: say holds='signals', or 'images' for [N, H, W]")
    return ''
  if shape[3] > _FEW and shape[2] != shape[3]:
    return (f": say holds='volumes' for [N, D, H, W], or holds='images' for "
            f'images of {shape[3]} channels')
  square = shape[2] == shape[3] > 4
  if square and shape[1] >= shape[2]:
    return (f" looks like volumes [N, D, H, W]: say holds='volumes', or "
            f"slices='axial' for each of the {shape[1]} slices as an image (or "
            f"'coronal', 'sagittal'), or holds='images' if these are images of "
            f'{shape[3]} channels')
  if square or shape[1] in (1, 3, 4) and min(shape[2:]) > 4:
    return (' looks like [N, C, H, W], but channels come last: save '
            'x.transpose(0, 2, 3, 1)' + (
                "; or say holds='volumes', holds='images' or slices='axial'"
                if shape[1] > 4 else ''))
  return ''


def as_examples(array, where, scale=values.Scale(),
                layout=Layout()) -> tuple[np.ndarray, tuple, list]:
  """Checks and converts an array of examples of any kind.

  Accepts of images [N, H, W] and [N, H, W, C] of uint8; other integers within
  0..255; bool (0 and 255); floats clearly in [0, 1] (maximum at least 0.5;
  round(255 x)) or in [-1, 1] (minimum at most -0.5, one of both beyond 0.5 in
  size; round(127.5 (x + 1))). Floats may exceed these bounds by 1e-3.

  Returns:
    (examples, units, notices) as of a `Source`: signals are always float32,
    vectors too, which are not scaled.

  Raises:
    DataError: begins with `where`; another dtype, shape or range, NaN or Inf.
  """
  scale = scale.checked()
  kind = layout.kind(array.shape, where)
  check_numbers(array.dtype, where)
  array = layout.arranged(array, kind)
  found = f'{where}: {array.dtype} {kind}'
  black, white, note = _range(array, found, kind, scale.value_range)
  if kind == 'vectors':
    return np.ascontiguousarray(array, np.float32), (), []
  dtype = dtype_of(kind, scale)
  notices = [note] if note else []
  if array.dtype == dtype == 'uint8' and (black, white) == (0, 255):
    return np.ascontiguousarray(array), (), notices
  out = np.empty(array.shape, dtype)
  for i in range(0, len(array), _BLOCK):
    out[i:i + _BLOCK] = values.finished(values.scaled(
        array[i:i + _BLOCK], black, white, dtype))
  return out, (black, white) if dtype == 'float32' else (), notices


def _range(array, found, kind, value_range):
  try:
    span = values.span('signal' if kind == 'signals' else 'array', array)
    if kind == 'vectors':
      return 0, 1, ''
    return values.choose(span, value_range)
  except DataError as error:
    first = next((i for i, x in enumerate(array) if array.dtype.kind == 'f'
                  and not np.isfinite(x).all()), None)
    if first is not None:
      raise DataError(f'{found} with NaN or Inf, first in {kind[:-1]} {first}; '
                      f'remove or repair these') from error
    raise DataError(f'{found} with {error}') from error


def check_numbers(dtype, where):
  """DataError for an array of other things than numbers."""
  if dtype.kind not in 'buif':
    raise DataError(f'{where}: {dtype}; uint8, bool, integers or floats are '
                    f'needed')


def dtype_of(kind: str, scale: values.Scale) -> str:
  """Of the examples: 'float32' for signals, else what `scale` says."""
  return 'float32' if kind == 'signals' else scale.dtype


def make_source(images, labels, num_classes, *, name, licence='',
                fingerprint='', **more) -> Source:
  """Makes a `Source` with its fingerprint.

  images: as of a `Source`; labels: integers [N], or with num_classes=0 floats
  [N, L] in [0, 1] if there are `label_columns`, else (). Invalid characters of
  the name become `_`. `fingerprint` is that of the images, if known, so that
  they need not be read. `more` are other fields of `Source`.
  `label_values.of_array` makes labels of text, and label vectors.

  Raises:
    ValueError: images that are no array, labels that num_classes=0 would drop,
      or that are text.
  """
  if not hasattr(images, 'shape'):
    raise ValueError(f'images are a {type(images).__name__}; give an array [N, '
                     'H, W, C], such as np.stack of a list')
  labels = np.asarray(labels)
  fix = ('gan_jax.data.label_values.of_array makes classes or label vectors of '
         'them')
  if not np.issubdtype(labels.dtype, np.number) and labels.dtype != bool:
    raise ValueError(f'labels of {labels.dtype}; {fix}')
  if more.get('label_columns'):
    labels = labels.astype(np.float32)
  elif num_classes:
    labels = labels.astype(np.int32)
  elif labels.any():
    raise ValueError(f'labels {list(labels.shape)}, and num_classes=0; give '
                     f'their number, () for no labels, or label_columns: {fix}')
  else:
    labels = np.zeros(len(images), np.int32)
  # Plain texts, which JSON takes, of numpy's too.
  names = tuple(map(str, more.pop('class_names', ())))
  digest = hashlib.sha256(f'{images.shape}{fingerprint}'.encode())
  if not fingerprint:
    images = np.ascontiguousarray(images)
    digest.update(images.data)
  digest.update(np.ascontiguousarray(
      labels, labels.dtype.newbyteorder('<')).data)
  return Source(images, labels, num_classes,
                re.sub(r'[^A-Za-z0-9._-]', '_', name), digest.hexdigest(),
                licence, names, **more)
