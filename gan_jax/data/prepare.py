"""From arrays to a `Source`: checks of images and labels, the fingerprint."""

import hashlib
import math
import re
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base.errors import DataError

_BLOCK = 1024  # images converted at a time: the float copy stays small
_MAX_CLASSES = 1_000_000
_CLIP = 1e-3  # float range tolerance, under half a grey level of 1/255


class Source(NamedTuple):
  """A data set, ready to be read by index.

  images: uint8 [N, H, W, C] or float32 vectors [N, D]; a numpy array, in
    memory or mapped from a file, or anything else with shape, dtype, nbytes
    and `images[indices]`.
  labels: int32 [N] in 0..num_classes - 1, -1 where a label is withheld; zeros
    when unlabelled.
  num_classes: 0 when unlabelled.
  name: letters, digits, `.`, `_` and `-` only, so that it can name a file.
  fingerprint: sha256 in hex of what the images and labels are, AFTER
    preprocessing.
  licence: '' when unknown.
  class_names: () when the classes are numbers only.
  report: what a reader found on the way, for people: {'sizes': {'64x64': 12},
    'refused': ['a.png: truncated'], 'notices': [...], 'manifest': path of a
    list of the files}; all optional.
  held_out: examples kept from training, of the same form, or None.
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
  """Checks an array of images and brings it to uint8 [N, H, W, C].

  Accepted are [N, H, W] and [N, H, W, C] of uint8; other integers within
  0..255; bool (0 and 255); floats that are clearly in [0, 1] (minimum at least
  0, maximum 0.5..1; round(255 x)) or clearly in [-1, 1] (minimum -1..-0.5,
  maximum 0..1; round(127.5 (x + 1))).  Bounds are met to 1e-3, and clipped.

  Args:
    array: the images.
    where: the beginning of a message: file and array.

  Raises:
    DataError: another dtype, shape or range, NaN or Inf, no images at all.
  """
  _check_layout(array.shape, where)
  if array.ndim == 3:
    array = array[..., None]
  if array.dtype == np.bool_:
    return array * np.uint8(255)
  if array.dtype.kind == 'f':
    return _from_float(array, where)
  if array.dtype.kind not in 'ui':
    raise DataError(f'{where}: images of dtype {array.dtype}; uint8, bool, '
                    f'integers in 0..255 or floats in [0, 1] or [-1, 1] are '
                    f'needed: convert them to uint8')
  low, high = int(array.min()), int(array.max())
  if low < 0 or high > 255:
    raise DataError(f'{where}: {array.dtype} images with values {low}..{high}; '
                    f'integers must be within 0..255: scale to uint8 (16-bit '
                    f'images: numpy.rint(images / 257))')
  if high == 1:
    raise DataError(f'{where}: {array.dtype} images with maximum 1 would be '
                    f'almost black, as 255 is white: save them as bool or as '
                    f'float in [0, 1]')
  return np.ascontiguousarray(array, np.uint8)


def _check_layout(shape, where):
  where = f'{where}: images of shape {list(shape)}'
  rule = '[N, H, W] or [N, H, W, C] is needed'
  if 0 in shape:
    raise DataError(f'{where}: no pixels in it; {rule}: check how the file was '
                    f'written')
  if len(shape) == 1:
    raise DataError(f'{where}; {rule}: are these the labels?')
  if len(shape) == 2:
    side = math.isqrt(shape[1])
    hint = f'{side}, {side}' if side ** 2 == shape[1] else 'H, W'
    raise DataError(f'{where}; {rule}: images.reshape(-1, {hint})')
  if len(shape) > 4:
    raise DataError(f'{where}; {rule}: reshape or drop the other axes')
  if len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) > 4:
    raise DataError(f'{where} look like ONE image [H, W, C]; {rule}: save '
                    f'images[None], or images[..., None] where they are narrow')
  if len(shape) == 4 and shape[1] in (1, 3, 4) and min(shape[2:]) > 4:
    raise DataError(f'{where} look like [N, C, H, W]; {rule}, channels last: '
                    f'save images.transpose(0, 2, 3, 1)')


def _from_float(array, where):
  # min and max propagate NaN and find Inf without a copy of the array.
  low, high = float(array.min()), float(array.max())
  if not (math.isfinite(low) and math.isfinite(high)):
    first = next(i for i, image in enumerate(array)
                 if not np.isfinite(image).all())
    raise DataError(f'{where}: NaN or Inf, first in image {first}; pixels must '
                    f'be finite: remove or repair these images')
  if -_CLIP <= low and 0.5 <= high <= 1 + _CLIP:
    scale, shift = 255.0, 0.0
  elif -1 - _CLIP <= low <= -0.5 and 0 <= high <= 1 + _CLIP:
    scale, shift = 127.5, 127.5
  else:
    raise DataError(f'{where}: {array.dtype} images with values {low:g}..'
                    f'{high:g}; floats must clearly span [0, 1] or [-1, 1]: '
                    f'scale to 0..255 and save them as uint8')
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
    DataError: another dtype or shape, another count than the images, negative
      or huge labels, rows that are not one-hot.
  """
  found = f'{where}: labels {array.dtype} {list(array.shape)}'
  if array.ndim not in (1, 2) or 0 in array.shape:
    raise DataError(f'{found}; integers [N] or one-hot [N, K] are needed: save '
                    f'one class index per image')
  if len(array) != num_images:
    raise DataError(f'{found} for {num_images} images; one label per image is '
                    f'needed: check that both are of the same split')
  if array.ndim == 2 and array.shape[1] > 1:
    if array.dtype.kind not in 'buif' or not (
        ((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all()):
      raise DataError(f'{found} are not one-hot: each row needs one 1 and 0 '
                      f'elsewhere: save one class index per image')
    return array.argmax(1).astype(np.int32), array.shape[1]
  if array.dtype.kind not in 'bui':
    raise DataError(f'{found}; labels must be integers: save '
                    f'numpy.unique(labels, return_inverse=True)[1]')
  low, high = int(array.min()), int(array.max())
  if low < 0 or high >= _MAX_CLASSES:
    raise DataError(f'{found} with values {low}..{high}; labels must be within '
                    f'0..{_MAX_CLASSES - 1}: drop unlabelled images, or save '
                    f'numpy.unique(labels, return_inverse=True)[1]')
  return array.reshape(-1).astype(np.int32), high + 1


def make_source(images, labels, num_classes, *, name, licence='',
                fingerprint='', **more) -> Source:
  """A `Source` with its fingerprint.

  Args:
    images: uint8 [N, H, W, C] or float32 [N, D].
    labels: int32 [N], or () when unlabelled.
    num_classes: 0 when unlabelled.
    name: any text; other characters than letters, digits, `._-` become `_`.
    licence: '' when unknown.
    fingerprint: of the images, where it is known already (a cache's), so that
      they need not be read for it.
    **more: further fields of `Source`.
  """
  labels = np.asarray(labels, np.int32)
  if not num_classes:
    labels = np.zeros(len(images), np.int32)
  digest = hashlib.sha256(f'{images.shape}{fingerprint}'.encode())
  if not fingerprint:
    images = np.ascontiguousarray(images)
    digest.update(images.data)
  digest.update(np.ascontiguousarray(labels, '<i4').data)
  return Source(images, labels, num_classes,
                re.sub(r'[^A-Za-z0-9._-]', '_', name), digest.hexdigest(),
                licence, **more)
