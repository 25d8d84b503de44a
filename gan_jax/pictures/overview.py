"""A data set at a glance: rows of examples with names, and histograms."""

import math
import warnings

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from PIL import Image

from gan_jax.pictures.pictures import grid
from gan_jax.pictures.points import pixels

_INK, _FAINT = '#333333', '#999999'
_CHANNELS = {1: (('grey', '#333333'),),
             3: (('R', '#D32F2F'), ('G', '#2E8B57'), ('B', '#1F5FBF')),
             4: (('R', '#D32F2F'), ('G', '#2E8B57'), ('B', '#1F5FBF'),
                 ('A', '#999999'))}
_OTHERS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
_LARGEST = 128  # pixels of an example on the sheet
_BARS = 40  # classes that can be told apart and named
_DPI = 100


def contact_sheet(rows, names, *, columns, title):
  """Rows of examples, each with its name on the left.

  Args:
    rows: list of uint8 [n, H, W, C], n from 1 to `columns`; larger images are
      reduced.
    names: a text for each row, '' for none.
    columns: places of a row.
    title: the line above.

  Returns:
    uint8 [H', W', 3].
  """
  cells = np.concatenate([_fill(reduced(row), columns) for row in rows])
  picture = grid(cells, columns, side=1100, padding=3)
  height, width = picture.shape[:2]
  # In pixels: a letter is about 7.5 wide at this size.
  longest = max(len(name) for name in names)
  left = min(260, 14 + math.ceil(7.5 * longest)) if longest else 0
  top = 34
  size = max(left + width + 4, 420), top + height
  figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI)
  figure.text(8 / size[0], 1 - 0.5 * top / size[1], title, va='center',
              fontsize=11, fontweight='bold', color=_INK, parse_math=False)
  shown = np.broadcast_to(picture, (*picture.shape[:2],
                                    max(3, picture.shape[2])))
  figure.figimage(shown, left, 0, origin='upper')
  for i, name in enumerate(names):
    middle = height * (i + 0.5) / len(names)
    figure.text((left - 8) / size[0], (height - middle) / size[1],
                short(name, 34), ha='right', va='center', fontsize=9,
                color=_INK, parse_math=False)
  return drawn(figure)


def statistics(*, classes, sizes, histograms, edges, title):
  """Histograms of classes, of sizes and of values, side by side.

  Args:
    classes: {name: count} in the order of the classes, {} for none.
    sizes: {'64x48': count} of the files, {} for a panel less.
    histograms: int [C, bins], counts of the values of each channel.
    edges: float [bins + 1] of the bins.
    title: the line above.

  Returns:
    uint8 [H', W', 3].
  """
  panels = [(_values, (histograms, edges))]
  if sizes:
    panels.insert(0, (_sizes, (sizes,)))
  if classes:
    panels.insert(0, (_classes, (classes,)))
  figure = Figure(figsize=(0.6 + 4.6 * len(panels), 4.6), dpi=_DPI,
                  layout='constrained')
  figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
  figure.suptitle(title, x=0.012, ha='left', fontsize=12, fontweight='bold',
                  color=_INK, parse_math=False)
  for i, (draw, args) in enumerate(panels):
    axes = figure.add_subplot(1, len(panels), i + 1)
    draw(axes, *args)
    axes.spines[['top', 'right']].set_visible(False)
    axes.spines[['left', 'bottom']].set_color(_FAINT)
    axes.tick_params(which='both', labelsize=8, color=_FAINT, labelcolor=_INK)
    axes.set_axisbelow(True)
  return drawn(figure)


def _classes(axes, classes):
  counts = np.array(list(classes.values()))
  least, most = counts.min(), counts.max()
  each = f'{most:,} each' if least == most else f'{least:,} to {most:,} each'
  axes.set_title(f'{len(counts):,} classes, {each}', loc='left', fontsize=10)
  if len(counts) <= _BARS:
    _bars(axes, list(classes), counts, '#0072B2')
    return
  # Too many to name: from the largest to the smallest.
  axes.fill_between(np.arange(len(counts)), np.sort(counts)[::-1], step='mid',
                    color='#0072B2')
  axes.set(xlabel='classes, largest first', ylabel='examples', ylim=(0, None),
           xlim=(-0.5, len(counts) - 0.5))
  axes.grid(True, axis='y', color='#E6E6E6', linewidth=0.7)


def _sizes(axes, sizes):
  first = sorted(sizes.items(), key=lambda item: -item[1])
  shown = dict(first[:15])
  rest = sum(count for _, count in first[15:])
  if rest:
    shown[f'{len(first) - 15} others'] = rest
  what = 'one size' if len(sizes) == 1 else f'{len(sizes):,} sizes'
  axes.set_title(f'{what}, height x width', loc='left', fontsize=10)
  _bars(axes, list(shown), np.array(list(shown.values())), '#009E73')


def _bars(axes, names, counts, colour):
  """Horizontal bars from top to bottom, with their counts."""
  place = np.arange(len(names))
  axes.barh(place, counts, color=colour, height=0.75)
  font = 8 if len(names) <= 24 else 5.5
  axes.set_yticks(place, [short(name, 24) for name in names], fontsize=font,
                  parse_math=False)
  axes.set(ylim=(max(len(names), 10) - 0.4, -0.6),
           xlim=(0, 1.2 * counts.max() or 1))
  for y, count in zip(place, counts.tolist(), strict=True):
    axes.text(count, y, f' {count:,}', va='center', fontsize=font, color=_INK)
  axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
  axes.xaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
  axes.grid(True, axis='x', color='#E6E6E6', linewidth=0.7)


def _values(axes, histograms, edges):
  known = _CHANNELS.get(len(histograms)) if edges[0] == -0.5 else None
  for i, counts in enumerate(histograms):
    name, colour = known[i] if known else (
        f'{i}', _OTHERS[i % len(_OTHERS)])
    share = counts / max(1, counts.sum())
    axes.stairs(share, edges, color=colour, label=name, linewidth=1.3,
                fill=len(histograms) == 1, alpha=0.9)
  axes.set_yscale('log')
  axes.set_title('share of values' + ('' if known else ' per coordinate'),
                 loc='left', fontsize=10)
  # The outermost bins are the ones to see: saturated pixels.
  margin = 0.02 * (edges[-1] - edges[0])
  axes.set(xlim=(edges[0] - margin, edges[-1] + margin))
  axes.grid(True, axis='y', color='#E6E6E6', linewidth=0.7)
  if len(histograms) > 1:
    axes.legend(fontsize=8, frameon=False, ncols=len(histograms),
                loc='lower right', bbox_to_anchor=(1.01, 0.995),
                handlelength=1.0, columnspacing=1.0, borderpad=0.0)


def reduced(images):
  """Uint8 [N, H, W, C] no larger than what is shown of an example."""
  height, width = images.shape[1:3]
  scale = _LARGEST / max(height, width)
  if scale >= 1:
    return images
  size = [max(1, round(side * scale)) for side in (height, width)]
  out = np.empty((len(images), *size, images.shape[3]), np.uint8)
  for n, image in enumerate(images):
    for c in range(image.shape[2]):
      plane = Image.fromarray(np.ascontiguousarray(image[:, :, c]))
      out[n, :, :, c] = plane.resize(size[::-1], Image.Resampling.BOX)
  return out


def _fill(images, columns):
  """White images behind the others, or transparent ones, to a full row."""
  value = 0 if images.shape[3] == 4 else 255
  missing = ((0, columns - len(images)), (0, 0), (0, 0), (0, 0))
  return np.pad(images, missing, constant_values=value)


def short(name, length):
  """The name, cut off behind so many letters."""
  return name if len(name) <= length else name[:length - 3] + '...'


def drawn(figure):
  """A figure with names of people's own as uint8 [H, W, 3]."""
  with warnings.catch_warnings():
    # The names of classes may be in any script; the font has not all of them.
    warnings.filterwarnings('ignore', 'Glyph .* missing')
    return pixels(figure)
