"""Labels of the images in a folder: from folder names, CSV or dataset.json."""

import csv
import json
import os
import re
import unicodedata

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.data import files, prepare, scan

STYLEGAN = 'dataset.json'
_INTEGER = re.compile(r'\s*([+-]?\d{1,18})(\.0*)?\s*')  # pandas writes 3.0
_FILE = ('file', 'filename', 'file_name', 'path', 'image')
_LABEL = ('label', 'class', 'category')


def of_images(root, labels, paths, refused) -> tuple:
  """Labels as the argument `labels` of the data set `folder` asks for them.

  Args:
    root: the folder.
    labels: 'folders', 'none' or the path of a file.
    paths: of the images, in their order.
    refused: paths of files that are not used; they may have labels.

  Returns:
    (int32 [N] or (), number of classes, class names, notices).

  Raises:
    DataError: labels missing, for files that do not exist, or malformed.
  """
  if not isinstance(labels, str | os.PathLike) or not os.fspath(labels):
    raise DataError(f"labels={labels!r}: 'folders', 'none' or the path of a "
                    f"CSV file or dataset.json is needed")
  labels = os.fspath(labels)
  if labels == 'none':
    return (), 0, (), []
  if labels == 'folders':
    return _of_folders(root, paths, refused)
  where = files.check_file(os.path.join(root, os.path.expanduser(labels)))
  if where.lower().endswith('.json'):
    pairs = _of_json(where, _read_json(where))
  else:
    pairs = _of_csv(where)
  if pairs is None:
    return (), 0, (), [f'{STYLEGAN} says that there are no labels']
  return *_numbered(where, _matched(where, pairs, paths, refused)), []


def _of_folders(root, paths, refused):
  if os.path.isfile(os.path.join(root, STYLEGAN)):
    try:
      found = _read_json(os.path.join(root, STYLEGAN))
    except DataError:
      found = None
    # The folders 00000, 00001... of StyleGAN's tool are no classes.
    if isinstance(found, dict) and 'labels' in found:
      has = 'has labels' if found['labels'] else 'has no labels'
      return (), 0, (), [
          f"{STYLEGAN} {has}, so folder names are taken for parts, not "
          f"classes: unlabelled; labels='{STYLEGAN}' would read it"]
  every = [*paths, *refused]
  loose = [path for path in every if '/' not in path]
  if len(loose) == len(every):
    return (), 0, (), []
  if loose:
    inside = [path for path in every if '/' in path]
    raise DataError(
        f"{scan.printable(root)!r}: labels='folders', but {len(loose):,} "
        f'images lie directly in it ({scan.some(loose, 3)}) and '
        f'{len(inside):,} in folders ({scan.some(inside, 3)}); move the former '
        f"into folders of their classes, or use labels='none'")
  # Refused files count, so that a class keeps its number when they do not.
  names = sorted({path.split('/', 1)[0] for path in every})
  if len(names) == 1:
    return (), 0, (), [f'all images lie in the one folder {names[0]!r}: '
                       f'unlabelled']
  number = {name: i for i, name in enumerate(names)}
  return (np.array([number[p.split('/', 1)[0]] for p in paths], np.int32),
          len(names), tuple(scan.printable(name) for name in names), [])


def _read_json(where):
  with files.one_error(where, 'JSON file'), open(
      where, encoding='utf-8-sig', errors='surrogateescape') as file:
    try:
      return json.load(file)
    except RecursionError as error:
      raise ValueError('nested too deeply') from error


def _of_json(where, found):
  form = '{"labels": [["a/b.png", 3], ...]} or {"labels": null} is needed'
  if not isinstance(found, dict) or 'labels' not in found:
    raise DataError(f'{where!r}: no "labels" in it; {form}')
  if found['labels'] is None:
    return None
  pairs = found['labels']
  if isinstance(pairs, dict):
    pairs = list(pairs.items())
  if not isinstance(pairs, list):
    raise DataError(f'{where!r}: "labels" is no list; {form}')
  for i, pair in enumerate(pairs):
    if (not isinstance(pair, list | tuple) or len(pair) != 2
        or not isinstance(pair[0], str)
        or type(pair[1]) not in (int, str)):
      raise DataError(f'{where!r}: entry {i} is {str(pair)[:80]!r}; {form}: '
                      f'one integer or text per file')
  return [(name, str(label), f'entry {i}')
          for i, (name, label) in enumerate(pairs)]


def _of_csv(where):
  with files.one_error(where, 'CSV file'), open(
      where, encoding='utf-8-sig', errors='surrogateescape',
      newline='') as file:
    try:
      rows = [(i, row) for i, row in enumerate(csv.reader(file), 1)
              if any(cell.strip() for cell in row)]
    except csv.Error as error:
      raise ValueError(error) from error
  head = [cell.strip().lower() for cell in rows[0][1]] if rows else []
  file, label = ([i for i, cell in enumerate(head) if cell in names]
                 for names in (_FILE, _LABEL))
  if file and label:
    file, label, rows = file[0], label[0], rows[1:]
  elif len(head) == 2:
    file, label = 0, 1
  else:
    raise DataError(
        f'{where!r}: begins with {str(rows[0][1] if rows else [])[:120]}; '
        f'columns named file and label, or exactly two columns, separated by '
        f'commas, are needed: name them in the first line')
  for i, row in rows:
    if max(file, label) >= len(row):
      raise DataError(f'{where!r}: line {i} has {len(row)} columns, '
                      f'{max(file, label) + 1} are needed: {str(row)[:80]}')
  return [(row[file], row[label].strip(), f'line {i}') for i, row in rows]


def _matched(where, pairs, paths, refused) -> list:
  """The label, as text, of each image."""
  index = {_plain(path): i for i, path in enumerate(paths)}
  index.update((path, i) for i, path in enumerate(paths))
  others = {_plain(path) for path in refused}
  found, absent = [None] * len(paths), []
  for name, label, place in pairs:
    i = index.get(name, index.get(_plain(name)))
    if i is None:
      if _plain(name) not in others:
        absent.append(name)
    elif not label:
      raise DataError(f'{where!r}: {place} has no label for '
                      f"'{scan.printable(name)}'; give it one")
    elif found[i] not in (None, label):
      raise DataError(
          f"{where!r}: '{scan.printable(name)}' has two labels, "
          f"'{scan.printable(found[i])}' and, in {place}, "
          f"'{scan.printable(label)}'; one per image is needed")
    else:
      found[i] = label
  missing = [path for path, label in zip(paths, found, strict=True)
             if label is None]
  for names, what in ((absent, 'labels for files that are no images here'),
                      (missing, 'images without a label')):
    if names:
      raise DataError(f'{where!r}: {len(names):,} {what} ({scan.some(names)}); '
                      f'every image needs one label, by its path from the '
                      f"folder; images: {scan.some(paths, 3)}")
  return found


def _plain(path) -> str:
  # Windows' separators; macOS takes accents apart.
  path = unicodedata.normalize('NFC', path.strip().replace('\\', '/'))
  return path.removeprefix('./')


def _numbered(where, labels):
  """(int32 [N], number of classes, class names): integers stay, text sorted."""
  integers = [_INTEGER.fullmatch(label) for label in labels]
  if all(integers):
    values = np.array([int(match[1]) for match in integers], np.int64)
    return *prepare.as_labels(values, len(values), repr(where)), ()
  names = sorted(set(labels))
  number = {name: i for i, name in enumerate(names)}
  return (np.array([number[label] for label in labels], np.int32), len(names),
          tuple(scan.printable(name) for name in names))
