"""How stored numbers become pixels: what decides black and white.

What the numbers of a set mean is known from its files (bits, DICOM's
BitsStored) or found from their range over the whole set; `value_range` says
otherwise.
"""

import ast
import math
from typing import Literal, NamedTuple

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError

_CLIP = 1e-3  # tolerance of float ranges; half a grey level is 2e-3
AUTO, DATA = 'auto', 'data'  # else (black, white)


class Scale(NamedTuple):
  """What stored numbers become.

  value_range: numbers that become black and white: (0, 4095), 'data' for the
    smallest and largest of the set, or 'auto': what the files say. That is 255
    for 8 bits, of 16-bit grey the largest number of the bits that the set uses
    (65535, or 4095 of 12 bits), of arrays (0, 255) for integers, (0, 1) or
    (-1, 1) for floats. What they do not say is refused.
  dtype: 'uint8', or 'float32' for numbers that are not rounded to 8 bits.
  """
  value_range: str | tuple = AUTO
  dtype: Literal['uint8', 'float32'] = 'uint8'

  def checked(self) -> 'Scale':
    """With 'auto', 'data' or (black, white); ArgumentError for others."""
    value = self.value_range
    try:
      if value not in (AUTO, DATA):
        value = ast.literal_eval(value) if isinstance(value, str) else value
        black, white = value = tuple(map(float, value))
        if not (math.isfinite(white - black) and black < white):
          raise ValueError
      return self._replace(value_range=value)
    except (ValueError, TypeError, SyntaxError) as error:
      raise ArgumentError('value_range', self.value_range, (
          "'auto', 'data' or two numbers (black, white), the smaller first, "
          'are needed, such as (0, 4095)')) from error


class Span(NamedTuple):
  """The numbers of an image, or of a set.

  kind: 'bytes' and 'bits' (8 and more of an image file), 'floats' (of an image
    file), 'stored' (of a file that says its range), 'array' or 'signal'.
  low, high: smallest and largest number.
  black, white: of kind 'stored'.
  """
  kind: str
  low: float
  high: float
  black: float = 0
  white: float = 0

  def __or__(self, other):
    return Span(self.kind, min(self.low, other.low), max(self.high, other.high),
                min(self.black, other.black), max(self.white, other.white))


def span(kind, array, *stored) -> Span:
  """The `Span` of an array; DataError for NaN or Inf."""
  low, high = array.min(), array.max()  # propagate NaN
  if not (np.isfinite(low) and np.isfinite(high)):
    raise DataError('NaN or Inf among its pixels')
  return Span(kind, low.item(), high.item(), *stored)


def in_units(examples, units) -> np.ndarray:
  """Floats in [-1, 1] as the numbers that they stand for, float32.

  units: (low, high) of a `prepare.Source`; () for examples that have none,
    bytes and vectors, which stay as they are.
  """
  if not units:
    return examples
  low, high = units
  return (low + (np.asarray(examples, np.float64) + 1) * (
      (high - low) / 2)).astype(np.float32)


def from_units(numbers, units) -> np.ndarray:
  """The inverse of `in_units`; what has no units stays as it is."""
  if not units:
    return numbers
  low, high = units
  return ((np.asarray(numbers, np.float64) - low) * (
      2 / (high - low)) - 1).astype(np.float32)


def unit(stored) -> np.ndarray:
  """What a `prepare.Source` stores, with black 0 and white 1: float32 [N, ...].

  Vectors, which have neither, stay as they are.
  """
  if stored.dtype == np.uint8:
    return stored.astype(np.float32) / 255
  return stored if stored.ndim == 2 else (stored + 1) / 2


def from_unit(x, units) -> np.ndarray:
  """The inverse of `unit`, of a source with `units`; clipped."""
  x = np.asarray(x, np.float32)
  if x.ndim == 2:
    return x
  x = x.clip(0, 1)
  return 2 * x - 1 if units else np.round(x * 255).astype(np.uint8)


def choose(found: Span, value_range) -> tuple[float, float, str]:
  """Black and white of a set, and what is surprising in them, or ''.

  Raises:
    ArgumentError: the range of values that are all the same.
    DataError: the numbers may mean several things; begins with the numbers.
  """
  kind, low, high = found[:3]
  seen = f'values {low:g}..{high:g}'
  if isinstance(value_range, tuple):
    black, white = value_range
    return black, white, f'{seen}: value_range=({black:g}, {white:g})' + (
        ', clipped' * (low < black or high > white)) + _dark(
            found, black, white)
  if value_range == DATA:
    if low == high:
      raise ArgumentError('value_range', DATA, (
          f'needs two different values, and all are {low:g}'))
    if kind == 'signal':  # 0 is silence
      most = max(-low, high)
      return -most, most, f'{seen}: -{most:g} and {most:g} are the loudest'
    return low, high, f'{seen} are black and white (value_range=data)'
  if kind == 'array':
    return *_of_array(found, seen), ''
  if kind == 'signal':
    return _of_signal(low, high, seen)
  if kind == 'floats':
    raise DataError(f'floating-point {seen} of unknown range: value_range=('
                    f"{_likely(low, high)}) or 'data' says it")
  if kind == 'stored':
    black, white = found[3:]
    if low < high < low + (white - black) / 4:
      return low, high, (
          f'{seen}, black and white as they are less than a quarter of what '
          f'the files have bits for; value_range=({black:g}, {white:g}) says '
          f'otherwise')
    return black, white, (f'{seen}; the bits of the files say that {black:g} '
                          f'is black, {white:g} white')
  if low < 0 or high > 65535:
    raise DataError(f'{seen}, beyond 16 bits: value_range=('
                    f"{_likely(low, high)}) or 'data' says what is white")
  bits = 8 if kind == 'bytes' else max(8, int(high).bit_length())
  white = 2 ** bits - 1
  note = _dark(found, 0, white)
  if kind == 'bits' and bits < 16:
    note = (f'of 16 bits {bits} are used ({seen}): {white} is white; '
            f'value_range=(0, 65535) says otherwise{note}')
  return 0, white, note.removeprefix('; ')


def _of_array(found, seen):
  low, high = found.low, found.high
  if isinstance(low, bool):
    return 0, 1
  if isinstance(low, int):
    if low < 0 or high > 255:
      hint = ''
      if low >= 0 and high <= 65535:
        white = 2 ** int(high).bit_length() - 1
        hint = (f'; {white.bit_length()} bits are used: value_range=(0, '
                f'{white}), or numpy.rint(images / {white / 255:g})')
      raise DataError(f'{seen}, not in 0..255: scale to uint8, or say '
                      f"value_range=(black, white) or 'data'{hint}")
    if high == 1:
      raise DataError(f'{seen}: maximum 1 would be almost black, as 255 is '
                      f'white: save them as bool or as float in [0, 1], or '
                      f'say value_range=(0, 1)')
    return 0, 255
  if -_CLIP <= low and 0.5 <= high <= 1 + _CLIP:
    return 0, 1
  # image / 255 - 0.5 lies in [-0.5, 0.5], and would have half the contrast.
  if -1 - _CLIP <= low <= -0.5 and 0 <= high <= 1 + _CLIP and (
      low < -0.5 - _CLIP or high > 0.5 + _CLIP):
    return -1, 1
  raise DataError(f'{seen}, not clearly [0, 1] or [-1, 1]: say value_range=('
                  f"{_likely(low, high)}), or 'data', or save bytes of 0..255")


def _of_signal(low, high, seen):
  most = max(-low, high)
  if isinstance(low, int) and 1 < most <= 32768 and low < 0:
    white = 32768
  elif not isinstance(low, int) and most <= 1 + _CLIP:
    white = 1
  else:
    raise DataError(f'{seen}, neither 16-bit integers nor floats in [-1, 1]: '
                    f'value_range=(-{most:g}, {most:g}) says what is loudest')
  quiet = most < white / 4
  return -white, white, quiet * (
      f'quiet: {seen}, of -{white} to {white}; value_range=(-{most:g}, '
      f'{most:g}) would be louder')


def _likely(low, high) -> str:
  """The smallest usual range that holds the values."""
  for black, white in ((0, 1), (-0.5, 0.5), (-1, 1), (0, 255), (0, 4095),
                       (0, 65535), (-1024, 3071)):
    if black - _CLIP <= low and high <= white + _CLIP:
      return f'{black:g}, {white:g}'
  return f'{low:g}, {high:g}'


def _dark(found, black, white):
  """A warning where no pixel is a quarter as bright as white."""
  if found.high - black >= (white - black) / 4:
    return ''
  likely = "value_range='data'"
  if found.low >= 0 and found.high == int(found.high):
    bits = max(1, int(found.high).bit_length())
    likely = f"{bits} bits, value_range=(0, {2 ** bits - 1}), or 'data'"
  return (f'; nearly black: the largest value is {found.high:g}, white is '
          f'{white:g}; {likely} would be brighter')


def scaled(array, black, white, dtype='uint8') -> np.ndarray:
  """Scales (black, white) to 0..255, clipped; uint8 is rounded."""
  if dtype == 'uint8' and array.dtype == np.uint8 and (
      black, white) == (0, 255):
    return array
  if dtype == 'uint8' and array.dtype.kind in 'bui' and black == 0 and (
      white == int(white) < 2 ** 32):
    # In integers, which know no rounding errors.
    white = int(white)
    values = array.astype(np.int64).clip(0, white)
    return ((values * 510 + white) // (2 * white)).astype(np.uint8)
  x = (array.astype(np.float64) - black) * (255 / (white - black))
  x = x.clip(0, 255)
  return (np.rint(x) if dtype == 'uint8' else x).astype(dtype)


def finished(examples) -> np.ndarray:
  """Bytes as they are; floats of 0..255 in [-1, 1], as networks see them."""
  if examples.dtype == np.uint8:
    return examples
  return (examples.astype(np.float64) / 127.5 - 1).astype(np.float32)
