"""Tables: columns to vectors and back, and what is refused."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from arrays import fails, load

from gan_jax.base.errors import DataError
from gan_jax.data import columns as tables
from gan_jax.data import sources
from gan_jax.data.columns import Column

pytest.importorskip('sklearn')
RNG = np.random.default_rng(0)


def written(tmp_path, frame, **how):
  path = tmp_path / 'people.csv'
  frame.to_csv(path, index=False, **how)
  return path


def people(rows=400):
  """Two groups of ages, cents, a text, a flag, gaps."""
  frame = pd.DataFrame({
      'age': np.where(RNG.random(rows) < 0.5, RNG.normal(20, 1, rows),
                      RNG.normal(70, 2, rows)).round().astype(int),
      'cost': RNG.lognormal(3, 1, rows).round(2),
      'city': RNG.choice(['Rome', 'Oslo', 'Bonn'], rows, p=[0.6, 0.3, 0.1]),
      'ill': RNG.random(rows) < 0.2})
  frame.loc[::10, 'cost'] = np.nan
  frame.loc[::7, 'city'] = None
  return frame


def test_there_and_back(tmp_path):
  frame = people()
  source = sources.table(path=written(tmp_path, frame))
  kinds = {c.name: c.kind for c in source.columns}
  assert kinds == dict(age='integer', cost='number', city='category',
                       ill='category')
  # As a run keeps them.
  columns = [tuple(c) for c in json.loads(json.dumps(source.columns))]
  back = tables.decode(source.images, columns)
  assert list(back) == list(frame)
  # A number farther than four deviations from its mode is brought nearer.
  near = np.abs(source.images[:, 0]) < 0.99
  assert near.mean() > 0.98
  assert (back['age'][near].to_numpy() == frame['age'][near]).all()
  assert back['age'].dtype == 'Int64'
  assert (back['cost'].isna() == frame['cost'].isna()).all()
  known = frame['cost'].notna()
  assert (abs(back['cost'][known].astype(float) - frame['cost'][known])
          <= 0.01).mean() > 0.95
  assert (back['city'].isna() == frame['city'].isna()).all()
  city = frame['city'].notna()
  assert (back['city'][city] == frame['city'][city]).all()
  assert (back['ill'] == frame['ill']).all()
  out = tmp_path / 'out.csv'
  back.to_csv(out, index=False)
  assert list(pd.read_csv(out).dtypes) == list(frame.dtypes)


def test_a_number_by_hand():
  """Modes 0 +- 1 and 10 +- 2: 12 is the second, (12 - 10) / 8 from it."""
  column = Column('x', 'number', (), ((0.0, 1.0), (10.0, 2.0)), -4, 18, 3)
  encoded = tables.encode(pd.DataFrame({'x': [12.0, -1.0, 40.0, 1e4]}),
                          (column,))
  np.testing.assert_allclose(encoded, [[0.25, 0, 1], [-0.25, 1, 0],
                                       [0.99, 0, 1], [0.99, 0, 1]])
  assert column.blocks == (('number', 1), ('choice', 2))
  back = tables.decode(np.array([[0.25, 0.2, 0.8], [-0.25, 0.6, 0.4],
                                 [1.0, 0.0, 1.0], [-3.0, 0.0, 1.0]]),
                       (column,))
  # 18 as the highest; -3 is beyond the scale, as -1 is its end.
  assert back['x'].tolist() == [12.0, -1.0, 18.0, 2.0]


@pytest.mark.parametrize('x, share', [
    (0.0, 3 / 4), (3.0, 1 / (1 + np.exp(4.0) / 3))])
def test_a_number_of_two_modes_is_drawn_by_their_densities(x, share):
  """Of deviations 1 and 3: exp(-x^2 / 2) to exp(-x^2 / 18) / 3."""
  column = Column('x', 'number', (), ((0.0, 1.0), (0.0, 3.0)), -9.0, 9.0, 1)
  encoded = tables.encode(pd.DataFrame({'x': [x] * 4000}), (column,))
  assert abs(encoded[:, 1].mean() - share) < 0.03
  first = encoded[:, 1] == 1
  np.testing.assert_allclose(encoded[:, 0], np.where(first, x / 4, x / 12),
                             rtol=1e-6)


def test_modes_are_found_and_drawn_by_their_shares(tmp_path):
  frame = pd.DataFrame({'age': people(4000)['age'].to_numpy()})
  source = sources.table(path=written(tmp_path, frame))
  means = np.array([mean for mean, _ in source.columns[0].modes])
  assert all(np.abs(means - centre).min() < 1 for centre in (20, 70))
  assert source.images.shape == (4000, 1 + len(means))
  young = source.images[:, 1:][:, means < 45].sum()
  assert young == (frame['age'] < 45).sum()
  again = sources.table(path=written(tmp_path, frame))
  assert again.fingerprint == source.fingerprint


def test_categories(tmp_path):
  frame = pd.DataFrame({'code': RNG.integers(100, 130, 60), 'stars':
                        RNG.integers(1, 6, 60), 'same': 1.5,
                        'yes': RNG.integers(0, 2, 60)})
  source = sources.table(path=written(tmp_path, frame, sep=';'),
                         categories=('code',))
  assert [c.kind for c in source.columns] == ['category'] * 4
  assert source.columns[1].values == (1, 2, 3, 4, 5)
  assert source.columns[2].values == (1.5,)
  assert "'stars'" in source.report['notices'][0]
  pd.testing.assert_frame_equal(
      tables.decode(source.images, source.columns), frame, check_dtype=False)
  for given, wanted in ((('yes', 'stars'), ['yes', 'stars']),
                        (('yes,stars',), ['yes', 'stars']),
                        (('-code', '-same'), ['stars', 'yes'])):
    some = sources.table(path=written(tmp_path, frame), columns=given)
    assert [c.name for c in some.columns] == wanted


@pytest.mark.parametrize('values, kind, found', [
    ([*range(10)] * 2, 'category', (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
    ([*range(11)] * 2, 'integer', ()),
    ([3, 4] * 6, 'category', (3, 4)),
    ([1.5, 2.5] * 6, 'number', ()), ([1.5] * 12, 'category', (1.5,)),
    ([1, 2, None, 3] * 3, 'category', (1, 2, 3, None)),
    ([True, False] * 6, 'category', (False, True)),
    ([np.nan] * 12, 'category', (None,)),
    (['a', 'b', 'c', 'd', 'e', 'f'] * 2, 'category', (*'abcdef',)),
    (['1'] * 8 + ['a', 'b'], 'category', ('1', 'a', 'b'))])
def test_what_a_column_is_taken_for(values, kind, found):
  (column,), said = tables.fit(pd.DataFrame({'x': values}), (), 'here')
  assert (column.kind, column.values) == (kind, found)
  assert list(map(type, column.values)) == list(map(type, found))
  # What may be meant as numbers is told.
  told = 'whole numbers of 10 values or fewer are categories' in ''.join(said)
  assert told == (kind == 'category' and len(found) > 3
                  and isinstance(found[0], int))


@pytest.mark.parametrize('values, words', [
    ([*'abcdefg', *'abcde'], '7 different values in 12 rows'),
    (['1'] * 9 + ['a'], "9 numbers and 1 other texts, such as 'a' in row 10"),
    (pd.to_datetime(['2020-01-01', '2020-01-02'] * 6), 'is of datetime64'),
    ([1.5, np.inf, 2.5, 3.5] * 3, 'holds Inf')])
def test_what_no_column_can_be(values, words):
  with pytest.raises(DataError, match=f"here: column 'x' .*{words}"):
    tables.fit(pd.DataFrame({'x': values}), (), 'here')


@pytest.mark.parametrize('unit, decimals', [(0.5, 1), (0.25, 2), (0.125, 3)])
def test_digits_are_those_that_the_numbers_have(unit, decimals):
  values = pd.DataFrame({'x': unit * np.arange(1, 24, 2)})
  (column,), _ = tables.fit(values, (), 'here')
  assert column.decimals == decimals
  back = tables.decode(tables.encode(values, (column,)), (column,))
  assert (back['x'] == values['x']).all()
  assert (column.low, column.high) == (unit, 23 * unit)


def test_a_column_of_numbers_and_texts_has_one_type(tmp_path):
  """Pandas would read the first 131,072 rows apart from the rest."""
  frame = pd.DataFrame({'code': ['7'] * 140_000 + ['A']})
  source = sources.table(path=written(tmp_path, frame), categories=('code',))
  assert source.columns[0].values == ('7', 'A')
  assert source.images.sum(0).tolist() == [140_000, 1]


def test_what_is_said_of_a_table(tmp_path):
  frame = people()
  frame.to_csv(tmp_path / 'a.csv')  # with the index, as pandas does it
  rows, missing = sources.table(path=tmp_path / 'a.csv').report['notices']
  if 'missing' in rows:
    rows, missing = missing, rows
  assert "'Unnamed: 0' count the rows" in rows and '-Unnamed: 0' in rows
  assert "'cost' 10 %" in missing and "'city' 14.5 %" in missing


def test_a_column_that_is_nearly_all_missing(tmp_path):
  frame = pd.DataFrame({'x': range(500), 'y': [None] * 498 + ['a', 'b']})
  said = '; '.join(sources.table(
      path=written(tmp_path, frame)).report['notices'])
  assert "'y' 99.6 %" in said


def test_categories_of_few_rows_are_named(tmp_path):
  days = [f'2024-{i // 4:03}' for i in range(400)]  # 100 days, 4 rows each
  towns = [f'town {i // 20:02}' for i in range(400)]  # 20 towns of 20 rows
  frame = pd.DataFrame({'day': days, 'town': towns, 'x': ['a', 'b'] * 200})
  said, = sources.table(path=written(tmp_path, frame)).report['notices']
  assert "'day' 4 rows" in said and 'town' not in said and "('-day',)" in said


def test_parquet_and_auto(tmp_path):
  pytest.importorskip('pyarrow')
  frame = people()
  frame.to_parquet(tmp_path / 'a.parquet')
  source = load(name='table', path=str(tmp_path / 'a.parquet'))
  path = written(tmp_path, frame)
  for other in (path, tmp_path / 'a.parquet'):
    assert (load(name='auto', path=str(other)).images == source.images).all()
  assert load(name='table', path=str(path), holdout=0.5).held_out.columns
  fails('data=table', call=lambda: sources.parquet(path=tmp_path / 'a.parquet'))


def test_parquet_with_an_index_of_texts_and_a_column_of_lists(tmp_path):
  pytest.importorskip('pyarrow')
  path, frame = tmp_path / 'a.parquet', people(50)
  frame.set_index(pd.Index([f'p{i}' for i in range(50)])).to_parquet(path)
  plain = written(tmp_path, frame)
  assert (sources.table(path=path).images == sources.table(
      path=plain).images).all()
  frame = frame.assign(bmi=['n/k', *map(str, range(49))], vector=[[1.0, 2.0]]
                       * 50)
  frame.set_index(pd.Index([f'p{i}' for i in range(50)])).to_parquet(path)
  fails("'bmi' has 49 numbers", "'n/k' in row 1", "'vector' holds lists",
        call=lambda: sources.table(path=path))


@pytest.mark.parametrize('frame, options, words', [
    (pd.DataFrame({'name': [f'p{i}' for i in range(50)]}), {},
     ["'name'", '50 different values', 'columns=']),
    (people(50).assign(bmi=['n/k', *map(str, range(48)), '-']), {},
     ["'bmi' has 48 numbers and 2 other texts", "'n/k'", 'row 1']),
    (people(50).assign(kg=[f'{i},5' for i in range(50)], name=[
        f'p{i}' for i in range(50)]), {},
     ["'kg' has 50 numbers with a comma", "'name' has 50"]),
    (people(5), {}, ['5 rows']),
    (people(50), {'columns': ('agee',)},
     ["columns=('agee',): names 'agee', no column", 'did you mean "age"']),
    (people(50), {'categories': ('age', 'z')},
     ["categories=('age', 'z'): names 'z', no column"]),
    (people(50), {'columns': ('-z,age',)},
     ["columns=('-z,age',): names 'z', no column"]),
    (people(50), {'resize': (4, 4)}, ['vectors', 'resize']),
])
def test_bad_tables(tmp_path, frame, options, words):
  path = str(written(tmp_path, frame))
  fails(*words, call=lambda: load(name='table', path=path, **options))


def test_small_numbers_keep_their_digits(tmp_path):
  frame = pd.DataFrame({'x': RNG.normal(0, 1e-15, 300), 'y': RNG.normal(
      1e6, 1e5, 300).round(2)})
  frame.loc[0] = 0.5e-15, 1e6 + 0.25
  source = sources.table(path=written(tmp_path, frame))
  back = tables.decode(source.images, source.columns)
  assert source.columns[1].decimals == 2
  near = (np.abs(source.images[:, 0]) < 0.98)
  np.testing.assert_allclose(back['x'][near].astype(float), frame['x'][near],
                             atol=1e-20)


def test_the_extra_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'sklearn.mixture', None)
  fails('data=table', "'gan_jax[table]'",
        call=lambda: sources.table(path=written(tmp_path, people(50))))


def test_the_texts_that_windows_writes(tmp_path):
  text = 'x,y\r\n' + ''.join(f'{i / 7},{"äö"[i % 2]}\r\n' for i in range(40))
  for encoding in ('utf-8', 'utf-8-sig', 'utf-16'):
    (tmp_path / 'a.csv').write_bytes(text.encode(encoding))
    source = sources.auto(path=tmp_path / 'a.csv')
    assert [column.name for column in source.columns] == ['x', 'y']
    assert source.columns[1].values == ('ä', 'ö') and len(source.images) == 40


@pytest.mark.parametrize('content, words', [
    (b'a,b,c\n' + b'0,0.5,x,\n' * 20, ['more cells', 'separator']),
    (b'', ['empty']), (b'a,b\n1,2\n1,2,3,4\n', ['line 3']),
    (b'\x89PNG\r\n\x1a\n\0\0\0\0', ['use data=folder']),
    (b'PAR1' + bytes(40), ['parquet']),
    (b'a\0,b\n', ['neither CSV nor parquet']),
    (b'a,b\n1,\xe4\n', ["save it as UTF-8, in Excel as 'CSV UTF-8'"])])
def test_bad_files(tmp_path, content, words):
  path = tmp_path / 'a.csv'
  path.write_bytes(content)
  fails(*words, call=lambda: sources.table(path=path))


def test_modes_do_not_depend_on_the_unit(tmp_path):
  x = np.where(RNG.random(2000) < 0.5, RNG.normal(20, 1, 2000),
               RNG.normal(80, 2, 2000))
  large, small = (sources.table(path=written(tmp_path, pd.DataFrame(
      {'x': x * unit}))) for unit in (1, 1e-6))
  np.testing.assert_allclose(small.images, large.images, atol=1e-4)
  np.testing.assert_allclose(np.array(small.columns[0].modes) * 1e6,
                             large.columns[0].modes, rtol=1e-4)


# A number of two far modes, and a category.
LEARNT = (Column('x', 'number', (), ((0.0, 1.0), (100.0, 2.0)), -5.0, 106.0, 1),
          Column('kind', 'category', ('a', 'b')))


def test_rows_of_another_table_have_the_modes_of_the_first():
  """(x - mean) / (4 std) of the mode, the mode, and the category."""
  frame = pd.DataFrame({'kind': ['b', 'a', 'b'], 'x': [2.0, 98.0, -5.0],
                        'other': 1})
  np.testing.assert_allclose(
      tables.encode_like(frame, LEARNT, 'rows'),
      [[0.5, 1, 0, 0, 1], [-0.25, 0, 1, 1, 0], [-0.99, 1, 0, 0, 1]])
  # Where the first has gaps, others may have them.
  gaps = LEARNT[0]._replace(modes=(*LEARNT[0].modes, 'missing'))
  np.testing.assert_allclose(tables.encode_like(
      pd.DataFrame({'x': [np.nan, 98.0]}), (gaps,), 'rows'),
                             [[0, 0, 0, 1], [-0.25, 0, 1, 0]])


@pytest.mark.parametrize('change,said', [
    ({'kind': None}, "lacks the column 'kind'"),
    ({'kind': ['a', 'z']}, "column 'kind' has 'z', which the table that was"),
    ({'kind': ['a', None]}, "column 'kind' has 'empty cells'"),
    ({'x': [1.0, np.nan]}, "column 'x' has 'empty cells'"),
    ({'x': [1.0, np.inf]}, "column 'x' has 'inf'"),
    ({'x': [1.0, 108.1]}, "column 'x' has '108.1'"),
    ({'x': ['1', 'five']}, "column 'x' has 'five'")])
def test_rows_that_a_table_cannot_have_are_refused(change, said):
  rows = {'x': [1.0, 107.9], 'kind': ['a', 'b']}
  tables.encode_like(pd.DataFrame(rows), LEARNT, 'rows')
  rows = {key: value for key, value in (rows | change).items() if value}
  with pytest.raises(DataError) as e:
    tables.encode_like(pd.DataFrame(rows), LEARNT, 'rows')
  assert str(e.value).startswith(f'rows: {said}')
