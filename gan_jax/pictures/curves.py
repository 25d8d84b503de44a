"""Training curves, drawn from the rows of scalars.jsonl."""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.metrics import low_is_better
from gan_jax.pictures import plots
from gan_jax.pictures.images import png

# One colour per part, in every panel.
_COLOURS = dict(zip(('disc', 'gen', 'real', 'fake', 'held_out'), plots.COLOURS,
                    strict=False))
_LABELS = {'prob/real': 'D(x)', 'prob/fake': 'D(G(z))', 'held_out': 'held-out',
           'grad_ratio': 'gen/disc'}
_SMOOTH_FROM = 150  # points; a shorter curve is drawn as it is
_SCORES = ('eval/', 'fid', 'fd', 'kid')  # beginnings of the names of scores


class _Panel(NamedTuple):
  """Curves that share axes, with a note on healthy values."""

  name: str
  keys: tuple
  good: str
  log: bool = False
  score: bool = False


_PANELS = (
    # Only loss/disc and loss/gen have an equilibrium.
    _Panel('loss', ('loss/disc', 'loss/gen'),
           'good: settles; neither runs away from the other'),
    _Panel('P(real)', ('prob/real', 'prob/held_out', 'prob/fake'),
           'good: close to each other; far apart, D wins'),
    _Panel('logits of D', ('logits/real', 'logits/held_out', 'logits/fake'),
           'good: close to each other, and steady'),
    _Panel('mean sign of D', ('sign/real', 'sign/held_out'),
           'good: below 0.6; near 1, D may overfit'),
    _Panel('AUC of D', ('auc',),
           'good: between 0.5 and 0.95; at 1, D makes no mistake'),
    _Panel('gradient norm', ('grad_norm/disc', 'grad_norm/gen', 'grad_ratio'),
           'good: steady; neither gone nor ever growing', log=True),
    _Panel('update / weight', ('update_ratio/disc', 'update_ratio/gen'),
           'good: about 0.001, or falling', log=True),
    _Panel('slope of D, |dD/dx|', ('grad_x/real', 'grad_x/fake'),
           'good: steady; if it only grows, try a penalty', log=True),
    _Panel('largest singular value', ('sigma/disc', 'sigma/gen'),
           'good: levels off', log=True),
    _Panel('distance within a batch', ('pairwise/real', 'pairwise/fake'),
           'good: fake as real; far below, G has collapsed'),
    _Panel('saturated values', ('saturation/real', 'saturation/fake'),
           'good: fake as real'))


def curves(scalars, *, levels, title) -> bytes:
  """Draws losses, D's outputs, gradients, penalties and scores as a PNG.

  There is one panel for each of `_PANELS`, one for penalty/*, and one for each
  score with its floor (eval/*_floor) dashed; those without data are left out. A
  long curve is drawn twice: raw, pale, and smoothed, strong; the axis shows all
  of the smoothed one and 98 % of the raw one. Nulls (NaN and Inf; of scores
  those that could not be computed) are red crosses on the axis.

  Args:
    scalars: list of dicts with 'step', the rows of scalars.jsonl; keys may be
      missing, values may be None.
    levels: {key: value at the equilibrium}, drawn dashed, such as {'loss/disc':
      1.386, 'loss/gen': 0.693}.
    title: the line above the panels.
  """
  panels = _panels(scalars)
  # For an odd number the first panel has double width.
  wide = len(panels) % 2
  rows = (len(panels) + wide) // 2 or 1
  height = 70 + 260 * rows
  drawn = plots.figure(1040, height, 'none')
  drawn.subplots_adjust(left=0.07, right=0.985, wspace=0.2, hspace=0.6,
                        bottom=60 / height, top=1 - 85 / height)
  drawn.suptitle(title, x=0.012, y=1 - 25 / height, ha='left', va='center',
                 fontsize=13, fontweight='bold', color=plots.INK,
                 parse_math=False)
  drawn.text(0.5, 18 / height, 'step' if panels else 'nothing logged yet',
             fontsize=10, color=plots.INK)
  for i, panel in enumerate(panels):
    place = (1, 2) if wide and not i else i + 1 + wide
    _draw(drawn.add_subplot(rows, 2, place), panel, scalars,
          {key: levels[key] for key in panel.keys if key in levels})
  return png(plots.pixels(drawn))


def _panels(scalars):
  """The panels that have at least one logged key, with these keys."""
  names = sorted({key for row in scalars for key in row})
  panels = [*_PANELS, _Panel('penalty', tuple(
      k for k in names if k.startswith('penalty/')), 'good: levels off')]
  for key in names:
    # A score that could not be computed once has no panel: the log says why.
    if key.startswith(_SCORES) and not (
        key.endswith('_floor') and key.removesuffix('_floor') in names
    ) and any(row.get(key) is not None for row in scalars):
      name = key.removeprefix('eval/')
      panels.append(_Panel(
          name, (key, f'{key}_floor'),
          f'{"lower" if low_is_better(name) else "higher"} is better',
          score=True))
  panels = [panel._replace(keys=[k for k in panel.keys if k in names])
            for panel in panels]
  return [panel for panel in panels if panel.keys]


def _draw(axes, panel, scalars, levels):
  from matplotlib import ticker

  shown, bad, note = [], set(), panel.good
  for i, key in enumerate(panel.keys):
    steps, values = np.array(sorted(
        (row['step'], math.nan if row[key] is None else row[key])
        for row in scalars if key in row), np.float64).T
    bad.update(steps[~np.isfinite(values)])
    good = np.isfinite(values) & ((values > 0) | (not panel.log))
    steps, values, part = steps[good], values[good], key.split('/', 1)[-1]
    if not good.any():
      continue
    if panel.score and i:
      levels = {'real examples': values[-1]}
      continue
    # A score's name is the title already.
    label = '_' if panel.score else _LABELS.get(key, _LABELS.get(part, part))
    shown += _curve(axes, steps, values, log=panel.log, marker=panel.score,
                    label=label, color=_COLOURS.get(part, plots.COLOURS[i % 6]))
    if panel.score:
      note += f'; last {values[-1]:.4g}'
      if low_is_better(panel.name):
        note += f', lowest {values.min():.4g} at {steps[values.argmin()]:,.0f}'
  if not shown:
    axes.text(0.5, 0.5, 'no finite value' + ' above 0' * panel.log, ha='center',
              transform=axes.transAxes, fontsize=10, color=plots.FAINT)
  if bad:
    some = sorted(bad)[::math.ceil(len(bad) / 60)]
    axes.plot(some, [0.03] * len(some), 'x', color='#CC0000', markersize=5,
              label='no value' if panel.score else 'NaN or Inf', zorder=5,
              transform=axes.get_xaxis_transform())
  shown += levels.values()
  _draw_levels(axes, 'real examples' if panel.score else 'equilibrium', levels)
  steps = [row['step'] for row in scalars]  # one range for all panels
  margin = max(1, 0.02 * (max(steps) - min(steps)))
  plots.dress(axes, size=10, grid='y', title=panel.name, pad=20,
              xlim=(min(steps) - margin, max(steps) + margin),
              ylim=_limits(panel, shown),
              yscale='log' if panel.log and shown else 'linear')
  axes.annotate(note, (0, 1), (0, 5), 'axes fraction', 'offset points',
                fontsize=9.5, color='#666666')
  axes.xaxis.set_major_locator(ticker.MaxNLocator(
      6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
  axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=''))  # 12k
  if names := axes.get_legend_handles_labels()[1]:
    many = len(names) > 4
    place = {'loc': 'best'} if many else {
        'loc': 'lower right', 'bbox_to_anchor': (1.01, 1), 'borderpad': 0,
        'borderaxespad': 1.6}
    plots.legend(axes, size=10, ncols=2 if many else 4, frameon=many,
                 handlelength=1.2, columnspacing=1.0, **place)


def _curve(axes, steps, values, *, log, color, label, marker):
  """Draws one curve; returns the values that the axis should show."""
  from scipy.ndimage import uniform_filter1d

  count = len(steps)
  if count < _SMOOTH_FROM or marker:
    axes.plot(steps, values, color=color, label=label, linewidth=1.6, zorder=3,
              marker='o' if marker or count < 20 else '', markersize=3.5)
    return [values.min(), values.max()]
  # Minimum and maximum of each bin, so that no spike is lost.
  starts = np.linspace(0, count, min(400, count // 3), endpoint=False,
                       dtype=int)
  axes.fill_between(steps[starts], np.minimum.reduceat(values, starts),
                    np.maximum.reduceat(values, starts), color=color,
                    alpha=0.25, linewidth=0.5, zorder=1.5)
  # A moving average over 1/30 of the curve, twice.
  smooth, size = np.log(values) if log else values, 2 * (count // 60) + 1
  smooth = uniform_filter1d(uniform_filter1d(smooth, size), size)
  smooth = np.exp(smooth) if log else smooth
  axes.plot(steps[starts], smooth[starts], color=color, label=label,
            linewidth=1.8, zorder=3)
  # A single spike must not flatten everything else.
  low, high = np.percentile(values, [1, 99])
  return [min(low, smooth.min()), max(high, smooth.max())]


def _draw_levels(axes, name, levels):
  texts = {}
  for key, value in levels.items():
    text = '1/2' if value == 0.5 else f'{value:.4g}'
    texts.setdefault(text, []).append((key.split('/', 1)[-1], value))
  for i, (text, ((part, value), *others)) in enumerate(texts.items()):
    colour = plots.INK if others else _COLOURS.get(part, plots.INK)
    axes.axhline(value, color=colour, linewidth=1.0, linestyle=(0, (4, 3)),
                 zorder=2.5, label=text if i else f'{name} {text}')


def _limits(panel, shown):
  """(low, high) of the vertical axis; (None, None) without data."""
  if panel.name == 'P(real)':
    return -0.02, 1.02
  if not shown:
    return None, None
  low, high = min(shown), max(shown)
  if panel.log:
    return low / 1.3, high * 1.3
  margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
  return low - margin, high + margin
