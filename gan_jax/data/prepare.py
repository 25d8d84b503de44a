"""Makes a `Source` of arrays: checks images and labels, fingerprints them."""

import hashlib
import math
import re
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base.errors import DataError

_BLOCK = 1024  # images converted at a time, so that the float copy stays small
_MAX_CLASSES = 1_000_000
_CLIP = 1e-3  # tolerance of float ranges; half a grey level is 2e-3


class Source(NamedTuple):
  """A data set with random access.

  images: uint8 [N, H, W, C] or float32 vectors [N, D]; a numpy array, perhaps
    memory-mapped, or anything with shape, dtype, nbytes, images[indices].
  labels: int32 [N] in 0..num_classes - 1, -1 if withheld; zeros if unlabelled.
  num_classes: 0 if unlabelled.
  name: letters, digits, `.`, `_` and `-` only.
  fingerprint: sha256 in hex of images and labels, AFTER preprocessing.
  licence: '' if unknown.
  class_names: () if the classes are only numbers.
  report: notes of the reader, all optional: {'sizes': {'64x64': 12},
    'refused': ['a.png: truncated'], 'notices': [...], 'manifest': its path}.
  held_out: examples kept from training, a `Source`, or None.
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


def as_images(array, where) -> np.ndarray:
  """Checks an array of images and converts it to uint8 [N, H, W, C].

  Accepts [N, H, W] and [N, H, W, C] of uint8; other integers within 0..255;
  bool (0 and 255); floats clearly in [0, 1] (maximum at least 0.5; round(255
  x)) or in [-1, 1] (minimum at most -0.5, maximum at least 0; round(127.5 (x +
  1))). Floats may exceed these bounds by 1e-3.

  Raises:
    DataError: begins with `where`; another dtype, shape or range, NaN or Inf.
  """
  _check_layout(array.shape, where)
  if array.ndim == 3:
    array = array[..., None]
  if array.dtype == np.bool_:
    return array * np.uint8(255)
  found = f'{where}: {array.dtype} images'
  if array.dtype.kind == 'f':
    return _from_float(array, found)
  if array.dtype.kind not in 'ui':
    raise DataError(f'{found}; uint8, bool, integers in 0..255 or floats in '
                    f'[0, 1] or [-1, 1] are needed: convert them to uint8')
  low, high = int(array.min()), int(array.max())
  if low < 0 or high > 255:
    raise DataError(f'{found} with values {low}..{high}, not in 0..255: scale '
                    f'to uint8 (16-bit images: numpy.rint(images / 257))')
  if high == 1:
    raise DataError(f'{found} with maximum 1 would be almost black, as 255 is '
                    f'white: save them as bool or as float in [0, 1]')
  return np.ascontiguousarray(array, np.uint8)


def _check_layout(shape, where):
  problem = ''
  if 0 in shape:
    problem = ': no pixels in it: check how the file was written'
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
  elif len(shape) == 4 and shape[1] in (1, 3, 4) and min(shape[2:]) > 4:
    problem = (' look like [N, C, H, W], but channels come last: save '
               'images.transpose(0, 2, 3, 1)')
  if problem:
    raise DataError(f'{where}: images of shape {list(shape)}{problem}; '
                    f'[N, H, W] or [N, H, W, C] is needed')


def _from_float(array, found):
  # min and max propagate NaN and find Inf without a copy of the array.
  low, high = float(array.min()), float(array.max())
  if not (math.isfinite(low) and math.isfinite(high)):
    first = next(i for i, x in enumerate(array) if not np.isfinite(x).all())
    raise DataError(f'{found} with NaN or Inf, first in image {first}; remove '
                    f'or repair such images')
  if -_CLIP <= low and 0.5 <= high <= 1 + _CLIP:
    scale, shift = 255.0, 0.0
  elif -1 - _CLIP <= low <= -0.5 and 0 <= high <= 1 + _CLIP:
    scale, shift = 127.5, 127.5
  else:
    raise DataError(f'{found} with values {low:g}..{high:g}, not clearly '
                    f'[0, 1] or [-1, 1]: scale to 0..255 and save as uint8')
  images = np.empty(array.shape, np.uint8)
  for i in range(0, len(array), _BLOCK):
    block = array[i:i + _BLOCK].astype(np.float64) * scale + shift
    images[i:i + _BLOCK] = np.rint(block).clip(0, 255)
  return images


def as_labels(array, num_images, where) -> tuple:
  """Checks labels: integers [N] or [N, 1], or one-hot [N, K].

  Returns:
    (int32 [N], number of classes): K, or the largest label + 1.

  Raises:
    DataError: begins with `where`; another dtype or shape, not one for each
      image, negative or huge labels, rows that are not one-hot.
  """
  if array.ndim not in (1, 2) or 0 in array.shape:
    problem = '; integers [N] or one-hot [N, K] are needed'
  elif len(array) != num_images:
    problem = f' for {num_images} images; are both of the same split?'
  elif array.ndim == 2 and array.shape[1] > 1:
    if array.dtype.kind in 'buif' and (
        ((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all()):
      return array.argmax(1).astype(np.int32), array.shape[1]
    problem = ' are not one-hot: each row needs one 1 and 0 elsewhere'
  elif array.dtype.kind not in 'bui':
    problem = '; integers are needed'
  else:
    low, high = int(array.min()), int(array.max())
    if low >= 0 and high < _MAX_CLASSES:
      return array.reshape(-1).astype(np.int32), high + 1
    problem = (f' with values {low}..{high}, not in 0..{_MAX_CLASSES - 1}: '
               f'drop unlabelled images')
  raise DataError(f'{where}: labels {array.dtype} {list(array.shape)}{problem}'
                  f'; save one class index per image, for example '
                  f'numpy.unique(labels, return_inverse=True)[1]')


def make_source(images, labels, num_classes, *, name, licence='',
                fingerprint='', **more) -> Source:
  """Makes a `Source` with its fingerprint.

  images: uint8 [N, H, W, C] or vectors float32 [N, D]; labels: int32 [N], or ()
  with num_classes=0. Invalid characters of the name become `_`. `fingerprint`
  is that of the images, if known, so that they need not be read. `more` are
  other fields of `Source`.
  """
  labels = (np.asarray(labels, np.int32) if num_classes
            else np.zeros(len(images), np.int32))
  digest = hashlib.sha256(f'{images.shape}{fingerprint}'.encode())
  if not fingerprint:
    images = np.ascontiguousarray(images)
    digest.update(images.data)
  digest.update(np.ascontiguousarray(labels, '<i4').data)
  return Source(images, labels, num_classes,
                re.sub(r'[^A-Za-z0-9._-]', '_', name), digest.hexdigest(),
                licence, **more)
