"""Images as bytes, side by side in a grid, as PNG and as GIF."""

import io
import math

import numpy as np
from PIL import Image

_FRAME, _LAST = 100, 1000  # ms that a frame of a GIF is shown, and its last one


def to_uint8(images):
  """Turns images of a generator into bytes.

  The rule, which is part of every score's protocol: clip(round((x + 1) *
  127.5), 0, 255) in float32, halves rounded to even. -1 gives 0, 0 gives 128,
  1 gives 255, and NaN gives 0.

  Args:
    images: float array of any shape, in [-1, 1]; values outside are clipped.

  Returns:
    numpy uint8 array of the same shape.

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
  """Lays images out row by row, on white, enlarged so that all can be seen.

  The images are enlarged by the whole number (nearest neighbour, at least 1)
  that brings the longer side of the grid nearest to `side`; `padding` is not
  enlarged. 1, 3 and 4 channels are kept; of 2 channels the first is shown in
  grey, of more than 4 the first three as RGB.

  Args:
    images: uint8 [N, H, W, C], N >= 1.
    columns: images per row, of fewer images all in one row; 0 for about as many
      as rows, with few places empty: 10 images are 5 + 5, not 4 + 4 + 2.
    padding: pixels between and around the images.
    side: wanted length of the longer side in pixels; 1 never enlarges.

  Returns:
    uint8 [H', W', C'], C' in (1, 3, 4).

  Raises:
    ValueError: images are not uint8 [N, H, W, C], or columns < 0.
  """
  images = np.asarray(images)
  if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
    raise ValueError(
        f'images are {images.dtype} {list(images.shape)}; grid takes uint8 '
        '[N, H, W, C] with no empty axis; see pictures.to_uint8')
  if columns < 0:
    raise ValueError(f'columns={columns}: must be 1 or more, or 0')
  images = drawable(images)
  count, height, width, channels = images.shape
  root = math.ceil(math.sqrt(count))
  columns = min(columns, count) or min(
      range(root, 2 * root + 1), key=lambda n: (-count % n, n))
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


def drawable(images):
  """[..., C] as [..., 1, 3 or 4]: grey or the first three for other C."""
  if images.shape[-1] in (1, 3, 4):
    return images
  return images[..., :1 if images.shape[-1] == 2 else 3]


def pillow(image) -> Image.Image:
  """A PIL image of uint8 [H, W, C], C in (1, 3, 4).

  Raises:
    ValueError: another dtype or shape.
  """
  image = np.asarray(image)
  if (image.dtype != np.uint8 or image.ndim != 3 or 0 in image.shape
      or image.shape[-1] not in (1, 3, 4)):
    raise ValueError(
        f'the image is {image.dtype} {list(image.shape)}; a picture is uint8 '
        '[H, W, C] with C in (1, 3, 4); see pictures.to_uint8 and grid')
  if image.shape[-1] == 1:
    image = image[..., 0]
  return Image.fromarray(np.ascontiguousarray(image))


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
      image, mode = np.array(file), file.mode
  except (OSError, SyntaxError) as error:  # Pillow's answer to a bad CRC
    raise ValueError(f'{len(data)} bytes are no readable PNG: {error}; '
                     'write the picture again') from error
  if mode not in ('L', 'RGB', 'RGBA'):
    raise ValueError(f'the PNG has mode {mode}; read_png takes L, RGB and RGBA '
                     'of 8 bits, as pictures.png writes them')
  return image.reshape(image.shape[:2] + (-1,))


def gif(frames) -> bytes:
  """Encodes frames as an animated GIF that loops for ever.

  Grey is without loss. Colours share one palette of 256, taken from up to 16
  frames, without dithering, which would flicker; alpha is composited on white.
  Equal neighbouring frames are stored as one that is shown longer.

  Args:
    frames: iterable of uint8 [H, W, C], C in (1, 3, 4), all of one shape.

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
