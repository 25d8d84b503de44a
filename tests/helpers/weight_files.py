"""Files of weights, made byte by byte."""

import struct

import numpy as np


def tensor(*, count=6, offset=0, shape=(2, 3), strides=(3, 1), key='0',
           kind='FloatStorage'):
  """Instructions for one tensor, as torch writes them."""
  numbers = [b'(' + b''.join(b'K' + bytes([n]) for n in v) + b't'
             for v in (shape, strides)]
  return (b'ctorch._utils\n_rebuild_tensor_v2\n(('
          + text('storage') + f'ctorch\n{kind}\n'.encode() + text(key)
          + text('cpu') + b'K' + bytes([count]) + b'tQK' + bytes([offset])
          + numbers[0] + numbers[1] + b'\x89ccollections\nOrderedDict\n)RtR')


def text(value):
  return b'X' + struct.pack('<I', len(value)) + value.encode()


# A graph, written by hand.


def varint(value):
  out = b''
  while value > 127:
    out, value = out + bytes([value & 127 | 128]), value >> 7
  return out + bytes([value])


def field(number, value):
  if isinstance(value, int):
    return varint(number << 3) + varint(value)
  return varint(number << 3 | 2) + varint(len(value)) + value


def constant(name, array, *, dtype=1, content=True, op=b'Const'):
  shape = b''.join(field(2, field(1, n)) for n in array.shape)
  data = array.astype('<f4').tobytes()
  tensor = field(1, dtype) + field(2, shape) + field(4 if content else 5, data)
  attributes = [field(1, b'dtype') + field(2, field(6, dtype)),
                field(1, b'value') + field(2, field(8, tensor))]
  return field(1, field(1, name.encode()) + field(2, op)
               + b''.join(field(5, a) for a in attributes))


def words_only(value):
  """Names of tests without the bytes of their files."""
  return value if isinstance(value, str) else type(value).__name__


MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
