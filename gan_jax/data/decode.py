"""The bytes of one image file -> uint8 pixels, or why there are none.

Colour profiles are not applied. A bit flipped inside a JPEG cannot be seen:
the format has no checksum.
"""

import contextlib
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from gan_jax.data.files import looks_like, reason

# Other formats are never tried: EPS, for one, would run Ghostscript.
FORMATS = ('PNG', 'JPEG', 'WEBP', 'GIF', 'BMP', 'TIFF', 'PPM')
VERSION = 1  # of the pixels; after an increase, cached images are decoded again
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 29
_MIN_SIDE = 2  # 1x1 is what web trackers and failed downloads leave
_MAX_ASPECT = 20  # a divider or a banner, not a picture

_GREY = ('1', 'L', 'LA', 'La', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')
_ORIENTATION = 0x0112  # tag of EXIF
_TURNS = dict(enumerate(
    (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
     Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE,
     Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
     Image.Transpose.ROTATE_90), start=2))


class BadImageError(Exception):
  """Why a file is not an image that can be used."""


class Header(NamedTuple):
  """What a file says of itself, before it is decoded.

  height, width: pixels, upright.
  colour: whether it may hold more than grey; palettes count as colour.
  notes: of 'animated', 'rotated', 'deep', 'alpha'.
  """
  height: int
  width: int
  colour: bool
  notes: tuple = ()


@contextlib.contextmanager
def _opened(data):
  """Opens an image; whatever Pillow raises becomes a BadImageError."""
  try:
    if not data:
      raise BadImageError('empty (0 bytes)')
    yield Image.open(io.BytesIO(data), formats=FORMATS)
  except (BadImageError, MemoryError):
    raise
  except Image.DecompressionBombError as error:
    raise BadImageError(f'too large: {error}') from error
  except Image.UnidentifiedImageError as error:
    raise BadImageError(
        f'no image of a known format: {looks_like(data)}') from error
  except Exception as error:  # a damaged file makes Pillow raise anything
    raise BadImageError(f'damaged or truncated ({reason(error)})') from error


def header(data: bytes) -> Header:
  """Reads the header; BadImageError for what must not be decoded."""
  with _opened(data) as image:
    width, height = image.size
    what = f'{width}x{height} pixels'
    if width * height > MAX_PIXELS:
      raise BadImageError(f'too large: {what}, over {MAX_PIXELS:,} in all')
    if min(width, height) < _MIN_SIDE:
      raise BadImageError(f'too small: {what}, under {_MIN_SIDE} on a side')
    if max(width, height) > _MAX_ASPECT * min(width, height):
      raise BadImageError(f'too long: {what}, over {_MAX_ASPECT}:1')
    if image.mode == 'F':
      raise BadImageError('floating-point pixels, whose range is unknown: '
                          'convert it to 8 or 16 bits')
    orientation = _orientation(image, data)
    if orientation > 4 and image.format != 'TIFF':
      width, height = height, width
    notes = {'animated': image.format != 'MPO'  # a JPEG and its thumbnails
             and getattr(image, 'is_animated', False),
             'rotated': orientation > 1, 'deep': _is_deep(image, data),
             'alpha': image.has_transparency_data}
    return Header(height, width, image.mode not in _GREY,
                  tuple(name for name, given in notes.items() if given))


def pixels(data: bytes) -> np.ndarray:
  """Decodes a file whose header passed; BadImageError where it is damaged.

  The first frame, upright. 16-bit grey is divided by 257 and rounded, as 65535
  is white; of 16-bit colours the upper 8 bits are kept.

  Returns:
    uint8 [h, w, c], c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
  """
  with _opened(data) as image:
    if image.format == 'PNG':
      image.verify()  # decoding does not check the checksums
  with _opened(data) as image:
    orientation = _orientation(image, data)
    turned = image.format == 'TIFF'  # by Pillow, as it loads
    image.load()
    if orientation > 1 and not turned:
      image = image.transpose(_TURNS[orientation])
    if image.mode.startswith('I'):
      return _eight_bits(image)
    alpha = 'A' * image.has_transparency_data
    return as_array(image, ('L' if image.mode in _GREY else 'RGB') + alpha)


def as_array(image, mode) -> np.ndarray:
  """A Pillow image, in a mode of 8 bits, as uint8 [h, w, c]."""
  array = np.asarray(image if image.mode == mode else image.convert(mode))
  return array if array.ndim == 3 else array[..., None]


def _orientation(image, data) -> int:
  # A PNG may have its EXIF at the end, and Pillow decodes all to get there.
  if image.format == 'PNG' and not any(
      mark in data for mark in (b'eXIf', b'type exif', b'adobe.xmp')):
    return 1
  try:
    value = image.getexif().get(_ORIENTATION, 1)
  except Exception:  # EXIF is damaged more often than images are
    return 1
  return value if value in _TURNS else 1


def _is_deep(image, data) -> bool:
  """Whether a colour has more than 8 bits."""
  if image.format == 'PNG' and not image.mode.startswith('I'):
    return data[24] == 16  # IHDR: bits per channel
  return (image.format == 'TIFF' and not image.mode.startswith('I')
          and max(image.tag_v2.get(258, (8,))) > 8)


def _eight_bits(image):
  values = np.asarray(image).astype(np.int64)
  low, high = int(values.min()), int(values.max())
  if low < 0 or high > 65535:
    raise BadImageError(f'integers {low}..{high}, beyond 16 bits: convert it '
                        f'to 8 or 16 bits')
  grey = ((values + 128) // 257).astype(np.uint8)[..., None]
  clear = image.info.get('transparency')
  if not isinstance(clear, int):
    return grey
  opaque = np.where(values == clear, 0, 255).astype(np.uint8)
  return np.concatenate([grey, opaque[..., None]], axis=2)
