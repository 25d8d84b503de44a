"""Arrays on disk that are whole, or not there: weights that took long to make.

A file is of the format safetensors, which holds nothing that runs, with the
digest of its own arrays: one that was cut or changed is not read. It may be
deleted at any time.
"""

import json
import logging
import os
from collections.abc import Mapping

import numpy as np
import safetensors
from safetensors.numpy import save

from gan_jax.base.errors import DataError
from gan_jax.base.files import try_write_file
from gan_jax.data import cache
from gan_jax.data.files import one_error
from gan_jax.extractors.base import digest

_log = logging.getLogger(__name__)
_FORMAT = 'gan_jax.extractors.stored 2'


def path_of(name: str, *parts) -> str:
  """The file of whatever determines the arrays (anything with a repr)."""
  return os.path.join(cache.root(), 'extractors',
                      f'{name}-{cache.key_of(*parts)}.safetensors')


def read(path: str) -> tuple[dict, dict] | None:
  """(arrays, notes) of a file; None, and a warning, where it is damaged."""
  if not os.path.exists(path):
    return None
  try:
    with one_error(path, 'safetensors file'):
      arrays, noted = _load(path)
      if noted.get('sha256') != _digest(arrays, noted.get('notes')):
        raise ValueError('its arrays do not have the digest noted in it')
      return arrays, noted['notes']
  except DataError as error:
    _log.warning('%s; it is made anew', error)
    return None


def write(path: str, arrays: Mapping, notes: Mapping):
  """Keeps arrays and plain notes; a disk that is full is a warning."""
  notes = json.loads(json.dumps(dict(notes)))
  arrays = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
  # One text: several would stand in no certain order.
  text = json.dumps({'notes': notes, 'sha256': _digest(arrays, notes)})
  try_write_file(path, save(arrays, {_FORMAT: text}))


def _load(path):
  """(arrays, what is noted beside them)."""
  try:
    with safetensors.safe_open(path, 'numpy') as file:
      return ({name: file.get_tensor(name) for name in file.keys()},
              json.loads((file.metadata() or {}).get(_FORMAT, '{}')))
  except safetensors.SafetensorError as e:
    raise ValueError(str(e)) from e


def _digest(arrays, notes):
  return digest(f'{_FORMAT} {json.dumps(notes, sort_keys=True)}', arrays)
