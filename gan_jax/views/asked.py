"""What users ask for: labels by names, in units and CSV files; extractors."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, DataError, RequestError
from gan_jax.config.build import DataInfo
from gan_jax.data import sniff
from gan_jax.data.files import check_file, encoding_of, one_error
from gan_jax.data.label_values import (
    NOTHING,
    class_of,
    flags_of,
    groups_of,
    to_unit,
    to_users,
)
from gan_jax.data.labels import is_label, rows_of
from gan_jax.data.prepare import LabelColumn

TURN = 'turn'


def extractor(name: str = '', **network: str) -> dict:
  """Spec of the feature network that flags ask for, {} for none.

  name: of `gan_jax.extractors`; network: its arguments weights and resizer, ''
  where not given.

  Raises:
    RequestError: no such network or argument, or no such file of weights, or
      none where the network needs it; nothing has been read.
  """
  network = {key: value for key, value in network.items() if value}
  if not name:
    if network:
      raise RequestError(f'--{[*network][0]} is of --extractor: give both')
    return {}
  spec, problems = {'name': name, **network}, []
  if name != 'auto':
    problems = lookup.check('gan_jax.extractors', spec, '', ('source',))
  if problems:
    raise RequestError('\n'.join(_of_flag(p, name) for p in problems))
  if 'weights' in spec and ':' not in name:  # Of an own one, who knows.
    try:
      check_file(spec['weights'])
    except DataError as e:
      raise RequestError(f'--weights={e}') from e
  return spec


def _of_flag(problem, name) -> str:
  """A problem of the spec of the extractor `name`, at its flag."""
  path = problem.path.lstrip('.')
  if path in ('', 'name'):
    return f'--extractor={name}: {problem.rule}' + '; give --weights=FILE' * (
        problem.rule.endswith('needs weights'))
  return f'--{path}={problem.value}: {problem.rule}'


def labels(info: DataInfo, count: int, label: Any) -> np.ndarray:
  """Labels of `count` examples, as networks take them.

  Args:
    info: of the data.
    count: of examples.
    label: of classes a name, a number, [count] of these, or 'turn' for all
      classes in turn. Of label vectors text such as 'Mass|Edema' or
      'age=63,sex=M', {column: number or [count]}, where columns of 0 and 1 may
      be left out, [L] or [count, L] numbers in the users' units, or [count]
      texts. Of 'sex=F' and 'sex=M', of one text, {'sex': 'M'} chooses one.

  Returns:
    int32 [count], or float32 [count, L] in [0, 1].

  Raises:
    RequestError: no such class or column, a number out of range, another shape.
  """
  if info.label_columns:
    return _vectors(columns_of(info), count, label)
  if isinstance(label, str) and label == TURN and TURN not in info.class_names:
    return np.resize(np.array(info.classes, np.int32), count)
  given = np.asarray(label, object)
  if given.shape not in ((), (count,)):
    raise RequestError(f'labels of shape {list(given.shape)} for {count} '
                       'images; give one, or one for each')
  if mixed := _mixed(info, given.ravel().tolist()):
    raise RequestError(f'label={mixed}')
  try:
    found = {value: class_of(value, info.class_names, info.classes)
             for value in set(given.ravel().tolist())}
  except DataError as e:
    raise RequestError(f'label={e}') from e
  return np.broadcast_to(np.array([
      found[value] for value in given.ravel().tolist()], np.int32), (count,))


def _mixed(info, values) -> str:
  """Why labels are neither all names nor all numbers, '' if they are clear.

  Where classes are named 1, 2, 3, the numbers 0, 1, 2 are not meant as names.
  """
  texts = {str(value).strip() for value in values}
  numbers = sorted(texts.difference(info.class_names))
  both = sorted(name for name in texts.intersection(info.class_names)
                if name.isdecimal() and info.class_names.index(name)
                != int(name))
  if not numbers or not both:
    return ''
  return (f'{numbers[0]} is no name of a class, and {both[0]} is: the number '
          f'of another class too; give names ({", ".join(info.class_names)}) '
          'only')


def of_file(info: DataInfo, path: str) -> tuple[int, np.ndarray]:
  """(count, label) of a CSV file with a row for each example.

  It has the columns of the label vectors, of texts their header ('sex'), or one
  column of texts as for `labels`: named label, or else the only one that can
  be. Others are ignored, so that the CSV of the training data will do.

  Raises:
    RequestError: no such file or column, or a row that cannot be asked for.
  """
  try:
    path = check_file(path)
    with one_error(path, 'CSV file'), open(
        path, encoding=encoding_of(sniff.head(path)), newline='') as file:
      text = file.read()
    (_, head), *rows = rows_of(path, text) or [(1, [])]
  except (ArgumentError, DataError) as e:
    raise RequestError(f'labels={e}') from e
  wrong = [f'; line {line} has {len(row)} of {len(head)}' for line, row in rows
           if len(row) != len(head)]
  if wrong or not rows:
    raise RequestError(f'labels={path!r}: a line of names of columns, and '
                       'lines with as many cells, are needed'
                       + ''.join(wrong[:1]))
  cells = {name: [row[i] for _, row in rows] for i, name in enumerate(head)}
  try:
    asked = _rows(info, cells)
  except RequestError as e:
    raise RequestError(f'labels={path!r}: {e}') from e
  known = {}  # as many rows are alike
  for (line, _), row in zip(rows, asked, strict=True):
    try:
      if str(row) not in known:
        known[str(row)] = labels(info, 1, _typed(info, row))[0]
    except RequestError as e:
      raise RequestError(f'labels={path!r}: line {line}: '
                         + str(e).removeprefix('label=')) from e
  if not info.label_columns:
    return len(rows), np.array(asked, object)
  return len(rows), to_users(np.stack([known[str(row)] for row in asked]),
                             columns_of(info))


def columns_of(info: DataInfo) -> list[LabelColumn]:
  """The columns of label vectors; [] of others."""
  return [LabelColumn(*column) for column in info.label_columns]


def _rows(info, cells) -> list:
  """What the rows of {header: cells} ask for: texts, or {column: text}."""
  columns, names = columns_of(info), info.class_names
  taken = _headers(columns, cells)
  absent = [name for name in taken if name not in cells]
  if taken and not absent:
    flags = {name for name, low, high in columns if (low, high) == (0, 1)}
    texts = [_flags(cells[name]) if name in flags else cells[name]
             for name in taken]
    return [dict(zip(taken, row, strict=True))
            for row in zip(*texts, strict=True)]
  if names and set(names) <= set(cells):  # a column for each class
    rows = zip(*(_flags(cells[name]) for name in names), strict=True)
    return ['|'.join(name for name, x in zip(names, row, strict=True)
                     if x in ('1', '1.0')) or 'no class' for row in rows]
  texts = cells[_only_column(info, cells, absent)]
  if columns:
    return texts
  # pandas writes 3.0.
  return [text if text in names else re.sub(r'^(\d+)\.0*$', r'\1', text)
          for text in texts]


def _headers(columns, cells) -> list[str]:
  """Headers of label vectors; of a text 'sex' for 'sex=F' and 'sex=M'."""
  groups = groups_of(columns)
  heads = {column.name: column.name.partition('=')[0] for column in columns}
  return list(dict.fromkeys(
      head if head in groups and head in cells else name
      for name, head in heads.items()))


def _only_column(info, cells, absent) -> str:
  """The one header of texts as `labels` takes them: label, or one that can be.

  absent: headers that would do, too.
  """
  found = [name for name in cells if name == 'label'] or [
      name for name in cells if is_label(name)]
  if len(found) != 1:
    found = [name for name, texts in cells.items() if _can_ask(info, texts)]
  if len(found) != 1 or _can_ask(info, found):
    raise RequestError(
        f'has the columns {", ".join(cells)}; one named label is needed'
        + (f', or {", ".join(absent)}' if absent else ': this run has classes'))
  return found[0]


def _can_ask(info, texts) -> bool:
  """Whether texts are names of labels, and not numbers of something else."""
  try:
    for text in set(texts):
      labels(info, 1, [text])
  except RequestError:
    return False
  return set(texts) <= set(info.class_names) or bool(
      info.label_columns) and not any(
          re.fullmatch(r'[-+.\d]+', text) for text in texts)


def _flags(texts) -> list[str]:
  """Yes and no, and -1 and 1 as CelebA has them, as 0 and 1."""
  texts = flags_of(texts)
  if set(texts) <= {'-1', '1', '-1.0', '1.0'}:
    return ['1' if text[0] == '1' else '0' for text in texts]
  return texts


def _typed(info, row):
  """A row of `_rows` as `labels` takes it; RequestError if it has no number."""
  if isinstance(row, str):
    return [row]
  groups = groups_of(columns_of(info))
  return {name: text if name in groups else _number(text, name)
          for name, text in row.items()}


def _vectors(columns, count, label):
  names = [column.name for column in columns]
  if isinstance(label, str):
    label = _parsed(columns, label)
  elif np.ndim(label) == 1 and all(isinstance(x, str) for x in label):
    parsed = [_filled(columns, _parsed(columns, text)) for text in label]
    label = np.array(parsed, float).reshape(-1, len(columns))
  if isinstance(label, Mapping):
    label = np.stack(np.broadcast_arrays(*(
        np.asarray(x, float) for x in _filled(columns, label))), -1)
  try:
    values = np.asarray(label, float)
  except (TypeError, ValueError) as e:
    raise RequestError(f'label={label!r}: numbers of the columns '
                       f'{", ".join(names)} are needed') from e
  if len(columns) == 1 and values.shape in ((), (count,)):
    values = values[..., None]
  if values.shape not in ((len(columns),), (count, len(columns))):
    raise RequestError(
        f'labels of shape {list(values.shape)} for {count} images; give '
        f'[{len(columns)}], the columns {", ".join(names)}, or one such row '
        'for each image')
  for column, found in zip(columns, values.reshape(-1, len(columns)).T,
                           strict=True):
    # Rounding of float32, of labels that were read from a file.
    slack = 1e-5 * (column.high - column.low)
    wrong = ~((found >= column.low - slack) & (found <= column.high + slack))
    if wrong.any():
      raise RequestError(
          f'label={column.name}={found[wrong][0]:g} is not from '
          f'{column.low:g} to {column.high:g}, as in the data')
  return np.broadcast_to(to_unit(values, columns), (count, len(columns)))


def _filled(columns, label) -> list:
  """Values of all columns; of things that are there or not, 0 if not given."""
  names, groups = [column.name for column in columns], groups_of(columns)
  label = _chosen(label, groups)
  for header, values in groups.items():
    total = sum(np.asarray(label.get(f'{header}={value}', 0.0), float)
                for value in values)
    if not np.allclose(total, 1):
      raise RequestError(f'label needs one {header}: {" or ".join(values)}, '
                         f'such as {header}={values[0]}')
  if unknown := [name for name in label if name not in names]:
    raise RequestError(f'label={unknown[0]}: no such column of the labels'
                       + lookup.near(unknown[0], names))
  if lacking := [column for column in columns if column.name not in label
                 and column[1:] != (0, 1)]:
    raise RequestError('label needs ' + ', '.join(
        f'{column.name}={column.low:g}..{column.high:g}' for column in lacking))
  return [label.get(name, 0.0) for name in names]


def _chosen(label, groups) -> dict:
  """`label` with {'sex': 'M'} as {'sex=M': 1}."""
  found = {}
  for name, value in label.items():
    if name not in groups:
      found[name] = value
      continue
    given, chosen = np.asarray(value, object), groups[name]
    if wrong := [x for x in given.ravel().tolist() if str(x) not in chosen]:
      raise RequestError(f'label={name}={wrong[0]}: {name} is '
                         f'{" or ".join(chosen)} in the data')
    found |= {f'{name}={x}': (given.astype(str) == x).astype(float)
              for x in chosen}
  return found


def _parsed(columns, text) -> dict:
  if text == TURN:
    raise RequestError(f'label={TURN}: labels are vectors here, of which there '
                       'is no turn; leave it out to draw those of the data')
  if '=' in text:
    # A value may hold a comma: 'site=left, upper,age=63'.
    pairs = [part.partition('=') for part in re.split(r',(?=[^,]*=)', text)]
    pairs = [(name.strip(), value.strip()) for name, _, value in pairs]
    if twice := [name for i, (name, _) in enumerate(pairs)
                 if name in dict(pairs[:i])]:
      raise RequestError(f'label={text}: gives {twice[0]} twice; give it once')
    groups = groups_of(columns)
    return {name: value if name in groups else _number(value, name)
            for name, value in pairs}
  if len(columns) == 1 and columns[0].name != text:
    return {columns[0].name: _number(text, columns[0].name)}
  parts = [part.strip() for part in text.split('|') if part.strip()]
  found = [part for part in parts if part.lower() != NOTHING.lower()]
  if found and len(found) < len(parts):
    raise RequestError(f'label={text}: {NOTHING} is none of the others; give '
                       'the one or the others')
  return dict.fromkeys(found, 1.0)


def _number(text, name) -> float:
  try:
    return float(flags_of([text])[0])  # yes is 1
  except ValueError:
    raise RequestError(f'label={name.strip()}={text}: a number is needed'
                       ) from None
