"""What examples are, told by the number of their axes."""

from collections.abc import Sequence

# [D], [T, C], [H, W, C] and [D, H, W, C], without the axis of examples.
KINDS = ('vectors', 'signals', 'images', 'volumes')


def kind_of(shape: Sequence[int]) -> str:
  """Kind of examples of this shape, one of `KINDS`.

  Raises:
    ValueError: none of them has so many axes.
  """
  if not 1 <= len(shape) <= len(KINDS):
    raise ValueError(f'examples of shape {list(shape)}; vectors [D], signals '
                     f'[T, C], images [H, W, C] or volumes [D, H, W, C] are '
                     f'needed')
  return KINDS[len(shape) - 1]


def counted(kind: str, count: int) -> str:
  """'1 image', '2 images'."""
  return f'{count} {kind if count != 1 else kind[:-1]}'


def described(shape: Sequence[int], rate: float = 0.0) -> str:
  """Examples in words: 'signals of 16,384 samples, 1.02 s at 16,000 Hz'.

  rate: of signals, in Hz; 0 if unknown.
  """
  *sizes, channels = shape
  kind = kind_of(shape)
  if kind == 'vectors':
    return f'vectors of {channels:,} number{"s" * (channels > 1)}'
  if kind == 'signals':
    time = f', {sizes[0] / rate:.3g} s at {rate:,g} Hz' if rate else ''
    more = f', {channels} channels' if channels > 1 else ''
    return f'signals of {sizes[0]:,} samples{time}{more}'
  colours = {1: 'grey', 3: 'RGB', 4: 'RGBA'}.get(channels,
                                                 f'{channels} channels')
  return f'{kind} {"x".join(map(str, sizes))}, {colours}'
