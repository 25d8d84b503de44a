"""What labels become: numbers of classes, or label vectors in [0, 1]."""

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data.files import printable, some
from gan_jax.data.prepare import LabelColumn

# What pandas and people write where there is no label.
MISSING = ('', 'nan', 'NaN', 'NA', 'N/A', '<NA>', 'None', 'null', 'NULL')
NOTHING = 'No Finding'  # of ChestX-ray14: none of the labels
_INTEGER = re.compile(r'([+-]?\d{1,18})(\.0*)?')  # pandas writes 3.0
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
_PADDED = re.compile(r'0\d+')  # '001' is a name
_MEASURED = re.compile(r'[+-]?\d+(,\d+|[.,]?\d* ?[^\W\d_]{1,3}|[.,]?\d* ?%)')
_FLAGS = ('no', 'yes'), ('false', 'true'), ('n', 'y')
_MANY = 20  # classes, from which on they may be no classes
_MOST_VALUES = 30  # of a text, where most images have one of their own


class Labels(NamedTuple):
  """Labels of N examples.

  values: int32 [N] of classes, float32 [N, L] in [0, 1] of label vectors, () if
    unlabelled.
  num_classes: 0 if unlabelled, or where labels are vectors.
  class_names: () if the classes are only numbers.
  columns: of label vectors, () else.
  notices: what may surprise in how they were read.
  """
  values: Any = ()
  num_classes: int = 0
  class_names: tuple[str, ...] = ()
  columns: tuple[LabelColumn, ...] = ()
  notices: tuple[str, ...] = ()

  def of(self, rows) -> 'Labels':
    """Those of some rows; of all, if there are none."""
    return self._replace(values=self.values[rows]) if len(self.values) else self

  def described(self) -> dict:
    """The labels and what they mean, as arguments of `make_source`."""
    return {'labels': self.values, 'num_classes': self.num_classes,
            'class_names': self.class_names, 'label_columns': self.columns}


def of_array(array, num_images: int, where: str, *, label_index: int = -1,
             known: int = 0) -> Labels:
  """Labels of an array, one for each image.

  Whole numbers [N] or [N, 1] are classes, see `of_integers`, as is text [N];
  numbers with fractions are a label vector of one column. [N, K] is one-hot, or
  a label vector of K columns. `num_images` is N, `where` begins the messages.
  `label_index`: of [N, K], the column that is the class, -1 for none. `known`:
  number of classes, 0 if that is not known.

  Raises:
    DataError: another dtype or shape, not one for each image, negative
      integers, NaN or Inf.
  """
  array = np.asarray(array)
  said = f'{where}: labels {array.dtype} {list(array.shape)}'
  if label_index != -1:
    if array.ndim != 2 or not 0 <= label_index < array.shape[1]:
      raise ArgumentError('label_index', label_index, (
          f'chooses a column of [N, K], from 0 to K - 1; {said}'))
    array = array[:, label_index]
  if array.ndim == 2 and array.shape[1] == 1:
    array = array[:, 0]
  problem = ''
  if array.ndim not in (1, 2) or 0 in array.shape:
    problem = 'one per image, [N], or [N, K], are needed'
  elif len(array) != num_images:
    problem = f'for {num_images} images; are both of the same split?'
  elif array.dtype.kind in 'OUT' and array.ndim == 1:
    return of_texts([str(text) for text in array.tolist()], where)
  elif array.dtype.kind not in 'buif':
    problem = 'integers, floats or text are needed'
  elif not np.isfinite(array).all():
    bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(1))
    problem = (f'{len(bad):,} images have NaN or Inf, first image {bad[0]}; '
               f'give them labels, or remove them')
  if problem:
    raise DataError(f'{said}: {problem}')
  if array.ndim == 1:
    if (array == np.round(array)).all():
      whole = array.astype(np.int64) if array.dtype.kind in 'bf' else array
      return of_integers(whole, said, known)
    return of_numbers(array[:, None], ('0',), said)
  if _is_one_hot(array):
    return Labels(array.argmax(1).astype(np.int32), array.shape[1])
  found = of_numbers(array, tuple(map(str, range(array.shape[1]))), said)
  more = f'; label_index=0 to {array.shape[1] - 1} makes that column the class'
  return found._replace(notices=tuple(x + more for x in found.notices))


def of_integers(values, where: str, known: int = 0,
                column: str = '0') -> Labels:
  """Classes of integers [N], of a column of that name, '0' if it has none.

  They are kept if they count up from 0 without gaps, or if the number of
  classes is `known`. Otherwise they are numbered in their order, and their
  values are the names of the classes.

  Raises:
    DataError: negative ones, other than -1 beside 1; some that are not below
      `known`.
  """
  present, numbers = np.unique(values, return_inverse=True)
  low, high = int(present[0]), int(present[-1])
  if known and (low < 0 or high >= known):
    raise DataError(f'{where} with values {low}..{high}; this set has classes '
                    f'0..{known - 1}: drop unlabelled images')
  if known:
    return Labels(np.asarray(values, np.int32), known)
  if low < 0 and present.tolist() != [-1, 1]:
    raise DataError(f'{where} with values {low}..{high}: integers from 0 on, '
                    f'or text, are needed: drop unlabelled images, or name the '
                    f'classes{_as_numbers(column)}')
  numbers, count = numbers.astype(np.int32), len(present)
  if low == 0 and high == count - 1:
    return Labels(numbers, count)
  return Labels(numbers, count, tuple(map(str, present.tolist())), notices=(
      f'labels {some(list(map(str, present.tolist())), 3)} do not count up '
      f'from 0 without gaps: numbered 0 to {count - 1} in their order, and '
      f'their values are the names of the classes',))


def of_texts(texts: Iterable[str], where: str, column: str = '0') -> Labels:
  """Labels of one text per image.

  Integers are classes, see `of_integers`; numbers a label vector of one column,
  of that name; with `|` in some, several labels per image, a label vector of
  findings; else names of classes, in sorted order. '001' is a name.

  Raises:
    DataError: no label, or fractions beside text.
  """
  texts = [text.strip() for text in texts]
  if lacking := [i for i, text in enumerate(texts) if text in MISSING]:
    raise DataError(f'{where}: {len(lacking):,} images without a label, first '
                    f'image {lacking[0]}; give them one, or remove them')
  said = _doubts(texts, column)
  integers = [_INTEGER.fullmatch(text) for text in texts]
  padded = any(map(_PADDED.fullmatch, texts))
  if all(integers) and not padded:
    found = of_integers(
        np.array([int(match[1]) for match in integers], np.int64),
        f'{where}: labels', column=column)
    return found._replace(notices=found.notices + said)
  if not padded and (numbers := _numbers(texts)) is not None:
    return of_numbers(numbers[:, None], (column,), where)
  fraction = None if padded else next((
      text for text, whole in zip(texts, integers, strict=True)
      if not whole and _NUMBER.fullmatch(text)), None)
  if fraction is not None:
    other = next(text for text in texts if not _NUMBER.fullmatch(text))
    raise DataError(f"{where}: labels such as '{fraction}' are numbers, and "
                    f"'{printable(other)}' is none: write all as numbers, or "
                    f'all as names')
  if any('|' in text for text in texts):
    return _of_findings(texts, where)
  names, numbers = np.unique(np.array(texts, object), return_inverse=True)
  return Labels(numbers.astype(np.int32), len(names),
                tuple(map(printable, names)), notices=_alike(names) + said)


def of_columns(names: Sequence[str], rows: Sequence[Sequence[str]],
               where: str) -> Labels:
  """Labels of several texts per image, one for each column.

  Columns of 0 and 1 (or -1 and 1, yes and no) of which each image has one are
  classes with the columns' names. Others make a label vector: a number each, or
  if a column holds text, a 0 or 1 for each of its values, named 'sex=F'.

  Raises:
    DataError: a column that is the same everywhere, a text of a value for each
      image, or two columns of one name.
  """
  texts = [[text.strip() for text in column]
           for column in zip(*rows, strict=True)]
  numbers = [_numbers(flags_of(column)) for column in texts]
  if all(column is not None for column in numbers):
    array = np.stack(numbers, 1)
    if _is_one_hot(array):
      plain = list(names) == list(map(str, range(len(names))))
      return Labels(
          array.argmax(1).astype(np.int32), len(names),
          () if plain else tuple(map(printable, names)),
          notices=(f'each image has a 1 in one of the columns '
                   f'{some(list(names), 3)}: they are the classes',))
    return of_numbers(array, names, where)
  parts = [_of_values(text, name, where) if number is None else
           of_numbers(number[:, None], (name,), where)
           for name, text, number in zip(names, texts, numbers, strict=True)]
  columns = sum((part.columns for part in parts), ())
  found = [column.name for column in columns]
  if twice := sorted({name for name in found if found.count(name) > 1}):
    raise DataError(f'{where}: two columns of the label vector are named '
                    f'{some(twice, 3)}; rename one of their values')
  return Labels(np.concatenate([part.values for part in parts], 1),
                columns=columns, notices=(_vectors(found),))


def of_numbers(array, names: Sequence[str], where: str) -> Labels:
  """Label vectors of finite numbers [N, L]: each column is scaled to [0, 1].

  0 and 1 stand for the smallest and the largest number of a column, but for
  themselves where it has no others. -1 and 1, if there are only these, say that
  a thing is not there or is.

  Raises:
    DataError: a column is the same everywhere, so that it tells nothing, or
      numbers that are not finite.
  """
  array, names = np.asarray(array, np.float64), list(map(printable, names))
  if not np.isfinite(array).all():
    raise DataError(f'{where}: labels that are not finite, as 1e400 would be')
  signs = np.isin(array, (-1, 1)).all() and (array < 0).any()
  array = (array + 1) / 2 if signs else array
  flags = np.isin(array, (0, 1)).all(0)
  low, high = (np.where(flags, (0, 1)[i], bound).tolist()
               for i, bound in enumerate((array.min(0), array.max(0))))
  if same := [name for name, a, b in zip(names, low, high, strict=True)
              if a == b]:
    raise DataError(f'{where}: the column {some(same, 3)} has one value in all '
                    f'images, so that it tells nothing: leave it out')
  columns = tuple(map(LabelColumn, names, low, high))
  said = _vectors(names)
  if len(names) == 1:
    said = (f'labels are numbers from {low[0]:g} to {high[0]:g}: a label '
            f"vector of one column '{names[0]}'")
  return Labels(to_unit(array, columns), columns=columns, notices=(said,))


def to_unit(values, columns: Sequence[LabelColumn]) -> np.ndarray:
  """Label vectors [..., L] in the users' units, scaled to [0, 1], float32."""
  low, high = np.array([column[1:] for column in columns]).T
  return ((values - low) / (high - low)).clip(0, 1).astype(np.float32)


def to_users(values, columns: Sequence[LabelColumn]) -> np.ndarray:
  """Label vectors [..., L] in [0, 1] in the users' units, float32."""
  low, high = np.array([column[1:] for column in columns]).T
  return (low + values * (high - low)).astype(np.float32)


def class_of(value, names: Sequence[str], present: Collection[int]) -> int:
  """The label of a class that is given by its name, or else by its number.

  Args:
    value: text or an integer, such as 'bee', '3' or 3.
    names: of the classes, () if they are only numbers.
    present: the labels that occur.

  Raises:
    DataError: no such class, with near names; the message begins with it.
  """
  text = printable(str(value).strip())
  if text in names:
    label = list(names).index(text)
  else:
    label = int(text) if re.fullmatch(r'-?\d{1,9}', text) else -1
  if label in present:
    return label
  known = [names[i] if i < len(names) else str(i) for i in sorted(present)]
  near = difflib.get_close_matches(text, known if names else (), n=1)
  hint = f'; did you mean {near[0]!r}?' if near else ''
  listed = ', '.join(known[:20]) + (' ...' if len(known) > 20 else '')
  raise DataError(f'{text} is not one of the classes ({listed}){hint}')


def name_of(label: int, names: Sequence[str]) -> str:
  """'3', or '3 trees' if the classes have names; '100003' if that is one."""
  if label < 0:
    return 'no label'
  name = names[label] if label < len(names) else str(label)
  return name if name.isdigit() else f'{label} {name}'


def flags_of(texts: Sequence[str]) -> list[str]:
  """Texts, of which yes and no, true and false, y and n are 1 and 0."""
  lower = [text.lower() for text in texts]
  for pair in _FLAGS:
    if set(pair).issuperset(lower):
      return [str(pair.index(text)) for text in lower]
  return list(texts)


def groups_of(columns: Sequence[LabelColumn]) -> dict[str, list[str]]:
  """{header: values} of the texts of which label vectors have exactly one.

  They are columns such as 'sex=F' and 'sex=M'.
  """
  found = {}
  for name, *bounds in columns:
    header, equals, value = name.partition('=')
    if equals and tuple(bounds) == (0, 1):
      found.setdefault(header, []).append(value)
  return {name: values for name, values in found.items() if len(values) > 1}


def _of_values(texts, header, where) -> Labels:
  """Label vectors of a text column: of its values, or of the parts of sets."""
  if any('|' in text for text in texts):
    return _of_findings(texts, where)
  values, numbers = np.unique(np.array(texts, object), return_inverse=True)
  if len(values) > _MOST_VALUES and (said := _doubts(texts, header)):
    raise DataError(f'{where}: {said[0]}')
  if len(values) == 1:
    raise DataError(f"{where}: the column '{printable(header)}' has one value "
                    f'in all images, so that it tells nothing: leave it out')
  columns = tuple(LabelColumn(printable(f'{header}={value}'))
                  for value in values)
  return Labels(np.eye(len(values), dtype=np.float32)[numbers], columns=columns)


def _as_numbers(column) -> str:
  return '' if column == '0' else (
      f'; label_key={printable(column) + ","!r} takes them as numbers')


def _doubts(texts, column) -> tuple:
  """What to say of texts that are hardly names of classes."""
  values, counts = np.unique(np.array(texts, object), return_counts=True)
  own = len(values) >= _MANY and (counts == 1).sum() > len(texts) / 2
  what = 'labels' if column == '0' else f"the column '{printable(column)}'"
  if all(map(_MEASURED.fullmatch, values)) and (
      len(values) >= _MANY or all(',' in value for value in values)):
    return (f"{what}: values such as '{printable(values[0])}' are taken for "
            f'names: write them as numbers, such as 20.5, without units',)
  if own and all(map(_NUMBER.fullmatch, values)):
    hint = _as_numbers(column)
    return (f'{what}: most images have a value of their own, such as '
            f"'{values[0]}', as a class{hint}",) if hint else ()
  if own:
    return (f'{what}: most images have a value of their own, such as '
            f"'{printable(values[0])}': is this a column of names?",)
  if listed := [value for value in values
                if ',' in value or value.startswith('[')]:
    return (f"{what}: '{printable(listed[0])}' is taken for one label; write | "
            f"between several, such as 'Mass|Edema'",)
  return ()


def _of_findings(texts, where) -> Labels:
  """Label vectors of sets such as 'Mass|Edema', a column for each member."""
  sets = [{part.strip() for part in text.split('|')} for text in texts]
  sets = [{part for part in found
           if part and part.lower() != NOTHING.lower()} for found in sets]
  names = sorted(set().union(*sets))
  if not names:
    raise DataError(f'{where}: no image has any label')
  number = {name: i for i, name in enumerate(names)}
  values = np.zeros((len(texts), len(names)), np.float32)
  for row, found in zip(values, sets, strict=True):
    row[[number[name] for name in found]] = 1
  names = list(map(printable, names))
  return Labels(values, columns=tuple(map(LabelColumn, names)),
                notices=(_vectors(names), *_alike(names)))


def _vectors(names) -> str:
  return (f'several labels per image: label vectors of {len(names):,} columns, '
          f'{some(list(names), 3)}')


def _alike(names) -> tuple:
  """What to say of names that differ in upper and lower case only."""
  groups = {}
  for name in names:
    groups.setdefault(name.casefold(), []).append(name)
  alike = [name for group in groups.values() if len(group) > 1
           for name in group]
  return (f'{some(alike, 6)} differ in upper and lower case only, and are '
          f'different classes',) if alike else ()


def _numbers(texts):
  """float64 [N] of texts, or None if one of them is no number."""
  return np.array(list(map(float, texts))) if all(
      map(_NUMBER.fullmatch, texts)) else None


def _is_one_hot(array) -> bool:
  """Whether each row of [N, K] of 0 and 1, or -1 and 1, has one 1."""
  return array.shape[1] > 1 and any(
      np.isin(array, (zero, 1)).all() and ((array == 1).sum(1) == 1).all()
      for zero in (0, -1))
