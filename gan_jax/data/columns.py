"""Tables as vectors and back: one-hot categories, numbers by their modes.

Xu, Skoularidou, Cuesta-Infante, Veeramachaneni 2019 (CTGAN),
https://arxiv.org/abs/1907.00503, section 4.2: a category is one-hot; a number
is a one-hot mode of a Gaussian mixture, and its distance from the mean of that
mode in units of four standard deviations.
"""

import csv
import warnings

import numpy as np
import pandas as pd

from gan_jax.base.errors import DataError
from gan_jax.data import sniff
from gan_jax.data.blocks import package
from gan_jax.data.files import encoding_of, one_error, printable, some
from gan_jax.data.pipeline import random_bits
from gan_jax.data.prepare import Column

_MODES, _LEAST = 10, 0.005  # modes at most; the share of the numbers in one
_PRIOR = 0.001  # of the Dirichlet process: few modes
_WIDTH = 4.0  # standard deviations to either side
_BOUND = 0.99
_FITTED = 10_000  # numbers that the mixture is fitted to
_FEW = 10  # different whole numbers that are categories
_MANY = 1000  # different texts that are none
_RARE = 10  # rows of a category, below which it is said to be rare


def fit(frame: pd.DataFrame, categories: tuple, where: str) -> tuple:
  """Columns of a table, and what to say of them.

  `categories` are columns whose numbers are names.

  Raises:
    DataError: begins with `where`; columns that are no categories and no
      numbers, all of them in one message.
  """
  columns, problems, counted = [], [], []
  for name in frame:
    series = frame[name]
    try:
      different, whole = series.nunique(), _is_whole(series)
    except TypeError:  # they have no hash
      problems.append(f"'{printable(name)}' holds lists: texts and numbers are "
                      f'needed')
      continue
    few = whole and 2 < different <= _FEW and name not in categories
    counted += [name] * few
    numbers = pd.api.types.is_numeric_dtype(series) and not (
        few or name in categories or different <= 1 + whole
        or pd.api.types.is_bool_dtype(series))
    try:
      columns.append(_number(name, series, whole) if numbers else
                     _category(name, series, name in categories))
    except DataError as error:
      problems.append(f"'{printable(name)}' {error}")
  if problems:
    raise DataError(f'{where}: column {"; ".join(problems)}; columns=(...) '
                    f"takes some, columns=('-NAME',) leaves some out")
  said = [f'whole numbers of {_FEW} values or fewer are categories: '
          f'{some(counted)}'] if counted else []
  gaps = {name: share for name in frame if (share := frame[name].isna().mean())}
  if gaps:
    said.append('values are missing, which is learnt too: ' + ', '.join(
        f"'{printable(name)}' {100 * share:.3g} %"
        for name, share in list(gaps.items())[:9])
                + f' and {len(gaps) - 9} more' * (len(gaps) > 9))
  rare = {column.name: len(frame) / len(column.values) for column in columns
          if column.kind == 'category' and len(column.values) > _FEW
          and len(frame) < _RARE * len(column.values)}
  if rare:
    said.append('categories of few rows each, hardly learnt: ' + ', '.join(
        f"'{printable(name)}' {share:.2g} rows"
        for name, share in list(rare.items())[:9])
                + f' and {len(rare) - 9} more' * (len(rare) > 9)
                + f"; columns=('-{next(iter(rare))}',) leaves that out")
  rows = [name for name in frame if _is_whole(frame[name]) and (
      frame[name].diff().iloc[1:] == 1).all()]
  if rows:
    said.append(f"{some(rows)} count the rows, which tells nothing: "
                f"columns=('-{rows[0]}',) leaves that out")
  return tuple(columns), said


def _is_whole(series):
  if not pd.api.types.is_numeric_dtype(series):
    return False
  known = series.dropna()  # integers with a gap are floats in pandas
  return bool((known == np.floor(known)).all())


def _category(name, series, named):
  values = series.dropna().unique().tolist()
  if isinstance(values and values[0], float) and _is_whole(series):
    values = list(map(int, values))
  texts = [value for value in values if isinstance(value, str)]
  if texts and not named:
    _check_numbers(series)
  if len(values) > _MANY or len(texts) > max(2, len(series) / 2):
    raise DataError(f'has {len(values):,} different values in {len(series):,} '
                    f'rows, such as {some(list(map(str, values)), 3)}: no '
                    f'categories')
  if not all(isinstance(v, str | int | float) for v in values):
    raise DataError(f'is of {series.dtype}: texts and numbers are needed')
  return Column(str(name), 'category', tuple(sorted(values)) + (
      (None,) if series.isna().any() else ()))


def _check_numbers(series):
  """DataError if most of the texts are numbers."""
  texts = series.dropna().astype(str).str.strip()
  for read, what in ((texts, ''),
                     (texts.str.replace(',', '.', regex=False),
                      ' with a comma: write points')):
    other = texts[pd.to_numeric(read, errors='coerce').isna()]
    if len(other) < len(texts) / 5:
      raise DataError(
          f'has {len(texts) - len(other):,} numbers{what}' + (
              f' and {len(other):,} other texts, such as '
              f'{some(list(other.unique()), 3)} in row {other.index[0] + 1:,}: '
              f'leave these empty' if len(other) else '')
          + ', or name it in categories')


def _number(name, series, whole):
  known = series.dropna().to_numpy(np.float64)
  if not np.isfinite(known).all():
    raise DataError('holds Inf')
  # As many as the numbers have, or nine significant ones of their spread.
  spread = known.std()
  most = max(1, 9 - int(np.floor(np.log10(spread))))
  decimals = 0 if whole else next(
      (n for n in range(1, most) if np.allclose(
          known, known.round(n), rtol=0, atol=1e-9 * spread)), most)
  modes = _mixture(known)
  if len(known) < len(series):
    modes = *modes, 'missing'
  return Column(str(name), 'integer' if whole else 'number', (), modes,
                float(known.min()), float(known.max()), decimals)


def _mixture(known) -> tuple:
  mixture = package('sklearn.mixture', 'table')
  order = np.argsort(random_bits(len(known), 0), kind='stable')
  # Of unit size: the fit stops at differences of 1e-3, whatever the unit.
  centre, spread = known.mean(), known.std()
  x = ((known[order[:_FITTED]] - centre) / spread)[:, None]
  model = mixture.BayesianGaussianMixture(
      n_components=min(_MODES, len(np.unique(x))), max_iter=100, random_state=0,
      weight_concentration_prior_type='dirichlet_process',
      weight_concentration_prior=_PRIOR)
  with warnings.catch_warnings(action='ignore'):  # that it did not converge
    model.fit(x)
  kept = model.weights_ > _LEAST
  found = np.stack([model.means_[:, 0], np.sqrt(model.covariances_[:, 0, 0])])
  found = (found[:, kept] * spread + [[centre], [0]]).T
  return tuple((float(mean), float(std)) for mean, std in sorted(
      found.tolist()))


def read(path) -> pd.DataFrame:
  """The rows of a CSV or parquet file, with texts as names of columns.

  Raises:
    DataError: another file, or one that is damaged.
  """
  if sniff.head(path, 4) == b'PAR1':
    package('pyarrow', 'parquet')
    with one_error(path, 'parquet file'):
      # Its index, which may be of texts, is no column.
      return _named(pd.read_parquet(path).reset_index(drop=True))
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
  return _named(frame)


def _named(frame):
  frame.columns = list(map(str, frame.columns))
  return frame


def encode(frame: pd.DataFrame, columns: tuple) -> np.ndarray:
  """A table as vectors, float32 [N, D], its columns in order."""
  parts = []
  for i, column in enumerate(columns):
    series = frame[column.name]
    if column.kind == 'category':
      place = {value: k for k, value in enumerate(column.values)}
      rows = [place[None if pd.isna(v) else v] for v in series.tolist()]
      parts.append(np.eye(len(column.values), dtype=np.float32)[rows])
    else:
      parts += _encoded(series.to_numpy(np.float64, na_value=np.nan), column, i)
  return np.concatenate(parts, axis=1, dtype=np.float32)


def encode_like(frame: pd.DataFrame, columns: tuple, where: str) -> np.ndarray:
  """Rows of another table, with the columns that were found of the first one.

  Raises:
    DataError: begins with `where`; a column that is not there, or values that
      the first table has none of, all of them in one message.
  """
  problems = []
  for column in columns:
    if column.name not in frame:
      problems.append(f"lacks the column '{printable(column.name)}'")
      continue
    series = frame[column.name]
    gaps = None in column.values or 'missing' in column.modes
    if column.kind == 'category':
      known = series.dropna().isin([v for v in column.values if v is not None])
    else:
      known = _in_reach(series.dropna(), column)
    odd = list(map(str, series.dropna()[~known].unique()))
    if series.isna().any() and not gaps:
      odd.append('empty cells')
    if odd:
      problems.append(f"column '{printable(column.name)}' has {some(odd, 3)}, "
                      'which the table that was learnt has not')
  if problems:
    raise DataError(f'{where}: {"; ".join(problems)}')
  return encode(frame, columns)


def _in_reach(series, column):
  """Which numbers a column can have: the others would be clipped."""
  x = pd.to_numeric(series, errors='coerce').to_numpy(np.float64)
  modes = np.array([m for m in column.modes if m != 'missing'])
  gaps = np.abs(x[:, None] - modes[:, 0]) / modes[:, 1]
  return (x >= column.low) & (x <= column.high) | (gaps.min(1) < _WIDTH)


def _encoded(x, column, place):
  modes = np.array([m for m in column.modes if m != 'missing'])
  gaps = np.isnan(x)
  z = (np.where(gaps, 0, x)[:, None] - modes[:, 0]) / modes[:, 1]
  log = -0.5 * z ** 2 - np.log(modes[:, 1])
  share = np.exp(log - log.max(1, keepdims=True))
  share = np.cumsum(share / share.sum(1, keepdims=True), axis=1)
  draw = (random_bits(len(x), 0, place) >> np.uint64(11)) * 2.0 ** -53
  mode = np.minimum((draw[:, None] >= share).sum(1), len(modes) - 1)
  value = np.where(gaps, 0, z[np.arange(len(x)), mode] / _WIDTH)
  mode = np.where(gaps, len(modes), mode)
  return [value.clip(-_BOUND, _BOUND)[:, None], np.eye(len(column.modes))[mode]]


def decode(vectors, columns: tuple) -> pd.DataFrame:
  """Vectors float [N, D] as a table of these columns and their types."""
  found, start = {}, 0
  for column in (Column(*column) for column in columns):
    if column.kind != 'category':
      value, start = np.asarray(vectors[:, start], np.float64), start + 1
    size = column.blocks[-1][1]
    choice = np.argmax(vectors[:, start:start + size], axis=1)
    start += size
    found[column.name] = (
        pd.array([column.values[k] for k in choice])
        if column.kind == 'category' else _decoded(value, choice, column))
  return pd.DataFrame(found)


def _decoded(value, choice, column):
  gaps = np.array([m == 'missing' for m in column.modes])[choice]
  modes = np.array([(0, 1) if m == 'missing' else m for m in column.modes])
  mean, std = modes[choice].T
  x = value.clip(-1, 1) * _WIDTH * std + mean
  x = pd.array(x.round(column.decimals).clip(column.low, column.high),
               dtype='Float64')
  x[gaps] = pd.NA
  if column.kind == 'integer':
    return x.astype('Int64')
  return x
