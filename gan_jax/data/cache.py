"""Decoded images on disk, written once and mapped into memory ever after.

An entry is a folder named by its key: `images.npy` (uint8 [N, H, W, C]),
`entry.json` (its fingerprint and whatever the reader noted) and `manifest`, if
the reader left one. It appears whole or not at all: it is written beside and
renamed. Entries are made from what they are made of, so a stale one is never
read; the folder may be deleted at any time.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import DataError

_LEFT = 3600.0  # seconds after which an unlocked folder is nobody's


class Entry(NamedTuple):
  """Decoded images: mapped uint8 [N, H, W, C], sha256 of them, notes."""

  images: np.ndarray
  fingerprint: str
  notes: dict
  folder: str


def root() -> str:
  """The folder of the cache: GAN_JAX_CACHE, or ~/.cache/gan_jax."""
  return os.environ.get('GAN_JAX_CACHE') or os.path.join(
      os.path.expanduser('~'), '.cache', 'gan_jax')


def key_of(*parts) -> str:
  """A file name from whatever determines an entry (anything with a repr)."""
  return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def read(key: str) -> Entry | None:
  """The entry of a key, None where there is none that is whole."""
  folder = _folder(key)
  try:
    with open(os.path.join(folder, 'entry.json')) as file:
      entry = json.load(file)
    # Checks the size that the header declares against that of the file.
    images = np.load(os.path.join(folder, 'images.npy'), mmap_mode='r',
                     allow_pickle=False)
    return Entry(images, entry['fingerprint'], entry['notes'], folder)
  except (OSError, ValueError, KeyError, TypeError):
    return None


def write(key: str, shape, images: Iterable, *, notes=lambda: {},
          manifest: bytes | Callable = b'', at_most=False) -> Entry:
  """Writes the images of an iterable, and returns them mapped.

  Args:
    key: of `key_of`.
    shape: (N, H, W, C) of all of them.
    images: yields N arrays uint8 [H, W, C].
    notes: called after the last image; plain values for entry.json.
    manifest: kept in a file beside; bytes, or a function called after the
      last image that returns them.
    at_most: N is the most that may come, not the number that must.

  Raises:
    DataError: no room, or the folder cannot be written.
  """
  folder = _folder(key)
  parent, work, held = os.path.dirname(folder), None, None
  try:
    os.makedirs(parent, exist_ok=True)
    _sweep(parent)
    work = tempfile.mkdtemp(prefix='.writing-', dir=parent)
    held = _hold(work)
    _check_room(work, int(np.prod(shape, dtype=np.int64)))
    fingerprint = _write_images(os.path.join(work, 'images.npy'), shape, images,
                                at_most)
    manifest = manifest() if callable(manifest) else manifest
    if manifest:
      _write(os.path.join(work, 'manifest'), manifest)
    _write(os.path.join(work, 'entry.json'), json.dumps(
        {'fingerprint': fingerprint, 'notes': notes()}).encode())
    os.chmod(work, 0o777 & ~_umask())
    whole = read(key)
    if whole and (not manifest or os.path.exists(
        os.path.join(folder, 'manifest'))):
      return whole  # Another process was first: the same images.
    if os.path.exists(folder):  # Broken, and aside in one step.
      broken = tempfile.mkdtemp(prefix='.broken-', dir=parent)
      os.rename(folder, broken)
      shutil.rmtree(broken, ignore_errors=True)
    try:
      os.rename(work, folder)
    except OSError:  # Another process was first: its entry is the same.
      if read(key) is None:
        raise
  except OSError as error:
    raise DataError(
        f'{parent!r}: cannot keep the decoded images here '
        f'({error.strerror or error}); free some room, or set GAN_JAX_CACHE to '
        f'a folder on another disk') from error
  finally:
    if work:
      shutil.rmtree(work, ignore_errors=True)
    if held is not None:
      os.close(held)
  return read(key)


def _hold(folder):
  """Locks a folder as long as this process lives; None where none can be."""
  held = os.open(folder, os.O_RDONLY)
  try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return held
  except OSError:
    os.close(held)
    return None


def _sweep(parent):
  """Removes what processes left that were killed while they wrote."""
  for name in os.listdir(parent):
    if name.startswith(('.writing-', '.broken-')):
      path = os.path.join(parent, name)
      with contextlib.suppress(OSError):  # Another one is removing it.
        # A new one may be about to be locked by who has made it.
        old = time.time() - os.stat(path).st_mtime > _LEFT
        if old and (held := _hold(path)) is not None:
          shutil.rmtree(path, ignore_errors=True)
          os.close(held)


def _write(path, data):
  with open(path, 'wb') as file:
    file.write(data)
    _sync(file)


def _sync(file):
  """To the disk: a rename may be there first after a power cut."""
  file.flush()
  os.fsync(file.fileno())


def _folder(key):
  if not re.fullmatch(r'[0-9a-f]{32}', key):
    raise ValueError(f'key {key!r} is not one of key_of')
  return os.path.join(root(), 'data', key)


def _check_room(folder, needed):
  free = shutil.disk_usage(folder).free
  if needed > free:
    raise DataError(
        f'{folder!r}: the decoded images take {needed:,} bytes, {free:,} are '
        f'free; free some room, choose a smaller resize, or set GAN_JAX_CACHE '
        f'to a folder on another disk')


def _write_images(path, shape, images, at_most) -> str:
  digest = hashlib.sha256()
  count, each = 0, tuple(int(n) for n in shape[1:])
  with open(path, 'wb') as file:
    _write_header(file, (int(shape[0]), *each))
    for image in images:
      if image.dtype != np.uint8 or image.shape != each:
        raise ValueError(f'image {count} is {image.dtype} {image.shape}, not '
                         f'uint8 {each}')
      data = np.ascontiguousarray(image).data
      file.write(data)
      digest.update(data)
      count += 1
    if count > shape[0] or count < shape[0] and not at_most:
      raise ValueError(f'{count} images came, {shape[0]} were announced')
    if count < shape[0]:
      file.seek(0)
      # As long as before: numpy leaves room for the first axis to grow.
      _write_header(file, (count, *each))
    _sync(file)
  digest.update(str((count, *each)).encode())
  return digest.hexdigest()


def _write_header(file, shape):
  np.lib.format.write_array_header_1_0(
      file, {'descr': '|u1', 'fortran_order': False, 'shape': shape})


def _umask():
  current = os.umask(0)
  os.umask(current)
  return current
