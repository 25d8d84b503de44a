"""Decodes image files, and brings images to one size.

Colour profiles are not applied. A flipped bit in a JPEG goes unnoticed: the
format has no checksum.
"""

import contextlib
import io
import math
import operator
import struct
import zlib
from typing import Literal, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from gan_jax.base.errors import DataError
from gan_jax.data import values
from gan_jax.data.files import check_memory, looks_like, reason

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
_TEXTS = frozenset((b'eXIf', b'tEXt', b'zTXt', b'iTXt'))  # may turn it
_AWKWARD = _TEXTS | {b'tRNS', b'PLTE', b'acTL'}
_SOS, _EOI = b'\xff\xda', b'\xff\xd9'  # of JPEG: start of a scan, end
_PHOTOMETRIC = 262  # tag of TIFF; 0: white is zero
_TURNS = dict(enumerate(
    (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
     Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE,
     Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
     Image.Transpose.ROTATE_90), start=2))
_CHANNELS = (0, 1, 3, 4)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601


class BadImageError(ValueError):
  """An image file that cannot be used, with the reason."""


class Header(NamedTuple):
  """Header of an image file."""
  height: int  # upright
  width: int
  colour: bool  # it may hold more than grey; palettes count as colour
  notes: tuple  # of 'animated', 'rotated', 'deep', 'alpha', 'inverted'
  kind: str = 'bytes'  # of its numbers: see `values.Span`
  channels: int = 0  # where neither grey, RGB nor RGBA is meant


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
  """The numbers of a file whose header was accepted; alpha is none of them."""
  found = _pixels(data)
  return span_of(found.kind, found.colours)


def span_of(kind, array, *stored) -> values.Span:
  """`values.span`; BadImageError for NaN or Inf."""
  try:
    return values.span(kind, array, *stored)
  except DataError as error:
    raise BadImageError(str(error)) from error


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
  array = np.asarray(image if image.mode == mode else image.convert(mode))
  return array if array.ndim == 3 else array[..., None]


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


class Geometry(NamedTuple):
  """Transformations of every image, in the order of the fields.

  channels: 1 grey (ITU-R 601), 3 RGB, 4 RGBA, 0 unchanged. Alpha is composited
    on the background if not wanted.
  crop: (H, W) of the centre crop, () for none.
  resize: (H, W), () for none.
  fit: adapts the aspect ratio to `resize`: 'stretch', 'crop' (the centre), or
    'pad' with the background.
  resample: antialiased filter of the resize. Bilinear never leaves the range of
    its inputs: a black background stays black, where Lanczos rings.
  pad: (H, W) of a canvas for the centred result (an odd line goes below or
    right), () for none.
  background: grey level, or one value for each of R, G, B, in 0..255.
  """

  channels: int = 0
  crop: tuple[int, ...] = ()
  resize: tuple[int, ...] = ()
  fit: Literal['stretch', 'crop', 'pad'] = 'stretch'
  resample: Literal['bilinear', 'bicubic', 'lanczos', 'box',
                    'nearest'] = 'bilinear'
  pad: tuple[int, ...] = ()
  background: tuple[int, ...] = (0,)

  def checked(self) -> 'Geometry':
    """The same with plain tuples; DataError for an invalid field."""
    if self.channels not in _CHANNELS:
      raise DataError(f'channels={self.channels!r}: must be one of {_CHANNELS}')
    colour = integers('background', self.background)
    if len(colour) not in (1, 3) or not all(0 <= v <= 255 for v in colour):
      raise DataError(f'background={self.background!r}: must be one value or '
                      f'three (R, G, B), each in 0..255')
    sizes = {}
    for key in ('crop', 'resize', 'pad'):
      sizes[key] = size = integers(key, getattr(self, key))
      if size and (len(size) != 2 or min(size) < 1):
        raise DataError(f'{key}={size}: (height, width) of at least 1 is '
                        f'needed, or () to leave the images as they are')
    return self._replace(background=colour, **sizes)

  def size(self, height, width) -> tuple[int, int]:
    """(H, W) of the result for an image of this height and width."""
    return self.pad or self.resize or self.crop or (height, width)

  def image(self, image) -> np.ndarray:
    """Transforms uint8 [h, w, c] to uint8 [H, W, C].

    Or float32, of 0..255.

    Raises:
      DataError: crop larger or pad smaller than the image, or channels that
        cannot be converted.
    """
    image = self._convert(image)
    if self.crop:
      if self.crop[0] > image.shape[0] or self.crop[1] > image.shape[1]:
        raise DataError(f'crop={self.crop} of images {list(image.shape[:2])}; '
                        f'crop only cuts: use resize or pad')
      image = _centre(image, self.crop)
    if self.resize and self.resize != image.shape[:2]:
      image = self._resized(image)
    if self.pad and self.pad != image.shape[:2]:
      if self.pad[0] < image.shape[0] or self.pad[1] < image.shape[1]:
        raise DataError(f'pad={self.pad} of images {list(image.shape[:2])}; '
                        f'pad only enlarges: use resize={self.pad}')
      image = self._padded(image, self.pad)
    return image

  def images(self, images, where) -> np.ndarray:
    """Transforms images of a `Source`; `where` begins an error message."""
    _, height, width, channels = images.shape
    if self.channels in (0, channels) and {
        self.crop, self.resize, self.pad} <= {(), (height, width)}:
      return images
    shape = (len(images), *self.size(height, width), self.channels or channels)
    check_memory(math.prod(shape) * images.dtype.itemsize,
                 f'{where}: images of {list(shape[1:3])}')
    out = np.empty(shape, images.dtype)
    for i, image in enumerate(images):
      if image.dtype != np.uint8:
        image = ((image.astype(np.float64) + 1) * 127.5).astype(np.float32)
      out[i] = values.finished(self.image(image))
    return out

  def check_unused(self, what: str):
    """DataError if anything is to be done to `what`, which are no images."""
    if self != Geometry(background=self.background):
      raise DataError(f'{what}, for which there is no resize, crop, pad or '
                      f'channels')

  def _convert(self, image):
    wanted, has = self.channels, image.shape[2]
    if wanted in (0, has):
      return image
    if has > 4:
      raise DataError(f'channels={wanted} of images with {has} channels; only '
                      f'grey, RGB and alpha are converted: use channels=0')
    colour = image
    alpha = np.full((*image.shape[:2], 1), 255, image.dtype)
    if has in (2, 4):
      colour, alpha = image[..., :-1], image[..., -1:]
      if wanted != 4:
        share = alpha.astype(np.float32) / 255.0
        mixed = share * colour + (1.0 - share) * self._colour(has - 1)
        colour = (np.rint(mixed).astype(np.uint8) if image.dtype == np.uint8
                  else mixed)
    if wanted == 1 and colour.shape[2] == 3:
      if image.dtype != np.uint8:
        return colour @ _LUMA[:, None]
      return np.asarray(Image.fromarray(colour).convert('L'))[..., None]
    if wanted != 1 and colour.shape[2] == 1:
      colour = np.repeat(colour, 3, axis=2)
    return np.concatenate([colour, alpha], 2) if wanted == 4 else colour

  def _colour(self, channels):
    colour = np.array(self.background, np.float32)
    if channels < 3 and len(colour) == 3:
      colour = np.rint(colour @ _LUMA)[None]
    if len(colour) == 1:
      colour = np.repeat(colour, channels)
    # Three values leave alpha opaque.
    return np.append(colour, 255)[:channels].astype(np.float32)

  def _resized(self, image):
    if self.fit == 'stretch':
      return self._sampled(image, self.resize)
    scales = [new / old for new, old in zip(self.resize, image.shape[:2],
                                            strict=True)]
    if self.fit == 'crop':
      kept = [max(1, round(side / max(scales))) for side in self.resize]
      return self._sampled(_centre(image, kept), self.resize)
    size = [min(limit, max(1, round(side * min(scales))))
            for side, limit in zip(image.shape, self.resize, strict=False)]
    return self._padded(self._sampled(image, size), self.resize)

  def _sampled(self, image, size):
    method = Image.Resampling[self.resample.upper()]
    # Channel by channel: Pillow would take a fourth channel for alpha.
    found = np.stack([
        np.asarray(Image.fromarray(np.ascontiguousarray(image[:, :, c])).resize(
            tuple(size)[::-1], method)) for c in range(image.shape[2])], axis=2)
    return found.clip(0, 255)  # floats of Lanczos and bicubic leave it

  def _padded(self, image, size):
    out = np.empty((*size, image.shape[2]), image.dtype)
    out[:] = self._colour(image.shape[2])
    top, left = ((s - i) // 2 for s, i in zip(size, image.shape, strict=False))
    out[top:top + image.shape[0], left:left + image.shape[1]] = image
    return out


def integers(argument, value) -> tuple:
  """A sequence of integers as a tuple; DataError for anything else."""
  try:
    return tuple(operator.index(v) for v in value)
  except TypeError as error:
    raise DataError(f'{argument}={value!r}: a tuple of integers is needed, for '
                    f'example {argument}=(32, 32)') from error


def _centre(image, size):
  height, width = (min(s, i) for s, i in zip(size, image.shape, strict=False))
  top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
  return image[top:top + height, left:left + width]
