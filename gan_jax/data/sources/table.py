"""Tables of numbers and categories, as vectors."""

import os

from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data.blocks import package
from gan_jax.data.files import check_file
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
  from gan_jax.data.columns import encode, fit, read
  package('sklearn.mixture', 'table')
  path = check_file(path)
  frame = read(path)
  where = repr(path)
  named = list(frame.columns)
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
      report={'notices': said})


def _names(given, known) -> list:
  """A flag may hold several: age,sex."""
  return [name for text in given for name in (
      [text] if text in known else text.split(','))]
