"""Images of any kind in a directory tree."""

import collections
import os
import stat
import time
from typing import Literal

from gan_jax.base.errors import DataError
from gan_jax.data import collection
from gan_jax.data.files import printable, reason
from gan_jax.data.geometry import Geometry
from gan_jax.data.prepare import Source

_AS_THEY_ARE = Geometry()
SUFFIXES = ('.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.webp', '.gif',
            '.bmp', '.dib', '.tif', '.tiff', '.ppm', '.pgm', '.pbm', '.pnm')


def folder(*, path, labels='folders',
           on_bad_image: Literal['refuse', 'skip'] = 'refuse', max_bad=0.01,
           geometry=_AS_THEY_ARE) -> Source:
  """The images in a folder and those under it, in the order of their paths.

  PNG, JPEG, WebP, GIF, BMP, TIFF and PPM, told apart by content; which files
  are meant to be images is told by suffix (`SUFFIXES`). All become 8 bits and
  one number of channels: grey if all are grey, else RGB (palettes count as
  colour), unless `channels` says. Alpha is composited on `background`. EXIF
  rotation is applied, colour profiles are not. Of 16-bit grey, v / 257. Of
  animations, the first frame. Refused from the header: over 100 million
  pixels, under 2 on a side, longer than 20:1, floating point.

  Decoded once, into the cache (`data.cache`). The next start compares names,
  sizes and dates, and reads no image; if dates changed, files are read, and
  decoded only if a content changed too.

  Args:
    path: the folder.
    labels: 'folders': if all images lie in folders, the first of them on the
      way is the class, numbered in the order of their sorted names; if none
      does, or there is only one folder, unlabelled. A folder with StyleGAN's
      dataset.json is unlabelled too, as its folders are parts of a set, until
      labels='dataset.json'.  'none': unlabelled.  Else the path, from the
      folder or absolute, of a dataset.json, {"labels": [["a/b.png", 3], ...]},
      or of a CSV file with columns `file` and `label`, or just two columns.
      Integers stay as they are, text is numbered in sorted order.
    on_bad_image: 'refuse' or 'skip' files that are no usable images; `report`
      of the source lists those skipped.
    max_bad: the share of the files that may be skipped, in [0, 1).
    geometry: what is done to every image.

  Raises:
    DataError: no images, bad images (all of them in one message), images of
      several sizes where nothing resizes them, bad labels or arguments.
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
      root, sorted(files), read, listed_at=listed_at, labels=labels,
      skip_bad=on_bad_image == 'skip', max_bad=max_bad, geometry=geometry,
      notices=notices)


def _find(root) -> tuple:
  """The files under a folder that have the suffix of an image.

  Hidden files, `Thumbs.db` and `__MACOSX` are ignored. Links are followed, but
  every folder is read only once, under its own path where that is below
  `root`, so a loop of links ends.

  Returns:
    ([`collection.File`], Counter of the suffixes of other files, notices).
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
    raise DataError(f'{printable(error.filename)!r}: this folder cannot be '
                    f'read ({reason(error)}); make it readable, or move it away'
                    ) from error
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
