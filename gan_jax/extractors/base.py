"""`Extractor`, chunked evaluation, and the cache of weights and features.

The cache holds safetensors, which contain no code, with a hash of their arrays:
a damaged file is not used. It may be deleted at any time.
"""

import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np
import safetensors
from safetensors.numpy import save

from gan_jax.base.files import try_write_file
from gan_jax.data import cache

_PIXELS = 2**22  # of a chunk of large images
_FORMAT = 'gan_jax.extractors.stored 2'
_log = logging.getLogger(__name__)


class Extractor(NamedTuple):
  """A fixed feature network.

  name: part of the names of scores: 'random', 'classifier', 'inception'.
  sha256: of the weights and of the network's definition, in hex.
  extract: uint8 [N, H, W, C] (`points`: float32 [N, D]; `projection`: examples
    of any kind), an array or anything with shape, dtype and slices -> (features
    float32 [N, F], logits float32 [N, K] or None). The features of an image do
    not depend on the others.
  notes: plain JSON values for the record: resizer, accuracy, classes ...
  """

  name: str
  sha256: str
  extract: Callable
  notes: dict


def hash_arrays(definition: str, tensors: Mapping) -> str:
  """sha256 in hex of a definition and of {name: array} in any order."""
  found = hashlib.sha256(definition.encode())
  for name in sorted(tensors):
    array = np.asarray(tensors[name])
    array = array.astype(array.dtype.newbyteorder('<'), order='C', copy=False)
    found.update(f'\n{name} {array.dtype.str} {list(array.shape)}\n'.encode())
    found.update(array.tobytes())
  return found.hexdigest()


def check_images(images, who: str):
  """Raises ValueError unless images are uint8 [N, H, W, C], not empty."""
  check(images, ('uint8',), (4,), f'{who} takes uint8 [N, H, W, C]',
        '; convert images with pictures.to_uint8, and use points for vectors')


def check(examples, dtypes, axes, takes: str, fix: str = ''):
  """Raises ValueError for examples of another type, other axes, or none."""
  shape = getattr(examples, 'shape', ())
  dtype = str(getattr(examples, 'dtype', type(examples).__name__))
  if dtype not in dtypes or len(shape) not in axes or 0 in shape:
    raise ValueError(f'examples {dtype} {list(shape)}: {takes}, each axis 1 or '
                     f'more{fix}')


def in_chunks(function: Callable, images, size: int) -> tuple:
  """Applies a function to all examples [N, ..., C]: float32 [N, ...].

  It gets [n, ..., C], n of `size` or fewer if they are large. The last chunk is
  padded with zeros: only one shape is compiled, and a result does not depend on
  the position.
  """
  shape = images.shape[1:]
  size = max(1, min(size, _PIXELS // math.prod(shape[:-1])))
  outs = []
  for start in range(0, len(images), size):
    part = np.asarray(images[start:start + size])
    fill = np.zeros((size - len(part), *shape), part.dtype)
    # Full float32 on accelerators too, which would round to bfloat16 or TF32.
    with jax.default_matmul_precision('highest'):
      found = function(np.concatenate([part, fill]) if len(fill) else part)
    outs.append([np.asarray(x, np.float32)[:len(part)] for x in found])
  return tuple(map(np.concatenate, zip(*outs, strict=True)))


def cache_path(name: str, *parts) -> str:
  """Cache file of arrays that `parts` (anything with a repr) determine."""
  return os.path.join(cache.root(), 'extractors',
                      f'{name}-{cache.key_of(*parts)}.safetensors')


def read_cache(path: str) -> tuple[dict, dict] | None:
  """(arrays, notes) of a file; None, with a warning, if it is damaged."""
  if not os.path.exists(path):
    return None
  try:
    with safetensors.safe_open(path, 'numpy') as file:
      arrays = {name: file.get_tensor(name) for name in file.keys()}
      noted = json.loads((file.metadata() or {}).get(_FORMAT, '{}'))
    if noted.get('sha256') != _hash(arrays, noted.get('notes')):
      raise ValueError('its arrays do not have the hash noted in it')
    return arrays, noted['notes']
  except Exception as error:  # Whatever a damaged file can raise.
    _log.warning('%s is damaged (%s); it is computed again', path, error)
    return None


def write_cache(path: str, arrays: Mapping, notes: Mapping):
  """Caches arrays and plain notes; a full disk only warns."""
  notes = json.loads(json.dumps(dict(notes)))
  # Not ascontiguousarray, which makes [1] of a scalar: another hash.
  arrays = {name: np.asarray(x, order='C') for name, x in arrays.items()}
  # One text: the order of several would not be fixed.
  text = json.dumps({'notes': notes, 'sha256': _hash(arrays, notes)})
  try_write_file(path, save(arrays, {_FORMAT: text}))


def _hash(arrays, notes):
  return hash_arrays(f'{_FORMAT} {json.dumps(notes, sort_keys=True)}', arrays)
