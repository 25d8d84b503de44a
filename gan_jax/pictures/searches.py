"""Plots of a hyper-parameter search, uint8 [H, W, 3]."""

from collections.abc import Mapping, Sequence

import numpy as np

from gan_jax.pictures import plots
from gan_jax.pictures.plots import COLOURS, FAINT, INK, dress, figure, pixels

_BLUE, _RED = COLOURS[:2]
_COLUMNS = 3


def history(numbers, values, aside: Mapping[str, Sequence[int]], *, low: bool,
            score: str):
  """Scores of trials in their order, and the best so far.

  Args:
    numbers: [N] of trials with a score.
    values: [N] their scores.
    aside: {what became of them: numbers} of the others, marked below.
    low: whether low scores are good.
    score: name of the axis.
  """
  drawn = figure(900, 420)
  axes = drawn.add_subplot(yscale=plots.scale(values))
  best = (np.minimum if low else np.maximum).accumulate(values)
  axes.scatter(numbers, values, s=28, color=_BLUE, label='a trial')
  axes.step(numbers, best, where='post', color=_RED, label='the best so far')
  for (name, found), marker in zip(aside.items(), 'x|+', strict=False):
    axes.plot(found, np.full(len(found), 0.02), marker, color=INK, label=name,
              transform=axes.get_xaxis_transform(), linestyle='none')
  dress(axes, grid='y', xlabel='trial', ylabel=score)
  # Above, where no trial is.
  plots.legend(axes, size=12, loc='lower right', bbox_to_anchor=(1, 1), ncols=5,
               frameon=False)
  return pixels(drawn)


def importances(found: Mapping[str, Sequence[float]]):
  """Bars of {key: (value, low, high)}, the largest first."""
  drawn = figure(900, 90 + 44 * len(found))
  axes = drawn.add_subplot()
  names, places = list(found), np.arange(len(found))
  value, low, high = np.array(list(found.values())).T
  axes.barh(places, value, height=0.6, color=_BLUE)
  axes.hlines(places, low, high, color=INK)
  axes.set_yticks(places, names, parse_math=False)
  axes.invert_yaxis()
  dress(axes, grid='x', xlim=(0, 1), xlabel='share of the variance; lines: '
        '80 % of resampled trials')
  return pixels(drawn)


def slices(columns: Mapping[str, Sequence], logs: Sequence[bool], values, *,
           score: str):
  """The score by each key alone; later trials are darker.

  Args:
    columns: {key: [N] numbers, or texts of a choice}.
    logs: whether the axis of a key is logarithmic.
    values: [N].
    score: name of the axes.
  """
  across = min(_COLUMNS, len(columns))
  rows = -(-len(columns) // across)
  drawn = figure(60 + 380 * across, 330 * rows)
  order = np.linspace(0.25, 1, len(values))
  for index, (key, column) in enumerate(columns.items()):
    axes = drawn.add_subplot(rows, across, index + 1,
                             yscale=plots.scale(values))
    _place(axes.xaxis, column, logs[index])
    axes.scatter(_coordinates(column), values, c=order, cmap='Blues', vmin=0,
                 vmax=1, s=26, edgecolors='none')
    dress(axes, grid='y', xlabel=key, size=12,
          ylabel=score if index % across == 0 else '')
    axes.xaxis.label.set_parse_math(False)
  return pixels(drawn)


def pair(columns: Mapping[str, Sequence], logs: Sequence[bool], values, *,
         low: bool, score: str):
  """Trials by two keys, dark ones good; see `slices`.

  No contour: between so few, so noisy points it would be invented.
  """
  drawn = figure(720, 520)
  axes = drawn.add_subplot()
  (one, x), (two, y) = columns.items()
  _place(axes.xaxis, x, logs[0])
  _place(axes.yaxis, y, logs[1])
  # By rank: one bad trial would make all others look alike.
  ranks = np.argsort(np.argsort(np.asarray(values) * (-1 if low else 1)))
  dots = axes.scatter(_coordinates(x), _coordinates(y), s=70, c=ranks,
                      cmap='Blues', vmin=-0.25 * len(values),
                      edgecolors=FAINT, linewidths=0.5)
  bar = drawn.colorbar(dots, ticks=[])
  bar.set_label(f'{score}, from the worst to the best', fontsize=13, color=INK,
                parse_math=False)
  dress(axes, grid='both', xlabel=one, ylabel=two)
  return pixels(drawn)


def foresight(found, *, first: float):
  """Rank correlation of early and last scores, with 95 % intervals.

  Args:
    found: (step, correlation, number of trials), see `studies.search.pruning`.
    first: step before which nothing is stopped.
  """
  steps, rho, count = np.array(found).T
  # Fisher's z; 1.03 for ranks (Fieller et al. 1957).
  z = np.arctanh(np.clip(rho, -0.999, 0.999))
  half = 1.96 * np.sqrt(1.06 / np.maximum(count - 3, 0.5))
  drawn = figure(900, 360)
  axes = drawn.add_subplot()
  axes.axvspan(0, first, color=FAINT, alpha=0.15, linewidth=0)
  axes.vlines(steps, np.tanh(z - half), np.tanh(z + half), color=_BLUE,
              alpha=0.5)
  axes.plot(steps, rho, 'o-', color=_BLUE)
  dress(axes, grid='y', xlabel='step; nothing is stopped in the grey part',
        ylabel='rank correlation', ylim=(-1.05, 1.05), xlim=(0, None))
  return pixels(drawn)


def _place(axis, column, log):
  """Scale and ticks of an axis of numbers, or of the texts of a choice."""
  if log:
    from matplotlib import ticker
    getattr(axis.axes, f'set_{axis.axis_name}scale')('log')
    decades = np.ptp(np.log10(column))
    # Few round numbers.
    axis.set_major_locator(ticker.LogLocator(
        subs=(1,) if decades > 3 else (1, 3) if decades > 1 else (1, 2, 5),
        numticks=20))
    plots.written_out(axis)
  elif isinstance(column[0], str):
    names = sorted(set(column))
    axis.set_ticks(range(len(names)), names, parse_math=False)


def _coordinates(column):
  if not isinstance(column[0], str):
    return column
  return np.unique(column, return_inverse=True)[1]
