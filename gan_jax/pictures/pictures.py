"""Images: bytes from floats, grids, PNG, GIF."""

import io
import math

import numpy as np
from PIL import Image


def to_uint8(images):
  """Turns images of a generator into bytes.

  The rule, part of every score's record: clip(round((x + 1) * 127.5), 0, 255)
  in float32, halves rounded to even.  -1 gives 0, 0 gives 128, 1 gives 255.
  NaN gives 0.

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


def grid(images, columns, *, padding=2, side=600, background=255):
  """Lays images out row by row, enlarged so that small ones can be read.

  The images are enlarged by the whole number (nearest neighbour, at least 1)
  that brings the longer side of the picture nearest to `side`; `padding`
  stays as it is, around the picture too.  C of 1, 3 and 4 is kept; of 2
  channels the first is shown in grey, of more than 4 the first three as RGB.

  Args:
    images: uint8 [N, H, W, C], N >= 1.
    columns: images per row; with fewer images the one row is as long as they.
    padding: pixels between and around the images.
    side: wanted length of the longer side in pixels; 1 never enlarges.
    background: value in [0, 255] of the padding and of the empty places.

  Returns:
    uint8 [H', W', C'], C' in (1, 3, 4).

  Raises:
    ValueError: images are not uint8 [N, H, W, C], or columns < 1.
  """
  images = np.asarray(images)
  if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
    raise ValueError(
        f'images are {images.dtype} {list(images.shape)}; grid takes uint8 '
        '[N, H, W, C] with no empty axis; see pictures.to_uint8')
  if columns < 1 or padding < 0:
    raise ValueError(f'columns={columns}, padding={padding}; a grid needs at '
                     'least 1 column and 0 pixels of padding')
  if images.shape[-1] not in (1, 3, 4):
    images = images[..., :1 if images.shape[-1] == 2 else 3]
  count, height, width, channels = images.shape
  columns = min(columns, count)
  rows = math.ceil(count / columns)
  factor = max(1, min(
      round((side - padding * (n + 1)) / (n * size))
      for n, size in ((rows, height), (columns, width))))
  images = images.repeat(factor, axis=1).repeat(factor, axis=2)
  height, width = height * factor + padding, width * factor + padding
  picture = np.full((rows * height + padding, columns * width + padding,
                     channels), background, np.uint8)
  if channels == 4:
    picture[..., 3] = 255
  for i, image in enumerate(images):
    top = i // columns * height + padding
    left = i % columns * width + padding
    picture[top:top + image.shape[0], left:left + image.shape[1]] = image
  return picture


def _pillow(image):
  """Uint8 [H, W, C], C in (1, 3, 4), or [H, W] -> PIL image."""
  image = np.asarray(image)
  if (image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape
      or image.ndim == 3 and image.shape[-1] not in (1, 3, 4)):
    raise ValueError(
        f'the image is {image.dtype} {list(image.shape)}; a picture is uint8 '
        '[H, W, C] with C in (1, 3, 4); see to_uint8 and grid')
  if image.ndim == 3 and image.shape[-1] == 1:
    image = image[..., 0]
  return Image.fromarray(np.ascontiguousarray(image))


def png(image) -> bytes:
  """Encodes uint8 [H, W, C], C in (1, 3, 4), as PNG, without loss.

  Raises:
    ValueError: another dtype or shape.
  """
  buffer = io.BytesIO()
  _pillow(image).save(buffer, 'PNG')
  return buffer.getvalue()


def read_png(data: bytes):
  """Decodes what `png` encoded.

  Args:
    data: content of a PNG of 8-bit grey, RGB or RGBA.

  Returns:
    uint8 [H, W, C], C in (1, 3, 4).

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


def gif(frames, *, seconds_per_frame=0.1, last=1.0) -> bytes:
  """Encodes frames as an animated GIF that loops for ever.

  Grey is without loss.  Colours share one palette of 256, taken from up to
  16 frames, without dithering, which would flicker; alpha is composited on
  white.  Equal neighbouring frames are stored as one that is shown longer.

  Args:
    frames: iterable of uint8 [H, W, C], C in (1, 3, 4), all of one shape.
    seconds_per_frame: at least 0.02 (viewers slow shorter ones down);
      rounded to 0.01, the unit of the format.
    last: seconds for which the last frame is shown.

  Raises:
    ValueError: no frame, a wrong dtype, unequal shapes, a too short time.
  """
  frames = [_pillow(frame) for frame in frames]
  kinds = sorted({(f.mode, f.size) for f in frames})
  if len(kinds) != 1:
    raise ValueError(f'{len(frames)} frames with (mode, size) {kinds}; a GIF '
                     'takes at least one frame, all of one shape')
  if min(seconds_per_frame, last) < 0.02:
    raise ValueError(f'seconds_per_frame={seconds_per_frame}, last={last}; '
                     'viewers do not show less than 0.02 s; use 0.02 or more')
  if frames[0].mode != 'L':
    frames = _share_palette(frames)
  times = [round(100 * t) * 10 for t in
           [seconds_per_frame] * (len(frames) - 1) + [last]]
  buffer = io.BytesIO()
  frames[0].save(buffer, 'GIF', save_all=True, append_images=frames[1:],
                 duration=times, loop=0, optimize=False)
  return buffer.getvalue()


def _share_palette(frames):
  """RGB or RGBA images -> palette images with one palette."""
  if frames[0].mode == 'RGBA':
    white = Image.new('RGBA', frames[0].size, 'white')
    frames = [Image.alpha_composite(white, f).convert('RGB') for f in frames]
  some = [np.asarray(frames[i]) for i in sorted(set(
      np.linspace(0, len(frames) - 1, 16).round().astype(int).tolist()))]
  palette = Image.fromarray(np.concatenate(some)).quantize(256)
  return [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
