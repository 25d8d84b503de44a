"""What an extractor is, and what all of them share."""

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

_PIXELS = 2**22  # of a chunk of large images


class Extractor(NamedTuple):
  """Fixed features of images, in which scores are computed.

  name: part of the names of scores: 'random', 'classifier', 'inception'.
  sha256: of the weights and of the network's definition, in hex: features
    compare where it is the same, and only there.
  extract: uint8 [N, H, W, C] (an array, in memory or mapped, or anything with
    shape, dtype and slices) -> (features float32 [N, F], logits float32 [N, K]
    or None), in chunks. The features of an image do not depend on the others.
    `points` takes vectors instead.
  notes: plain JSON values for the record: resizer, accuracy, classes ...
  """

  name: str
  sha256: str
  extract: Callable
  notes: dict


def digest(definition: str, tensors: Mapping) -> str:
  """sha256 in hex of a definition's name and its arrays, whatever their order.

  Arrays count by name, dtype, shape and bytes (little-endian).
  """
  found = hashlib.sha256(definition.encode())
  for name in sorted(tensors):
    array = np.asarray(tensors[name])
    array = array.astype(array.dtype.newbyteorder('<'), order='C', copy=False)
    found.update(f'\n{name} {array.dtype.str} {list(array.shape)}\n'.encode())
    found.update(array.tobytes())
  return found.hexdigest()


def check_images(images, who: str):
  """Raises ValueError but for uint8 [N, H, W, C], each 1 or more."""
  shape, dtype = getattr(images, 'shape', ()), getattr(images, 'dtype', None)
  if dtype != np.uint8 or len(shape) != 4 or 0 in shape:
    found = type(images).__name__ if dtype is None else f'{dtype} {list(shape)}'
    raise ValueError(
        f'images {found}: {who} takes uint8 [N, H, W, C], each 1 or more; '
        'convert images with pictures.to_uint8, and take points for vectors')


def in_chunks(function: Callable, images, size: int) -> tuple:
  """Outputs of a function for all images, a chunk at a time.

  The last chunk is filled up with black images: one shape is compiled once, and
  an image goes the same way through the same program wherever it stands.

  Args:
    function: uint8 [n, H, W, C] -> arrays, each [n, ...].
    images: uint8 [N, H, W, C].
    size: n; less where images are large.

  Returns:
    The arrays, float32 [N, ...].
  """
  shape = images.shape[1:]
  size = max(1, min(size, _PIXELS // math.prod(shape[:2])))
  outs = None
  for start in range(0, len(images), size):
    part = np.asarray(images[start:start + size])
    fill = np.zeros((size - len(part), *shape), np.uint8)
    # Full float32 on accelerators too, which would round to bfloat16 or TF32.
    with jax.default_matmul_precision('highest'):
      found = function(np.concatenate([part, fill]) if len(fill) else part)
    if outs is None:
      outs = [np.empty((len(images), *x.shape[1:]), np.float32) for x in found]
    for out, x in zip(outs, found, strict=True):
      out[start:start + len(part)] = np.asarray(x)[:len(part)]
  return tuple(outs)
