"""Vectors as points in the plane of their first two coordinates."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_REAL, _FAKE, _INK, _FAINT = '#56B4E9', '#D55E00', '#333333', '#999999'
_DPI = 100
_MARGIN = 1.25  # of the real points' range, so that what misses is seen


def scatter(points, *, real=None, labels=None, side=600, title=''):
  """Draws points as dots, over fainter dots for the real ones.

  The axes depend on `real` alone, so that the frames of a film do not jump;
  without it, on the points.  What lies outside of them is counted in a corner.

  Args:
    points: float [N, D]; the first two coordinates are shown, NaN and Inf are
      not.  For D = 1, the other coordinate is 0.
    real: float [M, D], or None.
    labels: int [N], a colour each, or None for one colour.
    side: width and height of the picture in pixels, 100 or more.
    title: the line above.

  Returns:
    uint8 [side, side, 3].

  Raises:
    ValueError: points or real are not [N, D] with N and D of 1 or more.
  """
  points = _plane(points, 'points')
  real = None if real is None else _plane(real, 'real')
  low, high = _limits(points if real is None else real)
  size = side / _DPI
  figure = Figure(figsize=(size, size), dpi=_DPI)
  axes = figure.add_axes((0.09, 0.06, 0.88, 0.88))
  axes.set_aspect('equal')
  axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
  if real is not None:
    axes.scatter(*real.T, s=16, color=_REAL, alpha=0.35, linewidths=0,
                 label='real')
  colour = (dict(color=_FAKE) if labels is None
            else dict(c=_colours(np.asarray(labels))))
  axes.scatter(*points.T, s=5, alpha=0.7, linewidths=0, label='generated',
               **colour)
  outside = ~((points >= low) & (points <= high)).all(1)  # NaN too
  if outside.any():
    axes.text(0.99, 0.01, f'{outside.sum():,} of {len(points):,} outside',
              transform=axes.transAxes, ha='right', fontsize=8, color=_INK)
  axes.set_title(title, loc='left', fontsize=10, color=_INK, parse_math=False)
  axes.tick_params(labelsize=8, color=_FAINT, labelcolor=_INK)
  for spine in axes.spines.values():
    spine.set_color(_FAINT)
  if real is not None:
    axes.legend(loc='upper right', fontsize=8, markerscale=2, framealpha=0.8,
                edgecolor='none', labelcolor=_INK)
  return pixels(figure)


def pixels(figure):
  """A matplotlib figure as uint8 [H, W, 3]."""
  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  return np.array(canvas.buffer_rgba())[..., :3]


def _plane(points, name):
  points = np.asarray(points, np.float64)
  if points.ndim != 2 or 0 in points.shape:
    raise ValueError(f'{name} of shape {list(points.shape)}: scatter takes '
                     'vectors [N, D], each 1 or more')
  if points.shape[1] == 1:
    points = np.pad(points, ((0, 0), (0, 1)))
  return points[:, :2]


def _limits(points):
  """(low [2], high [2]) of a square that holds all finite points."""
  points = points[np.isfinite(points).all(1)]
  if not len(points):
    points = np.zeros((1, 2))
  low, high = points.min(0), points.max(0)
  half = _MARGIN * (high - low).max() / 2 or 1.0
  return (low + high) / 2 - half, (low + high) / 2 + half


def _colours(labels):
  """A colour for each label: twenty that differ, or around a circle."""
  count = int(labels.max()) + 1
  if count <= 20:
    # Its colours come in pairs, strong and pale: the strong ones first.
    return matplotlib.colormaps['tab20'](labels % 10 * 2 + labels // 10)
  return matplotlib.colormaps['hsv'](labels / count)
