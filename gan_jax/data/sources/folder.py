"""Images of any kind in a directory tree, with labels of folders or a file."""

import collections
import csv
import json
import os
import re
import stat
import time
import unicodedata
from functools import partial
from typing import Literal

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.data import collection
from gan_jax.data.files import check_file, one_error, printable, reason, some
from gan_jax.data.images import Geometry
from gan_jax.data.prepare import Source, as_labels

SUFFIXES = ('.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.webp', '.gif',
            '.bmp', '.dib', '.tif', '.tiff', '.ppm', '.pgm', '.pbm', '.pnm')
_AS_THEY_ARE = Geometry()
_STYLEGAN = 'dataset.json'
_INTEGER = re.compile(r'\s*([+-]?\d{1,18})(\.0*)?\s*')  # pandas writes 3.0
_FILE = ('file', 'filename', 'file_name', 'path', 'image')
_LABEL = ('label', 'class', 'category')
_FORM = ('{"labels": [["a/b.png", 3], ...]}, one integer or text per file, or '
         '{"labels": null} is needed')


def folder(*, path, labels='folders',
           on_bad_image: Literal['refuse', 'skip'] = 'refuse', max_bad=0.01,
           value_range: str | tuple = 'auto', geometry=_AS_THEY_ARE) -> Source:
  """The images below a folder, in the order of their paths.

  Found by suffix (`SUFFIXES`), decoded by content: PNG, JPEG, WebP, GIF, BMP,
  TIFF and PPM. All become 8 bits and one number of channels: grey if all are
  grey, else RGB (palettes count as colour), unless `channels` is set. Alpha is
  composited on `background`. EXIF rotation is applied, colour profiles are not.
  Of animations, the first frame. Invalid: over 100 million pixels, under 2 on a
  side, longer than 20:1.

  Decoded once, into the cache. The next start compares names, sizes and dates
  only; after a change, files are read, and decoded if their contents changed.

  Args:
    path: the folder.
    labels: 'folders': if all images lie in folders, the first folder of their
      path is the class, numbered in sorted order; if none does, or there is
      only one folder, unlabelled. A folder with StyleGAN's dataset.json is
      unlabelled too, unless labels='dataset.json'. 'none': unlabelled. Else the
      path, from the folder or absolute, of a dataset.json, {"labels":
      [["a/b.png", 3], ...]}, or of a CSV file with columns `file` and `label`,
      or just two columns. Integers are kept, text is numbered in sorted order.
    on_bad_image: 'refuse' or 'skip' unusable files; `report` of the source
      lists those skipped.
    max_bad: share of the files that may be skipped, in [0, 1).
    value_range: stored numbers that become black and white: (0, 4095), 'data'
      for the smallest and largest of the set, or 'auto': 255 is white in 8
      bits, of 16-bit grey the largest number of the bits that the set uses, so
      65535, or 4095 of 12 bits; floating point is refused.
    geometry: applied to every image.

  Raises:
    DataError: no images, bad images (all in one message), several sizes without
      a resize, bad labels or arguments.
  """
  if not isinstance(path, str | os.PathLike) or not os.fspath(path):
    raise DataError(f'path={path!r}: the path of a folder is needed')
  if not 0 <= max_bad < 1:
    raise DataError(f'max_bad={max_bad!r}: must be a share in [0, 1)')
  root = os.path.abspath(os.path.expanduser(os.fspath(path)))
  if not os.path.isdir(root):
    what = ('is a file; a folder of images is needed: unpack an archive first, '
            'or use the set npz' if os.path.isfile(root) else
            ': no such folder: check the path')
    raise DataError(f'path={path!r} {what}')

  def read(name):
    with open(os.path.join(root, name), 'rb') as file:
      return file.read()

  listed_at = time.time_ns()
  files, others, notices = _find(root)
  if not files:
    shown = ', '.join(f'{count} of {printable(suffix)!r}'
                      for suffix, count in others.most_common(5))
    raise DataError(
        f'{printable(root)!r}: no image among {others.total()} files {shown}; '
        f'the suffixes of images are {" ".join(SUFFIXES)}: check the path')
  return collection.load(
      root, sorted(files), read, partial(_labels, root, labels),
      listed_at=listed_at, skip_bad=on_bad_image == 'skip', max_bad=max_bad,
      geometry=geometry, notices=notices, value_range=value_range)


def _find(root) -> tuple:
  """Image files, suffixes of other files, notices.

  Links are followed, but every folder is read only once, under its own path if
  that is below `root`, so a loop of links ends.
  """
  files, others, notices = [], collections.Counter(), []
  visited, links = {}, ['']  # real folders first, links to them last
  try:
    while links:
      link = links.pop(0)
      for path, folders, names in os.walk(os.path.join(root, link),
                                          onerror=_fail):
        inside = os.path.relpath(path, root)
        status = os.stat(path)
        first = visited.setdefault((status.st_dev, status.st_ino), inside)
        if first != inside:
          if inside == link:
            notices.append(f'{printable(link)} leads to {printable(first)!r} '
                           f'again: read once')
          folders.clear()
          continue
        folders[:] = filter(_is_shown, folders)
        prefix = '' if inside == '.' else f'{inside}/'
        links += (prefix + name for name in folders
                  if os.path.islink(os.path.join(path, name)))
        for name in filter(_is_shown, names):
          suffix = os.path.splitext(name)[1].lower()
          if suffix in SUFFIXES:
            files.append(_file(root, prefix + name))
          else:
            others[suffix] += 1
      links.sort()
  except OSError as error:
    raise DataError(f'{printable(error.filename)!r} cannot be read '
                    f'({reason(error)}); repair or move it') from error
  return files, others, notices


def _fail(error):
  raise error


def _is_shown(name) -> bool:
  return not name.startswith('.') and name not in ('__MACOSX', 'Thumbs.db')


def _file(root, path) -> collection.File:
  try:
    status = os.stat(os.path.join(root, path))
  except OSError as error:  # a link to nowhere or to itself
    return collection.File(path, 0, 0, 0, f'cannot be read ({reason(error)})')
  return collection.File(
      path, status.st_size, status.st_mtime_ns, status.st_ctime_ns,
      '' if stat.S_ISREG(status.st_mode) else 'not a regular file')


def _labels(root, labels, paths, refused) -> tuple:
  """Labels, number of classes, class names and notices: see `folder`.

  `paths` are those of the images; `refused` files may have labels too.
  """
  if labels == 'none':
    return (), 0, (), []
  if labels == 'folders':
    return _of_folders(root, paths, refused)
  if not isinstance(labels, str | os.PathLike) or not os.fspath(labels):
    raise DataError(f"labels={labels!r}: 'folders', 'none' or the path of a "
                    f"CSV file or dataset.json is needed")
  where = check_file(os.path.join(root, os.path.expanduser(labels)))
  named = (_of_json if where.lower().endswith('.json') else _of_csv)(where)
  if named is None:
    return (), 0, (), [f'{_STYLEGAN} says that there are no labels']
  found = _matched(where, named, paths, refused)
  integers = [_INTEGER.fullmatch(label) for label in found]
  if all(integers):
    values = np.array([int(match[1]) for match in integers], np.int64)
    return *as_labels(values, len(values), repr(where)), (), []
  return *_numbered(found, found), []


def _numbered(names, every) -> tuple:
  """Labels, number of classes and class names, in sorted order."""
  classes = sorted(set(every))
  number = {name: i for i, name in enumerate(classes)}
  return (np.array([number[name] for name in names], np.int32), len(classes),
          tuple(map(printable, classes)))


def _of_folders(root, paths, refused):
  try:
    found = _read_json(os.path.join(root, _STYLEGAN))
    # The folders 00000, 00001... of StyleGAN's tool are no classes.
    has = 'has labels' if found['labels'] else 'has no labels'
    return (), 0, (), [
        f"{_STYLEGAN} {has}, so folder names are not taken for classes: "
        f"unlabelled; labels='{_STYLEGAN}' would read it"]
  except (DataError, LookupError, TypeError):
    pass  # there is no such file, or it is another program's
  # Refused files count, so that a class keeps its number without them.
  every = [*paths, *refused]
  inside = [path for path in every if '/' in path]
  if not inside:
    return (), 0, (), []
  if len(inside) < len(every):
    loose = [path for path in every if '/' not in path]
    raise DataError(
        f'{printable(root)!r}: {len(loose):,} images lie directly in it '
        f'({some(loose, 3)}), {len(inside):,} in folders ({some(inside, 3)}); '
        f"move the former into folders of their classes, or use labels='none'")
  names = [path.split('/', 1)[0] for path in every]
  if len(set(names)) == 1:
    return (), 0, (), [f'all images lie in the one folder {names[0]!r}: '
                       f'unlabelled']
  return *_numbered(names[:len(paths)], names), []


def _read_json(where):
  with one_error(where, 'JSON file'), open(
      where, encoding='utf-8-sig', errors='surrogateescape') as file:
    return json.load(file)


def _of_json(where) -> list | None:
  """[(file, label, place in the JSON file)], None if it has no labels."""
  found = _read_json(where)
  named = found.get('labels', '') if isinstance(found, dict) else ''
  if named is None:
    return None
  if not isinstance(named, list | dict):
    raise DataError(f'{where!r}: no list "labels" in it; {_FORM}')
  named = list(named.items()) if isinstance(named, dict) else named
  for i, pair in enumerate(named):
    if not isinstance(pair, list | tuple) or list(map(type, pair)) not in (
        [str, int], [str, str]):
      raise DataError(f'{where!r}: entry {i} is {str(pair)[:80]!r}; {_FORM}')
  return [(name, str(label), f'entry {i}')
          for i, (name, label) in enumerate(named)]


def _of_csv(where) -> list:
  with one_error(where, 'CSV file'), open(
      where, encoding='utf-8-sig', errors='surrogateescape',
      newline='') as file:
    rows = [(i, row) for i, row in enumerate(csv.reader(file), 1)
            if any(cell.strip() for cell in row)] or [(1, [])]
  head = [cell.strip().lower() for cell in rows[0][1]]
  file, label = ([i for i, cell in enumerate(head) if cell in names]
                 for names in (_FILE, _LABEL))
  if file and label:
    file, label, rows = file[0], label[0], rows[1:]
  elif len(head) == 2:
    file, label = 0, 1
  else:
    raise DataError(f'{where!r}: begins with {str(rows[0][1])[:120]}; columns '
                    f'named file and label there, or just two, are needed')
  for i, row in rows:
    if max(file, label) >= len(row):
      raise DataError(f'{where!r}: line {i} has {len(row)} columns, '
                      f'{max(file, label) + 1} are needed: {str(row)[:80]}')
  return [(row[file], row[label].strip(), f'line {i}') for i, row in rows]


def _matched(where, named, paths, refused) -> list:
  index = {_plain(path): path for path in paths} | {p: p for p in paths}
  others = {_plain(path) for path in refused}
  found, absent = {}, []
  for name, label, place in named:
    path = index.get(name) or index.get(_plain(name))
    if path is None:
      if _plain(name) not in others:
        absent.append(name)
    elif not label:
      raise DataError(f'{where!r}: {place} has no label for '
                      f"'{printable(name)}'; give it one")
    elif found.setdefault(path, label) != label:
      raise DataError(
          f"{where!r}: '{printable(name)}' has two labels, "
          f"'{printable(found[path])}' and, in {place}, '{printable(label)}'")
  missing = [path for path in paths if path not in found]
  for names, what in ((absent, 'labels for files that are no images here'),
                      (missing, 'images without a label')):
    if names:
      raise DataError(f'{where!r}: {len(names):,} {what} ({some(names)}); '
                      f'every image needs one label, by its path from the '
                      f'folder; images: {some(paths, 3)}')
  return [found[path] for path in paths]


def _plain(path) -> str:
  # Windows' separators; macOS splits accented letters.
  path = unicodedata.normalize('NFC', path.strip().replace('\\', '/'))
  return path.removeprefix('./')
