"""Curves and scatter plots: colours where they belong, and no failure."""

import subprocess
import sys

import numpy as np
import pytest
from tiny import decoded

from gan_jax import pictures


def _picture(scalars, levels=()):
  picture = decoded(pictures.curves(scalars, levels=dict(levels), title='run'))
  return np.asarray(picture.convert('RGB')).astype(int)


def _count(picture, colour, near=12):
  """Pixels of about this colour; the edges of thin lines are paler."""
  wanted = [int(colour[i:i + 2], 16) for i in (0, 2, 4)]
  return (np.abs(picture - wanted).max(-1) < near).sum()


BLUE, VERMILLION, GREEN, PINK, RED = ('0072B2', 'D55E00', '009E73', 'CC79A7',
                                      'CC0000')


def test_curves_draws_the_panels_that_have_data():
  losses = [{'step': s, 'loss/disc': 1.0 + s % 3, 'loss/gen': 0.5}
            for s in range(30)]
  one = _picture(losses)
  assert _count(one, BLUE) > 500 and _count(one, VERMILLION) > 300
  assert _count(one, GREEN) == _count(one, PINK) == 0
  more = _picture([row | {'prob/real': 0.7, 'prob/fake': 0.2}
                   for row in losses])
  assert _count(more, GREEN) > 300 and _count(more, PINK) > 300
  assert more.shape[1] > 1.5 * one.shape[1]  # a second panel beside the first


def test_singular_values_have_a_panel_for_both_players():
  picture = _picture([{'step': s, 'sigma/disc': 2.0, 'sigma/gen': 9.0}
                      for s in range(30)])
  assert _count(picture, BLUE) > 300 and _count(picture, VERMILLION) > 300


def test_curves_draws_levels_only_where_the_key_is_drawn():
  rows = [{'step': s, 'loss/disc': 1.0 + s} for s in range(30)]
  plain = _count(_picture(rows), BLUE, near=100)
  got = _count(_picture(rows, {'loss/disc': 20.0}), BLUE, near=100)
  assert got > plain + 200  # more than half of a line through the panel
  other = _picture(rows, {'loss/gen': 20.0})
  assert _count(other, BLUE, near=100) == plain


def test_a_floor_is_a_line_in_the_panel_of_its_score():
  scores = [{'step': i, 'eval/fd_x': 9.0 - i} for i in range(3)]
  alone = _picture(scores)
  both = _picture([row | {'eval/fd_x_floor': 1.0} for row in scores])
  assert both.shape == alone.shape
  dark = [(picture < 0x80).all(-1).sum(1).max() for picture in (alone, both)]
  assert dark[0] < 100 < 200 < dark[1]  # pixels of a row: text, a dashed line
  # Without the score there is nothing to compare it with, but it is shown.
  floor = _picture([{'step': 1, 'eval/fd_x_floor': 1.0}])
  assert _count(floor, BLUE) > 0


def test_curves_marks_values_that_are_not_finite():
  rows = [{'step': s, 'loss/gen': None if s > 6 else 1.0} for s in range(10)]
  assert _count(_picture(rows), RED) > 20
  assert _count(_picture(rows[:6]), RED) == 0


@pytest.mark.parametrize('scalars', [
    [], [{'step': 0}], [{'step': 5, 'loss/disc': 1.0}],
    [{'step': 5, 'loss/disc': None, 'eval/fid': None, 'grad_norm/gen': 0.0}],
    [{'step': 1, 'eval/fd_10k_test': 12.0}, {'step': 2, 'fid_10k_train': 3.0}],
    [{'step': s, 'loss/disc': 1e30 if s == 7 else 0.0, 'penalty/r1': 0.0,
      'grad_norm/disc': 10.0 ** (s % 5 - 2)} for s in range(2000)],
])
def test_curves_never_fails(scalars):
  assert _picture(scalars, {'loss/disc': 0.0, 'loss/gen': 0.0}).min() < 100


def test_curves_show_a_long_run_in_the_time_of_a_short_one():
  rng = np.random.RandomState(0)
  rows = [{'step': s, 'loss/disc': float(v)}
          for s, v in enumerate(rng.randn(20_000))]
  picture = _picture(rows)
  # The smoothed line is strong and, being a mean, within a narrow band.
  strong = np.abs(picture - [0x00, 0x72, 0xB2]).max(-1) < 12
  assert strong.any(1).sum() < 0.2 * picture.shape[0]


def test_nothing_global_is_touched():
  code = ('import sys; from gan_jax import media; '
          'pictures.curves([], levels={}, title=""); '
          'assert "matplotlib.pyplot" not in sys.modules')
  subprocess.run([sys.executable, '-c', code], check=True)


def _where(picture, colour):
  """(left, right, top, bottom) of the pixels nearest to a colour, or None."""
  near = np.abs(picture.astype(int) - colour).max(-1) < 40
  near[:80, 400:] = False  # the legend
  if not near.any():
    return None
  rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
  return columns[0], columns[-1], rows[0], rows[-1]


VERMILION = [0xD5, 0x5E, 0x00]


def test_scatter_puts_points_where_they_belong():
  corners = np.float32([[-1, -1], [1, 1]])
  got = pictures.scatter(np.float32([[0.5, 0.5]] * 9), real=corners)
  assert got.shape == (600, 600, 3) and got.dtype == np.uint8
  left, right, top, bottom = _where(got, VERMILION)
  # The axes span 1.25 times the real points, in 88 % of the picture from 9 %
  # of its width and 6 % of its height: 0.5 is 1.75 / 2.5 of the way.
  assert abs((left + right) / 2 - 600 * (0.09 + 0.88 * 0.7)) < 2
  assert abs((top + bottom) / 2 - 600 * (1 - 0.06 - 0.88 * 0.7)) < 2
  assert right - left < 8


def test_the_axes_of_scatter_depend_on_the_real_points_only():
  real = np.random.default_rng(0).normal(size=(50, 2))
  frames = [pictures.scatter(np.full((3, 2), x), real=real) for x in (0.0, 0.1)]
  changed = np.abs(frames[0].astype(int) - frames[1]).max(-1) > 0
  rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
  assert np.ptp(rows) < 60 and np.ptp(columns) < 60  # only the dots moved


@pytest.mark.parametrize('points', [
    np.full((9, 2), 99.0), np.full((9, 2), np.nan), np.full((9, 2), -np.inf),
    np.zeros((9, 1)), np.zeros((9, 7), np.float32)])
def test_scatter_never_fails(points):
  got = pictures.scatter(points, real=np.eye(points.shape[1]), side=300,
                      labels=np.arange(len(points)) * 30, title='$x$')
  assert got.shape == (300, 300, 3)
  alone = pictures.scatter(points, side=100)
  assert alone.shape == (100, 100, 3)
  inside = np.isfinite(points).all() and np.abs(points).max() < 9
  # Real ones far enough apart not to lie under the points.
  real = np.pad([[-1.0], [1.0]], ((0, 0), (0, 1)))
  assert (_where(pictures.scatter(points, real=real), VERMILION)
          is not None) == inside


@pytest.mark.parametrize('shape', [(2,), (0, 2), (3, 0), (1, 2, 3)])
def test_scatter_refuses(shape):
  with pytest.raises(ValueError, match='scatter takes vectors'):
    pictures.scatter(np.zeros(shape))
