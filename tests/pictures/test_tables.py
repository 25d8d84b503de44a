"""Plots of the columns of a table."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gan_jax import pictures
from gan_jax.data.prepare import Column
from gan_jax.pictures import plots

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
