"""Plots of points, features, spectra and data sets, uint8 [H', W', 3]."""

import warnings

import numpy as np

# Okabe & Ito's colours, which colour-blind readers can tell apart.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
INK, FAINT, _PALE = '#333333', '#999999', '#E6E6E6'
_REAL, _FAKE, _, _, _, _SKY = COLOURS
_CHANNELS = (('R', '#D32F2F'), ('G', '#2E8B57'), ('B', '#1F5FBF'), ('A', FAINT))
_FONT = 14  # points at 100 dpi; a plot 720 pixels wide is read on a phone too
_MARGIN = 1.25  # of the real points' range, to show outliers
_DARKEST = 1e-9  # power below this is rounding, or an image of one colour
_BARS = 40  # that can be told apart and named


def figure(width, height, layout='constrained'):
  """An empty `Figure` of a size in pixels, without pyplot's global state."""
  from matplotlib.figure import Figure
  return Figure((width / 100, height / 100), dpi=100, layout=layout)


def dress(axes, *, title='', pad=None, size=_FONT, grid='', **texts):
  """Sets title, labels, limits and style of axes."""
  axes.set(**texts)
  axes.set_title(title, loc='left', fontsize=size + 1, color=INK, pad=pad,
                 parse_math=False)
  for text in (axes.xaxis.label, axes.yaxis.label):
    text.set(fontsize=size, color=INK)
  axes.tick_params(which='both', labelsize=size - 1, color=FAINT,
                   labelcolor=INK)
  axes.spines[['top', 'right']].set_visible(False)
  axes.spines[:].set_color(FAINT)
  axes.set_axisbelow(True)
  if grid:
    axes.grid(True, axis=grid, color=_PALE, linewidth=0.7)
  if axes.get_yscale() == 'log':
    from matplotlib import ticker
    # Round numbers.
    (low, high), y = axes.get_ylim(), axes.yaxis
    if high / low < 10:
      y.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
      y.set_minor_locator(ticker.NullLocator())
    elif high / low < 200:
      y.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    written_out(y)


def written_out(axis):
  """Numbers of a logarithmic axis as 0.0003, not 3 x 10^-4."""
  from matplotlib import ticker
  axis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f'{v:g}'))
  axis.set_minor_formatter(ticker.NullFormatter())


def legend(axes, *, size=_FONT, **how):
  """Adds a legend."""
  axes.legend(**{'loc': 'upper right', 'fontsize': size, 'framealpha': 0.85,
                 'edgecolor': 'none', 'labelcolor': INK, **how})


def scale(values) -> str:
  """Of an axis: 'log' of positive values that span more than a decade."""
  return 'log' if min(values) > 0 and max(values) > 10 * min(values) else (
      'linear')


def shortened(text: str, most: int) -> str:
  """A text of at most so many letters."""
  return text if len(text) <= most else text[:most - 3] + '...'


def pixels(drawn) -> np.ndarray:
  """A `figure` as uint8 [H, W, 3]."""
  from matplotlib.backends.backend_agg import FigureCanvasAgg

  canvas = FigureCanvasAgg(drawn)
  with warnings.catch_warnings():
    # Names of classes may be in any script; the font does not have all.
    warnings.filterwarnings('ignore', 'Glyph .* missing')
    canvas.draw()
  return np.array(canvas.buffer_rgba())[..., :3]


def scatter(points, *, real=None, labels=None, side=600, title=''):
  """Scatter plot of the first two coordinates, over paler real ones.

  The axes depend on `real` alone, so that frames of an animation do not jump;
  or on the points without it. Points outside are counted in a corner.

  Args:
    points: float [N, D]; of D = 1 the other coordinate is 0.
    real: float [M, D], or None.
    labels: int [N], a colour each, or None for one colour.
    side: width and height of the picture in pixels, 100 or more.
    title: the line above.

  Raises:
    ValueError: points or real are not [N, D] with N and D of 1 or more.
  """
  points = _in_a_plane(points, 'points')
  real = None if real is None else _in_a_plane(real, 'real')
  shown = points if real is None else real
  shown = shown[np.isfinite(shown).all(1)]
  low, high = (shown.min(0), shown.max(0)) if len(shown) else np.zeros((2, 2))
  middle, half = (low + high) / 2, _MARGIN * (high - low).max() / 2 or 1.0
  low, high = middle - half, middle + half
  drawn, size = figure(side, side, 'none'), 0.02 * side
  axes = drawn.add_axes((0.09, 0.06, 0.88, 0.88), aspect='equal')
  dress(axes, title=title, size=size, xlim=(low[0], high[0]),
        ylim=(low[1], high[1]))
  axes.spines[:].set_visible(True)
  if real is not None:
    axes.scatter(*real.T, s=16, color=_SKY, alpha=0.35, linewidths=0,
                 label='real')
  colours = {'color': _FAKE}
  if labels is not None:
    count = max(labels) + 1
    name, last = next((pair for pair in (('tab10', 9), ('tab20', 19))
                       if count <= pair[1] + 1), ('hsv', count))
    colours = {'c': labels, 'cmap': name, 'vmin': 0, 'vmax': last}
  axes.scatter(*points.T, s=5, alpha=0.7, linewidths=0, label='generated',
               **colours)
  outside = ~((points >= low) & (points <= high)).all(1)  # NaN too
  if outside.any():
    axes.text(0.99, 0.01, f'{outside.sum():,} of {len(points):,} outside',
              transform=axes.transAxes, ha='right', fontsize=size, color=INK)
  if real is not None:
    legend(axes, size=size, markerscale=2)
  return pixels(drawn)


def _in_a_plane(points, name):
  points = np.asarray(points, np.float64)
  if points.ndim != 2 or 0 in points.shape:
    raise ValueError(f'{name} of shape {list(points.shape)}: scatter takes '
                     'vectors [N, D], each 1 or more')
  return np.pad(points, ((0, 0), (0, 1)))[:, :2]


def principal_axes(real) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The PCA plane of real features [N, F], by singular values.

  The largest entry of an axis is positive.

  Returns:
    (mean [F], axes [2, F], share [2] of the variance), float64; zeros for axes
    that N or F of 1 does not have.
  """
  real = np.asarray(real, np.float64)
  mean = real.mean(0)
  _, scale, axes = np.linalg.svd(real - mean, full_matrices=False)
  share = scale ** 2 / ((scale ** 2).sum() or 1.0)
  sign = np.sign(np.take_along_axis(
      axes, np.abs(axes).argmax(1)[:, None], axis=1))
  missing = max(0, 2 - len(axes))
  return (mean, np.pad((sign * axes)[:2], ((0, missing), (0, 0))),
          np.pad(share[:2], (0, missing)))


def plane(real, fake):
  """PCA plot of finite features [N, F], [M, F], by the real ones' axes."""
  mean, directions, share = principal_axes(real)
  drawn = figure(720, 660)
  axes = drawn.add_subplot()
  for points, name, colour in ((real, 'real', _REAL),
                               (fake, 'generated', _FAKE)):
    points = (np.asarray(points, np.float64) - mean) @ directions.T
    points = points[np.isfinite(points).all(1)]
    axes.scatter(*points.T, s=9, color=colour, alpha=0.4, linewidths=0,
                 label=name)
  axes.set_aspect('equal', adjustable='datalim')
  dress(axes, xlabel=f'first principal axis: {share[0]:.1%} of the variance',
        ylabel=f'second: {share[1]:.1%}')
  legend(axes, markerscale=2.5)
  return pixels(drawn)


def spectrum(frequency, real, fake):
  """Power [N, R], [M, R] by frequency [R], cycles per pixel: median, 80 %."""
  drawn = figure(720, 500)
  axes = drawn.add_subplot(yscale='log')
  low, middle, high = np.quantile(np.maximum(real, _DARKEST), (0.1, 0.5, 0.9),
                                  axis=0)
  generated = np.median(np.maximum(fake, _DARKEST), axis=0)
  axes.fill_between(frequency, low, high, color=_REAL, alpha=0.2, linewidth=0,
                    label='80 % of the real images')
  for power, colour, name in ((middle, _REAL, 'real, median'),
                              (generated, _FAKE, 'generated, median')):
    axes.plot(frequency, power, color=colour, label=name, markersize=3,
              marker='o' if len(frequency) < 30 else '')
  axes.axvline(0.5, color=FAINT, linewidth=1.0, linestyle=(0, (4, 3)))
  axes.text(0.51, 0.02, 'diagonals only', fontsize=_FONT - 2, color=FAINT,
            transform=axes.get_xaxis_transform())
  dress(axes, grid='both', xlim=(0, 0.73), ylabel='power',
        xlabel='frequency, cycles per pixel')
  legend(axes)
  return pixels(drawn)


def pareto(costs, scores, front, *, cost, score, low, floor=None):
  """Scores [N] by their costs [N], those of the Pareto front as a staircase.

  Args:
    costs: 0 or more.
    scores: of the same points.
    front: bool [N].
    cost: label of the axis of costs.
    score: label of the axis of scores.
    low: whether a low score is better.
    floor: the score of real examples, or None.
  """
  costs, scores, front = map(np.asarray, (costs, scores, front))
  drawn = figure(720, 440)
  axes = drawn.add_subplot(xscale=scale(costs), yscale=scale(scores))
  axes.scatter(costs, scores, s=14, color=_REAL, alpha=0.35, linewidths=0,
               label='configuration')
  best = np.flatnonzero(front)[np.lexsort((
      scores[front] * (-1 if low else 1), costs[front]))]
  axes.step(costs[best], scores[best], where='post', color=_FAKE, marker='o',
            markersize=6, linewidth=1.3, label='none is better in both')
  if floor is not None:
    axes.axhline(floor, color=FAINT, linewidth=1.0, linestyle=(0, (4, 3)),
                 label='real examples')
  dress(axes, grid='both', xlabel=cost,
        ylabel=f'{score}, {"lower" if low else "higher"} is better', size=12)
  legend(axes, size=11, loc='lower right', ncols=3, frameon=False,
         bbox_to_anchor=(1.0, 1.0))
  return pixels(drawn)


def statistics(*, classes, sizes, histograms, edges, per, title,
               not_all=False):
  """Classes {name: count}, sizes {'64x48': count} and values, side by side.

  Sizes are width x height. `histograms` [C, bins] are counts of the values per
  'channel' or 'coordinate', `edges` [bins + 1]. Panels without data are
  left out. `not_all`: there may be more sizes, none of them as frequent.
  """
  panels = [panel for panel in (
      (classes, 'class', 'classes', '', COLOURS[0], False),
      (sizes, 'size', 'sizes', 'width x height', COLOURS[2], not_all))
            if panel[0]]
  drawn = figure(60 + 460 * (len(panels) + 1), 460)
  drawn.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
  drawn.suptitle(title, x=0.012, ha='left', fontsize=12, fontweight='bold',
                 color=INK, parse_math=False)
  *places, last = drawn.subplots(1, len(panels) + 1, squeeze=False)[0]
  for axes, panel in zip(places, panels, strict=True):
    _bars(axes, *panel)
  named = edges[0] == -0.5 and len(histograms) in (1, 3, 4)
  for i, counts in enumerate(histograms):
    name, colour = (str(i), COLOURS[i % 6]) if not named else (
        _CHANNELS[i] if len(histograms) > 1 else ('grey', INK))
    last.stairs(counts / max(1, counts.sum()), edges, color=colour, label=name,
                linewidth=1.3, fill=len(histograms) == 1, alpha=0.9)
  # The outermost bins, saturated pixels, must not lie on the frame.
  margin = 0.02 * (edges[-1] - edges[0])
  dress(last, size=9, grid='y', yscale='log',
        title='share of values' + ('' if named else f' per {per}'),
        xlim=(edges[0] - margin, edges[-1] + margin))
  if len(histograms) > 1:
    legend(last, size=8, ncols=len(histograms), loc='lower right',
           bbox_to_anchor=(1.01, 0.995), frameon=False, handlelength=1.0,
           columnspacing=1.0, borderpad=0.0)
  return pixels(drawn)


def _bars(axes, counted, one, many, label, colour, not_all):
  from matplotlib import ticker

  least, most = min(counted.values()), max(counted.values())
  title = (f'{len(counted):,} {one if len(counted) == 1 else many}, '
           + f'{least:,} to ' * (least < most) + f'{most:,} each')
  if not_all:
    title = f'{len(counted):,} or more {many}, up to {most:,} each'
  if len(counted) > _BARS:  # Too many to name all.
    counted = dict(sorted(counted.items(), key=lambda item: -item[1]))
    most_, fewest = (dict(list(counted.items())[part])
                     for part in (slice(20), slice(-20, None)))
    counted = most_ | {f'... {len(counted) - _BARS:,} more ...': 0} | fewest
  place, font = range(len(counted)), 8 if len(counted) <= 24 else 5.5
  bars = axes.barh(place, list(counted.values()), color=colour, height=0.75)
  axes.bar_label(bars, [  # None at the bar that stands for those left out.
      '' if name.startswith('... ') else f' {count:,}'
      for name, count in counted.items()], fontsize=font, color=INK)
  dress(axes, size=9, grid='x', title=title, ylabel=label,
        xlim=(0, 1.2 * most or 1), ylim=(max(len(counted), 10) - 0.4, -0.6))
  axes.set_yticks(
      place, [shortened(name, 24) for name in counted], fontsize=font,
      parse_math=False)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(4, integer=True))
  axes.xaxis.set_major_formatter(ticker.StrMethodFormatter('{x:,.0f}'))


def forest(panels, *, width: int = 900) -> np.ndarray:
  """Intervals beside each other, a panel for each group, uint8 [H', W', 3].

  Args:
    panels: of (title, text of the axis, rows, whether the axis is a factor),
      with rows (name, mean, low, high, colour). Of a factor the numbers are
      logarithms, and the axis has their exponentials, around 1; else around 0.
    width: in pixels.
  """
  from matplotlib import ticker
  heights = [1.3 + len(rows) for _, _, rows, _ in panels]
  drawn = figure(width, 34 * sum(heights) + 20 * len(panels))
  parts = drawn.subplots(len(panels), 1, squeeze=False,
                         gridspec_kw={'height_ratios': heights})[:, 0]
  for axes, (title, text, rows, factor) in zip(parts, panels, strict=True):
    numbers = np.array([row[1:4] for row in rows], float)
    numbers = np.exp(numbers) if factor else numbers
    for i, ((*_, colour), (mean, low, high)) in enumerate(zip(
        rows, numbers, strict=True)):
      axes.plot([low, high], [-i, -i], color=colour, linewidth=2.5)
      axes.plot(mean, -i, 'o', color=colour, markersize=8)
    axes.axvline(1.0 if factor else 0.0, color=INK, linewidth=1)
    if factor:
      axes.set_xscale('log')
      axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      written_out(axes.xaxis)
      if numbers.max() / numbers.min() < 3:
        axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.set_yticks([-i for i in range(len(rows))], [row[0] for row in rows])
    dress(axes, title=title, xlabel=text, grid='x', size=12,
          ylim=(-len(rows) + 0.4, 0.6))
    axes.spines['left'].set_visible(False)
  return pixels(drawn)
