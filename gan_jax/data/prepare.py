"""Makes a `Source` of arrays: checks images and labels, fingerprints them."""

import hashlib
import math
import re
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base.errors import DataError
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


def as_images(array, where) -> np.ndarray:
  """Checks an array of images and converts it to uint8 [N, H, W, C].

  Accepts [N, H, W] and [N, H, W, C] of uint8; other integers within 0..255;
  bool (0 and 255); floats clearly in [0, 1] (maximum at least 0.5; round(255
  x)) or in [-1, 1] (minimum at most -0.5, one of both beyond 0.5 in size;
  round(127.5 (x + 1))). Floats may exceed these bounds by 1e-3.

  Raises:
    DataError: begins with `where`; another dtype, shape or range, NaN or Inf.
  """
  return scaled_images(array, where)[0]


def scaled_images(array, where, *, value_range=values.AUTO,
                  slices='') -> tuple[np.ndarray, list]:
  """As `as_images`, with what is to be said of it.

  `value_range` as in `values.checked`, `slices` as in `check_layout`.
  """
  value_range = values.checked(value_range)
  check_layout(array.shape, where, slices)
  found = f'{where}: {array.dtype} images'
  if array.dtype.kind not in 'buif':
    raise DataError(f'{found}; uint8, bool, integers in 0..255 or floats in '
                    f'[0, 1] or [-1, 1] are needed: convert them to uint8')
  array = as_slices(array, slices)
  if array.ndim == 3:
    array = array[..., None]
  try:
    black, white, note = values.choose(
        values.span('array', array), value_range)
  except DataError as error:
    first = next((i for i, x in enumerate(array) if array.dtype.kind == 'f'
                  and not np.isfinite(x).all()), None)
    if first is not None:
      raise DataError(f'{found} with NaN or Inf, first in image {first}; '
                      f'remove or repair such images') from error
    raise DataError(f'{found} with {error}') from error
  notices = [note] if note else []
  if array.dtype == np.uint8 and (black, white) == (0, 255):
    return np.ascontiguousarray(array), notices
  images = np.empty(array.shape, np.uint8)
  for i in range(0, len(array), _BLOCK):
    images[i:i + _BLOCK] = values.as_bytes(array[i:i + _BLOCK], black, white)
  return images, notices


_AXES = {'axial': 1, 'coronal': 2, 'sagittal': 3}


def as_slices(array, slices) -> np.ndarray:
  """Volumes [N, D, H, W] as images [N * slices, ...], one after the other."""
  if slices not in _AXES:
    return array
  array = np.moveaxis(array, _AXES[slices], 1)
  return array.reshape(-1, *array.shape[2:])


def check_layout(shape, where, slices=''):
  """DataError if a shape is not clearly [N, H, W] or [N, H, W, C].

  slices: '' if volumes are refused, 'axial', 'coronal' or 'sagittal' for the
    axis (1, 2, 3) of volumes [N, D, H, W] along which they become images,
    'none' if the last axis holds channels however many.
  """
  problem, volumes = '', slices in _AXES
  if slices not in ('', 'none') and not volumes:
    raise DataError(f"slices={slices!r}: must be 'axial', 'coronal', "
                    f"'sagittal' or 'none'")
  square = len(shape) == 4 and shape[2] == shape[3] > 4
  if 0 in shape:
    problem = ': no pixels in it: check how the file was written'
  elif volumes and len(shape) != 4:
    problem = f': slices={slices!r} is for volumes [N, D, H, W]'
  elif volumes or slices == 'none' and len(shape) == 4:
    return
  elif len(shape) == 1:
    problem = ': are these the labels?'
  elif len(shape) == 2:
    side = math.isqrt(shape[1])
    sides = f'{side}, {side}' if side ** 2 == shape[1] else 'H, W'
    problem = f': use images.reshape(-1, {sides})'
  elif len(shape) > 4:
    problem = ': reshape or drop the other axes'
  elif len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) > 4:
    problem = (' look like ONE image [H, W, C]: save images[None], or '
               'images[..., None] where they are narrow')
  elif square and shape[1] >= shape[2]:
    problem = (f" look like volumes [N, D, H, W]: slices='axial' makes each of "
               f"the {shape[1]} slices an image (or 'coronal', 'sagittal'); "
               f"slices='none' if these are images of {shape[3]} channels")
  elif square or len(shape) == 4 and shape[1] in (1, 3, 4) and (
      min(shape[2:]) > 4):
    problem = (' look like [N, C, H, W], but channels come last: save '
               'images.transpose(0, 2, 3, 1)')
    if shape[1] > 4:
      problem += ("; slices='axial' if these are volumes [N, D, H, W], 'none' "
                  'if images of that many channels')
  if problem:
    raise DataError(f'{where}: images of shape {list(shape)}{problem}; '
                    f'[N, H, W] or [N, H, W, C] is needed')


def make_source(images, labels, num_classes, *, name, licence='',
                fingerprint='', **more) -> Source:
  """Makes a `Source` with its fingerprint.

  images: uint8 [N, H, W, C] or vectors float32 [N, D]; labels: int32 [N], or
  with num_classes=0 float32 [N, L] if there are `label_columns`, else ().
  Invalid characters of the name become `_`. `fingerprint` is that of the
  images, if known, so that they need not be read. `more` are other fields of
  `Source`.
  """
  if more.get('label_columns'):
    labels = np.asarray(labels, np.float32)
  else:
    labels = (np.asarray(labels, np.int32) if num_classes
              else np.zeros(len(images), np.int32))
  digest = hashlib.sha256(f'{images.shape}{fingerprint}'.encode())
  if not fingerprint:
    images = np.ascontiguousarray(images)
    digest.update(images.data)
  digest.update(np.ascontiguousarray(
      labels, labels.dtype.newbyteorder('<')).data)
  return Source(images, labels, num_classes,
                re.sub(r'[^A-Za-z0-9._-]', '_', name), digest.hexdigest(),
                licence, **more)
