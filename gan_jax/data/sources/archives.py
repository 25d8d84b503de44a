"""Images in archives, read in place: zip files and WebDataset's tar files."""

import json
import os
import posixpath
import tarfile
import time
import zipfile
from typing import Literal

from gan_jax.base.errors import DataError
from gan_jax.data import collection, images, sniff
from gan_jax.data.files import check_file, list_folder, one_error, printable
from gan_jax.data.images import Geometry
from gan_jax.data.label_values import NOTHING, Labels, of_texts
from gan_jax.data.labels import STYLEGAN, labels_of, of_split
from gan_jax.data.prepare import Source
from gan_jax.data.sources.folder import check_share

_AS_THEY_ARE = Geometry()
_BadImage = Literal['refuse', 'skip']
_MAX_LABELS = 1 << 28  # bytes of a file of labels


def zip(*, path, labels='auto', label_key='', split='',
        on_bad_image: _BadImage = 'refuse', max_bad=0.01,
        value_range: str | tuple = 'auto', geometry=_AS_THEY_ARE) -> Source:
  """The images of a zip file, such as StyleGAN's, in the order of their names.

  Decoded once, into the cache, as `folder` does it.

  Args:
    path: the file.
    labels: 'auto': those of dataset.json if it is there, else 'folders'. The
      rest as of `folder`; files of labels are in the archive.
    label_key: as of `folder`.
    split: as of `folder`.
    on_bad_image: as of `folder`.
    max_bad: as of `folder`.
    value_range: as of `folder`.
    geometry: applied to every image.
  """
  check_share(max_bad)
  path = check_file(path)
  listed_at, status = time.time_ns(), os.stat(path)
  with one_error(path, 'zip file'):
    try:
      archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
      sniff.refuse(path, 'zip')
      raise
  with archive:
    members = {info.filename: info for info in archive.infolist()
               if not info.is_dir()}
    leaving = [name for name in members if _leaves(name)]
    if leaving:
      raise DataError(f"{path!r}: '{printable(leaving[0])}' leads out of the "
                      f'archive ({len(leaving):,} such names); write it again')
    files = [collection.File(
        name, info.file_size, status.st_mtime_ns, info.CRC,
        'encrypted: write the archive without a password' if
        info.flag_bits & 1 else '')
        for name, info in sorted(members.items()) if _is_image(name)]
    if not files:
      sniff.refuse(path, 'zip')
      raise DataError(f'{path!r}: no image among its {len(members):,} files; '
                      f'their suffixes are {" ".join(sniff.SUFFIXES)}')

    def read(name, limit=images.MAX_BYTES):
      with one_error(f'{path}/{printable(name)}', 'file'):
        if members[name].file_size > limit:
          raise DataError(f'over {limit:,} bytes')
        return archive.read(members[name])

    def contents(name):
      try:
        return read(name)
      except DataError as error:
        raise OSError(0, 'damaged, encrypted or of an unknown compression'
                      ) from error

    def where(name):
      if name not in members:
        raise DataError(f'{path!r}: labels={name!r}: no such file in the '
                        f"archive; 'auto', 'folders' and 'none' need none")
      return name

    def label(paths, refused):
      wanted = labels
      if labels == 'auto':
        wanted = STYLEGAN if STYLEGAN in members else 'folders'
      return _named(path, lambda: labels_of(
          wanted, paths, [*refused, *left], where,
          lambda name: read(name, _MAX_LABELS).decode(
              'utf-8-sig', 'surrogateescape'), label_key))

    taken, said = of_split([file.path for file in files], split)
    left = sorted({file.path for file in files}.difference(taken)) if (
        STYLEGAN in members or labels not in ('auto', 'folders')) else []
    taken = set(taken)
    return collection.load(
        path, [file for file in files if file.path in taken], contents, label,
        listed_at=listed_at, skip_bad=on_bad_image == 'skip', max_bad=max_bad,
        geometry=geometry, notices=said, value_range=value_range)


def webdataset(*, path, label_key='', on_bad_image: _BadImage = 'refuse',
               max_bad=0.01, value_range: str | tuple = 'auto',
               geometry=_AS_THEY_ARE) -> Source:
  """The images of WebDataset's tar files, in their order.

  Members of one name up to its first dot make an example: its image, and its
  label in a `.cls` file, or the key `label` of a `.json` file. No other file of
  an example is looked at, pickles (`.pyd`, `.pth`) least of all.

  Args:
    path: a tar file, not compressed, or a folder of such.
    label_key: suffix of the file that is the label, such as 'cls', or a key of
      the JSON file; '' for cls, then label; 'none' for unlabelled. What becomes
      of labels: `label_values.of_texts`.
    on_bad_image: as of `folder`.
    max_bad: as of `folder`.
    value_range: as of `folder`.
    geometry: applied to every image.
  """
  check_share(max_bad)
  root = os.path.abspath(os.path.expanduser(os.fspath(path)))
  listed_at = time.time_ns()
  shards = [root]
  if os.path.isdir(root):
    shards = [os.path.join(root, name) for name in list_folder(root)
              if name.endswith('.tar')]
    if not shards:
      sniff.refuse(root, 'webdataset')
      raise DataError(f'{root!r}: no .tar file in this folder')
  places, files, texts = {}, [], {}
  for shard in shards:
    _list_shard(shard, label_key, places, files, texts)
  if not files:
    raise DataError(f'{root!r}: no image in its {len(shards):,} tar files')

  def read(name):
    shard, offset, size = places[name]
    with open(shard, 'rb') as file:
      file.seek(offset)
      return file.read(size)

  def label(paths, refused):
    del refused
    found = {name: texts.get(_key(name)) for name in paths}
    missing = [name for name, text in found.items() if text is None]
    if label_key == 'none' or not label_key and len(missing) == len(paths):
      return Labels()
    if missing:
      raise DataError(f'{root!r}: {len(missing):,} of {len(paths):,} images '
                      f"have no label, first '{printable(missing[0])}'; "
                      f"label_key='none' ignores labels")
    return of_texts(found.values(), repr(root))

  return collection.load(
      root, files, read, label, listed_at=listed_at,
      skip_bad=on_bad_image == 'skip', max_bad=max_bad, geometry=geometry,
      notices=[], value_range=value_range)


def _list_shard(shard, label_key, places, files, texts):
  """Adds the members of a tar file, whose images are not read."""
  shard = check_file(shard)
  status, base = os.stat(shard), os.path.basename(shard)
  if sniff.head(shard, 2) == b'\x1f\x8b':
    raise DataError(f'{shard!r}: compressed, so that no image can be read by '
                    f'itself; gunzip it once')
  with one_error(shard, 'tar file'):
    try:
      archive = tarfile.open(shard, 'r:')
    except tarfile.ReadError:
      sniff.refuse(shard, 'webdataset')
      raise
    end = 0
    with archive:
      for member in archive:
        end = member.offset_data + member.size
        if not member.isfile():
          continue
        if _leaves(member.name):
          raise DataError(f"{shard!r}: '{printable(member.name)}' leads out of "
                          f'the archive; write it again')
        name = f'{base}/{member.name}'
        suffix = name[len(_key(name)) + 1:].lower()
        if _is_image(name):
          ends = member.offset_data + member.size
          places[name] = shard, member.offset_data, member.size
          files.append(collection.File(
              name, member.size, status.st_mtime_ns, status.st_ctime_ns,
              'truncated' if ends > status.st_size else ''))
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
          if isinstance(value, int | float | str):
            texts.setdefault(_key(name), str(value))
  if -end // 512 * -512 >= status.st_size:  # a block of zeros should follow
    raise DataError(f'{shard!r}: truncated, as its end is not marked: download '
                    f'or write it again')


def _key(name) -> str:
  folder, _, base = name.rpartition('/')
  return f'{folder}/{base.partition(".")[0]}'


def _is_image(name) -> bool:
  parts = name.split('/')
  return posixpath.splitext(name)[1].lower() in sniff.SUFFIXES and not any(
      part.startswith('.') or part == '__MACOSX' for part in parts)


def _leaves(name) -> bool:
  return name.startswith(('/', '\\')) or '..' in name.replace(
      '\\', '/').split('/') or name[1:2] == ':'


def _named(path, make):
  """Errors of labels begin with the archive."""
  try:
    return make()
  except DataError as error:
    raise DataError(f'{path!r}: {error}') from error
