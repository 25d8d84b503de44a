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
