"""Which file a name in a list of labels means."""

import unicodedata
from functools import cached_property

from gan_jax.data.sniff import SUFFIXES

SPLITS = ('train', 'training', 'val', 'valid', 'validation', 'test', 'testing')
WHOLE = 1_000_000  # more folders than a path has


class NamedFiles:
  """Files by the names that a list may give them.

  others: those that are not among the images.
  """

  def __init__(self, paths, others):
    self.others, self._every = set(others), [*paths, *others]
    self._exact = {_plain(path): path for path in self._every} | {
        path: path for path in self._every}

  @cached_property
  def _ends(self):
    """({end of paths: path}, the same without suffix); None for several."""
    found = {}, {}
    for path in self._every:
      for end in _ends_of(_plain(path)):
        for index, key in zip(found, (end, _stem(end)), strict=True):
          index[key] = path if index.get(key, path) == path else None
    return found

  def match(self, name) -> tuple[str, int] | None:
    """(path, folders and name that agree), None if there are none or several.

    `WHOLE` agree if it is the path.
    """
    plain = _plain(name)
    if path := self._exact.get(name) or self._exact.get(plain):
      return path, WHOLE
    whole, stems = self._ends
    for end in _ends_of(plain):
      keys = [(whole, end), (stems, end)]
      if end.lower().endswith((*SUFFIXES, '.dcm')):  # of another format
        keys.append((stems, _stem(end)))
      for index, key in keys:
        if key in index:
          path = index[key]
          if path is None or not _may_be(plain, _plain(path), end):
            return None
          return path, end.count('/') + 1
    return None

  def find(self, name) -> str | None:
    """Path of a file, None if there is none or more than one."""
    match = self.match(name)
    return match and match[0]


def _ends_of(path) -> list[str]:
  """'a/b/c', 'b/c', 'c'."""
  parts = path.split('/')
  return ['/'.join(parts[i:]) for i in range(len(parts)) if parts[i]]


def _may_be(name, path, end) -> bool:
  """Whether what comes before a common end may be of one file.

  'test/1.png' is no 'train/1.png'.
  """
  depth = end.count('/') + 1
  named, there = ({part.lower() for part in x.split('/')[:-depth]} & set(SPLITS)
                  for x in (name, path))
  return not named or not there or bool(named & there)


def _stem(path) -> str:
  folder, slash, base = path.rpartition('/')
  return folder + slash + (base.rpartition('.')[0] or base)


def _plain(path) -> str:
  # Windows' separators; macOS splits accented letters.
  path = unicodedata.normalize('NFC', path.strip().replace('\\', '/'))
  return path.removeprefix('./')
