"""Images of any kind in a directory tree, with labels of folders or a file."""

import collections
import json
import os
import stat

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import collection, sniff
from gan_jax.data.bad_files import Reading
from gan_jax.data.files import (
  check_file,
  check_there,
  encoding_of,
  one_error,
  printable,
  reason,
)
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import Labels
from gan_jax.data.labels import STYLEGAN, labels_of, of_split
from gan_jax.data.prepare import Source
from gan_jax.data.values import Scale


def folder(*, path, labels='folders', label_key='', split='', reading=Reading(),
           scale=Scale(), geometry=Geometry()) -> Source:
  """The images below a folder, in the order of their paths.

  Found by suffix (`sniff.SUFFIXES`) or else by content, decoded by content:
  PNG, JPEG, WebP, GIF, BMP, TIFF and PPM. All get one number of channels: grey
  if all are grey, else RGB (palettes count as colour), unless `channels` is
  set. Alpha is composited on `background`. EXIF rotation is applied, colour
  profiles are not. Of animations, the first frame is taken. Invalid: over 100
  million pixels, under 2 on a side, longer than 20:1.

  Decoded once, into the cache. The next start compares names, sizes and dates
  only; after a change, files are read, and decoded if their contents changed.

  Args:
    path: the folder, or one image.
    labels: 'folders': if all images lie in folders, the innermost that all have
      are the classes, numbered in sorted order; if none does, or there is only
      one folder, unlabelled. A folder with StyleGAN's dataset.json is
      unlabelled too, unless labels='dataset.json'. 'none': unlabelled. Else the
      path, from the folder or else from where the program starts, of a
      dataset.json, {"labels": [["a/b.png", 3], ...]}, or of a CSV file, see
      `labels.labels_of`. What becomes of labels: `label_values.of_texts` and
      `of_columns`.
    label_key: the column of the CSV file that is the label, such as 'dx', or
      several of them, 'age,sex', for a label vector ('age,' for one of the
      number itself); '' to guess: label, class, dx, ..., the only one, or all
      if they hold only 0 and 1.
    split: the outermost folder to take; '' for train if the outermost folders
      are train, val and test, 'all' for all.
    reading: whether unusable files are skipped.
    scale: black and white of deep grey and floating point.
    geometry: applied to every image.

  Raises:
    ArgumentError: an argument that is wrong, or does not suit the files.
    DataError: no images, bad images (all in one message), several sizes without
      a resize, bad labels.
  """
  root, files, others, notices = find(path, 'folder')
  for suffix in ('.csv', '.json'):  # of labels
    others.pop(suffix, None)
  if others:
    notices.append(f'{others.total():,} other files are no images: '
                   f'{_counts(others)}')
  return load(root, files, labels, label_key, split, reading=reading,
              scale=scale, geometry=geometry, notices=notices)


def load(root, files, labels, label_key, split, *, notices, read=None, of=str,
         place=None, geometry=Geometry(), **more) -> Source:
  """The examples of files of one root; arguments as of `folder`.

  read: name of an example -> its bytes, by default those of the file.
  of: name of an example -> the file that has its label.
  place: where files are read, with the methods of `_Folder`, which is the
    default.
  """
  place = place or _Folder(root)

  def label(paths, refused):
    if labels == 'folders' and (said := _stylegan(root)):
      return Labels(notices=(said,))
    try:
      return labels_of(labels, list(map(of, paths)),
                       [*map(of, refused), *map(of, left)], place.where,
                       place.text, label_key)
    except DataError as error:
      raise DataError(str(error) if repr(root)[1:-1] in str(error) else
                      f'{printable(root)!r}: {error}') from error

  files, left = sorted(files), []
  taken, said = of_split([file.path for file in files], split)
  if labels not in ('folders', 'none'):  # a file may be of the whole set
    left = sorted({file.path for file in files}.difference(taken))
  taken = set(taken)
  files, notices = [f for f in files if f.path in taken], [*notices, *said]
  return collection.load(root, files, read or place.contents, label,
                         notices=notices, geometry=geometry, **more)


class _Folder:
  """A folder, whose files are read."""

  def __init__(self, root):
    self._root = root

  def contents(self, name):
    """Bytes of an image; OSError if they cannot be had."""
    with open(os.path.join(self._root, name), 'rb') as file:
      return file.read()

  def where(self, name):
    """Path of a file of labels; DataError if there is none."""
    if not isinstance(name, str | os.PathLike) or not os.fspath(name):
      raise ArgumentError('labels', name, (
          "'folders', 'none' or the path of a CSV file or dataset.json is "
          'needed'))
    name = os.path.expanduser(name)
    inside, outside = os.path.join(self._root, name), os.path.abspath(name)
    if not os.path.exists(inside) and os.path.exists(outside):
      return check_file(outside)
    try:
      return check_file(inside)
    except DataError as error:
      if os.path.exists(inside) or inside == outside:
        raise
      raise DataError(f'{error}; nor is there {outside!r}') from error

  def text(self, path):
    """Text of a file of labels."""
    with one_error(path, 'text file'), open(
        path, encoding=encoding_of(sniff.head(path)), errors='surrogateescape',
        newline='') as file:
      return file.read()


def _counts(others) -> str:
  return ', '.join(f"{count} of {printable(suffix)!r}"
                   for suffix, count in others.most_common(5))


def _stylegan(root) -> str:
  """What to say where the folder was made by StyleGAN's tool."""
  try:
    with open(os.path.join(root, STYLEGAN), encoding='utf-8-sig') as file:
      has = 'labels' if json.load(file)['labels'] else 'no labels'
    # The folders 00000, 00001... of that tool are no classes.
    return (f'{STYLEGAN} has {has}, so folder names are not taken for classes: '
            f"unlabelled; labels='{STYLEGAN}' would read it")
  except (OSError, ValueError, LookupError, TypeError):
    return ''  # there is no such file, or it is another program's


def find(path, kind) -> tuple:
  """What a set reads: absolute folder, files, suffixes of others, notices.

  Args:
    path: a folder, or one file of the set.
    kind: name of the set, of `sniff.FILES`.

  Raises:
    DataError: there is no such folder, it cannot be read, or has no such file.
  """
  root = os.path.abspath(check_there(path, 'folder'))
  is_wanted, what, suffixes = sniff.FILES[kind]
  if os.path.isdir(root):
    files, others, notices = _walk(root, is_wanted)
    if not files:
      sniff.refuse(root, kind)
      raise DataError(
          f'{printable(root)!r}: no {what} among its {others.total():,} files '
          f'({_counts(others) or "none is shown"}); their suffixes are '
          f'{" ".join(suffixes)}: give the folder that holds them')
    return root, files, others, notices
  if not is_wanted(root):
    sniff.refuse(root, kind)
    raise DataError(f'path={path!r} is a file, and none that data={kind} '
                    'reads: give one that it does, or a folder of them')
  root, name = os.path.split(root)
  return root, [_file(root, name)], collections.Counter(), []


def _walk(root, is_wanted) -> tuple:
  """Files, suffixes of other files, notices.

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
          if is_wanted(os.path.join(path, name)):
            files.append(_file(root, prefix + name))
          else:
            others[sniff.suffix_of(name)] += 1
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
