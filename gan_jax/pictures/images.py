"""Images as bytes: grids, PNG and GIF."""

import io
import math

import numpy as np
from PIL import Image

_FRAME, _LAST = 100, 1000  # ms that a frame of a GIF is shown, and its last one


def to_uint8(images):
  """Converts generated images, floats in [-1, 1], to uint8 of the same shape.

  clip(round((x + 1) * 127.5), 0, 255) in float32, halves rounded to even: -1
  gives 0, 0 gives 128, 1 gives 255, and NaN gives 0. Part of every score's
  protocol.

  Raises:
    ValueError: images are integers or booleans.
  """
  images = np.asarray(images)
  if images.dtype.kind in 'biu':
    raise ValueError(f'images have dtype {images.dtype}; to_uint8 takes floats '
                     'in [-1, 1]; pass the images before they were converted')
  values = np.round((images.astype(np.float32) + 1.0) * 127.5)
  return np.nan_to_num(np.clip(values, 0, 255), nan=0.0).astype(np.uint8)


def grid(images, columns=0, *, padding=2, side=600):
  """Arranges images row by row, on white, enlarged.

  1, 3 and 4 channels are kept; of 2 channels the first is shown in grey, of
  more than 4 the first three as RGB.

  Args:
    images: uint8 [N, H, W, C], N >= 1.
    columns: images per row, of fewer images all in one row; 0 for about as many
      as rows, with few places empty: 10 images are 5 + 5, not 4 + 4 + 2.
    padding: pixels between and around the images, never enlarged.
    side: target pixels of the longer side, for the integer scale of the images;
      1 never enlarges.

  Returns:
    uint8 [H', W', C'], C' in (1, 3, 4).

  Raises:
    ValueError: images are not uint8 [N, H, W, C], or columns < 0.
  """
  images = np.asarray(images)
  if (images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape
      or columns < 0):
    raise ValueError(
        f'images are {images.dtype} {list(images.shape)}, columns={columns}; '
        'grid takes uint8 [N, H, W, C] with no empty axis, see '
        'pictures.to_uint8, and 0 columns or more')
  images = drawable(images)
  count, height, width, channels = images.shape
  columns = columns_of(count, columns)
  rows = math.ceil(count / columns)
  factor = max(1, min(
      round((side - padding * (n + 1)) / (n * size))
      for n, size in ((rows, height), (columns, width))))
  images = images.repeat(factor, axis=1).repeat(factor, axis=2)
  # Each has its padding below and on the right, the whole above and left.
  white = ((0, rows * columns - count), (0, padding), (0, padding), (0, 0))
  images = np.pad(images, white, constant_values=255)
  images = images.reshape(rows, columns, *images.shape[1:]).swapaxes(1, 2)
  images = images.reshape(rows * images.shape[1], -1, channels)
  return np.pad(images, ((padding, 0), (padding, 0), (0, 0)),
                constant_values=255)


def columns_of(count, columns):
  """Columns of a grid of so many images, see `grid`."""
  root = math.ceil(math.sqrt(count))
  return min(columns, count) or min(
      range(root, 2 * root), key=lambda n: (-count % n, n))


def drawable(images):
  """[..., C] as [..., 1, 3 or 4]: grey or the first three for other C."""
  return images[..., :channels_drawn(images.shape[-1])]


def channels_drawn(channels):
  """Number of channels of an image that pictures show: the first ones."""
  return channels if channels in (1, 3, 4) else 1 if channels == 2 else 3


def pillow(image) -> Image.Image:
  """A PIL image of uint8 [H, W, C], C in (1, 3, 4); ValueError for others."""
  image = np.asarray(image)
  if (image.dtype != np.uint8 or image.ndim != 3 or 0 in image.shape
      or image.shape[-1] not in (1, 3, 4)):
    raise ValueError(
        f'the image is {image.dtype} {list(image.shape)}; a picture is uint8 '
        '[H, W, C] with C in (1, 3, 4); see pictures.to_uint8 and grid')
  return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def png(image) -> bytes:
  """Encodes uint8 [H, W, C], C in (1, 3, 4), as PNG, without loss."""
  buffer = io.BytesIO()
  pillow(image).save(buffer, 'PNG')
  return buffer.getvalue()


def read_png(data: bytes):
  """Decodes a PNG of 8-bit grey, RGB or RGBA: uint8 [H, W, C].

  Raises:
    ValueError: the PNG is damaged or of another kind.
  """
  try:
    with Image.open(io.BytesIO(data), formats=['PNG']) as file:
      if file.mode not in ('L', 'RGB', 'RGBA'):
        raise OSError(f'its mode is {file.mode}')
      image = np.array(file)
  except (OSError, SyntaxError) as error:  # Pillow's answer to a bad CRC
    raise ValueError(f'{len(data)} bytes are no readable PNG of 8 bits: '
                     f'{error}; write the picture again') from error
  return image.reshape(image.shape[:2] + (-1,))


def gif(frames) -> bytes:
  """Encodes frames, uint8 [H, W, C] of one shape, as an endless GIF.

  Grey is lossless. Colours share one palette of 256, of up to 16 frames,
  without dithering, which would flicker; alpha is composited on white. Equal
  neighbouring frames are merged.

  Raises:
    ValueError: no frame, a wrong dtype or unequal shapes.
  """
  frames = [pillow(frame) for frame in frames]
  kinds = sorted({(f.mode, f.size) for f in frames})
  if len(kinds) != 1:
    raise ValueError(f'{len(frames)} frames with (mode, size) {kinds}; a GIF '
                     'takes at least one frame, all of one shape')
  if frames[0].mode == 'RGBA':
    white = Image.new('RGBA', frames[0].size, 'white')
    frames = [Image.alpha_composite(white, f).convert('RGB') for f in frames]
  if frames[0].mode == 'RGB':
    some = np.unique(np.linspace(0, len(frames) - 1, 16).round().astype(int))
    palette = Image.fromarray(np.concatenate(
        [np.asarray(frames[i]) for i in some])).quantize(256)
    frames = [f.quantize(palette=palette, dither=Image.Dither.NONE)
              for f in frames]
  buffer = io.BytesIO()
  frames[0].save(buffer, 'GIF', save_all=True, append_images=frames[1:],
                 duration=[_FRAME] * (len(frames) - 1) + [_LAST], loop=0,
                 optimize=False)
  return buffer.getvalue()
