"""Tables as pictures: how the values of each column are spread."""

import math

import numpy as np

from gan_jax.data.prepare import Column
from gan_jax.pictures import plots

_ACROSS, _MOST = 3, 24  # plots in a row; columns that are drawn
_BINS, _BARS = 40, 10  # of a number; most frequent categories
_TALL = 0.02, 0.98  # quantiles of the real numbers that set the scale
# Of examples that are drawn alone, and of two sets of them.
_COLOURS = {'': plots.COLOURS[0], 'real': plots.FAINT,
            'generated': plots.COLOURS[1]}


def draw(examples, columns, real=None):
  """Distributions of the columns of a table, generated over real.

  Of each column with numbers a histogram, of each other one the shares of its
  ten most frequent values; the title says how many are missing. Of more than
  24 columns the first ones.

  Args:
    examples: float32 [N, D], see `data.columns.encode`.
    columns: of the table, each a `data.prepare.Column`.
    real: float32 [M, D], or None: then `examples` are drawn alone.

  Returns:
    uint8 [H', W', 3].
  """
  from matplotlib import ticker

  from gan_jax.data.columns import decode  # imports pandas, for 0.3 s

  sides = {'': examples} if real is None else {
      'real': real, 'generated': examples}
  sides = {name: decode(x, columns) for name, x in sides.items()}
  shown = [Column(*column) for column in columns[:_MOST]]
  across = min(_ACROSS, len(shown))
  rows = math.ceil(len(shown) / across)
  drawn = plots.figure(max(600, 330 * across), 60 + 270 * rows)
  drawn.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
  places = drawn.subplots(rows, across, squeeze=False).ravel()
  for axes, column in zip(places, shown, strict=False):
    values = {name: frame[column.name] for name, frame in sides.items()}
    missing = [f'{100 * x.isna().mean():.3g} %' for x in values.values()]
    known = {name: x.dropna() for name, x in values.items()}
    title = plots.shortened(column.name, 24)
    if column.kind == 'category':
      _categories(axes, known)
      count = len(set(column.values) - {None})
      title += f' ({_BARS} of {count:,} values)' * (count > _BARS)
    else:
      _numbers(axes, known, whole=column.kind == 'integer')
    if any(x.isna().any() for x in values.values()):
      title += f' (missing: {", ".join(missing)})'
    plots.dress(axes, size=9, title=title, grid='y')
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(
        lambda share, _: f'{100 * share:.3g}%'))
  for axes in places[len(shown):]:
    axes.remove()
  if len(sides) > 1:
    plots.legend(places[0], size=8)
  return plots.pixels(drawn)


def _numbers(axes, values, *, whole):
  from matplotlib import ticker

  values = {name: x.to_numpy(np.float64) for name, x in values.items()}
  first = next(iter(values.values()))
  if not len(first):
    return
  low, high = np.quantile(first, _TALL)
  margin = 0.15 * (high - low) or 0.5
  edges = _edges(max(first.min(), low - margin),
                 min(first.max(), high + margin), whole)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
  for name, x in values.items():
    share = np.histogram(x, edges)[0] / max(1, len(x))
    over = name == 'generated'  # As a line, over the real ones.
    axes.stairs(share, edges, label=name, color=_COLOURS[name], fill=not over,
                alpha=0.6 if name == 'real' else 1.0, linewidth=1.6 * over)


def _edges(low, high, whole) -> np.ndarray:
  """Of bins, of equally many whole numbers each: else some stand out."""
  if not whole:
    return np.linspace(low, high + 1e-9, _BINS + 1)
  low, high = math.floor(low), math.ceil(high)
  width = math.ceil((high - low + 1) / _BINS)
  return np.arange(low, high + width + 1, width) - 0.5


def _categories(axes, values):
  first = next(iter(values.values()))
  kept = first.value_counts().index[:_BARS].tolist()
  if not any(isinstance(value, str) for value in kept):
    kept.sort()  # numbers in their order
  place, width = np.arange(len(kept)), 0.8 / len(values)
  for i, (name, x) in enumerate(values.items()):
    share = [float((x == value).mean()) if len(x) else 0.0 for value in kept]
    axes.bar(place + (i - (len(values) - 1) / 2) * width, share, width,
             color=_COLOURS[name], label=name)
  names = [str(value) for value in kept]
  axes.set_xticks(place, [plots.shortened(name, 10) for name in names],
                  rotation=30 if len(kept) > 4 else 0, parse_math=False)
