"""Labels of named images: of folders, of a CSV file, of a dataset.json."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.base.lookup import near
from gan_jax.data import label_values
from gan_jax.data.files import IN_EXCEL, one_error, printable, some
from gan_jax.data.label_values import MISSING, Labels
from gan_jax.data.named_files import SPLITS, WHOLE, NamedFiles

STYLEGAN = 'dataset.json'
# Headers of columns, lower-case letters and digits only.
_FILE = ('file', 'filename', 'filepath', 'path', 'image', 'imagefile',
         'imagename', 'imagepath', 'imageindex', 'imageid', 'img', 'id', 'name')
_LABEL = ('label', 'labels', 'class', 'classname', 'category', 'target', 'dx',
          'diagnosis', 'findinglabels')
_FORM = ('{"labels": [["a/b.png", 3], ...]}, for each file an integer, a '
         'number, a text or a list of these, or {"labels": null} is needed')


class _Table(NamedTuple):
  """Labels by file: columns have names, rows are (file, texts, place)."""
  columns: Sequence[str]
  rows: list[tuple]
  vector: bool = False


def labels_of(labels: str, paths: list, refused: list, where: Callable,
              text: Callable, label_key: str = '') -> Labels:
  """Labels of images.

  Args:
    labels: 'folders', 'none', or the name of a CSV file or dataset.json.
    paths: of the images.
    refused: files that may have labels too; their classes count.
    where: name of a file -> how messages call it; DataError if there is none.
    text: of what `where` gave -> its text.
    label_key: columns of the CSV, see `sources.folder`.

  A file names each image by its path, or by the longest end of it, or of the
  name in the file, that no other image has, also without suffix or with that of
  another format. Rows of files that are not there are counted.
  """
  is_csv = labels not in ('folders', 'none') and not str(
      labels).lower().endswith('.json')
  if label_key and not is_csv:
    raise ArgumentError('label_key', label_key, (
        'chooses columns of a CSV file: give its path too, labels=F.csv'))
  if labels == 'none':
    return Labels()
  if labels == 'folders':
    return _of_folders(paths, refused)
  name, files = where(labels), NamedFiles(paths, refused)
  table = (_of_csv(name, text(name), files, label_key) if is_csv else
           _of_json(name, text(name)))
  if table is None:
    return Labels(notices=(f'{STYLEGAN} says that there are no labels',))
  rows, said = _matched(name, table.rows, paths, files)
  if len(table.columns) > 1 or table.vector:
    found = label_values.of_columns(table.columns, rows, repr(name))
  else:
    found = label_values.of_texts([row[0] for row in rows], repr(name),
                                  table.columns[0])
  return found._replace(notices=(*said, *found.notices)).of(
      slice(0, len(paths)))


def of_split(paths: list, split: str) -> tuple[list, list]:
  """Paths of a split of {train,val,test}/..., and what is to be said.

  '' takes train where the outermost folders are splits, 'all' all of them.
  """
  first = {path.partition('/')[0] for path in paths if '/' in path}
  found = sorted(first) if all(
      name.lower() in SPLITS for name in first) and all(
          '/' in path for path in paths) else []
  if split in ('', 'all') and not found:
    return paths, []
  wanted = found if split == 'all' else [split] if split else next(
      ([name] for want in ('train', 'training') for name in found
       if name.lower() == want), found)
  if not set(wanted) <= first:
    raise ArgumentError('split', split, 'there is no such folder' + (
        near(split, map(printable, first)) if first else
        ', nor any other: the images lie side by side') + (
            "; 'all' takes all of them" if found else
            "; leave it out, as split='', to take all images"))
  taken = [path for path in paths if path.partition('/')[0] in wanted]
  # Below it the split says nothing more.
  return taken, [f'{" and ".join(map(printable, wanted))} of the splits '
                 f'{some(sorted(first), 9)}: {len(taken):,} of {len(paths):,} '
                 f"files; split='all' takes all"]


def _of_folders(paths, refused):
  # Refused files count, so that a class keeps its number without them.
  every = [*paths, *refused]
  inside = [path for path in every if '/' in path]
  if not inside:
    return Labels()
  if len(inside) < len(every):
    loose = [path for path in every if '/' not in path]
    raise DataError(
        f'{len(loose):,} images lie directly in it ({some(loose, 3)}), '
        f'{len(inside):,} in folders ({some(inside, 3)}); move the former into '
        f"folders of their classes, or use labels='none'")
  level = min(path.count('/') for path in every)
  parents = ['/'.join(path.split('/')[:level]) for path in every]
  if len(set(parents)) == 1:
    return Labels(notices=(f'all images lie in the one folder {parents[0]!r}: '
                           f'unlabelled',))
  shown = some(sorted(set(parents)), 3)
  if level > 1 and all(parent.partition('/')[0].lower() in SPLITS
                       for parent in parents):
    parents = [parent.partition('/')[2] for parent in parents]
  names = [parent.rpartition('/')[2] for parent in parents]
  if len(set(names)) < len(set(parents)):
    names = parents  # a/x and b/x are two classes
  said = [] if level == 1 else [
      f'classes are the folders of level {level}, the innermost: {shown}']
  classes, numbers = np.unique(np.array(names, object), return_inverse=True)
  return Labels(numbers[:len(paths)].astype(np.int32), len(classes),
                tuple(map(printable, classes)), notices=tuple(said))


def _of_json(where, text) -> _Table | None:
  """None if it has no labels; the place is that in the JSON file."""
  with one_error(where, 'JSON file'):
    found = json.loads(text)
  named = found.get('labels', '') if isinstance(found, dict) else ''
  if named is None:
    return None
  if not isinstance(named, list | dict):
    raise DataError(f'{where!r}: no list "labels" in it; {_FORM}')
  named, rows = list(named.items()) if isinstance(named, dict) else named, []
  for i, pair in enumerate(named):
    cells = pair[1] if isinstance(pair, list | tuple) and len(pair) == 2 else ()
    cells = cells if isinstance(cells, list) else [cells]
    kinds = set(map(type, cells))
    if not cells or not kinds <= {int, float, str} or type(pair[0]) is not str:
      raise DataError(f'{where!r}: entry {i} is {str(pair)[:80]!r}; {_FORM}')
    # Several texts are one set.
    texts = ['|'.join(cells)] if kinds == {str} else list(map(str, cells))
    _check_text(where, f'entry {i}: a label', texts)
    rows.append((pair[0], texts, f'entry {i}'))
    if len(texts) != len(rows[0][1]):
      raise DataError(f'{where!r}: entry {i} has {len(texts)} labels, entry 0 '
                      f'has {len(rows[0][1])}')
  return _Table(list(map(str, range(len(rows[0][1]) if rows else 1))), rows)


def rows_of(where: str, text: str) -> list[tuple[int, list[str]]]:
  """(line, cells) of a CSV file's text, separated by , ; or tabs.

  Or by spaces, as CelebA's lists are, which begin with a line of a count, and
  whose line of names has none for the files.

  Raises:
    DataError: it is no CSV; the message begins with `where`.
  """
  if spaced := _of_spaces(text):
    return spaced
  with one_error(where, 'CSV file'):
    first = text.lstrip().partition('\n')[0]
    lines = csv.reader(io.StringIO(text, newline=''),
                       delimiter=max(',;\t', key=first.count))
    rows = [(i, [cell.strip() for cell in row])
            for i, row in enumerate(lines, 1)]
    return [(i, row) for i, row in rows if any(row)]


def _of_spaces(text) -> list:
  """Rows of a text with spaces between its cells, [] if it is another."""
  if set(',;\t') & set(text[:10_000]):
    return []
  rows = [(i, line.split()) for i, line in enumerate(text.split('\n'), 1)
          if line.strip()]
  if rows and len(rows[0][1]) == 1 and rows[0][1][0].isdigit():
    rows = rows[1:]
  if len(rows) < 2 or len(rows[1][1]) < 2:
    return []
  (line, head), *rest = rows
  if len(head) == len(rest[0][1]) - 1:
    head = ['file', *head]
  return [(line, head), *rest] if all(
      len(row) == len(head) for _, row in rest) else []


def _of_csv(where, text, files, label_key) -> _Table:
  rows = rows_of(where, text) or [(1, [])]
  head = rows[0][1]
  file, headed = _file_column(rows, files)
  if file is None:
    raise DataError(f'{where!r}: begins with {str(head)[:120]}; columns '
                    f'named file and label there, or just two, are needed')
  others = [i for i in range(len(head)) if i != file]
  if not headed:
    if label_key:
      raise ArgumentError('label_key', label_key, (
          f'needs the names of columns, and the first line of {where!r} has '
          f'none: {str(head)[:80]}'))
    labels, head = others, ['0', '0']
  else:
    _check_text(where, f'line {rows[0][0]}: a name', head)
    rows = rows[1:]
    labels = _label_columns(where, head, others, rows, label_key)
  for line, row in rows:
    if max(file, *labels) >= len(row):
      raise DataError(f'{where!r}: line {line} has {len(row)} columns, '
                      f'{max(file, *labels) + 1} are needed: {str(row)[:80]}')
    _check_text(where, f'line {line}: a label', [row[i] for i in labels])
  return _Table([head[i] for i in labels], [
      (row[file], [row[i] for i in labels], f'line {i}') for i, row in rows],
      ',' in label_key and label_key not in head)


def _check_text(where, what, cells) -> None:
  """Raises DataError for bytes that are no text, as only names of files may."""
  try:
    ''.join(cells).encode()
  except UnicodeError as error:
    raise DataError(f'{where!r}: {what} that is not UTF-8; save the file as '
                    f'UTF-8{IN_EXCEL}') from error


def _file_column(rows, files) -> tuple:
  """(column of the files, None if unknown; whether a line names columns)."""
  head = rows[0][1]
  keys = [_key(cell) for cell in head]
  if named := [name for name in _FILE if name in keys]:
    return keys.index(named[0]), True
  counts = [sum(i < len(row) and files.find(row[i]) is not None
                for _, row in rows[1:]) for i in range(len(head))]
  if len(head) == 2:
    # A name of a column has no suffix, and is no file.
    headed = counts[0] and not files.find(head[0]) and '.' not in head[0]
    return 0, bool(headed)
  return (int(np.argmax(counts)) if any(counts) else None), True


def _label_columns(where, head, others, rows, label_key) -> list[int]:
  listed = [head[i] for i in others]
  if label_key:
    wanted = [label_key] if label_key in head else [
        name.strip() for name in label_key.split(',') if name.strip()]
    if absent := [name for name in wanted or [label_key]
                  if name not in listed]:
      raise ArgumentError('label_key', label_key, (
          f'names {absent[0]!r}, no column of labels in {where!r}'
          f'{near(absent[0], listed)}'))
    return [head.index(name) for name in wanted]
  known = [i for i in others if is_label(head[i])]
  if len(others) == 1 or len(known) == 1:
    return known or others
  if others and not known and all(
      i < len(row) and row[i] in ('0', '1', '-1', '0.0', '1.0', '-1.0')
      for _, row in rows for i in others):
    return others
  choice = [head[i] for i in known] or listed
  raise DataError(f'{where!r}: {len(choice):,} columns may be the labels: say '
                  f'which with label_key, one or several, among '
                  f'{some(choice, 20)}')


def is_label(header: str) -> bool:
  """Whether a column of that name is likely the label."""
  return _key(header) in _LABEL


def _key(header) -> str:
  return ''.join(filter(str.isalnum, header.lower()))


def _matched(where, named, paths, files) -> tuple[list, list]:
  """Texts of each of `paths`, then of the other files that have some; notices.

  Where several rows are of one file, those count that say the most of its path.
  """
  matches = [files.match(name) for name, *_ in named]
  best = {}
  for path, length in filter(None, matches):
    best[path] = max(length, best.get(path, 0))
  found, absent, lacking, guessed = {}, [], [], []
  for (name, cells, place), match in zip(named, matches, strict=True):
    if match is None or match[1] < best[match[0]]:
      absent.append(name)
      continue
    path = match[0]
    if match[1] < WHOLE:
      guessed.append((name, path))
    if gone := [cell for cell in cells if cell in MISSING]:
      if path not in files.others:
        lacking.append(f"'{printable(name)}' ({place}: '{gone[0]}')")
    elif found.setdefault(path, cells) != cells:
      raise DataError(
          f"{where!r}: '{printable(name)}' has two labels, "
          f"'{printable(','.join(found[path]))}' and, in {place}, "
          f"'{printable(','.join(cells))}'")
  if lacking:
    raise DataError(f'{where!r}: {len(lacking):,} images have no label, first '
                    f'{", ".join(lacking[:3])}; give them one, or remove them')
  more = (f'{len(absent):,} labels in it are for files that are no images here '
          f'({some(absent)})')
  if missing := [path for path in paths if path not in found]:
    raise DataError(f'{where!r}: {len(missing):,} images without a label '
                    f'({some(missing)}){"; " + more if absent else ""}; every '
                    f'image needs one label, by its path from the folder, or '
                    f'by the end of it where no other has it')
  said = [more] if absent else []
  if guessed:
    name, path = guessed[0]
    said.append(f'{len(guessed):,} files in it are found by the end of their '
                f"path, or without suffix: first '{printable(name)}', which is "
                f"'{printable(path)}'")
  rest = sorted(files.others.intersection(found))
  return [found[path] for path in [*paths, *rest]], said
