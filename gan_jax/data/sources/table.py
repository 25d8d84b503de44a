"""Tables of numbers and categories, as vectors."""

import csv
import os

from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import sniff
from gan_jax.data.blocks import package
from gan_jax.data.files import (
  check_file,
  encoding_of,
  one_error,
  printable,
)
from gan_jax.data.prepare import Source, make_source

_LEAST = 10  # rows


def table(*, path, columns: tuple[str, ...] = (),
          categories: tuple[str, ...] = ()) -> Source:
  """The rows of a CSV or parquet file, as vectors float32 [N, D].

  Numbers and texts, missing ones too; for `models.table` and back, see
  `data.columns`. Samples are written as a CSV with the same columns and types.

  Args:
    path: the file; of a CSV the first line are the names of its columns,
      separated by comma, semicolon, tab or bar.
    columns: names of those to take, () for all; '-NAME' leaves one out.
    categories: names of columns whose numbers are names, such as codes. Texts
      are categories, and whole numbers of ten different values or fewer.

  Raises:
    DataError: scikit-learn is not installed, or a problem of the file.
  """
  from gan_jax.data.columns import encode, fit
  package('sklearn.mixture', 'table')
  path = check_file(path)
  frame = _read(path)
  where = repr(path)
  named = list(map(str, frame.columns))
  frame.columns = named
  given = {'columns': columns, 'categories': categories}
  columns, categories = (_names(names, named) for names in given.values())
  out = {name[1:] for name in columns if name not in named
         and name.startswith('-')}
  kept = [name for name in columns if name.removeprefix('-') not in out]
  for key, names in (('columns', (*kept, *out)), ('categories', categories)):
    for name in names:
      if name not in named:
        raise ArgumentError(key, given[key], (
            f'names {name!r}, no column of {where}{lookup.near(name, named)}'))
  frame = frame[[name for name in dict.fromkeys(kept or named)
                 if name not in out]]
  if len(frame) < _LEAST:
    raise DataError(f'{where}: {len(frame)} rows; {_LEAST} are needed')
  found, said = fit(frame, tuple(categories), where)
  return make_source(
      encode(frame, found), (), 0, columns=found,
      name=os.path.splitext(os.path.basename(path))[0],
      report={'notices': said} if said else {})


def _names(given, known) -> list:
  """A flag may hold several: age,sex."""
  return [name for text in given for name in (
      [text] if text in known else text.split(','))]


def _read(path):
  import pandas as pd  # 0.3 s, for which other sets would wait
  if sniff.head(path, 4) == b'PAR1':
    package('pyarrow', 'parquet')
    with one_error(path, 'parquet file'):
      # Its index, which may be of texts, is no column.
      return pd.read_parquet(path).reset_index(drop=True)
  encoding = encoding_of(sniff.head(path))
  if encoding != 'utf-16' and b'\0' in sniff.head(path):
    sniff.refuse(path, 'table')
    raise DataError(f'{path!r}: neither CSV nor parquet{sniff.hint(path)}')
  with one_error(path, 'CSV file'):
    with open(path, encoding=encoding, newline='') as file:
      head = file.read(1 << 16)
    try:
      mark = csv.Sniffer().sniff(head.partition('\n')[0], ',;\t|').delimiter
    except csv.Error:  # a single column
      mark = ','
    try:
      # At once: part by part, the types in one column may differ.
      frame = pd.read_csv(path, sep=mark, encoding=encoding,
                          skipinitialspace=True, low_memory=False)
    except pd.errors.ParserError as error:
      raise DataError(f'{path!r}: {printable(str(error))}') from error
  if not isinstance(frame.index, pd.RangeIndex):
    raise DataError(f'{path!r}: its rows have more cells than its first line '
                    f'has names, such as a separator at their end')
  return frame
