"""A state dict that torch saved, read without torch and without running it.

Such a file holds a pickle, and loading a pickle runs whatever it says.  Here it
is not loaded: its instructions are read one by one (`pickletools.genops`, a
parser), those few that a state dict of tensors consists of are followed on
plain values, and anything else is refused.  No name in it is ever looked up.

There are two forms: a zip archive (torch 1.6 and later), and before it pickles
one after the other, followed by the numbers.
"""

import io
import math
import pickletools
import struct
import zipfile
from typing import NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C  # of the form before 1.6
_DTYPES = {'FloatStorage': '<f4', 'DoubleStorage': '<f8', 'HalfStorage': '<f2',
           'LongStorage': '<i8', 'IntStorage': '<i4'}
_DICT = 'collections OrderedDict'
_TENSOR = 'torch._utils _rebuild_tensor_v2'
_PARAMETER = 'torch._utils _rebuild_parameter'
_NAMES = {_DICT, _TENSOR, _PARAMETER, *(f'torch {n}' for n in _DTYPES)}
_CONSTANTS = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple,
              'NONE': lambda: None, 'NEWTRUE': lambda: True,
              'NEWFALSE': lambda: False}
_LITERALS = {'BINUNICODE', 'SHORT_BINUNICODE', 'BININT', 'BININT1', 'BININT2',
             'LONG1', 'BINSTRING', 'SHORT_BINSTRING', 'BINFLOAT'}
_MARK = object()


class _Name(NamedTuple):
  """A name of a Python object, which stays a name."""
  text: str


class _Storage(NamedTuple):
  """Numbers that stand elsewhere in the file."""
  key: str
  dtype: str
  count: int


class _Tensor(NamedTuple):
  """A view of a storage."""
  storage: _Storage
  offset: int
  shape: tuple
  strides: tuple


def state_dict(data: bytes) -> dict[str, np.ndarray]:
  """{name: array} of a file that `torch.save(model.state_dict())` wrote.

  Raises:
    ValueError: anything in it but tensors on a dict, or it is damaged.
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

    def read(name):
      # Torch never compresses: what is said to be small could be huge.
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
    # Of a storage that no tensor uses, the size is not known.
    storages[key] = file.read(count * sizes[key])
  return tensors, storages


def _array(value, storages):
  if not isinstance(value, _Tensor):
    raise ValueError(f'a {type(value).__name__} where a tensor should be')
  storage, count = value.storage, math.prod(value.shape)
  if len(value.strides) != len(value.shape):
    raise ValueError('a tensor that makes no sense')
  steps = [math.prod(value.shape[i + 1:]) for i in range(len(value.shape))]
  if any(n != 1 and a != b for n, a, b in zip(
      value.shape, steps, value.strides, strict=True)):
    raise ValueError('a tensor that is not contiguous')
  numbers = np.frombuffer(storages[storage.key], storage.dtype)
  if value.offset < 0 or value.offset + count > len(numbers):
    raise ValueError('a tensor larger than its storage')
  return numbers[value.offset:value.offset + count].reshape(value.shape)


def _follow(file):
  """The value of the pickle that starts here, of the few allowed kinds."""
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
      stack.append(_Name(argument))
    elif name == 'MARK':
      stack.append(_MARK)
    elif name in ('BINPUT', 'LONG_BINPUT'):
      memo[argument] = stack[-1]
    elif name in ('BINGET', 'LONG_BINGET'):
      stack.append(memo[argument])
    elif name == 'TUPLE':
      stack.append(tuple(from_mark()))
    elif name in ('TUPLE1', 'TUPLE2', 'TUPLE3'):
      items = [stack.pop() for _ in range(int(name[-1]))]
      stack.append(tuple(items[::-1]))
    elif name in ('SETITEM', 'SETITEMS'):
      items = ([stack.pop(-2), stack.pop()] if name == 'SETITEM'
               else from_mark())
      stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name in ('APPEND', 'APPENDS'):
      items = [stack.pop()] if name == 'APPEND' else from_mark()
      stack[-1].extend(items)
    elif name == 'BINPERSID':
      stack.append(_storage(stack.pop()))
    elif name == 'REDUCE':
      arguments = stack.pop()
      stack.append(_called(stack.pop(), arguments))
    elif name == 'BUILD':
      stack.pop()  # The versions of modules, kept on the dict as an attribute.
    elif name == 'STOP':
      return stack.pop()
    elif name != 'PROTO':
      raise ValueError(f'an instruction {name}, which no state dict needs')
  raise ValueError('the pickle in it has no end')


def _called(function, arguments):
  if function == _Name(_DICT):
    return dict(*arguments)
  if function == _Name(_TENSOR):
    storage, offset, shape, strides, *_ = arguments
    if not isinstance(storage, _Storage) or any(
        type(n) is not int or n < 0 for n in (offset, *shape, *strides)):
      raise ValueError('a tensor that makes no sense')
    return _Tensor(storage, offset, shape, strides)
  if function == _Name(_PARAMETER):
    return arguments[0]
  raise ValueError(f'it calls {function!r}, which no state dict needs')


def _storage(about):
  kind, name, key, _, count = about[:5]
  if kind != 'storage' or not isinstance(name, _Name):
    raise ValueError('a storage that makes no sense')
  return _Storage(str(key), _DTYPES[name.text.partition(' ')[2]], count)
