"""Arrays on disk that are whole, or not there: weights that took long to make.

A file is numpy's npz with pickles refused, and holds the digest of its own
arrays: one that was cut or changed is not read. It may be deleted at any time.
"""

import io
import json
import logging
import os
from collections.abc import Mapping

import numpy as np

from gan_jax.data import cache
from gan_jax.data.files import DataError, one_error
from gan_jax.extractors.base import digest
from gan_jax.writers.files import try_write_file

_log = logging.getLogger(__name__)
_FORMAT, _NOTES, _DIGEST = 'gan_jax.extractors.stored 1', '/notes', '/sha256'


def path_of(name: str, *parts) -> str:
  """The file of whatever determines the arrays (anything with a repr)."""
  return os.path.join(cache.root(), 'extractors',
                      f'{name}-{cache.key_of(*parts)}.npz')


def read(path: str) -> tuple[dict, dict] | None:
  """(arrays, notes) of a file; None, and a warning, where it is damaged."""
  if not os.path.exists(path):
    return None
  try:
    with (one_error(path, 'npz'), open(path, 'rb') as opened,
          np.load(opened, allow_pickle=False) as file):
      arrays = dict(file)
      noted = arrays.pop(_DIGEST, np.zeros(0)).tobytes()
      if noted != _digest(arrays):
        raise ValueError('its arrays do not have the digest noted in it')
      return arrays, json.loads(arrays.pop(_NOTES).tobytes())
  except DataError as error:
    _log.warning('%s; it is made anew', error)
    return None


def write(path: str, arrays: Mapping, notes: Mapping):
  """Keeps arrays and plain notes; a disk that is full is a warning."""
  text = json.dumps(dict(notes), sort_keys=True).encode()
  arrays = {**arrays, _NOTES: np.frombuffer(text, np.uint8)}
  file = io.BytesIO()
  np.savez(file, **arrays, **{
      _DIGEST: np.frombuffer(_digest(arrays), np.uint8)})
  try_write_file(path, file.getvalue())


def _digest(arrays):
  return bytes.fromhex(digest(_FORMAT, arrays))
