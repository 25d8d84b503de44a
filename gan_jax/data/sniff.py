"""Tells by content which data set a path holds."""

import contextlib
import gzip
import os
import zipfile
import zlib

from gan_jax.base.errors import DataError
from gan_jax.data.files import printable

SUFFIXES = ('.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.webp', '.gif',
            '.bmp', '.dib', '.tif', '.tiff', '.ppm', '.pgm', '.pbm', '.pnm')
SOUNDS = ('.wav', '.flac', '.ogg', '.oga', '.opus', '.mp3', '.aif', '.aiff')
_DICOM = ('.dcm', '.dicom')
_IMAGES = (b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff', b'GIF8', b'II*\0', b'MM\0*')
_LOOKED_AT = 1000  # files of a folder


def head(path, size=512) -> bytes:
  """First bytes of a file, b'' if it cannot be read."""
  try:
    if not os.path.isfile(path):  # a pipe would wait for a writer
      return b''
    with open(path, 'rb') as file:
      return file.read(size)
  except OSError:
    return b''


def suffix_of(path) -> str:
  """'.png' of 'a/b.PNG'."""
  return os.path.splitext(path)[1].lower()


def is_image(path) -> bool:
  """Whether a file is named as an image, or is one."""
  if suffix_of(path) in SUFFIXES:
    return True
  start = head(path, 16)
  return start.startswith(_IMAGES) or (
      start[:4] == b'RIFF' and start[8:12] == b'WEBP')


def is_audio(path) -> bool:
  """Whether a file is named as a recording, or is one."""
  start = head(path, 16)
  return suffix_of(path) in SOUNDS or start.startswith((b'fLaC', b'OggS')) or (
      start[:4] == b'RIFF' and start[8:12] == b'WAVE')


def is_dicom(path) -> bool:
  """Whether a file is named as DICOM, or is it; a DICOMDIR only lists some."""
  return suffix_of(path) in _DICOM or head(path, 132)[128:] == b'DICM' and (
      os.path.basename(path) != 'DICOMDIR')


# Sets of the files of a folder: what is one of these, its name, its suffixes.
FILES = {'dicom': (is_dicom, 'DICOM', _DICOM),
         'folder': (is_image, 'image', SUFFIXES),
         'audio': (is_audio, 'recording', SOUNDS)}


def kind_of(path) -> str:
  """Name of the data set that reads a path, '' if none does."""
  if os.path.isdir(path):
    return _of_folder(path)
  start = head(path)
  for magic, kind in ((b'\x89HDF\r\n\x1a\n', 'hdf5'), (b'PAR1', 'parquet'),
                      (b'\x93NUMPY', 'npy')):
    if start.startswith(magic):
      return kind
  if start[:2] == b'PK':
    return _of_zip(path)
  if start[16:20] == b'\xde\xc0\xef\xbe':
    return 'lmdb'
  if start[:2] == b'\x1f\x8b':  # only the following are read gzipped
    with contextlib.suppress(OSError, EOFError, zlib.error):
      with gzip.open(path) as file:
        start = file.read(512)
  if start[257:262] == b'ustar':
    return 'webdataset'
  if start[:2] == b'\0\0' and start[2:3] and 8 <= start[2] <= 14:
    return 'idx'
  for kind, (is_one, *_) in FILES.items():
    if is_one(path):
      return kind
  # Nothing in a text says that it is a table.
  return 'table' if suffix_of(path) in ('.csv', '.tsv') else ''


def _of_zip(path) -> str:
  try:
    with zipfile.ZipFile(path) as archive:
      names = archive.namelist()
    return 'npz' if names and all(n.endswith('.npy') for n in names) else 'zip'
  except (OSError, ValueError, zipfile.BadZipFile):
    return 'npz' if path.endswith('.npz') else 'zip'


def _of_folder(path) -> str:
  for name, kind in (('data.mdb', 'lmdb'), ('dataset_info.json', 'tfds')):
    if os.path.exists(os.path.join(path, name)):
      return kind
  found = []
  for place, _, files in os.walk(path):
    for name in sorted(files)[:_LOOKED_AT - len(found)]:
      found.append(kind_of(os.path.join(place, name)))
      if found[-1] == 'folder':
        return 'folder'
    if len(found) >= _LOOKED_AT:
      break
  return next((kind for kind in ('dicom', 'audio', 'parquet', 'webdataset')
               if kind in found), '')


def hint(path) -> str:
  """Which set reads a path, for a message: '; data=npy reads it', or ''."""
  found = kind_of(path)
  return f'; data={found} reads it' if found else ''


def refuse(path, kind):
  """DataError if a path holds another data set than `kind` reads."""
  found = kind_of(path)
  if found not in ('', kind):
    raise DataError(
        f'{printable(str(path))!r}: not what data={kind} reads, but what '
        f'data={found} does: use data={found}, or data=auto')
