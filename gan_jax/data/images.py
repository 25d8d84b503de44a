"""Decodes image files.

Colour profiles are not applied. A flipped bit in a JPEG goes unnoticed: the
format has no checksum.
"""

import contextlib
import io
import struct
import zlib
from typing import NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from gan_jax.data import values
from gan_jax.data.files import looks_like, reason

DECODER = 1  # after an increase, cached images are decoded again
MAX_BYTES = 1 << 29
_MAX_PIXELS = 100_000_000
_MIN_SIDE = 2  # 1x1 is what web trackers and failed downloads leave
_MAX_ASPECT = 20  # a divider or a banner, not a picture
# Other formats are never tried: EPS, for one, would run Ghostscript.
_FORMATS = ('PNG', 'JPEG', 'WEBP', 'GIF', 'BMP', 'TIFF', 'PPM')
_GREY = ('1', 'F', 'L', 'LA', 'La', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')
_ORIENTATION = 0x0112  # tag of EXIF
# Bits and colours of plain PNGs, as their headers have them: grey or RGB, with
# alpha or without, of 8 bits, or grey of 16; not interlaced.
_PLAIN = tuple(bytes((bits, colour, 0, 0, 0)) for bits, colour in (
    (8, 0), (8, 2), (8, 4), (8, 6), (16, 0)))
# Chunks of PNGs: EXIF, or texts in which programs hide it; and what makes a PNG
# no plain one: transparent colours, palettes, animations.
_TEXTS = frozenset((b'eXIf', b'tEXt', b'zTXt', b'iTXt'))
_AWKWARD = _TEXTS | {b'tRNS', b'PLTE', b'acTL'}
_SOS, _EOI = b'\xff\xda', b'\xff\xd9'  # of JPEG: start of a scan, end
_PHOTOMETRIC = 262  # tag of TIFF; 0: white is zero
_TURNS = dict(enumerate(
    (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
     Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE,
     Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
     Image.Transpose.ROTATE_90), start=2))


class BadImageError(ValueError):
  """An image file that cannot be used, with the reason."""


class Header(NamedTuple):
  """Header of an image file."""
  height: int  # upright
  width: int
  colour: bool  # it may hold more than grey; palettes count as colour
  notes: tuple  # of 'animated', 'rotated', 'deep', 'alpha', 'inverted'
  kind: str = 'bytes'  # of its numbers: see `values.Span`
  channels: int = 0  # of an array; 0 of a file, whose colours are converted


@contextlib.contextmanager
def opened(data: bytes):
  """Opens bytes with Pillow; any error becomes a BadImageError."""
  with _one_problem(data):
    yield Image.open(io.BytesIO(data), formats=_FORMATS)


@contextlib.contextmanager
def _one_problem(data):
  try:
    if not data:
      raise BadImageError('empty (0 bytes)')
    yield
  except (BadImageError, MemoryError):
    raise
  except Exception as error:  # a damaged file makes Pillow raise anything
    what = f'damaged or truncated ({reason(error)})'
    if isinstance(error, Image.DecompressionBombError):
      what = f'too large: {error}'
    if isinstance(error, Image.UnidentifiedImageError):
      what = f'no image of a known format: {looks_like(data)}'
    raise BadImageError(what) from error


def read_header(data: bytes) -> Header:
  """Reads the header; BadImageError if the image must not be decoded."""
  if plain := _plain(data):
    check_size(plain.width, plain.height)
    return plain
  with opened(data) as image:
    width, height = image.size
    check_size(width, height)
    orientation = _orientation(image, data)
    if orientation > 4 and image.format != 'TIFF':
      width, height = height, width
    notes = {'animated': image.format != 'MPO'  # a JPEG and its thumbnails
             and getattr(image, 'is_animated', False),
             'rotated': orientation > 1, 'deep': _is_deep(image, data),
             'alpha': image.has_transparency_data}
    notes['inverted'] = _kind(image) != 'bytes' and _is_inverted(image)
    return Header(height, width, image.mode not in _GREY,
                  tuple(name for name, given in notes.items() if given),
                  _kind(image))


def check_size(width, height):
  """BadImageError for a size that no picture has."""
  what = f'{width}x{height} pixels'
  if width * height > _MAX_PIXELS:
    raise BadImageError(f'too large: {what}, over {_MAX_PIXELS:,} in all')
  if min(width, height) < _MIN_SIDE:
    raise BadImageError(f'too small: {what}, under {_MIN_SIDE} on a side')
  if max(width, height) > _MAX_ASPECT * min(width, height):
    raise BadImageError(f'too long: {what}, over {_MAX_ASPECT}:1')


def span(data: bytes) -> values.Span:
  """The numbers of a file whose header was accepted; alpha is none of them.

  Raises:
    BadImageError: it is damaged.
    DataError: NaN or Inf.
  """
  found = _pixels(data)
  return values.span(found.kind, found.colours)


def _is_inverted(image) -> bool:
  return image.format == 'TIFF' and image.tag_v2.get(_PHOTOMETRIC) == 0


def _kind(image) -> str:
  return {'F': 'floats', 'I': 'bits'}.get(image.mode[:1], 'bytes')


def decode(data: bytes, black=0, white=255, dtype='uint8') -> np.ndarray:
  """Decodes a file whose header was accepted; BadImageError if it is damaged.

  The first frame, upright. Numbers from black to white become 0..255; of 16-bit
  colours the upper 8 bits are kept.

  Returns:
    uint8 [h, w, c], c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; or float32
    with numbers of 0..255 that are not rounded.
  """
  found = _pixels(data)
  if found.kind == 'bytes' and (black, white) == (0, 255):
    return found.array.astype(dtype, copy=False)
  array = values.scaled(found.colours, black, white, dtype)
  if found.inverted:
    array = 255 - array
  if not found.alpha:
    return array
  return np.concatenate([array, found.array[..., -1:]], axis=2, dtype=dtype)


class _Pixels(NamedTuple):
  """Pixels of a file, upright.

  kind: of the numbers, see `values.Span`.
  array: [h, w, c] as stored, the last channel perhaps alpha of 0..255.
  inverted: whether 0 is white.
  """
  kind: str
  array: np.ndarray
  alpha: bool
  inverted: bool = False

  @property
  def colours(self):
    return self.array[..., :-1] if self.alpha else self.array


def _pixels(data) -> _Pixels:
  """Decodes, and checks as far as the format allows."""
  if plain := _plain(data):
    with _one_problem(data):
      _check_sums(data)
      array = imagecodecs.png_decode(data)
    return _Pixels(plain.kind, np.atleast_3d(array), 'alpha' in plain.notes)
  with opened(data) as image:
    if image.format == 'PNG':
      _check_sums(data)  # decoding does not
    orientation = _orientation(image, data)
    if image.format == 'JPEG' and image.mode in ('L', 'RGB') and (
        orientation == 1 and data.rfind(_EOI) > data.rfind(_SOS)):
      # The same library as Pillow's, in half of its time; but it makes grey of
      # what is cut off, and says nothing.
      return _Pixels('bytes', np.atleast_3d(imagecodecs.jpeg8_decode(data)),
                     False)
    turned = image.format == 'TIFF'  # by Pillow, as it loads
    inverted = _is_inverted(image)
    image.load()
    if orientation > 1 and not turned:
      image = image.transpose(_TURNS[orientation])
    kind, alpha = _kind(image), image.has_transparency_data
    if kind == 'bytes':
      mode = 'L' if image.mode in _GREY else 'RGB'
      return _Pixels(kind, as_array(image, mode + 'A' * alpha), alpha)
    array, clear = np.asarray(image)[..., None], image.info.get('transparency')
    if isinstance(clear, int):
      array = np.concatenate([array, np.where(array == clear, 0, 255)], axis=2)
    # Pillow inverts 8 bits only.
    return _Pixels(kind, array, isinstance(clear, int), inverted)


def _plain(data) -> Header | None:
  """Header of a PNG that needs no Pillow, a quarter of whose time it takes."""
  if data[:8] != b'\x89PNG\r\n\x1a\n' or data[24:29] not in _PLAIN or not (
      _AWKWARD.isdisjoint(name for name, _, _ in _chunks(data))):
    return None
  width, height = struct.unpack('>II', data[16:24])
  colour = data[25]
  return Header(height, width, bool(colour & 2), ('alpha',) * (colour >> 2),
                'bytes' if data[24] == 8 else 'bits')


def _chunks(data):
  """Yields (name, start, end) of the chunks of a PNG up to the last one."""
  start = 8
  while (name := data[start + 4:start + 8]) != b'IEND' and name:
    end = start + 8 + int.from_bytes(data[start:start + 4])
    yield name, start + 4, end
    start = end + 4
  yield name, start + 4, start + 8


def _check_sums(data):
  for name, start, end in _chunks(data):
    if not name or int.from_bytes(data[end:end + 4]) != zlib.crc32(
        memoryview(data)[start:end]):
      raise BadImageError(f'damaged or truncated (chunk {name!r})')


def as_array(image, mode) -> np.ndarray:
  """Converts an 8-bit Pillow image to uint8 [h, w, c]."""
  return np.atleast_3d(image if image.mode == mode else image.convert(mode))


def _orientation(image, data) -> int:
  # A PNG may have its EXIF at the end, and Pillow decodes all to get there.
  if image.format == 'PNG' and _TEXTS.isdisjoint(
      name for name, _, _ in _chunks(data)):
    return 1
  try:
    value = image.getexif().get(_ORIENTATION, 1)
  except Exception:  # EXIF is damaged more often than images are
    return 1
  return value if value in _TURNS else 1


def _is_deep(image, data) -> bool:
  if _kind(image) != 'bytes':
    return False
  if image.format == 'PNG':
    return data[24] == 16  # IHDR: bits per channel
  return image.format == 'TIFF' and max(image.tag_v2.get(258, (8,))) > 8
