"""Training curves, drawn from the rows of scalars.jsonl."""

import io
import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gan_jax.metrics import low_is_better

# Okabe & Ito's colours, told apart by colour-blind readers too.  A part keeps
# its colour in every panel.
_COLOURS = {'disc': '#0072B2', 'gen': '#D55E00', 'real': '#009E73',
            'fake': '#CC79A7', 'held_out': '#E69F00'}
_OTHERS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
_INK, _FAINT, _BAD = '#333333', '#999999', '#CC0000'
_LABELS = {'prob/real': 'D(x)', 'prob/fake': 'D(G(z))',
           'prob/held_out': 'held-out', 'logits/held_out': 'held-out',
           'sign/held_out': 'held-out', 'grad_ratio': 'gen / disc'}
_SMOOTH_FROM = 150  # points; a shorter curve is drawn as it is
_BINS = 800  # bins of a long raw curve, each drawn by its lowest and highest
_SCORES = ('fid', 'fd', 'kid')  # names that are scores without eval/ too
_PROB, _SIGMA = 'P(real)', 'largest singular value'
_GRAD, _UPDATE, _SLOPE = 'gradient norm', 'update / weight', '|grad$_x$ D|'
_LOGGED = (_GRAD, _UPDATE, _SLOPE, _SIGMA)  # panels with a logarithmic axis


def curves(scalars, *, levels, title) -> bytes:
  """Draws the game as a PNG: losses, D's opinion, gradients, penalties, scores.

  Panels without data are left out: loss/*, prob/* (D(x) and D(G(z))), logits/*,
  gradient norms (grad_norm/*, grad_ratio), the diagnoses (held-out examples
  beside the real ones, sign/*, auc, update_ratio/*, grad_x/*, sigma/*,
  pairwise/*, saturation/*), penalty/*, and one panel for each score (eval/*,
  and names that begin with fid, fd or kid), with its floor (eval/*_floor)
  dashed and called 'real'.  A long curve is drawn twice: as logged, faint, and
  smoothed, strong; the axis shows all of the smoothed one and 98 % of the raw
  one.  Null values, which stand for NaN and Inf, are red crosses on the axis.

  Args:
    scalars: list of dicts with 'step', the rows of scalars.jsonl; a key may be
      missing from any row, and its value may be None.
    levels: {key: value}, drawn dashed where the key is drawn: the value at the
      game's equilibrium, as {'loss/disc': 1.386, 'loss/gen': 0.693}.
    title: the line above the panels.
  """
  panels = _panels(scalars)
  columns = min(2 if len(panels) <= 8 else 3, max(1, len(panels)))
  rows = max(1, math.ceil(len(panels) / columns))
  size = 5.6 * columns, 0.8 + 2.6 * rows
  figure = Figure(figsize=size, layout='constrained')
  figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
  figure.suptitle(title, x=0.012, ha='left', fontsize=12, fontweight='bold',
                  color=_INK)
  if panels:
    figure.supxlabel('step', fontsize=9, color=_INK)
  else:
    figure.text(0.5, 0.45, 'nothing logged yet', ha='center', color=_FAINT)
  for i, (name, keys) in enumerate(panels):
    axes = figure.add_subplot(rows, columns, i + 1)
    _panel(axes, name, keys, scalars, {k: levels[k] for k in keys
                                       if k in levels})
  buffer = io.BytesIO()
  figure.savefig(buffer, format='png', dpi=110)
  return buffer.getvalue()


def _panels(scalars):
  """[(name, keys)] of the panels that have at least one logged key."""
  names = sorted({key for row in scalars for key in row})
  # Of loss/* only the two players' have an equilibrium, not their parts.
  groups = [('loss', ('loss/disc', 'loss/gen')),
            (_PROB, ('prob/real', 'prob/held_out', 'prob/fake')),
            ('logits of D', ('logits/real', 'logits/held_out', 'logits/fake')),
            ('mean sign of D', ('sign/real', 'sign/held_out')),
            ('AUC of D, real above fake', ('auc',)),
            (_GRAD, ('grad_norm/disc', 'grad_norm/gen', 'grad_ratio')),
            (_UPDATE, ('update_ratio/disc', 'update_ratio/gen')),
            (_SLOPE, ('grad_x/real', 'grad_x/fake')),
            (_SIGMA, ('sigma/disc', 'sigma/gen')),
            ('distance within a batch', ('pairwise/real', 'pairwise/fake')),
            ('saturated values', ('saturation/real', 'saturation/fake')),
            ('penalty', [k for k in names if k.startswith('penalty/')])]
  groups += [(k.removeprefix('eval/'), [k, f'{k}_floor']) for k in names
             if k.startswith(('eval/', *_SCORES))
             and not (k.endswith('_floor') and k[:-len('_floor')] in names)]
  groups = [(name, [k for k in keys if k in names]) for name, keys in groups]
  return [(name, keys) for name, keys in groups if keys]


def _panel(axes, name, keys, scalars, levels):
  """Draws the curves of `keys` and their `levels` into one panel."""
  score = keys[0].removeprefix('eval/') == name
  shown, bad = list(levels.values()), set()
  for i, key in enumerate(keys):
    rows = [(r['step'], math.nan if r[key] is None else r[key])
            for r in scalars if key in r]
    steps, values = np.asarray(rows, np.float64).T
    bad.update(steps[~np.isfinite(values)])
    good = np.isfinite(values) & ((values > 0) | (name not in _LOGGED))
    part = key.split('/', 1)[-1]
    if score and i and good.any():
      shown.append(_floor(axes, values[good][-1]))
    elif good.any():
      shown += _curve(axes, steps[good], values[good], log=name in _LOGGED,
                      marker=score, label=_LABELS.get(key, part),
                      color=_COLOURS.get(part, _OTHERS[i % len(_OTHERS)]))
  if len(shown) == len(levels):
    axes.text(0.5, 0.5, 'no finite value above 0' if name in _LOGGED else
              'no finite value', transform=axes.transAxes, ha='center',
              fontsize=9, color=_FAINT)
  if bad:
    some = sorted(bad)[::math.ceil(len(bad) / 60)]
    axes.plot(some, [0.03] * len(some), 'x', color=_BAD, markersize=5,
              label='NaN or Inf', zorder=5,
              transform=axes.get_xaxis_transform())
  steps = [row['step'] for row in scalars]  # one range for all panels
  margin = max(1, 0.02 * (max(steps) - min(steps)))
  axes.set_xlim(min(steps) - margin, max(steps) + margin)
  _dress(axes, name, shown, dashed='at equilibrium' if levels else '')
  if score:
    _note_score(axes, name, keys[0], scalars)
  else:
    _legend(axes)
  _draw_levels(axes, levels)


def _curve(axes, steps, values, *, log, color, label, marker):
  """Draws one curve; returns the values that the axis should show."""
  order = np.argsort(steps, kind='stable')
  steps, values = steps[order], values[order]
  if len(steps) < _SMOOTH_FROM or marker:
    axes.plot(steps, values, color=color, label=label, linewidth=1.6, zorder=3,
              marker='o' if marker or len(steps) < 20 else '', markersize=3.5)
    return [values.min(), values.max()]
  axes.plot(*_thin(steps, values), color=color, linewidth=0.6, alpha=0.25,
            zorder=1.5)
  smooth = np.exp(_smooth(np.log(values))) if log else _smooth(values)
  # A line 600 pixels wide needs no more points than that.
  some = np.unique(np.linspace(0, len(steps) - 1, _BINS).round().astype(int))
  axes.plot(steps[some], smooth[some], color=color, label=label, linewidth=1.8,
            zorder=3)
  # A single spike must not flatten everything else.
  low, high = np.percentile(values, [1, 99])
  return [min(low, smooth.min()), max(high, smooth.max())]


def _floor(axes, value):
  """A dashed line at the score of real images."""
  axes.axhline(value, color=_INK, linewidth=1.0, linestyle=(0, (4, 3)),
               zorder=2.5)
  axes.annotate('real', (1.012, value), fontsize=8, va='center', color=_INK,
                xycoords=axes.get_yaxis_transform(), annotation_clip=False)
  return value


def _thin(steps, values):
  """Keeps the lowest and the highest value of each bin: no spike is lost."""
  size = math.ceil(len(values) / _BINS)
  if size <= 2:
    return steps, values
  starts = range(0, len(values), size)
  keep = sorted({start + int(pick(values[start:start + size]))
                 for start in starts for pick in (np.argmin, np.argmax)})
  return steps[keep], values[keep]


def _smooth(values):
  """Centred mean over 1/30 of the curve, twice: bumps instead of boxes.

  At the ends the window is cut off there, so the line ends in a mean too.
  """
  half = max(1, len(values) // 60)
  index = np.arange(len(values))
  first = np.maximum(index - half, 0)
  stop = np.minimum(index + half + 1, len(values))
  for _ in range(2):
    sums = np.concatenate([[0.0], np.cumsum(values)])
    values = (sums[stop] - sums[first]) / (stop - first)
  return values


def _dress(axes, name, shown, *, dashed):
  """Title, scale, limits and ticks of a panel."""
  axes.set_title(name + (dashed and f', dashed: {dashed}'),
                 loc='left', fontsize=10, color=_INK)
  if name == _PROB:
    axes.set_ylim(-0.02, 1.02)
  elif name in _LOGGED and shown:
    axes.set_yscale('log')
    axes.set_ylim(min(shown) / 1.3, max(shown) * 1.3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f'{v:g}'))
  elif shown:
    margin = 0.06 * (max(shown) - min(shown)) or 0.1 * abs(max(shown)) or 1.0
    axes.set_ylim(min(shown) - margin, max(shown) + margin)
  axes.grid(True, axis='y', color='#E6E6E6', linewidth=0.7)
  axes.set_axisbelow(True)
  axes.spines[['top', 'right']].set_visible(False)
  axes.spines[['left', 'bottom']].set_color(_FAINT)
  axes.tick_params(which='both', labelsize=8, color=_FAINT, labelcolor=_INK)
  axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
  axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _short(value, _=None):
  """12000 -> '12k'."""
  for unit, size in (('M', 1e6), ('k', 1e3)):
    if abs(value) >= size:
      return f'{value / size:g}{unit}'
  return f'{value:g}'


def _legend(axes):
  """Names the curves: on the line of the title, or inside if they are many."""
  count = len(axes.get_legend_handles_labels()[0])
  place = ({'loc': 'lower right', 'bbox_to_anchor': (1.01, 0.98)} if count < 5
           else {'loc': 'best', 'framealpha': 0.8, 'edgecolor': 'none'})
  if count:
    axes.legend(ncols=count if count < 5 else 2, frameon=count >= 5,
                fontsize=9, borderpad=0.2, handlelength=1.2, columnspacing=1.0,
                labelcolor=_INK, **place).set_zorder(6)


def _note_score(axes, name, key, scalars):
  """Writes the last value, and of a distance the lowest, beside the title."""
  rows = [(r[key], r['step']) for r in scalars if r.get(key) is not None]
  if rows:
    note = f'last {rows[-1][0]:.4g}'
    if low_is_better(name):
      note += f',  lowest {min(rows)[0]:.4g} at {min(rows)[1]:,}'
    axes.set_title(note, loc='right', fontsize=9, color=_INK)


def _draw_levels(axes, levels):
  """Dashed lines at the equilibrium, with their values on the right margin."""
  groups = {}
  for key, value in levels.items():
    groups.setdefault(float(f'{value:.4g}'), []).append(key)
  low, high = axes.get_ylim()
  free = -math.inf  # in heights of the panel: labels must not overlap
  for value, keys in sorted(groups.items()):
    part = keys[0].split('/', 1)[-1]
    colour = _COLOURS.get(part, _INK) if len(keys) == 1 else _INK
    axes.axhline(value, color=colour, linewidth=1.0, linestyle=(0, (4, 3)),
                 zorder=2.5)
    place = max((value - low) / (high - low), free)
    free = place + 0.075
    text = '1/2' if value == 0.5 else f'{value:.4g}'
    axes.text(1.012, place, text, transform=axes.transAxes, color=colour,
              fontsize=8, va='center')
