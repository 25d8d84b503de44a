"""Cache of decoded images on disk, read row by row.

An entry is a folder named by its key: `images.npy` (examples of a `Source`),
`entry.json` (fingerprint and notes) and `manifest`, the list of its files,
which may be empty. It is renamed when complete. The key is a hash of all that
determines the images, so entries never go stale; they may be deleted at any
time.
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import secrets
import shutil
import time
import weakref
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.base.files import write_file
from gan_jax.data.files import reason, some

_ABANDONED = 3600.0  # seconds without a write; then nobody is at work there


class Stored:
  """Rows of an array [N, ...] in a npy file, read when they are asked for.

  Not a mapped array, whose pages would count as memory of the process: all of a
  set that is streamed, after an epoch.
  """

  def __init__(self, path):
    # Checks the size that the header declares against that of the file.
    array = np.load(path, mmap_mode='r')
    if not array.flags.c_contiguous:
      raise ValueError('rows are not one after the other')
    self.shape, self.dtype, self.nbytes = array.shape, array.dtype, array.nbytes
    self._offset, self._row = array.offset, array[:1].nbytes
    self._rows = np.arange(len(array))  # of which numpy takes those of an index
    self._path, self._file = path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    weakref.finalize(self, os.close, self._file)

  def __len__(self):
    return self.shape[0]

  def __getitem__(self, index) -> np.ndarray:
    """As of an array; an index of several axes reads all rows."""
    if isinstance(index, tuple):
      return self[:][index]
    chosen = self._rows[index]
    rows = np.ravel(chosen)
    out = np.empty((len(rows), *self.shape[1:]), self.dtype)
    view = memoryview(out.reshape(-1).view(np.uint8))
    # Neighbours are read at once.
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    ends = np.append(starts, len(rows))[1:] * self._row
    for row, start, end in zip(rows[starts].tolist(), (
        starts * self._row).tolist(), ends.tolist(), strict=True):
      self._read(view[start:end], self._offset + row * self._row)
    return out.reshape(*np.shape(chosen), *self.shape[1:])

  def _read(self, view, place):
    while len(view):  # a call reads 2 GiB at most
      count = os.preadv(self._file, [view], place)
      if not count:
        raise OSError(f'{self._path} became shorter')
      view, place = view[count:], place + count

  def __array__(self, dtype=None, copy=None):
    del copy
    return self[:] if dtype is None else self[:].astype(dtype)


class Entry(NamedTuple):
  """Examples [N, ...], their sha256, notes, manifest path, key."""
  images: Stored
  fingerprint: str
  notes: dict
  manifest: str
  key: str


def root() -> str:
  """The cache folder: GAN_JAX_CACHE, or ~/.cache/gan_jax."""
  return os.path.expanduser(
      os.environ.get('GAN_JAX_CACHE') or '~/.cache/gan_jax')


def key_of(*parts) -> str:
  """File name from all that determines an entry (anything with a repr)."""
  return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def read(key: str) -> Entry | None:
  """The entry of a key, None if there is none."""
  folder = pathlib.Path(root(), 'data', key)
  try:
    entry = json.loads((folder / 'entry.json').read_bytes())
    (folder / 'manifest').stat()
    return Entry(Stored(folder / 'images.npy'), entry['fingerprint'],
                 entry['notes'], str(folder / 'manifest'), key)
  except (OSError, EOFError, ValueError, KeyError, TypeError):
    return None


def write(shape, dtype: str, images: Iterable, finish: Callable) -> Entry:
  """Writes at most N examples, uint8 or float32 [N, ...]; returns the entry.

  `finish` is called after the last one; it returns (key of `key_of`, plain
  values for entry.json, bytes of the manifest).

  Raises:
    DataError: the disk is full, or the folder cannot be written.
  """
  parent, key = pathlib.Path(root(), 'data'), ''
  work = parent / f'.writing-{secrets.token_hex(8)}'
  try:
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    work.mkdir()
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    free = shutil.disk_usage(work).free
    if needed > free:
      raise OSError(f'{needed:,} bytes are needed, {free:,} are free')
    fingerprint = _write_images(work / 'images.npy', shape, dtype, images)
    key, notes, manifest = finish()
    write_file(work / 'manifest', manifest)
    entry = {'fingerprint': fingerprint, 'notes': notes}
    write_file(work / 'entry.json', json.dumps(entry).encode())
    if read(key) is None:
      shutil.rmtree(parent / key, ignore_errors=True)  # it is damaged
      work.rename(parent / key)
  except OSError as error:
    if not key or read(key) is None:  # else another process was first
      raise DataError(
          f'{parent}: cannot keep the decoded images ({reason(error)}); '
          f'free some space, choose a smaller resize, or set GAN_JAX_CACHE to '
          f'a folder on another disk') from error
  finally:
    shutil.rmtree(work, ignore_errors=True)
  return read(key)


def _remove_abandoned(parent):
  for work in parent.glob('.*-*'):
    with contextlib.suppress(OSError):  # another process is removing it
      last = max(path.stat().st_mtime for path in (work, *work.iterdir()))
      if time.time() - last > _ABANDONED:
        shutil.rmtree(work)


def _write_images(path, shape, dtype, images) -> str:
  """Writes an npy file; returns the sha256 of the images and their shape."""
  digest, count = hashlib.sha256(), 0
  dtype = np.dtype(dtype).newbyteorder('<')
  with open(path, 'wb') as file:
    _write_header(file, shape, dtype)
    for image in images:
      data = np.ascontiguousarray(image, dtype).data
      file.write(data)
      digest.update(data)
      count += 1
    file.seek(0)
    shape = (count, *shape[1:])
    # As long as before: numpy leaves space for the first axis to grow.
    _write_header(file, shape, dtype)
    file.flush()
    os.fsync(file.fileno())  # or the rename could reach the disk before
  digest.update(str(shape).encode())
  return digest.hexdigest()


def _write_header(file, shape, dtype):
  np.lib.format.write_array_header_1_0(
      file, {'descr': dtype.str, 'fortran_order': False, 'shape': shape})


def manifest(files: Iterable) -> bytes:
  """Manifest of (path, sha256): lines of 16 hex digits and the JSON path."""
  return ''.join(f'{digest[:8].hex()} {json.dumps(path)}\n'
                 for path, digest in files).encode()


def read_manifest(path) -> dict:
  """{path: digest} in the order of the images; DataError where damaged."""
  try:
    with open(path, encoding='ascii') as file:
      pairs = [line.split(' ', 1) for line in file]
    return {json.loads(name): digest for digest, name in pairs}
  except (OSError, ValueError) as error:
    raise DataError(f'{path!r}: not a list of files; delete its folder, and '
                    f'the data are read again') from error


def changes(old, new) -> list:
  """Differences of two manifests, given by their paths, in words.

  For example ["2 files added: 'a.png', 'b.png'", "1 file changed: 'c.png'"].
  """
  old, new = read_manifest(old), read_manifest(new)
  groups = {'added': [path for path in new if path not in old],
            'removed': [path for path in old if path not in new],
            'changed': [p for p in new if old.get(p, new[p]) != new[p]]}
  return [f'{len(paths):,} file{"s" * (len(paths) != 1)} {what}: {some(paths)}'
          for what, paths in groups.items() if paths]
