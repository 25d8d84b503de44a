"""Decoded images on disk, written once and then mapped into memory.

An entry is a folder named by its key: `images.npy` (uint8 [N, H, W, C]),
`entry.json` (the fingerprint, and notes of the reader) and perhaps `manifest`,
the list of the files read. It is written under another name and renamed, so it
is complete or absent. The key is a hash of all that determines the images, so
an entry is never out of date; the folder may be deleted at any time.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.base.files import write_file
from gan_jax.data.files import reason, some

_ABANDONED = 3600.0  # seconds after which a folder without a lock is removed


class Entry(NamedTuple):
  """Mapped images uint8 [N, H, W, C], their sha256, notes, manifest's path."""
  images: np.ndarray
  fingerprint: str
  notes: dict
  manifest: str


def root() -> str:
  """The folder of the cache: GAN_JAX_CACHE, or ~/.cache/gan_jax."""
  return os.environ.get('GAN_JAX_CACHE') or os.path.expanduser(
      '~/.cache/gan_jax')


def key_of(*parts) -> str:
  """A file name from whatever determines an entry (anything with a repr)."""
  return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def read(key: str, with_manifest=False) -> Entry | None:
  """The entry of a key, None where there is none that is complete."""
  folder = os.path.join(root(), 'data', key)
  manifest = os.path.join(folder, 'manifest')
  try:
    with open(os.path.join(folder, 'entry.json')) as file:
      entry = json.load(file)
    # Checks the size that the header declares against that of the file.
    images = np.load(os.path.join(folder, 'images.npy'), mmap_mode='r')
    if with_manifest:
      os.stat(manifest)
    return Entry(images, entry['fingerprint'], entry['notes'], manifest)
  except (OSError, ValueError, KeyError, TypeError):
    return None


def write(key: str, shape, images: Iterable, finish: Callable) -> Entry:
  """Writes the images of an iterable, and returns them mapped.

  Args:
    key: of `key_of`.
    shape: (N, H, W, C); fewer than N images may come.
    images: yields arrays uint8 [H, W, C].
    finish: called after the last image; returns (notes: plain values for
      entry.json, manifest: bytes, b'' for none).

  Raises:
    DataError: the disk is full, or the folder cannot be written.
  """
  folder = os.path.join(root(), 'data', key)
  parent, lock = os.path.dirname(folder), None
  work = os.path.join(parent, f'.writing-{secrets.token_hex(8)}')
  try:
    os.makedirs(parent, exist_ok=True)
    _remove_abandoned(parent)
    os.mkdir(work)
    lock = _lock(work)
    needed, free = np.prod(shape, dtype=np.int64), shutil.disk_usage(work).free
    if needed > free:
      raise OSError(errno.ENOSPC, f'{needed:,} bytes needed, {free:,} free')
    fingerprint = _write_images(os.path.join(work, 'images.npy'), shape, images)
    notes, manifest = finish()
    if manifest:
      write_file(os.path.join(work, 'manifest'), manifest)
    write_file(os.path.join(work, 'entry.json'), json.dumps(
        {'fingerprint': fingerprint, 'notes': notes}).encode())
    if read(key, bool(manifest)) is None:  # else another process was first
      if os.path.exists(folder):  # damaged; a rename takes it away in one step
        os.rename(folder, f'{work}-damaged')
      try:
        os.rename(work, folder)
      except OSError:
        if read(key) is None:
          raise
  except OSError as error:
    raise DataError(
        f'{parent!r}: cannot keep the decoded images here ({reason(error)}); '
        f'free some space, choose a smaller resize, or set GAN_JAX_CACHE to a '
        f'folder on another disk') from error
  finally:
    for path in (work, f'{work}-damaged'):
      shutil.rmtree(path, ignore_errors=True)
    if lock is not None:
      os.close(lock)
  return read(key)


def _lock(folder):
  """Locks a folder while this process lives; None where that is impossible."""
  descriptor = os.open(folder, os.O_RDONLY)
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor
  except OSError:
    os.close(descriptor)
    return None


def _remove_abandoned(parent):
  """Removes what processes left that were killed while they wrote."""
  for name in os.listdir(parent):
    path = os.path.join(parent, name)
    with contextlib.suppress(OSError):  # another process is removing it
      # A new folder may not have been locked yet by who has made it.
      if (name.startswith(('.writing-', '.broken-'))
          and time.time() - os.stat(path).st_mtime > _ABANDONED
          and (lock := _lock(path)) is not None):
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _write_images(path, shape, images) -> str:
  """Writes an npy file; returns the sha256 of the images and their shape."""
  digest, count = hashlib.sha256(), 0
  with open(path, 'wb') as file:
    _write_header(file, shape)
    for image in images:
      data = np.ascontiguousarray(image).data
      file.write(data)
      digest.update(data)
      count += 1
    file.seek(0)
    shape = (count, *shape[1:])
    # As long as before: numpy leaves space for the first axis to grow.
    _write_header(file, shape)
    # Otherwise the rename could reach the disk before the images.
    file.flush()
    os.fsync(file.fileno())
  digest.update(str(shape).encode())
  return digest.hexdigest()


def _write_header(file, shape):
  np.lib.format.write_array_header_1_0(
      file, {'descr': '|u1', 'fortran_order': False, 'shape': shape})


def manifest(files: Iterable) -> bytes:
  """A line for each (path, sha256): 16 digits of it, and the path as JSON."""
  return b''.join(b'%s %s\n' % (digest[:8].hex().encode(),
                                json.dumps(path).encode())
                  for path, digest in files)


def read_manifest(path) -> dict:
  """{path: digest} in the order of the images; DataError where damaged."""
  found = {}
  try:
    with open(path, encoding='ascii') as file:
      for line in file:
        digest, name = line.split(' ', 1)
        found[json.loads(name)] = digest
  except (OSError, ValueError) as error:
    raise DataError(f'{path!r}: not a list of files; delete its folder, and '
                    f'the data are read again') from error
  return found


def changes(old, new) -> list:
  """What changed between two manifests, given by their paths, in words.

  For example ["2 files added: 'a.png', 'b.png'", "1 file changed: 'c.png'"].
  """
  old, new = read_manifest(old), read_manifest(new)
  groups = {
      'added': [path for path in new if path not in old],
      'removed': [path for path in old if path not in new],
      'changed': [p for p in new if old.get(p, new[p]) != new[p]]}
  return [f'{len(paths):,} file{"s" * (len(paths) != 1)} {what}: {some(paths)}'
          for what, paths in groups.items() if paths]
