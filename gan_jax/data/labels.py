"""Labels of named images: of folders, of a CSV file, of a dataset.json."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.data.files import one_error, printable, some
from gan_jax.data.prepare import as_labels

STYLEGAN = 'dataset.json'
SPLITS = ('train', 'training', 'val', 'valid', 'validation', 'test', 'testing')
_INTEGER = re.compile(r'\s*([+-]?\d{1,18})(\.0*)?\s*')  # pandas writes 3.0
_FILE = ('file', 'filename', 'file_name', 'path', 'image')
_LABEL = ('label', 'class', 'category')
_FORM = ('{"labels": [["a/b.png", 3], ...]}, one integer or text per file, or '
         '{"labels": null} is needed')


def labels_of(labels: str, paths: list, refused: list, where: Callable,
              text: Callable) -> tuple:
  """Labels of images.

  Args:
    labels: 'folders', 'none', or the name of a CSV file or dataset.json.
    paths: of the images.
    refused: files that may have labels too.
    where: name of a file -> how messages call it; DataError if there is none.
    text: of what `where` gave -> its text.

  Returns:
    (int32 [N] or (), number of classes, class names, notices).
  """
  if labels == 'none':
    return (), 0, (), []
  if labels == 'folders':
    return _of_folders(paths, refused)
  name = where(labels)
  read = _of_json if name.lower().endswith('.json') else _of_csv
  named = read(name, text(name))
  if named is None:
    return (), 0, (), [f'{STYLEGAN} says that there are no labels']
  return *of_texts(_matched(name, named, paths, refused), name), []


def of_texts(found: list, where: str) -> tuple:
  """Integers are kept, text is numbered: labels, number, names."""
  integers = [_INTEGER.fullmatch(label) for label in found]
  if all(integers):
    values = np.array([int(match[1]) for match in integers], np.int64)
    return *as_labels(values, len(values), repr(where)), ()
  return numbered(found, found)


def of_split(paths: list, split: str) -> tuple[list, list]:
  """Paths of a split of {train,val,test}/..., and what is to be said.

  '' takes train where the outermost folders are splits, 'all' all of them.
  """
  first = {path.partition('/')[0] for path in paths}
  found = sorted(first) if all(
      name.lower() in SPLITS for name in first) and all(
          '/' in path for path in paths) else []
  if split in ('', 'all') and not found:
    return paths, []
  wanted = found if split == 'all' else [split] if split else next(
      ([name] for want in ('train', 'training') for name in found
       if name.lower() == want), found)
  if not set(wanted) <= first:
    raise DataError(f'split={split!r}: no such folder among '
                    f"{some(sorted(first), 9)}; '' takes all, or train")
  taken = [path for path in paths if path.partition('/')[0] in wanted]
  # Below it the split says nothing more.
  return taken, [f'{" and ".join(map(printable, wanted))} of the splits '
                 f'{some(sorted(first), 9)}: {len(taken):,} of {len(paths):,} '
                 f"files; split='all' takes all"]


def numbered(names, every) -> tuple:
  """Labels, number of classes and class names, in sorted order."""
  classes = sorted(set(every))
  number = {name: i for i, name in enumerate(classes)}
  return (np.array([number[name] for name in names], np.int32), len(classes),
          tuple(map(printable, classes)))


def _of_folders(paths, refused):
  # Refused files count, so that a class keeps its number without them.
  every = [*paths, *refused]
  inside = [path for path in every if '/' in path]
  if not inside:
    return (), 0, (), []
  if len(inside) < len(every):
    loose = [path for path in every if '/' not in path]
    raise DataError(
        f'{len(loose):,} images lie directly in it ({some(loose, 3)}), '
        f'{len(inside):,} in folders ({some(inside, 3)}); move the former into '
        f"folders of their classes, or use labels='none'")
  level = min(path.count('/') for path in every)
  parents = ['/'.join(path.split('/')[:level]) for path in every]
  if len(set(parents)) == 1:
    return (), 0, (), [f'all images lie in the one folder {parents[0]!r}: '
                       f'unlabelled']
  shown = some(sorted(set(parents)), 3)
  if level > 1 and all(parent.partition('/')[0].lower() in SPLITS
                       for parent in parents):
    parents = [parent.partition('/')[2] for parent in parents]
  names = [parent.rpartition('/')[2] for parent in parents]
  if len(set(names)) < len(set(parents)):
    names = parents  # a/x and b/x are two classes
  said = [] if level == 1 else [
      f'classes are the folders of level {level}, the innermost: {shown}']
  return *numbered(names[:len(paths)], names), said


def _of_json(where, text) -> list | None:
  """[(file, label, place in the JSON file)], None if it has no labels."""
  with one_error(where, 'JSON file'):
    found = json.loads(text)
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


def _of_csv(where, text) -> list:
  with one_error(where, 'CSV file'):
    lines = csv.reader(io.StringIO(text, newline=''))
    rows = [(i, row) for i, row in enumerate(lines, 1)
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
