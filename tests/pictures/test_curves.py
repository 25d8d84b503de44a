"""Curves: colours where they belong, words and ticks, and no failure."""

import re
import subprocess
import sys

import numpy as np
import pytest
from tiny import decoded

from gan_jax import pictures
from gan_jax.pictures import plots


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
  left, right = np.split(one, 2, axis=1)
  # One panel is as wide as two would be: no place stays empty.
  assert min(_count(left, BLUE), _count(right, BLUE)) > 500
  assert _count(one, VERMILLION) > 300
  assert _count(one, GREEN) == _count(one, PINK) == 0
  more = _picture([row | {'prob/real': 0.7, 'prob/fake': 0.2}
                   for row in losses])
  assert more.shape == one.shape
  left, right = np.split(more, 2, axis=1)
  assert _count(left, BLUE) > 500 > 0 == _count(right, BLUE)
  assert _count(right, GREEN) > 300 and _count(right, PINK) > 300


@pytest.fixture
def drawn(monkeypatch):
  """The axes that Matplotlib has drawn, instead of a PNG."""
  def axes_of(scalars):
    found, pixels = [], plots.pixels
    monkeypatch.setattr(plots, 'pixels', lambda figure: (
        found.extend(figure.axes), pixels(figure))[1])
    pictures.curves(scalars, levels={}, title='run')
    return found

  return axes_of


EVERYTHING = [
    'loss/disc', 'prob/real', 'logits/real', 'sign/real', 'auc',
    'grad_norm/gen', 'update_ratio/gen', 'grad_x/real', 'sigma/disc',
    'pairwise/fake', 'saturation/fake', 'penalty/r1', 'eval/fd_2k',
    'eval/modes_2500']


@pytest.mark.parametrize('count', [3, 14])
def test_no_place_is_empty_and_each_panel_says_what_is_good(drawn, count):
  found = drawn([{'step': s} | dict.fromkeys(EVERYTHING[:count], 0.5 + s / 100)
                 for s in range(30)])
  assert len(found) == count
  boxes = [axes.get_position() for axes in found]
  # The widths of the panels fill rows of two.
  assert sum(1 + (box.width > 0.6) for box in boxes) % 2 == 0
  for axes in found:
    words = [text.get_text() for text in axes.texts]
    assert any(word.startswith('good: ') or ' is better' in word
               for word in words), axes.get_title(loc='left')
  if count == 14:
    assert 'lower is better; last 0.79, lowest 0.5 at 0' in [
        text.get_text() for text in found[-2].texts]


@pytest.mark.parametrize('low, high', [
    (0.6, 1.9), (6.0, 7.0), (0.0003, 0.002), (0.4, 30.0), (1e-6, 1e3)])
def test_logarithmic_axes_have_ticks_that_are_written_out(drawn, low, high):
  axes, = drawn([{'step': s, 'grad_norm/disc': value}
                 for s, value in enumerate(np.geomspace(low, high, 10))])
  bottom, top = axes.get_ylim()
  labels = [text.get_text() for value, text in zip(
      axes.get_yticks(), axes.get_yticklabels(), strict=True)
      if bottom <= value <= top]
  assert len(labels) >= 2
  assert all(re.fullmatch(r'[0-9.]+(e[-+]\d+)?', label) for label in labels)
  assert not any(text.get_text() for text in axes.get_yticklabels(minor=True))


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
  assert dark[0] < 200 < 400 < dark[1]  # pixels of a row: text, a dashed line
  # Without the score there is nothing to compare it with, but it is shown.
  floor = _picture([{'step': 1, 'eval/fd_x_floor': 1.0}])
  assert _count(floor, BLUE) > 0


def test_curves_marks_values_that_are_not_finite():
  rows = [{'step': s, 'loss/gen': None if s > 6 else 1.0} for s in range(10)]
  assert _count(_picture(rows), RED) > 20
  assert _count(_picture(rows[:6]), RED) == 0


def test_a_score_that_could_not_be_computed_has_no_panel():
  rows = [{'step': s, 'eval/fd_x': 9.0 - s} for s in range(3)]
  never = [row | {'eval/kd_x': None} for row in rows]
  np.testing.assert_array_equal(_picture(never), _picture(rows))
  once = [*rows, {'step': 3, 'eval/fd_x': None}]
  assert _count(_picture(once), RED) > 5


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
  code = ('import sys; from gan_jax import pictures; '
          'pictures.curves([], levels={}, title=""); '
          'assert "matplotlib.pyplot" not in sys.modules')
  subprocess.run([sys.executable, '-c', code], check=True)
