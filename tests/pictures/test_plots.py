"""Plots: what is where by colour, and no failure."""

import numpy as np
import pytest

from gan_jax import pictures
from gan_jax.metrics.images import power_spectrum
from gan_jax.pictures import plots
from gan_jax.pictures.plots import principal_axes

RNG = np.random.default_rng(0)
VERMILION = [0xD5, 0x5E, 0x00]


def _where(picture, colour):
  """(left, right, top, bottom) of the pixels nearest to a colour, or None."""
  near = np.abs(picture.astype(int) - colour).max(-1) < 40
  near[:80, 400:] = False  # the legend
  if not near.any():
    return None
  rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
  return columns[0], columns[-1], rows[0], rows[-1]


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


def test_principal_axes_are_the_eigenvectors_of_the_covariance():
  real = RNG.normal(size=(200, 5)) @ RNG.normal(size=(5, 5)) + 3.0
  mean, axes, share = principal_axes(real)
  values, vectors = np.linalg.eigh(np.cov(real.T))
  np.testing.assert_allclose(mean, real.mean(0))
  np.testing.assert_allclose(share, values[::-1][:2] / values.sum())
  np.testing.assert_allclose(np.abs(axes @ vectors[:, ::-1][:, :2]),
                             np.eye(2), atol=1e-8)
  # The sign is a convention, not an accident.
  assert (axes[np.arange(2), np.abs(axes).argmax(1)] > 0).all()


def test_a_line_has_all_of_its_variance_on_one_axis():
  real = np.outer(np.arange(5.0), [0.6, -0.8])
  _, axes, share = principal_axes(real)
  np.testing.assert_allclose(axes[0], [-0.6, 0.8], atol=1e-12)
  np.testing.assert_allclose(share, [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize('shape', [(1, 3), (4, 1), (1, 1)])
def test_what_has_no_plane(shape):
  _, axes, share = principal_axes(np.ones(shape))
  assert axes.shape == (2, shape[1]) and share.tolist() == [0.0, 0.0]


def test_the_plane_shows_both_and_leaves_out_what_is_not_finite():
  real = RNG.normal(size=(300, 4))
  fake = np.concatenate([RNG.normal(size=(50, 4)) + 20, np.full((9, 4),
                                                                np.nan)])
  picture = pictures.plane(real, fake)
  red, _, blue = np.moveaxis(picture.astype(int), 2, 0)
  assert (blue - red > 50).sum() > 1000  # real
  assert (red - blue > 50).sum() > 300  # generated, far away
  np.testing.assert_array_equal(
      picture, pictures.plane(real, fake[:50]))


@pytest.mark.parametrize('shape', [(8, 8, 1), (60, 5, 1), (5, 60, 2),
                                   (1, 9, 1)])
def test_a_spectrum_of_any_shape(shape):
  real = RNG.integers(0, 256, (6, *shape)).astype(np.uint8)
  frequency, power = power_spectrum(real)
  black = power_spectrum(0 * real[:4])[1]
  same = pictures.spectrum(frequency, power, power)
  other = pictures.spectrum(frequency, power, black)
  assert (other != 255).any() and (same != other).any()


def test_statistics_of_any_data_set():
  many = {str(i): i + 1 for i in range(50)}
  for classes, sizes, channels in ((many, many, 3), ({}, {}, 1),
                                   ({'$a$ \u6f22': 0, 'b': 3}, {'8x8': 3}, 5)):
    # Dollars are no formulas, and a missing letter is no warning.
    got = pictures.statistics(
        classes=classes, sizes=sizes, title='$x$', per='channel',
        histograms=np.ones((channels, 256), int), edges=np.arange(257) - 0.5)
    panels = 1 + bool(classes) + bool(sizes)
    assert got.shape == (460, 60 + 460 * panels, 3)


def test_a_cut_list_of_sizes_does_not_say_that_it_is_whole(monkeypatch):
  titles = []
  monkeypatch.setattr(plots, 'dress', lambda *_, title, **__: titles.append(
      title))
  for not_all in (False, True):
    pictures.statistics(
        classes={}, sizes={'8x8': 19, '9x8': 2}, not_all=not_all, title='x',
        histograms=np.ones((1, 256), int), edges=np.arange(257) - 0.5,
        per='channel')
  assert titles[::2] == ['2 sizes, 2 to 19 each',
                         '2 or more sizes, up to 19 each']


def test_pareto_draws_the_front_as_stairs():
  got = pictures.pareto(
      [1.0, 2.0, 3.0, 2.0], [3.0, 2.0, 1.0, 3.0], [True, True, True, False],
      cost='seconds', score='fd', low=True)
  assert got.shape == (440, 720, 3) and got.dtype == np.uint8
  line = np.abs(got[60:].astype(int) - VERMILION).max(-1) < 40
  rows, columns = np.nonzero(line)
  # Down to the right, and between two points level, then down.
  assert rows[columns.argmin()] < rows[columns.argmax()]
  runs = line.sum(1)
  levels = np.flatnonzero(runs > 0.3 * np.ptp(columns))
  assert len(levels) and np.ptp(rows) > 200
  assert (line[levels[0]].nonzero()[0].min() - columns.min()) < 15


@pytest.mark.parametrize('costs, scores', [
    ([0.0], [0.0]), ([1.0], [-5.0]), ([1.0, 1e6], [1e-6, 1e6]),
    ([2.0, 2.0], [3.0, 3.0])])
@pytest.mark.parametrize('low', [True, False])
def test_pareto_never_fails(costs, scores, low):
  got = pictures.pareto(costs, scores, [True] * len(costs), cost='images',
                        score='$x', low=low, floor=0.0)
  assert got.shape == (440, 720, 3)


def test_a_forest_has_what_is_ahead_to_the_right_of_the_line():
  """Around 0, and of factors around 1: the green is right of it, not orange."""
  drawn = pictures.forest([
      (title, 'ahead', [('a', 0.5, 0.2, 0.8, '#009E73'),
                        ('b', -0.5, -0.8, -0.2, '#D55E00')], factor)
      for title, factor in (('shares', False), ('distances', True))])
  height = len(drawn) // 2

  def columns(panel, colour):
    return np.flatnonzero((panel == colour).all(-1).sum(0))

  for panel in (drawn[:height], drawn[height:]):
    # The line is the column with most dark pixels.
    line = np.argmax((panel == (0x33,) * 3).all(-1).sum(0))
    assert columns(panel, (0x00, 0x9E, 0x73)).min() > line
    assert columns(panel, (0xD5, 0x5E, 0x00)).max() < line
