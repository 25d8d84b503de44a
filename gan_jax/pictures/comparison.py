"""Generated images beside real ones."""

import numpy as np
from matplotlib.figure import Figure

from gan_jax.pictures.overview import drawn, reduced, short
from gan_jax.pictures.pictures import grid

_INK, _FAINT = '#333333', '#777777'
_DPI = 100
_TITLE, _LINE = 34, 20  # pixels of the line on top, of other lines
_GAP = 28  # between what is compared
_CELL = 96  # wanted longer side of an image among its neighbours
_NARROWEST = 62  # so that a distance fits under each
_TITLED = 300  # narrowest grid under a title


def beside(left, right, *, columns, titles):
  """Two grids side by side, each with its title above.

  Args:
    left: uint8 [N, H, W, C]; larger images are reduced.
    right: uint8 [M, H, W, C].
    columns: images of a row of either.
    titles: a text for each grid.

  Returns:
    uint8 [H', W', 3].
  """
  grids = [_rgb(grid(reduced(images), columns, side=600, padding=3))
           for images in (left, right)]
  widths = [max(_TITLED, g.shape[1]) for g in grids]
  size = sum(widths) + _GAP, max(g.shape[0] for g in grids) + _TITLE
  figure, x = _figure(size), 0
  for picture, title, width in zip(grids, titles, widths, strict=True):
    _text(figure, size, x + 4, _TITLE / 2, short(title, width // 10),
          fontsize=11, fontweight='bold')
    figure.figimage(picture, x, size[1] - _TITLE - len(picture),
                    origin='upper')
    x += width + _GAP
  return drawn(figure)


def neighbours(images, groups, *, title):
  """Rows of a generated image and the real ones nearest to it.

  Args:
    images: uint8 [N, H, W, C]; larger images are reduced.
    groups: [(name, uint8 [N, k, H, W, C], distances [N, k])], one for each
      way to measure; the distances stand under the images.
    title: the line above.

  Returns:
    uint8 [H', W', 3].
  """
  blocks = [('generated', images[:, None], None), *groups]
  cell = _cells(images[:1])[0]
  pitch = max(cell.shape[1] + 6, _NARROWEST), cell.shape[0] + _LINE + 4
  count = sum(block.shape[1] for _, block, _ in blocks)
  size = (count * pitch[0] + (len(blocks) - 1) * _GAP + 12,
          len(images) * pitch[1] + _TITLE + _LINE + 4)
  figure, x = _figure(size), 6
  _text(figure, size, 8, _TITLE / 2, title, fontsize=11, fontweight='bold')
  for name, block, distances in blocks:
    _text(figure, size, x + 2, _TITLE + _LINE / 2 - 3, name, fontsize=9)
    for row, examples in enumerate(block):
      y = _TITLE + _LINE + row * pitch[1]
      for column, picture in enumerate(_cells(examples)):
        place = x + column * pitch[0]
        figure.figimage(picture, place, size[1] - y - len(picture),
                        origin='upper')
        if distances is not None:
          _text(figure, size, place + cell.shape[1] / 2,
                y + len(picture) + _LINE / 2,
                _distance(distances[row][column]), fontsize=9, ha='center',
                color=_FAINT)
    x += block.shape[1] * pitch[0] + _GAP
  return drawn(figure)


def _distance(value):
  return f'{value:,.0f}' if value >= 1000 else f'{value:.3g}'


def _cells(images):
  """Images as uint8 [h, w, 3 or 4], enlarged or reduced to about one size."""
  images = reduced(images)
  return [_rgb(grid(image[None], 1, padding=0, side=_CELL))
          for image in images]


def _rgb(picture):
  channels = max(3, picture.shape[2])
  return np.broadcast_to(picture, (*picture.shape[:2], channels))


def _figure(size):
  return Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI)


def _text(figure, size, x, y, text, *, color=_INK, **how):
  """Writes at a place in pixels from the upper left corner."""
  figure.text(x / size[0], 1 - y / size[1], text, va='center', color=color,
              parse_math=False, **how)
