"""Images in archives, read in place: zip files and WebDataset's tar files."""

import collections
import contextlib
import json
import os
import struct
import tarfile
import threading
import zipfile
import zlib

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import collection, images, sniff
from gan_jax.data.bad_files import Reading
from gan_jax.data.blocks import package
from gan_jax.data.files import (
  as_os_error,
  check_file,
  check_there,
  encoding_of,
  list_folder,
  one_error,
  printable,
  some,
)
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import NOTHING, Labels, of_texts
from gan_jax.data.labels import STYLEGAN
from gan_jax.data.prepare import Source
from gan_jax.data.sources.folder import load
from gan_jax.data.values import Scale

_MAX_LABELS = 1 << 28  # bytes of a file of labels


def zip(*, path, labels='auto', label_key='', split='', reading=Reading(),
        scale=Scale(), geometry=Geometry()) -> Source:
  """The images of a zip file, such as StyleGAN's, in the order of their names.

  Decoded once, into the cache, as `folder` does it.

  Args:
    path: the file.
    labels: 'auto': those of dataset.json if it is there, else 'folders'. The
      rest as of `folder`; files of labels are in the archive.
    label_key: as of `folder`.
    split: as of `folder`.
    reading: as of `folder`.
    scale: as of `folder`.
    geometry: applied to every image.
  """
  path = check_file(path)
  with _open_zip(path) as opened:
    archive = _Zip(path, opened)
    if labels == 'auto':
      labels = STYLEGAN if STYLEGAN in archive.members else 'folders'
    return load(path, archive.files(), labels, label_key, split, place=archive,
                reading=reading, scale=scale, geometry=geometry, notices=[])


def _open_zip(path):
  with one_error(path, 'zip file'):
    try:
      return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
      sniff.refuse(path, 'zip')
      raise


class _Zip:
  """A zip file, none of whose names leads out of it."""

  def __init__(self, path, archive):
    self._path, self._archive = path, archive
    self.members = {info.filename: info for info in archive.infolist()
                    if not info.is_dir()}
    leaving = [name for name in self.members if _leaves(name)]
    if leaving:
      raise DataError(f"{path!r}: '{printable(leaving[0])}' leads out of the "
                      f'archive ({len(leaving):,} such names); write it again')

  def files(self):
    """The images; DataError if there are none."""
    when = os.stat(self._path).st_mtime_ns
    files = [collection.File(
        name, info.file_size, when, info.CRC,
        'encrypted: write the archive without a password' if
        info.flag_bits & 1 else '')
        for name, info in sorted(self.members.items()) if _is_image(name)]
    if not files:
      sniff.refuse(self._path, 'zip')
      raise DataError(f'{self._path!r}: no image among its '
                      f'{len(self.members):,} files; their suffixes are '
                      f'{" ".join(sniff.SUFFIXES)}')
    return files

  def contents(self, name):
    """Bytes of an image; OSError if they cannot be had."""
    with as_os_error('damaged, encrypted or of an unknown compression'):
      return self._read(name, images.MAX_BYTES)

  def where(self, name):
    """Name of a file of labels; DataError if there is none."""
    if name not in self.members:
      raise DataError(f'labels={name!r}: no such file in the archive; '
                      f"'auto', 'folders' and 'none' need none")
    return name

  def text(self, name):
    """Text of a file of labels."""
    read = self._read(name, _MAX_LABELS)
    return read.decode(encoding_of(read), 'surrogateescape')

  def _read(self, name, limit):
    info = self.members[name]
    with one_error(f'{self._path}/{printable(name)}', 'file'):
      if info.file_size > limit:
        raise DataError(f'over {limit:,} bytes')
      if info.compress_type or info.flag_bits & 1:
        return self._archive.read(info)
      # Nothing to unpack, as in StyleGAN's: a tenth of zipfile's time, and
      # without its lock. A header of 30 bytes, a name and extras come first.
      file = self._archive.fp.fileno()
      head = os.pread(file, 30, info.header_offset)
      if len(head) < 30 or head[:4] != b'PK\3\4':
        raise zipfile.BadZipFile('it is not where the archive says')
      skipped = sum(struct.unpack('<HH', head[26:30]))
      data = os.pread(file, info.file_size, info.header_offset + 30 + skipped)
      if zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile('its checksum is another')
      return data


def webdataset(*, path, label_key='', reading=Reading(), scale=Scale(),
               geometry=Geometry()) -> Source:
  """The images of WebDataset's tar files, in their order.

  Members of one name up to its first dot make an example: its images, and their
  label in a `.cls` file, or the key `label` of a `.json` file. No other file of
  an example is looked at, pickles (`.pyd`, `.pth`) least of all.

  Args:
    path: a tar file or a folder of such. A gzipped one needs indexed_gzip,
      which remembers places from which it can be unpacked.
    label_key: suffix of the file that is the label, such as 'cls', or a key of
      the JSON file; '' for cls, then label; 'none' for unlabelled. What becomes
      of labels: `label_values.of_texts`.
    reading: as of `folder`.
    scale: as of `folder`.
    geometry: applied to every image.
  """
  root = os.path.abspath(check_there(path))
  shards = [root]
  if os.path.isdir(root):
    shards = [os.path.join(root, name) for name in list_folder(root, None)
              if name.endswith(('.tar', '.tar.gz', '.tgz'))]
    if not shards:
      sniff.refuse(root, 'webdataset')
      raise DataError(f'{root!r}: no .tar file in this folder')
  places, files, texts = {}, [], {}
  for shard in shards:
    _list_shard(_Shard(shard), label_key, places, files, texts)
  if not files:
    raise DataError(f'{root!r}: no image in its {len(shards):,} tar files')
  counts = collections.Counter(_key(file.path) for file in files)
  notices = [] if max(counts.values()) == 1 else [
      f'{len(counts):,} examples have {len(files):,} images, all of which are '
      f'taken: {some([file.path for file in files], 3)}']

  def read(name):
    shard, offset, size = places[name]
    with as_os_error():
      return shard.read(offset, size)

  def label(paths, refused):
    missing = [name for name in paths if _key(name) not in texts]
    if label_key == 'none' or not label_key and len(missing) == len(paths):
      return Labels()
    if label_key and len(missing) == len(paths):
      raise ArgumentError('label_key', label_key, (
          f"names no label of any image in {root!r}; 'none' ignores labels"))
    if missing:
      raise DataError(f'{root!r}: {len(missing):,} of {len(paths):,} images '
                      f"have no label, first '{printable(missing[0])}'; "
                      f"label_key='none' ignores labels")
    # Refused images count, so that a class keeps its number without them.
    named = [_key(name) for name in (*paths, *refused)]
    return of_texts([texts[key] for key in named if key in texts],
                    repr(root)).of(slice(0, len(paths)))

  return collection.load(root, files, read, label, reading=reading,
                         scale=scale, geometry=geometry, notices=notices)


class _Shard:
  """A tar file, gzipped or not, of which any part can be read.

  Open only while it is read, as a set may have more than can be open.
  """

  def __init__(self, path):
    self.path, self._lock = check_file(path), threading.Lock()
    self._unzipped = None
    if sniff.head(self.path, 2) != b'\x1f\x8b':
      self.size = os.path.getsize(self.path)
      return
    library = package('indexed_gzip', 'webdataset')
    with one_error(self.path, 'gzipped tar file'):
      self._unzipped = library.IndexedGzipFile(self.path, drop_handles=True)
      self._unzipped.build_full_index()
      self.size = self._unzipped.seek(0, os.SEEK_END)

  @contextlib.contextmanager
  def _opened(self):
    with one_error(self.path, 'tar file'):
      if self._unzipped is None:
        with open(self.path, 'rb') as file:
          yield file
      else:
        with self._lock:
          self._unzipped.seek(0)
          yield self._unzipped

  def read(self, offset, size) -> bytes:
    """A part; DataError if it cannot be had."""
    with self._opened() as file:
      file.seek(offset)
      return file.read(size)

  @contextlib.contextmanager
  def archive(self):
    """The open tar file; DataError if it is none."""
    with self._opened() as file:
      try:
        archive = tarfile.open(fileobj=file, mode='r:')
      except tarfile.ReadError:
        sniff.refuse(self.path, 'webdataset')
        raise
      with archive:
        yield archive


def _list_shard(shard, label_key, places, files, texts):
  """Adds the members of a `_Shard`, whose images are not read."""
  path = shard.path
  status, base, end = os.stat(path), os.path.basename(path), 0
  with shard.archive() as archive:
    for member in archive:
      end = member.offset_data + member.size
      if not member.isfile():
        continue
      if _leaves(member.name):
        raise DataError(f"{path!r}: '{printable(member.name)}' leads out of "
                        f'the archive; write it again')
      name = f'{base}/{member.name}'
      suffix = name[len(_key(name)) + 1:].lower()
      if _is_image(name):
        ends = member.offset_data + member.size
        places[name] = shard, member.offset_data, member.size
        files.append(collection.File(
            name, member.size, status.st_mtime_ns, status.st_ctime_ns,
            'truncated' if ends > shard.size else ''))
      elif suffix == (label_key or 'cls') and member.size < 1000:
        text = archive.extractfile(member).read().decode()
        texts[_key(name)] = text.strip()
      elif suffix == 'json' and member.size < _MAX_LABELS:
        found = json.loads(archive.extractfile(member).read())
        value = found.get(label_key or 'label') if isinstance(
            found, dict) else None
        if isinstance(value, list) and all(
            isinstance(part, str) for part in value):
          value = '|'.join(value) or NOTHING
        if value is not None and not isinstance(value, int | float | str):
          raise DataError(
              f"{path!r}: '{printable(member.name)}' has the label "
              f'{printable(str(value))[:80]}; a number, text or a list of '
              f"texts is needed; label_key='none' ignores labels")
        if value is not None:
          texts.setdefault(_key(name), str(value))
  if -end // 512 * -512 >= shard.size:  # a block of zeros should follow
    raise DataError(f'{path!r}: truncated, as its end is not marked: download '
                    f'or write it again')


def _key(name) -> str:
  folder, _, base = name.rpartition('/')
  return f'{folder}/{base.partition(".")[0]}'


def _is_image(name) -> bool:
  parts = name.split('/')
  return sniff.suffix_of(name) in sniff.SUFFIXES and not any(
      part.startswith('.') or part == '__MACOSX' for part in parts)


def _leaves(name) -> bool:
  return name.startswith(('/', '\\')) or '..' in name.replace(
      '\\', '/').split('/') or name[1:2] == ':'
