"""Which image files a folder holds, and whether they are those of last time."""

import collections
import hashlib
import heapq
import json
import os
import re
import stat
from typing import NamedTuple

from gan_jax.base.errors import DataError

SUFFIXES = ('.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.webp', '.gif',
            '.bmp', '.dib', '.tif', '.tiff', '.ppm', '.pgm', '.pbm', '.pnm')
_IGNORED = ('__MACOSX', 'Thumbs.db')  # and whatever begins with a dot
_SHOWN = 5  # names in a message


class File(NamedTuple):
  """A file that should be an image.

  path: from the folder, with `/`; names that are not UTF-8 hold surrogates, as
    everywhere in Python.
  size: bytes.
  mtime, ctime: nanoseconds. The latter also sees a file replaced by one of the
    same size and date, as `cp -p` and `tar -x` do.
  problem: why it cannot be read, ''.
  """
  path: str
  size: int
  mtime: int
  ctime: int
  problem: str = ''


class Tree(NamedTuple):
  """Files sorted by path, regular files seen, their suffixes, notices."""
  files: list
  seen: int
  suffixes: collections.Counter
  notices: list


def walk(root) -> Tree:
  """Finds the files with the suffix of an image under a folder.

  Hidden files, `Thumbs.db` and `__MACOSX` are passed over. Links are followed,
  but every folder is read only once, under its own path where it has one below
  `root`, so a loop of links ends.

  Raises:
    DataError: a folder that cannot be read.
  """
  tree = Tree([], 0, collections.Counter(), [])
  seen, visited = 0, {}
  folders, links = [''], []  # own folders first: links to them add nothing
  while folders or links:
    linked = not folders
    inside = heapq.heappop(links) if linked else folders.pop()
    path = os.path.join(root, inside)
    try:
      status = os.stat(path)
      identity = (status.st_dev, status.st_ino)
      if identity in visited:
        if linked:
          tree.notices.append(
              f'{printable(inside)} leads to {printable(visited[identity])!r} '
              f'again: read once')
        continue
      visited[identity] = inside or '.'
      with os.scandir(path) as entries:
        for entry in entries:
          seen += _add(entry, inside, tree, folders, links)
    except OSError as error:
      raise DataError(
          f'{printable(path)!r}: this folder cannot be read '
          f'({error.strerror or error}); make it readable, or move it away'
      ) from error
  tree.files.sort()
  return tree._replace(seen=seen)


def _add(entry, inside, tree, folders, links) -> int:
  """Files one entry of a folder; returns 1 for a file, 0 for others."""
  if entry.name.startswith('.') or entry.name in _IGNORED:
    return 0
  path = f'{inside}/{entry.name}' if inside else entry.name
  suffix = os.path.splitext(entry.name)[1].lower()
  status, problem = None, ''
  try:
    if entry.is_dir():
      if entry.is_symlink():
        heapq.heappush(links, path)
      else:
        folders.append(path)
      return 0
    if suffix in SUFFIXES:
      status = entry.stat()
      if not stat.S_ISREG(status.st_mode):
        problem = 'not a regular file'
  except OSError as error:  # a link to nowhere or to itself
    problem = f'cannot be read ({error.strerror or error})'
  if suffix in SUFFIXES:
    times = (status.st_size, status.st_mtime_ns,
             status.st_ctime_ns) if status else (0, 0, 0)
    tree.files.append(File(path, *times, problem))
  elif len(tree.suffixes) < 1000 or suffix in tree.suffixes:
    tree.suffixes[suffix] += 1
  return 1


def none_found(root, tree) -> str:
  """The message for a folder without images."""
  shown = ', '.join(f'{count} of {printable(suffix)!r}'
                    for suffix, count in tree.suffixes.most_common(_SHOWN))
  others = f' ({shown})' if shown else ''
  return (f'{printable(root)!r}: no image among {tree.seen} files{others}; the '
          f'suffixes sought are {" ".join(SUFFIXES)}: check the path')


def state_of(files) -> str:
  """Hash of names, sizes and times: the same for files nobody has touched."""
  digest = hashlib.sha256()
  for file in files:
    digest.update(repr(file[:4]).encode())
  return digest.hexdigest()


def printable(text) -> str:
  """Text on one line, whatever bytes a name is made of."""
  return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def some(paths, limit=_SHOWN) -> str:
  """The first few names, for a message."""
  more = f' and {len(paths) - limit} more' if len(paths) > limit else ''
  return ', '.join(f"'{printable(p)}'" for p in paths[:limit]) + more


def manifest(pairs) -> bytes:
  """One line per image: 16 digits of its sha256, its path as JSON."""
  return b''.join(b'%s %s\n' % (digest[:8].hex().encode(),
                                json.dumps(path).encode())
                  for path, digest in pairs)


def read_manifest(path) -> dict:
  """{path: digest} in the order of the images.

  Raises:
    DataError: not a file that `manifest` made.
  """
  found = {}
  try:
    with open(path, encoding='ascii') as file:
      for line in file:
        digest, _, name = line.partition(' ')
        if not re.fullmatch('[0-9a-f]{16}', digest):
          raise ValueError(f'line {len(found) + 1} has no digest')
        found[json.loads(name)] = digest
  except (OSError, ValueError) as error:
    raise DataError(f'{path!r}: not a list of files ({error}); delete its '
                    f'folder, and the data are read again') from error
  return found


def changes(old, new) -> list:
  """What changed from one manifest file to another, in words.

  Returns:
    For example ["2 files added: 'a.png', 'b.png'", "1 file changed: 'c.png'"];
    [] when nothing did.

  Raises:
    DataError: a manifest that cannot be read.
  """
  old, new = read_manifest(old), read_manifest(new)
  groups = {
      'added': [path for path in new if path not in old],
      'removed': [path for path in old if path not in new],
      'changed': [path for path, digest in new.items()
                  if old.get(path, digest) != digest]}
  return [f'{len(paths):,} file{"s" * (len(paths) != 1)} {what}: {some(paths)}'
          for what, paths in groups.items() if paths]
