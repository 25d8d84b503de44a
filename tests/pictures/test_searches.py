"""Plots of a search: drawn for what there may be, and what they show."""

import numpy as np
import pytest

from gan_jax.pictures import foresight, history, importances, pair, slices

COLUMNS = {'rate': [1e-5, 1e-3, 1e-4], ':loss': ['b', 'a', 'b'],
           'n': [1.0, 2.0, 2.0], 'x_1': [0.1, 0.2, 0.3]}


def ink(pixels):
  assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
  return (pixels < 250).any(2).mean()


def test_history_marks_what_has_no_score():
  drawn = [history([0, 2], [0.5, 0.1], aside, low=True, score='fd')
           for aside in ({}, {'stopped early': [1], 'failed': [3]})]
  assert drawn[0].shape == drawn[1].shape and 0.001 < ink(drawn[0]) < 0.2
  assert (drawn[0] != drawn[1]).any()


def test_the_best_so_far_depends_on_the_direction():
  low, high = (history([0, 1], [1.0, 2.0], {}, low=low, score='x')
               for low in (True, False))
  assert (low != high).any()


@pytest.mark.parametrize('count', [1, 4])
def test_slices_of_numbers_and_choices(count):
  columns = dict(list(COLUMNS.items())[:count])
  drawn = slices(columns, [True, False, False, False][:count], [3.0, 1.0, 2.0],
                 score='fd')
  assert drawn.shape[:2] == ((330, 440) if count == 1 else (660, 1200))
  assert ink(drawn) > 0.003


def test_two_keys_and_the_importances():
  two = {key: COLUMNS[key] for key in ('rate', ':loss')}
  worst, best = (pair(two, [True, False], [3.0, 1.0, 2.0], low=low, score='fd')
                 for low in (True, False))
  assert (worst != best).any()
  assert ink(importances({'a': (0.8, 0.5, 0.9), 'b': (0.2, 0.1, 0.5)})) > 0.01


def test_the_correlations():
  assert ink(foresight([(10, 1.0, 3), (20, -0.5, 12)], first=15)) > 0.01
