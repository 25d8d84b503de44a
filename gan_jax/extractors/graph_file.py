"""The constants in a TensorFlow graph, read without TensorFlow.

A graph (GraphDef) is a protocol buffer: https://protobuf.dev/programming-guides/
encoding.  Only the fields named below are looked at, and nothing is run.
"""

import math

import numpy as np

# Numbers of the fields.
_NODE = 1  # of a GraphDef
_NAME, _OP, _ATTR = 1, 2, 5  # of a node
_KEY, _VALUE = 1, 2  # of an entry of a map
_TENSOR = 8  # of an attribute's value
_DTYPE, _SHAPE, _CONTENT, _FLOATS = 1, 2, 4, 5  # of a tensor
_DIM, _SIZE = 2, 1  # of a shape
_DT_FLOAT = 1


def constants(data) -> dict[str, np.ndarray]:
  """{name: float32 array} of the nodes of type Const; other types are left out.

  Args:
    data: bytes of a GraphDef.

  Raises:
    ValueError: it is cut short, or no protocol buffer.
  """
  found = {}
  for node in _messages(data, _NODE):
    name = op = b''
    tensor = None
    for number, value in _fields(node):
      if number == _NAME:
        name = _bytes(value)
      elif number == _OP:
        op = _bytes(value)
      elif number == _ATTR:
        tensor = _attribute(value, tensor)
    if op == b'Const' and tensor is not None:
      array = _array(tensor)
      if array is not None:
        found[name.decode()] = array
  return found


def _attribute(entry, otherwise):
  """The tensor of an attribute that is called 'value'."""
  parts = dict(_fields(entry))
  if _bytes(parts.get(_KEY, b'')) != b'value':
    return otherwise
  return next(_messages(parts.get(_VALUE, b''), _TENSOR), otherwise)


def _array(tensor):
  dtype, shape, content, floats = 0, [], None, []
  for number, value in _fields(tensor):
    if number == _DTYPE:
      dtype = value
    elif number == _SHAPE:
      shape = [dict(_fields(dim)).get(_SIZE, 0)
               for dim in _messages(value, _DIM)]
    elif number == _CONTENT:
      content = _bytes(value)
    elif number == _FLOATS:  # Packed, or one at a time.
      floats.append(_bytes(value))
  if dtype != _DT_FLOAT:
    return None
  data = b''.join(floats) if content is None else content
  values = np.frombuffer(data, '<f4')
  count = math.prod(shape)
  # The last of few values stands for all that follow.
  if content is None and 0 < len(values) < count <= 2**16:
    values = np.pad(values, (0, count - len(values)), mode='edge')
  if len(values) != count:
    raise ValueError(f'a tensor of shape {shape} with {len(values)} values')
  return values.reshape(shape).astype(np.float32)


def _messages(data, number):
  return (value for found, value in _fields(data) if found == number)


def _fields(data):
  """(number, value) of a message: an int, or the bytes of all else."""
  data, at = memoryview(_bytes(data)), 0
  while at < len(data):
    key, at = _varint(data, at)
    number, kind = key >> 3, key & 7
    if kind == 0:
      value, at = _varint(data, at)
      yield number, value
      continue
    if kind == 2:
      size, at = _varint(data, at)
    elif kind in (1, 5):
      size = 8 if kind == 1 else 4
    else:
      raise ValueError(f'field {number} of the unknown kind {kind}')
    if at + size > len(data):
      raise ValueError(f'field {number} ends behind the end of its message')
    yield number, data[at:at + size]
    at += size


def _bytes(value):
  # bytes(8) would be 8 zeros.
  if isinstance(value, int):
    raise ValueError('a number where bytes should be')
  return bytes(value)


def _varint(data, at):
  value = 0
  for i in range(10):
    if at + i >= len(data):
      raise ValueError('a number is cut short')
    byte = data[at + i]
    value |= (byte & 127) << (7 * i)
    if byte < 128:
      return value, at + i + 1
  raise ValueError('a number of more than 10 bytes')
