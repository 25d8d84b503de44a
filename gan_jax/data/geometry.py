"""Brings images to one size, and to so many channels."""

import collections
import math
import operator
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import values
from gan_jax.data.files import check_memory

_CHANNELS = (0, 1, 3, 4)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601


class Geometry(NamedTuple):
  """Transformations of every image, in the order of the fields.

  channels: 1 grey (ITU-R 601), 3 RGB, 4 RGBA, 0 unchanged. Alpha is composited
    on the background if not wanted; of RGBA the resize weights colours with it.
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
    """The same with plain tuples; ArgumentError for an invalid field."""
    if self.channels not in _CHANNELS:
      raise ArgumentError('channels', self.channels, (
          f'must be one of {_CHANNELS}'))
    colour = integers('background', self.background)
    if len(colour) not in (1, 3) or not all(0 <= v <= 255 for v in colour):
      raise ArgumentError('background', self.background, (
          'must be one value or three (R, G, B), each in 0..255'))
    sizes = {}
    for key in ('crop', 'resize', 'pad'):
      sizes[key] = size = integers(key, getattr(self, key))
      if size and (len(size) != 2 or min(size) < 1):
        raise ArgumentError(key, size, (
            '(height, width) of at least 1 is needed, such as (64, 64), or () '
            'to leave the images as they are'))
    return self._replace(background=colour, **sizes)

  def key(self) -> tuple:
    """What determines its images, for a cache's key or a fingerprint."""
    # The words tell images from what older versions made of them, which let
    # the colour of clear pixels bleed, and gave grey ones a grey background.
    return (*self, *['weighted'] * bool(self.channels == 4 and self.resize),
            *['coloured'] * (len(self.background) == 3))

  def size(self, height, width) -> tuple[int, int]:
    """(H, W) of the result for an image of this height and width."""
    return self.pad or self.resize or self.crop or (height, width)

  def check(self, height, width, channels):
    """ArgumentError if an image of this shape cannot be transformed.

    That is a crop larger or a pad smaller than it, channels that cannot be
    converted, or a background of three colours for more than four channels.
    """
    if self.channels not in (0, channels) and channels > 4:
      raise ArgumentError('channels', self.channels, (
          f'cannot be made of the {channels} channels of these images; only '
          'grey, RGB and alpha are converted: use channels=0'))
    if self.crop and (self.crop[0] > height or self.crop[1] > width):
      raise ArgumentError('crop', self.crop, (
          f'is larger than the images, {[height, width]}; crop only cuts: use '
          'resize or pad'))
    padded = self.pad or self.resize and self.fit == 'pad'
    colours = self.channels or channels
    if padded and colours > 4 and len(self.background) == 3:
      raise ArgumentError('background', self.background, (
          f'is R, G, B, and these images have {colours} channels: give one '
          'value'))
    size = self.resize or self.crop or (height, width)
    if self.pad and (self.pad[0] < size[0] or self.pad[1] < size[1]):
      raise ArgumentError('pad', self.pad, (
          f'is smaller than the images, {list(size)}; pad only enlarges: use '
          f'resize={self.pad}'))

  def settled(self, headers, where: str) -> tuple['Geometry', tuple]:
    """The same with its number of channels, and the shape of all images.

    headers: height, width, channels and colour of each; where: begins messages.

    Raises:
      ArgumentError: it suits none of them. Where it suits some, the others are
        bad images.
      DataError: they stay of several sizes.
    """
    misfits = []
    shapes = dict.fromkeys((h.height, h.width, h.channels) for h in headers)
    for shape in shapes:
      try:
        self.check(*shape)
      except ArgumentError as error:
        misfits.append(error)
    if len(misfits) == len(shapes):
      raise misfits[0]
    most = max(header.channels for header in headers)
    colour = any(header.colour for header in headers)
    channels = self.channels or most or (3 if colour else 1)
    sizes = collections.Counter((h.width, h.height) for h in headers)
    after = {self.size(height, width) for width, height in sizes}
    if len(after) > 1:
      shown = ', '.join(f'{w}x{h} ({n:,})'
                        for (w, h), n in sizes.most_common(8))
      raise DataError(
          f'{where!r}: images of {len(sizes):,} sizes (width x height: '
          f'{shown}); one is needed: resize=(64, 64), or crop or pad')
    # Four channels of an array are alpha only where the user says so.
    return (self if most else self._replace(channels=channels),
            (*after.pop(), channels))

  def image(self, image) -> np.ndarray:
    """Transforms uint8 [h, w, c] to uint8 [H, W, C].

    Or float32, of 0..255.

    Raises:
      ArgumentError: see `check`.
    """
    self.check(*image.shape)
    image = self._convert(image)
    if self.crop:
      image = _centre(image, self.crop)
    if self.resize and self.resize != image.shape[:2]:
      image = self._resized(image)
    if self.pad and self.pad != image.shape[:2]:
      image = self._padded(image, self.pad)
    return image

  def images(self, images, where) -> np.ndarray:
    """Transforms images of a `Source`, [N, H, W, C]; `where` begins messages.

    Raises:
      ArgumentError: see `check`.
      DataError: the result would not fit into the machine's memory.
    """
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
    """ArgumentError if anything is to be done to what is no image.

    `what` says so, such as 'these are vectors'.
    """
    for key, value in self._asdict().items():
      if key != 'background' and value != Geometry._field_defaults[key]:
        raise ArgumentError(key, value, f'is for images, and {what}')

  def _convert(self, image):
    wanted, has = self.channels, image.shape[2]
    if wanted in (0, has):
      return image
    colour = image
    alpha = np.full((*image.shape[:2], 1), 255, image.dtype)
    if has in (2, 4):
      colour, alpha = image[..., :-1], image[..., -1:]
      if wanted != 4:
        share = alpha.astype(np.float32) / 255.0
        # Grey on a coloured background is coloured, where colours are wanted.
        behind = self._colour(3 if wanted == 3 else has - 1)
        mixed = share * colour + (1.0 - share) * behind
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
    dtype, clear = image.dtype, self.channels == 4 and image[..., 3].min() < 255
    if clear:  # The colour of what is clear must not bleed into its neighbours.
      image = image.astype(np.float32)
      image[..., :3] *= image[..., 3:] / 255
    # Channel by channel: Pillow would take a fourth channel for alpha.
    found = np.stack([
        np.asarray(Image.fromarray(np.ascontiguousarray(image[:, :, c])).resize(
            tuple(size)[::-1], method)) for c in range(image.shape[2])], axis=2)
    if clear:
      found[..., :3] /= np.maximum(found[..., 3:] / 255, 1e-6)
      found = np.rint(found) if dtype == np.uint8 else found
    # Floats of Lanczos and bicubic leave it.
    return found.clip(0, 255).astype(dtype)

  def _padded(self, image, size):
    out = np.empty((*size, image.shape[2]), image.dtype)
    out[:] = self._colour(image.shape[2])
    top, left = ((s - i) // 2 for s, i in zip(size, image.shape, strict=False))
    out[top:top + image.shape[0], left:left + image.shape[1]] = image
    return out


def integers(argument, value) -> tuple:
  """A sequence of integers as a tuple; ArgumentError for anything else."""
  try:
    return tuple(operator.index(v) for v in value)
  except TypeError as error:
    raise ArgumentError(argument, value, (
        f'a tuple of integers is needed, for example {argument}=(32, 32)'
        )) from error


def _centre(image, size):
  height, width = (min(s, i) for s, i in zip(size, image.shape, strict=False))
  top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
  return image[top:top + height, left:left + width]
