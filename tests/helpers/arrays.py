"""IDX and npz files of a few images, and sources that fail."""

import re
import struct

import numpy as np
import pytest

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import load as data


def idx_bytes(array, code=0x08):
  sizes = struct.pack(f'>{array.ndim}I', *array.shape)
  return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def write(path, data):
  path.write_bytes(data)
  return str(path)


def load(**spec):
  return data.load(spec)


def images(n=3, h=5, w=6):
  return np.arange(n * h * w).reshape(n, h, w).astype(np.uint8)


def npz(tmp_path, **arrays):
  path = tmp_path / 'set.npz'
  np.savez_compressed(path, **arrays)
  return str(path)


def fails(*words, call):
  """One error of data, on one line, that has all the words and no class.

  Of the files or of an argument; which of them: tests/data/test_arguments.py.
  """
  with pytest.raises((DataError, ArgumentError)) as info:
    call()
  message = str(info.value)
  assert message.isprintable(), message
  assert not re.search(r'\w(Error|Exception)\b|BadZipFile', message), message
  for word in words:
    assert word in message, message
