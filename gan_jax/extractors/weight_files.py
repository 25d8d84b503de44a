"""Reads weights of other frameworks without running code.

Loading a file of torch, a pickle, may run any code. Here its instructions are
parsed (`pickletools.genops`), the few that a state dict of tensors needs are
followed on plain values, and anything else is an error; no name in it is looked
up. There are two forms: a zip archive (torch 1.6 and later), and before it
pickles one after the other, followed by the numbers.

A TensorFlow graph is a protocol buffer, GraphDef, which is only data.
"""

import io
import math
import pickletools
import struct
import zipfile
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from tensorboardX.proto import types_pb2
from tensorboardX.proto.graph_pb2 import GraphDef

from gan_jax.base.errors import DataError

_MAGIC = 0x1950A86A20F9469CFC6C  # of the form before 1.6
_CONSTANTS = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple,
              'NONE': lambda: None, 'NEWTRUE': lambda: True,
              'NEWFALSE': lambda: False}
_LITERALS = {'BINUNICODE', 'SHORT_BINUNICODE', 'BININT', 'BININT1', 'BININT2',
             'LONG1', 'BINSTRING', 'SHORT_BINSTRING', 'BINFLOAT'}
_MARK = object()


def graph_constants(data: bytes) -> dict[str, np.ndarray]:
  """Reads {name: array}, the float32 constants of a GraphDef; or ValueError."""
  try:
    graph = GraphDef.FromString(data)
  except DecodeError as error:
    raise ValueError(f'no graph of TensorFlow ({error})') from error
  found = {}
  for node in graph.node:
    tensor = node.attr['value'].tensor
    if node.op != 'Const' or tensor.dtype != types_pb2.DT_FLOAT:
      continue
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    values = (np.frombuffer(tensor.tensor_content, '<f4')
              if tensor.tensor_content else np.array(tensor.float_val, '<f4'))
    # The last of few values stands for all that follow.
    if tensor.float_val and len(values) < (count := math.prod(shape)) <= 2**16:
      values = np.pad(values, (0, count - len(values)), mode='edge')
    if len(values) != math.prod(shape):
      raise ValueError(f'a tensor of shape {shape} with {len(values)} values')
    found[node.name] = values.reshape(shape)
  return found


def checked(path, tensors, shapes, fix: str) -> dict[str, np.ndarray]:
  """The tensors of {name: shape}; DataError, with the fix, if one is not so.

  Or if one is not finite.
  """
  for name, want in shapes.items():
    have = tensors[name].shape if name in tensors else 'absent'
    if have != want:
      raise DataError(f'{path!r}: {name} is {have}, not {want}; {fix}')
    if not np.isfinite(tensors[name]).all():
      raise DataError(f'{path!r}: {name} has NaN or Inf; download or write it '
                      'again')
  return {name: tensors[name] for name in shapes}


def folded(kernel, gamma, beta, mean, variance) -> tuple:
  """A convolution [O, I, h, w] and its batch norm, by fixed statistics, as one.

  (W x - mean) gamma / sqrt(variance + 0.001) + beta: (kernel [h, w, I, O], bias
  [O]), float32. InceptionV3 and EfficientNet-Lite have this epsilon.
  """
  kernel, gamma, beta, mean, variance = map(
      np.float64, (kernel, gamma, beta, mean, variance))
  scale = gamma / np.sqrt(variance + 1e-3)
  return (np.float32(kernel.transpose(2, 3, 1, 0) * scale),
          np.float32(beta - mean * scale))


class _Storage(NamedTuple):
  key: str
  dtype: str


class _Tensor(NamedTuple):
  storage: _Storage
  offset: int
  shape: tuple
  strides: tuple


def _tensor(storage, offset, shape, strides, *_):
  if not isinstance(storage, _Storage) or any(
      type(n) is not int or n < 0 for n in (offset, *shape, *strides)):
    raise ValueError('a tensor that makes no sense')
  return _Tensor(storage, offset, shape, strides)


# What a name in a pickle may stand for: a dtype, or a function of ours.
_NAMES = {
    'collections OrderedDict': lambda *items: dict(*items),
    'torch._utils _rebuild_tensor_v2': _tensor,
    'torch._utils _rebuild_parameter': lambda tensor, *_: tensor,
    'torch FloatStorage': '<f4', 'torch DoubleStorage': '<f8',
    'torch HalfStorage': '<f2', 'torch LongStorage': '<i8',
    'torch IntStorage': '<i4'}


def state_dict(data: bytes) -> dict[str, np.ndarray]:
  """{name: array} of a file that `torch.save(model.state_dict())` wrote.

  Raises:
    ValueError: it holds anything but tensors in a dict, or is damaged.
  """
  try:
    tensors, storages = (_of_zip if data[:2] == b'PK' else _of_pickles)(data)
    if not isinstance(tensors, dict):
      raise ValueError(f'a {type(tensors).__name__}, not a dict of tensors')
    return {str(name): _array(value, storages)
            for name, value in tensors.items()}
  except (LookupError, TypeError, AttributeError, OverflowError, EOFError,
          RuntimeError, struct.error, zipfile.BadZipFile) as error:
    raise ValueError(f'it makes no sense ({error!r})') from error


def _of_zip(data):
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    entries = {info.filename.partition('/')[2]: info
               for info in archive.infolist()}
    if 'constants.pkl' in entries:
      raise ValueError('a TorchScript program, not a state dict')
    if 'data.pkl' not in entries:
      raise ValueError('a zip archive without data.pkl, which torch writes')

    def read(name):
      # torch never compresses; a small compressed entry could be huge.
      if entries[name].compress_type != zipfile.ZIP_STORED:
        raise ValueError(f'{name} is compressed, which torch does not do')
      return archive.read(entries[name])

    if 'byteorder' in entries and read('byteorder') != b'little':
      raise ValueError('numbers in big-endian order')
    tensors = _follow(io.BytesIO(read('data.pkl')))
    return tensors, {name[5:]: read(name) for name in entries
                     if name.startswith('data/')}


def _of_pickles(data):
  file = io.BytesIO(data)
  if _follow(file) != _MAGIC:
    raise ValueError('no file of torch')
  _follow(file)  # The version of the form.
  if _follow(file).get('little_endian') is not True:
    raise ValueError('numbers in big-endian order')
  tensors, storages = _follow(file), {}
  sizes = {v.storage.key: np.dtype(v.storage.dtype).itemsize
           for v in tensors.values() if isinstance(v, _Tensor)}
  for key in _follow(file):
    count, = struct.unpack('<q', file.read(8))
    if count < 0:
      raise ValueError(f'a storage of {count} numbers')
    # The size of a storage that no tensor uses is not known.
    storages[key] = file.read(count * sizes[key])
  return tensors, storages


def _array(value, storages):
  if not isinstance(value, _Tensor):
    raise ValueError(f'a {type(value).__name__} where a tensor should be')
  count = math.prod(value.shape)
  steps = [math.prod(value.shape[i + 1:]) for i in range(len(value.shape))]
  if any(n != 1 and a != b for n, a, b in zip(
      value.shape, steps, value.strides, strict=True)):
    raise ValueError('a tensor that is not contiguous')
  numbers = np.frombuffer(storages[value.storage.key], value.storage.dtype)
  if value.offset + count > len(numbers):
    raise ValueError('a tensor larger than its storage')
  return numbers[value.offset:value.offset + count].reshape(value.shape)


def _follow(file):
  """Evaluates the pickle that starts here, of the few allowed kinds."""
  stack, memo = [], {}

  def from_mark():
    items = []
    while (item := stack.pop()) is not _MARK:
      items.append(item)
    return items[::-1]

  for op, argument, _ in pickletools.genops(file):
    name = op.name
    if name in _CONSTANTS:
      stack.append(_CONSTANTS[name]())
    elif name in _LITERALS:
      stack.append(argument)
    elif name == 'GLOBAL':
      if argument not in _NAMES:
        raise ValueError(f'it asks for {argument!r}, which no state dict needs')
      stack.append(_NAMES[argument])
    elif name == 'MARK':
      stack.append(_MARK)
    elif name in ('BINPUT', 'LONG_BINPUT'):
      memo[argument] = stack[-1]
    elif name in ('BINGET', 'LONG_BINGET'):
      stack.append(memo[argument])
    elif name == 'TUPLE':
      stack.append(tuple(from_mark()))
    elif name in ('TUPLE1', 'TUPLE2', 'TUPLE3'):
      stack[-int(name[-1]):] = [tuple(stack[-int(name[-1]):])]
    elif name in ('SETITEM', 'SETITEMS'):
      items = ([stack.pop(-2), stack.pop()] if name == 'SETITEM'
               else from_mark())
      stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name in ('APPEND', 'APPENDS'):
      items = [stack.pop()] if name == 'APPEND' else from_mark()
      stack[-1].extend(items)
    elif name == 'BINPERSID':
      kind, dtype, key, *_ = stack.pop()
      if kind != 'storage' or dtype not in _NAMES.values():
        raise ValueError('a storage that makes no sense')
      stack.append(_Storage(str(key), dtype))
    elif name == 'REDUCE':
      arguments = stack.pop()
      # Nothing on the stack can be called but the functions of _NAMES.
      stack.append(stack.pop()(*arguments))
    elif name == 'BUILD':
      stack.pop()  # The versions of modules, kept on the dict as an attribute.
    elif name == 'STOP':
      return stack.pop()
    elif name != 'PROTO':
      raise ValueError(f'an instruction {name}, which no state dict needs')
  raise ValueError('the pickle in it has no end')
