"""Images with words beside them: rows of examples, real beside generated.

The letters grow with the picture, so that they can be read on a phone too,
where a page shows all pictures 360 pixels wide.
"""

import os

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.pictures.images import drawable, grid, pillow

_INK, _FAINT = '#333333', '#777777'
_LETTERS = 36  # the width of a picture, in heights of its letters
_LARGEST = 128  # pixels of an example; larger ones are reduced
_GAP = 28  # pixels between what is compared
_CELL = 96  # pixels of the longer side of an image among its neighbours
_NARROWEST = 84  # pixels for an image with its distance below


def contact_sheet(rows, names, *, columns, title=''):
  """Rows of examples, each with its name on the left.

  Args:
    rows: list of uint8 [n, H, W, C], n from 1 to `columns`; larger images are
      reduced.
    names: a text for each row, '' for none.
    columns: places of a row.
    title: the line above, '' for none.

  Returns:
    uint8 [H', W', 3].
  """
  rows = [_reduced(row) for row in rows]
  # White, or transparent, images behind the others fill each row.
  picture = pillow(grid(np.concatenate([np.pad(
      row, ((0, columns - len(row)), (0, 0), (0, 0), (0, 0)),
      constant_values=0 if row.shape[3] == 4 else 255) for row in rows]),
      columns, side=840, padding=3))
  height = picture.height / len(rows)
  font = _font(min(picture.width / _LETTERS, 0.6 * height))
  bold = _font(picture.width / _LETTERS, bold=True)
  names = [_cut(name, font, 0.3 * picture.width) for name in names]
  longest = max(map(font.getlength, names))
  left = round(longest + 0.9 * font.size) if longest else 0
  top = round(1.8 * bold.size) if title else 0
  sheet, draw = _paper(left + picture.width, top + picture.height)
  draw.text((8, top / 2), _cut(title, bold, sheet.width - 8), _INK, bold, 'lm')
  _paste(sheet, picture, left, top)
  for i, name in enumerate(names):
    draw.text((left - 0.4 * font.size, top + (i + 0.5) * height), name, _INK,
              font, 'rm')
  return np.asarray(sheet)


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
  grids = [pillow(grid(_reduced(images), columns, side=500, padding=3))
           for images in (left, right)]
  widths = [max(300, picture.width) for picture in grids]
  font = _font((sum(widths) + _GAP) / _LETTERS, bold=True)
  top, x = round(1.8 * font.size), 0
  sheet, draw = _paper(sum(widths) + _GAP,
                       top + max(picture.height for picture in grids))
  for picture, title, width in zip(grids, titles, widths, strict=True):
    draw.text((x + 4, top / 2), _cut(title, font, width), _INK, font, 'lm')
    _paste(sheet, picture, x, top)
    x += width + _GAP
  return np.asarray(sheet)


def neighbours(images, near, distances):
  """Rows of a generated image and the real ones nearest to it.

  Args:
    images: uint8 [N, H, W, C]; larger images are reduced.
    near: uint8 [N, k, H, W, C].
    distances: [N, k], written under the images.

  Returns:
    uint8 [H', W', 3].
  """
  cell = _enlarged(images[0])
  step = max(cell.width + 6, _NARROWEST)
  first = 6 + step + _GAP  # of the real ones, from the left
  width = first + near.shape[1] * step
  font = _font(max(17, width / _LETTERS))
  top, line = round(1.8 * font.size), round(1.4 * font.size)
  sheet, draw = _paper(width, top + len(images) * (cell.height + line))
  for x, text in ((6, 'generated'), (first, 'nearest real')):
    draw.text((x, top / 2), text, _INK, font, 'lm')
  for row, image in enumerate(images):
    y = top + row * (cell.height + line)
    _paste(sheet, _enlarged(image), 6, y)
    for column, other in enumerate(near[row]):
      x, value = first + column * step, distances[row][column]
      _paste(sheet, _enlarged(other), x, y)
      draw.text((x + cell.width / 2, y + cell.height + line / 2),
                f'{value:,.0f}' if value >= 1000 else f'{value:.3g}', _FAINT,
                font, 'mm')
  return np.asarray(sheet)


def _reduced(images):
  """Uint8 [N, H, W, 1, 3 or 4], no larger than what is shown of an example."""
  found = []
  for image in map(pillow, drawable(images)):
    image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BOX)
    found.append(np.asarray(image))
  return np.stack(found).reshape(len(images), *found[0].shape[:2], -1)


def _enlarged(image):
  return pillow(grid(_reduced(image[None]), padding=0, side=_CELL))


def _paper(width, height):
  sheet = Image.new('RGB', (width, height), 'white')
  return sheet, ImageDraw.Draw(sheet)


def _paste(sheet, picture, x, y):
  sheet.paste(picture, (x, y), picture if picture.mode == 'RGBA' else None)


def _font(size, bold=False):
  """The font of the plots, which Matplotlib brings along."""
  return ImageFont.truetype(os.path.join(
      matplotlib.get_data_path(), 'fonts', 'ttf',
      f'DejaVuSans{"-Bold" * bold}.ttf'), size)


def _cut(text, font, width):
  """The text in one line, cut off behind so many pixels."""
  text = text.replace('\n', ' ')
  if font.getlength(text) <= width:
    return text
  while text and font.getlength(text + '...') > width:
    text = text[:-1]
  return text + '...'
