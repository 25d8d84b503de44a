"""File parsers of the data sets: IDX and npz, no pickle anywhere.

A reader trusts nothing that it is given: sizes are taken from the header and
checked before anything is allocated, content decides the format and never the
extension, and whatever is wrong with a file becomes ONE `DataError` that gives
the path, what was found, the rule and the fix.
"""

import difflib
import gzip
import math
import zipfile
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.data.files import check_file, check_memory, looks_like, one_error


class Header(NamedTuple):
  """Shape and dtype of one array of an npz, read without its data."""
  shape: tuple
  dtype: np.dtype


# http://yann.lecun.com/exdb/mnist: third byte of the magic number -> type.
_IDX_TYPES = {0x08: 'u1', 0x09: 'i1', 0x0B: '>i2', 0x0C: '>i4', 0x0D: '>f4',
              0x0E: '>f8'}
_CHUNK = 1 << 24  # bytes per read


def read_idx(path) -> np.ndarray:
  """Reads one IDX file, gzipped or not (decided by content).

  Returns:
    An array of the shape and dtype that its header declares.

  Raises:
    DataError: no IDX file, truncated, damaged, or with bytes after the end.
  """
  path = check_file(path)
  with one_error(path, 'IDX file'), open(path, 'rb') as raw:
    head = raw.read(24)
    raw.seek(0)
    if not head.startswith(b'\x1f\x8b'):
      return _parse_idx(path, raw)
    with gzip.GzipFile(fileobj=raw) as stream:
      return _parse_idx(path, stream)


def _parse_idx(path, stream):
  head = stream.read(4)
  if len(head) < 4 or head[:2] != b'\x00\x00' or head[2] not in _IDX_TYPES or (
      not 1 <= head[3] <= 4):
    raise DataError(
        f'{path!r}: begins with {head.hex(" ") or "nothing"} '
        f'({looks_like(head + stream.read(20))}); an IDX file begins with '
        f'00 00, a type code 08..0e and 1..4 dimensions: give an IDX file as '
        f'MNIST distributes it, or convert it to npz')
  sizes = stream.read(4 * head[3])
  if len(sizes) < 4 * head[3]:
    raise DataError(f'{path!r}: ends within its header of {4 + 4 * head[3]} '
                    f'bytes; download it again')
  shape = tuple(np.frombuffer(sizes, '>u4').tolist())
  dtype = np.dtype(_IDX_TYPES[head[2]])
  needed = math.prod(shape) * dtype.itemsize
  declared = f'its header declares {list(shape)} = {needed:,} bytes of data'
  check_memory(needed, f'{path!r}: {declared}')
  buffer = np.empty(needed, np.uint8)
  view, done = memoryview(buffer), 0
  while done < needed:
    size = stream.readinto(view[done:done + _CHUNK])
    if not size:
      raise DataError(f'{path!r}: {declared}, but it holds only {done:,}; it '
                      f'is truncated: download it again')
    done += size
  # One byte more: also what makes gzip compare its checksum.
  if stream.read(1):
    raise DataError(f'{path!r}: {declared}, but more bytes follow; the header '
                    f'or the file is damaged: download it again')
  return buffer.view(dtype).reshape(shape)


def npz_headers(path) -> dict:
  """Shapes and dtypes of the arrays of an npz, without loading any of them.

  Returns:
    {key: Header}, in the order of the file.

  Raises:
    DataError: no npz, damaged, or no array in it.
  """
  path = check_file(path)
  with one_error(path, 'npz file'):
    with open(path, 'rb') as raw:
      head = raw.read(24)
    if not head.startswith(b'PK\x03\x04'):
      raise DataError(
          f'{path!r}: begins with {head[:4].hex(" ")} ({looks_like(head)}); '
          f'an npz is a zip archive of npy arrays: write one with '
          f'numpy.savez_compressed(path, images=images, labels=labels)')
    with zipfile.ZipFile(path) as archive:
      headers = {info.filename.removesuffix('.npy'):
                     _header(path, archive, info)
                 for info in archive.infolist()
                 if info.filename.endswith('.npy')}
  if not headers:
    raise DataError(f'{path!r}: a zip archive without npy arrays; write it '
                    f'with numpy.savez_compressed(path, images=images)')
  return headers


def _header(path, archive, info) -> Header:
  where = f'{path!r}, member {info.filename!r}'
  with archive.open(info) as stream:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
      shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
      shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
      raise DataError(f'{where}: npy version {version}; 1.0 and 2.0 are read: '
                      f'save plain arrays of numbers')
    present = info.file_size - stream.tell()
  # An object array holds a pickle, of any length; it is refused on loading.
  needed = math.prod(shape) * dtype.itemsize
  if not dtype.hasobject and (needed != present or min(shape, default=0) < 0):
    raise DataError(f'{where}: its header declares {dtype} {list(shape)} = '
                    f'{needed:,} bytes, but it holds {present:,}; it is '
                    f'damaged: write it again')
  return Header(shape, dtype)


def npz_array(path, key) -> np.ndarray:
  """Loads one array of an npz; never runs code from the file.

  Raises:
    DataError: no such key, Python objects or other non-numbers in it, damaged.
  """
  path, headers = check_file(path), npz_headers(path)
  if key not in headers:
    near = difflib.get_close_matches(key, headers, n=1, cutoff=0.4)
    hint = f'; did you mean {near[0]!r}?' if near else ''
    raise DataError(f'{path!r}: no array {key!r}{hint} It holds '
                    f'{describe(headers)}')
  dtype = headers[key].dtype
  if dtype.hasobject:
    raise DataError(
        f'{path!r}, array {key!r}: dtype {dtype}; an array of Python objects '
        f'is a pickle, which can run code and is never loaded: save '
        f'numpy.stack(list_of_images).astype(numpy.uint8)')
  if dtype.kind not in 'buif':
    raise DataError(f'{path!r}, array {key!r}: dtype {dtype}; only bool, '
                    f'integers and floats are read: save an array of numbers')
  check_memory(math.prod(headers[key].shape) * dtype.itemsize,
               f'{path!r}, array {key!r}')
  with one_error(path, 'npz file'):
    # As np.load does it, but np.load prefers a member `key` to `key.npy`.
    with zipfile.ZipFile(path) as archive, archive.open(f'{key}.npy') as stream:
      return np.lib.format.read_array(stream, allow_pickle=False)


def describe(headers) -> str:
  """'images' uint8 [10, 28, 28], 'labels' int64 [10]: for messages."""
  return ', '.join(f'{key!r} {header.dtype} {list(header.shape)}'
                   for key, header in headers.items())
