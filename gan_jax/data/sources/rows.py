"""Arrays of examples on a disk, read row by row: HDF5 and npy."""

import math
import os
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import cache, collection, images, sniff, values
from gan_jax.data.bad_files import Reading
from gan_jax.data.blocks import Blocks, check_declared, package
from gan_jax.data.files import (
  as_os_error,
  check_file,
  looks_like,
  one_error,
  printable,
)
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import Labels, of_array
from gan_jax.data.prepare import Layout, Source, check_numbers
from gan_jax.data.sources.arrays import UNLABELLED, guess
from gan_jax.data.values import Scale

_ROWS, _BYTES = 128, 1 << 24  # of a block, at most


class Codec(NamedTuple):
  """Bytes of a row <-> an example; see `collection.Form`."""
  shape: tuple  # of an example as stored
  dtype: np.dtype
  channels_first: bool
  kind: str  # of `base.examples.KINDS`

  def example(self, data):
    """Numbers as they are stored, [H, W, C] or of another kind."""
    array = np.frombuffer(data, self.dtype).reshape(self.shape)
    array = np.moveaxis(array, 0, -1) if self.channels_first else array
    return Layout().arranged(array[None], self.kind)[0]

  def read_header(self, data):
    """Of images, their size."""
    height, width, channels = self.example(data).shape if (
        self.kind == 'images') else (0, 0, 0)
    return images.Header(height, width, channels == 3, (), self.numbers(),
                         channels)

  def numbers(self):
    """Kind of the numbers, see `values.Span`."""
    if self.kind == 'signals':
      return 'signal'
    return 'bytes' if self.dtype == np.uint8 else 'array'

  def span(self, data):
    """Smallest and largest number."""
    return values.span(self.numbers(), self.example(data))

  def decode(self, data, black, white, dtype):
    """Numbers of 0..255."""
    return values.scaled(self.example(data), black, white, dtype)


def npy(*, path, labels='', label_index=-1, layout=Layout(), reading=Reading(),
        scale=Scale(), geometry=Geometry()) -> Source:
  """An array of examples in a npy file; it may be larger than memory.

  Args:
    path: the file; read without pickle.
    labels: path of a npy file of labels, '' for unlabelled.
    label_index: as of `npz`.
    layout: as of `npz`, but for vectors.
    reading: as of `folder`.
    scale: as of `npz`.
    geometry: applied to every image.
  """
  path = check_file(path)
  array = _open_npy(path)
  found = _open_npy(check_file(labels)) if labels else None
  if array.ndim and array.flags.c_contiguous:
    array = cache.Stored(path)
  return _load(path, array, repr(path), found, labels or '', label_index,
               layout, reading=reading, scale=scale, geometry=geometry)


def _open_npy(path):
  with one_error(path, 'npy file'):
    start = sniff.head(path)
    if not start.startswith(b'\x93NUMPY'):
      sniff.refuse(path, 'npy')
      raise DataError(f'{path!r}: {looks_like(start)}; an npy array is needed, '
                      f'as numpy.save(path, x) writes it')
    # Compares the size that the header declares with that of the file.
    return np.load(path, mmap_mode='r', allow_pickle=False)


def hdf5(*, path, image_key='', label_key='', label_index=-1, layout=Layout(),
         reading=Reading(), scale=Scale(), geometry=Geometry()) -> Source:
  """Examples, and labels if there are any, of an HDF5 file, such as BigGAN's.

  Read block by block. Images [N, C, H, W] of 1, 3 or 4 channels are turned.
  What lies in other files, by links or as external or virtual data, is refused.

  Args:
    path: the file.
    image_key: path of the images in it, '' to guess as `npz` does; imgs too.
    label_key: path of the labels, '' to guess, 'none' for unlabelled; text is
      numbered.
    label_index: as of `npz`.
    layout: as of `npz`, but for vectors.
    reading: as of `folder`.
    scale: as of `npz`.
    geometry: applied to every image.

  Raises:
    DataError: h5py is not installed, or a problem of the file.
  """
  path = check_file(path)
  h5py = package('h5py', 'hdf5')
  if not sniff.head(path).startswith(b'\x89HDF'):
    sniff.refuse(path, 'hdf5')
  with one_error(path, 'HDF5 file'):
    file = h5py.File(path, 'r')
  with file:
    found = {}
    with one_error(path, 'HDF5 file'):
      # Follows no link into another file. Without a shape nothing is stored.
      file.visititems(lambda name, item: found.update({name: item}) if
                      isinstance(item, h5py.Dataset) and item.shape is not None
                      else None)
    headers = {name: (item.shape, item.dtype) for name, item in found.items()}
    keys = guess(path, headers, image_key, label_key)
    for key in keys:
      if key in found and (found[key].external or found[key].is_virtual):
        raise DataError(f'{path!r}, array {key!r}: its data are in other '
                        f'files, which are not read: copy them into this one')
      if key in found:
        check_declared(found[key].size * found[key].dtype.itemsize, path)
    data, labels = found[keys[0]], None
    if keys[1] != UNLABELLED:
      with one_error(path, 'HDF5 file'):
        labels = found[keys[1]]
        labels = (labels.asstr()[:] if h5py.check_string_dtype(labels.dtype)
                  else labels[:])
    shape = data.shape
    first = (len(shape) == 4 and shape[1] in (1, 3, 4) and min(shape[2:]) > 4
             and layout.holds in ('auto', 'images') and not layout.slices)
    return _load(path, data, f'{path!r}, array {keys[0]!r}', labels, keys[1],
                 label_index, layout, channels_first=first,
                 chunk=data.chunks[0] if data.chunks else 1, reading=reading,
                 scale=scale, geometry=geometry)


def _load(path, array, where, labels, label_key, label_index, layout, *,
          channels_first=False, chunk=1, **more) -> Source:
  """The set of an `array` [N, ...] on a disk, compressed by `chunk` rows."""
  shape, dtype = array.shape, array.dtype
  if channels_first:
    shape = (shape[0], *shape[2:], shape[1])
  kind = layout.kind(shape, where)
  check_numbers(dtype, where)
  if kind == 'vectors':
    raise ArgumentError('holds', kind, (
        f'needs an npz file, numpy.savez(path, x=x); {where} is none'))
  each, stored = 1, array.shape[1:]
  most = min(_ROWS, _BYTES // (math.prod(stored) * dtype.itemsize))
  # Whole chunks, each decompressed for one row of it.
  rows = Blocks(chunk * max(1, most // chunk),
                lambda start, stop: array[start:stop])
  if layout.slices:
    example = layout.arranged(np.empty((1, *stored), np.bool_), kind)
    kind, each, stored = 'images', len(example), example.shape[1:]
  status, total = os.stat(path), shape[0] * each
  files = [collection.File(f'{kind[:-1]} {i:0{len(str(total))}d}', 0,
                           status.st_mtime_ns, status.st_ctime_ns)
           for i in range(total)]
  found = Labels() if labels is None else of_array(
      labels, shape[0], f"{path!r}, {printable(str(label_key))!r}",
      label_index=label_index)

  def read(name):
    row, part = divmod(int(name.split()[1]), each)
    with as_os_error(), one_error(path, 'file'):
      example = rows[row]
    if layout.slices:
      example = layout.arranged(example[None], 'volumes')[part]
    return np.ascontiguousarray(example).tobytes()

  def label(paths, refused):
    del refused
    return found.of([int(name.split()[1]) // each for name in paths])

  notices = ['channels came first, [N, C, H, W]: turned'] * channels_first
  codec = Codec(stored, dtype, channels_first, kind)
  example = codec.example(bytes(math.prod(stored) * dtype.itemsize))
  return collection.load(
      path, files, read, label, notices=notices,
      form=collection.Form(
          codec, () if kind == 'images' else example.shape,
          (stored, dtype.str, channels_first, *layout), layout.rate,
          where), **more)
