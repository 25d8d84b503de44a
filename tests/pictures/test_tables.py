"""Plots of the columns of a table."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from gan_jax import pictures
from gan_jax.data.prepare import Column
from gan_jax.pictures import plots, tables

AGE = Column('age', 'integer', (), ((20.0, 1.0), (70.0, 2.0)), 10, 90, 0)
CITY = Column('city', 'category', ('Oslo', 'Rome', None))
OLD = np.tile(np.float32([0, 0, 1, 0, 1, 0]), (50, 1))  # 70 years, Rome
NONE = np.tile(np.float32([0, 1, 0, 0, 0, 1]), (50, 1))  # 20 years, missing


def has(picture, colour):
  wanted = np.round(np.array(to_rgb(colour)) * 255)
  return (np.abs(picture - wanted).max(-1) <= 2).any()


@pytest.mark.parametrize('real', [None, OLD])
def test_columns_are_drawn_beside_the_real_ones(real):
  pytest.importorskip('pandas')
  picture = pictures.sheet(NONE, real=real, table=(AGE, CITY))
  assert picture.dtype == np.uint8 and picture.shape[2] == 3
  assert has(picture, plots.COLOURS[1] if real is not None
             else plots.COLOURS[0])
  # As a run keeps its columns.
  np.testing.assert_array_equal(picture, pictures.sheet(
      NONE, real=real, table=(tuple(AGE), tuple(CITY))))
  assert (picture != pictures.sheet(OLD, real=real, table=(AGE, CITY))).any()


def test_many_columns():
  names = [CITY._replace(name=f'a very long name of a column {i}')
           for i in range(30)]
  picture = pictures.sheet(np.tile(NONE[:, 3:], 30), table=names)
  assert picture.shape[0] < 3000 and picture.shape[1] < 1200


def shown(monkeypatch, values, column):
  """(shares of the only plot, labels of its y axis, title)."""
  figures, pixels = [], plots.pixels
  monkeypatch.setattr(plots, 'pixels', lambda drawn: (
      figures.append(drawn), pixels(drawn))[1])
  monkeypatch.setattr('gan_jax.data.columns.decode',
                      lambda x, columns: pd.DataFrame({column.name: values}))
  tables.draw(np.zeros((len(values), 1), np.float32), (column,))
  axes, = figures[0].axes
  bars = [bar.get_height() for bar in axes.patches if hasattr(
      bar, 'get_height')] or axes.patches[0].get_data().values.tolist()
  return (bars, [text.get_text() for text in axes.get_yticklabels()],
          axes.get_title(loc='left') + axes.get_title())


@pytest.mark.parametrize('high', [30, 60, 61, 999])
def test_whole_numbers_that_are_all_as_frequent_make_a_flat_plot(
    monkeypatch, high):
  bars, *_ = shown(monkeypatch, np.arange(1.0, high + 1), Column(
      'age', 'integer', (), ((30.0, 9.0),), 1, high, 0))
  width = -(-high // 40)
  full, last = high // width, high % width
  np.testing.assert_allclose([b for b in bars if b], (
      [width / high] * full + [last / high] * (last > 0)))


def test_rare_categories_have_ticks_that_differ_and_are_counted(monkeypatch):
  names = tuple(f'n{i:03}' for i in range(300))
  bars, labels, title = shown(
      monkeypatch, np.array(names), Column('day', 'category', names))
  assert len(bars) == 10 and title == 'day (10 of 300 values)'
  assert len(set(labels)) == len(labels) > 3


@pytest.mark.parametrize('count, said', [(199, '99.5 %'), (1, '0.5 %')])
def test_the_share_that_is_missing_is_written_out(monkeypatch, count, said):
  values = [None] * count + ['Oslo'] * (200 - count)
  assert shown(monkeypatch, values, CITY)[2] == f'city (missing: {said})'
