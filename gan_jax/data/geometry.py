"""How images of any size become images of one size."""

import math
import operator
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from gan_jax.base.errors import DataError
from gan_jax.data.files import check_memory

_CHANNELS = (0, 1, 3, 4)


class Geometry(NamedTuple):
  """What is done to every image, in the order of the fields.

  channels: 1 grey (ITU-R 601), 3 RGB, 4 RGBA, 0 as they are. Alpha that is
    not wanted is composited on the background.
  crop: (H, W) of the middle part that is kept, () for all.
  resize: (H, W), () to leave.
  fit: how another aspect ratio becomes that of `resize`: 'stretch', 'crop' the
    middle, or 'pad' with the background.
  resample: filter of the resize, antialiased. Bilinear never leaves the range
    of its inputs, so black paper stays black, where Lanczos rings.
  pad: (H, W) around the resized image, which is put in the middle (an odd line
    goes below or right), () for none.
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
    """The same with plain tuples.

    Raises:
      DataError: a field of a wrong form.
    """
    if self.channels not in _CHANNELS:
      raise DataError(f'channels={self.channels!r}: must be one of {_CHANNELS}')
    colour = integers('background', self.background)
    if len(colour) not in (1, 3) or not all(0 <= v <= 255 for v in colour):
      raise DataError(f'background={self.background!r}: must be one value or '
                      f'three (R, G, B), each in 0..255')
    sizes = {key: _size(key, getattr(self, key))
             for key in ('crop', 'resize', 'pad')}
    return self._replace(background=colour, **sizes)

  def size(self, height, width) -> tuple[int, int]:
    """(H, W) of what becomes of an image of this height and width."""
    return self.pad or self.resize or self.crop or (height, width)

  def image(self, image) -> np.ndarray:
    """Uint8 [h, w, c] -> uint8 [H, W, C].

    Raises:
      DataError: crop larger or pad smaller than the image, channels that
        cannot be had.
    """
    image = self._convert(image)
    if self.crop:
      _refuse('crop', self.crop, image, all(
          c <= s for c, s in zip(self.crop, image.shape, strict=False)),
          'only cuts: use resize or pad')
      image = _middle(image, self.crop)
    if self.resize and self.resize != image.shape[:2]:
      image = self._resized(image)
    if self.pad and self.pad != image.shape[:2]:
      _refuse('pad', self.pad, image, all(
          p >= s for p, s in zip(self.pad, image.shape, strict=False)),
          f'only enlarges: use resize={self.pad}')
      image = self._padded(image, self.pad)
    return image

  def images(self, images, where) -> np.ndarray:
    """Uint8 [N, h, w, c] -> uint8 [N, H, W, C]; `where` begins a message."""
    if self == Geometry(background=self.background) or self._leaves(images):
      return images
    size = self.size(*images.shape[1:3])
    channels = self.channels or images.shape[3]
    check_memory(len(images) * channels * math.prod(size),
                 f'{where}: images of {list(size)}')
    out = np.empty((len(images), *size, channels), np.uint8)
    for i in range(len(images)):
      out[i] = self.image(images[i])
    return out

  def _leaves(self, images):
    shape = tuple(images.shape[1:3])
    return (self.channels in (0, images.shape[3])
            and all(size in ((), shape)
                    for size in (self.crop, self.resize, self.pad)))

  def _convert(self, image):
    wanted, has = self.channels, image.shape[2]
    if wanted in (0, has):
      return image
    if has not in (1, 2, 3, 4):
      raise DataError(f'channels={wanted} of images with {has} channels; only '
                      f'grey, RGB and alpha are converted: use channels=0')
    colour, alpha = image, None
    if has in (2, 4):
      colour, alpha = image[..., :-1], image[..., -1:]
    if alpha is not None and wanted != 4:
      colour = self.composite(colour, alpha)
    if wanted == 1 and colour.shape[2] == 3:
      return np.asarray(Image.fromarray(np.ascontiguousarray(colour)).convert(
          'L'))[..., None]
    if wanted != 1 and colour.shape[2] == 1:
      colour = np.repeat(colour, 3, axis=2)
    if wanted == 4:
      opaque = np.full((*image.shape[:2], 1), 255, np.uint8)
      return np.concatenate([colour, opaque if alpha is None else alpha], 2)
    return np.ascontiguousarray(colour)

  def composite(self, colour, alpha) -> np.ndarray:
    """Colour [h, w, 1 or 3] over the background by alpha [h, w, 1], uint8."""
    share = alpha.astype(np.float32) / 255.0
    mixed = share * colour + (1.0 - share) * self._colour(colour.shape[2])
    return np.rint(mixed).astype(np.uint8)

  def _colour(self, channels):
    """The background for images of so many channels, float32."""
    colour = np.array(self.background, np.float32)
    if channels in (1, 2) and len(colour) == 3:
      colour = np.rint(colour @ np.array([0.299, 0.587, 0.114]))[None]
    if len(colour) == 1:
      colour = np.repeat(colour, channels)
    if channels == 4 and len(self.background) == 3:
      colour = np.append(colour, 255)
    return colour[:channels].astype(np.float32)

  def _resized(self, image):
    height, width = self.resize
    if self.fit == 'stretch':
      return self._sampled(image, self.resize)
    scale = [height / image.shape[0], width / image.shape[1]]
    if self.fit == 'crop':
      scale = max(scale)
      image = _middle(image, (max(1, round(height / scale)),
                              max(1, round(width / scale))))
      return self._sampled(image, self.resize)
    scale = min(scale)
    size = [min(limit, max(1, round(side * scale)))
            for side, limit in zip(image.shape, self.resize, strict=False)]
    return self._padded(self._sampled(image, size), self.resize)

  def _sampled(self, image, size):
    method = Image.Resampling[self.resample.upper()]
    out = np.empty((*size, image.shape[2]), np.uint8)
    # Channel by channel: Pillow would take a fourth channel for alpha.
    for c in range(image.shape[2]):
      plane = Image.fromarray(np.ascontiguousarray(image[:, :, c]))
      out[:, :, c] = plane.resize(tuple(size)[::-1], method)
    return out

  def _padded(self, image, size):
    out = np.empty((*size, image.shape[2]), np.uint8)
    out[:] = self._colour(image.shape[2])
    top, left = ((s - i) // 2 for s, i in zip(size, image.shape, strict=False))
    out[top:top + image.shape[0], left:left + image.shape[1]] = image
    return out


def integers(argument, value) -> tuple:
  """A sequence of integers as a tuple.

  Raises:
    DataError: something else.
  """
  form = f'{argument}={value!r}: a tuple of integers is needed'
  if isinstance(value, str):
    raise DataError(f'{form}, for example {argument}=(32, 32)')
  try:
    return tuple(operator.index(v) for v in value)
  except TypeError as error:
    raise DataError(f'{form}, for example {argument}=(32, 32)') from error


def _size(argument, value) -> tuple:
  size = integers(argument, value)
  if size and (len(size) != 2 or min(size) < 1):
    raise DataError(f'{argument}={value!r}: (height, width) of at least 1 is '
                    f'needed, or () to leave the images as they are')
  return size


def _middle(image, size):
  height, width = (min(s, i) for s, i in zip(size, image.shape, strict=False))
  top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
  return image[top:top + height, left:left + width]


def _refuse(argument, size, image, fits, fix):
  if not fits:
    raise DataError(f'{argument}={size} of images {list(image.shape[:2])}; '
                    f'{argument} {fix}')
