"""Examples of any kind as one picture: sheets, with names of their rows.

Letters scale with the picture, to be legible on a page that shows all pictures
360 pixels wide.
"""

import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.base.examples import kind_of
from gan_jax.pictures import images, plots, signals, tables

_LETTERS = 32  # the width of a picture, in heights of its letters
_LARGEST = 128  # pixels of an image on a contact sheet
_SIDE, _WIDE = 600, 840  # pixels of a sheet, and of one with names
_LINE = 128  # grey, between the slices of a volume


def sheet(examples, columns=0, *, rate=0.0, names=(), heads=(), real=None,
          table=()):
  """Draws examples of any kind as one picture.

  Images are a grid. Volumes too, of their three middle slices side by side:
  axial, coronal and sagittal, across the first, second and third axis; ONE
  volume is a grid of all its slices across the first axis. Signals are tiles of
  waveform and spectrogram, see `signals.draw`. A line below says what is seen
  of volumes and signals. Vectors are a scatter plot, tables the distributions
  of their columns. What is not shown of many channels, `channels_shown` says.

  Args:
    examples: uint8 or float32 in [-1, 1], of one of `base.examples.KINDS`, N of
      1 or more; vectors float32.
    columns: examples per row, 0 for about as many as rows.
    rate: of signals, in Hz; 0 if unknown.
    names: of the rows, drawn on their left; () for none. With heads they are of
      the groups of as many examples, each above its own.
    heads: words over the columns, in turn: a multiple of them; () for
      none. Vectors have none.
    real: vectors, drawn paler below; other kinds ignore them.
    table: columns of vectors that are rows of a table, see `tables.draw`.

  Returns:
    uint8 [H', W', C'], C' in (1, 3, 4).
  """
  examples = np.asarray(examples)
  shape = examples.shape[1:]
  if (kind := kind_of(shape)) == 'vectors':
    return (tables.draw(examples, table, real) if table else
            plots.scatter(examples, real=real))
  if names and not heads:
    starts = range(columns, len(examples), columns)
    return contact_sheet(np.split(examples, starts), names, columns=columns,
                         rate=rate)
  if kind == 'volumes' and len(examples) == 1:
    return _captioned(
        images.grid(_bytes(examples[0]), columns),
        f'axial: slices 0 to {shape[0] - 1} of {shape[0]}, across the first '
        'axis')
  columns = images.columns_of(len(examples), columns)
  drawn = tiles(examples, rate=rate, width=_SIDE // columns)
  # Three slices, and words, take more room than an image.
  side = 2 * _SIDE if kind == 'volumes' else _WIDE if heads else _SIDE
  drawn = images.grid(drawn, columns, padding=2 if kind == 'images' else 6,
                      side=side)
  drawn = _named(drawn, names, -(-len(examples) // columns))
  return _captioned(_headed(drawn, heads, columns), caption(shape, rate))


def tiles(examples, *, rate=0.0, width=0) -> np.ndarray:
  """A picture of each example but vectors, see `sheet`: uint8 [N, h, w, C'].

  width: of a signal's tile in pixels, at least 128.
  """
  kind = kind_of(examples.shape[1:])
  if kind == 'signals':
    return signals.draw(examples, rate, max(_LARGEST, width))
  return _across(_bytes(examples)) if kind == 'volumes' else _bytes(examples)


def caption(shape, rate=0.0) -> str:
  """What the tiles of examples of this shape show; '' for images."""
  kind = kind_of(shape)
  if kind == 'volumes':
    return 'middle slices: axial, coronal, sagittal'
  if kind != 'signals':
    return ''
  if not rate:
    return f'{shape[0]:,} samples from -1 to 1; below, 0 to -80 dB'
  seconds = shape[0] / rate
  return (f'{seconds:.3g} s, a mark each {signals.marks(seconds):g} s; below, '
          f'0 to {rate / 2:,.5g} Hz')


def channels_shown(shape) -> str:
  """'pictures show channels 0, 1, 2 of 12'; '' where they show all."""
  kind, channels = kind_of(shape), shape[-1]
  shown = (channels if kind == 'vectors' else
           min(channels, signals.CHANNELS) if kind == 'signals' else
           images.channels_drawn(channels))
  if shown == channels:
    return ''
  return (f'pictures show channel{"s" * (shown > 1)} '
          f'{", ".join(map(str, range(shown)))} of {channels}')


def contact_sheet(rows, names, *, columns, title='', rate=0.0):
  """Rows of examples, each with its name (or '') on the left.

  `rows`: list of examples [n, ...] of any kind but vectors, n from 1 to
  `columns`, see `sheet`; large images are reduced. Returns uint8 [H', W', 3].
  """
  shape = rows[0].shape[1:]
  kind, below = kind_of(shape), caption(shape, rate)
  rows = [tiles(row, rate=rate, width=_WIDE // columns) for row in rows]
  if kind != 'signals':
    # Of three slices side by side, each has the size of an image.
    width = (3 if kind == 'volumes' else 1) * _LARGEST
    rows = [_reduced(row, width) for row in rows]
  # White images behind the others fill each row.
  picture = images.pillow(images.grid(np.concatenate([np.pad(
      row, ((0, columns - len(row)), (0, 0), (0, 0), (0, 0)),
      constant_values=255) for row in rows]), columns, side=_WIDE,
                                      padding=6 if below else 3))
  height = picture.height / len(rows)
  font = _letters(min(picture.width / _LETTERS, 0.6 * height))
  bold = _letters(picture.width / _LETTERS, bold=True)
  names = [_cut(name, font, 0.3 * picture.width) for name in names]
  longest = max(map(font.getlength, names))
  left = round(longest + 0.9 * font.size) if longest else 0
  top = round(1.8 * bold.size) if title else 0
  drawn = _on_white(picture, left=left, top=top)
  draw = ImageDraw.Draw(drawn)
  draw.text((8, top / 2), _cut(title, bold, drawn.width - 8), plots.INK, bold,
            'lm')
  for i, name in enumerate(names):
    draw.text((left - 0.4 * font.size, top + (i + 0.5) * height), name,
              plots.INK, font, 'rm')
  return _captioned(np.asarray(drawn), below)


def _bytes(examples):
  return (examples if examples.dtype == np.uint8
          else images.to_uint8(examples))


def _across(volumes):
  """Middle slices [N, max(H, D), 2 W + H + 2, C] of uint8 [N, D, H, W, C]."""
  depth, height, width = (size // 2 for size in volumes.shape[1:4])
  slices = (volumes[:, depth], volumes[:, :, height], volumes[:, :, :, width])
  tall = max(part.shape[1] for part in slices)
  line = np.full((len(volumes), tall, 1, volumes.shape[-1]), _LINE, np.uint8)
  parts = []
  for part in slices:
    missing = tall - part.shape[1]
    white = ((0, 0), (missing // 2, missing - missing // 2), (0, 0), (0, 0))
    parts += [np.pad(part, white, constant_values=255), line]
  return np.concatenate(parts[:-1], axis=2)


def _named(picture, names, rows):
  """A grid with names above the groups of its rows, if any: uint8 [H', W', C].

  names: of all groups, as many in each row but the last.
  """
  if not names:
    return picture
  height, across = picture.shape[:2]
  font, each = _letters(max(8, 0.6 * across / _LETTERS)), -(-len(names) // rows)
  top, width = round(1.5 * font.size), across / each
  # Between the rows, within their padding.
  ends = np.linspace(0, height, rows + 1).round().astype(int)
  parts = []
  for i, part in enumerate(np.split(picture, ends[1:-1])):
    drawn = _on_white(images.pillow(part), top=top)
    for j, name in enumerate(names[i * each:(i + 1) * each]):
      ImageDraw.Draw(drawn).text(
          (j * width + 0.4 * font.size, top / 2),
          _cut(name, font, width - font.size), plots.INK, font, 'lm')
    parts.append(np.asarray(drawn))
  return np.concatenate(parts)


def _on_white(picture, *, left=0, top=0, right=0, bottom=0) -> Image.Image:
  """A picture in RGB on white, with so many pixels of white around it."""
  drawn = Image.new('RGB', (left + picture.width + right,
                            top + picture.height + bottom), 'white')
  drawn.paste(picture, (left, top),
              picture if picture.mode == 'RGBA' else None)
  return drawn


def _headed(picture, heads, columns):
  """A grid with words over its columns, if any: uint8 [H', W', 3]."""
  if not heads:
    return picture
  picture = images.pillow(picture)
  width = picture.width / columns
  # The longest fits its column.
  size = min(picture.width / _LETTERS, 0.88 * width / max(
      map(_letters(1000).getlength, heads)) * 1000)
  font = _letters(max(8, size))
  top = round(1.5 * font.size)
  drawn = _on_white(picture, top=top)
  for i in range(columns):
    ImageDraw.Draw(drawn).text(((i + 0.5) * width, top / 2),
                               heads[i % len(heads)], plots.INK, font, 'mm')
  return np.asarray(drawn)


def _captioned(picture, text):
  """A picture with a line of text below, if any: uint8 [H', W', 3]."""
  if not text:
    return picture
  picture = images.pillow(picture)
  font = _letters(max(8, picture.width / _LETTERS))
  # A narrow picture is widened, not its text cut off.
  drawn = _on_white(picture, bottom=round(1.6 * font.size), right=max(
      0, round(font.getlength(text) + font.size) - picture.width))
  ImageDraw.Draw(drawn).text(
      (0.4 * font.size, picture.height + 0.7 * font.size), text, plots.INK,
      font, 'lm')
  return np.asarray(drawn)


def _reduced(pictures, width):
  found = []
  for picture in map(images.pillow, images.drawable(pictures)):
    picture.thumbnail((width, _LARGEST), Image.Resampling.BOX)
    found.append(np.asarray(picture))
  return np.stack(found).reshape(len(pictures), *found[0].shape[:2], -1)


def _letters(size, bold=False):
  import matplotlib

  return ImageFont.truetype(os.path.join(
      matplotlib.get_data_path(), 'fonts', 'ttf',
      f'DejaVuSans{"-Bold" * bold}.ttf'), size)


def _cut(text, font, width):
  text = text.replace('\n', ' ')
  if font.getlength(text) <= width:
    return text
  while text and font.getlength(text + '...') > width:
    text = text[:-1]
  return text + '...'
