"""What happens to files of a set that cannot be used."""

import itertools
import math
from typing import Literal, NamedTuple

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data.files import printable

_LISTED = 20  # bad files in one message


class BadFilesError(DataError):
  """Files that cannot be used.

  args: what is said of them, and the keys of a config that leave them out.
  """

  def __str__(self):
    return ''.join(self.args)


class Reading(NamedTuple):
  """What happens to files or records that cannot be used.

  on_bad_image: 'refuse' the set, with all of them in one message, or 'skip'
    them; `report` of the source lists those.
  max_bad: share of the files that may be skipped, in [0, 1).
  """
  on_bad_image: Literal['refuse', 'skip'] = 'refuse'
  max_bad: float = 0.01

  def checked(self) -> 'Reading':
    """The same; ArgumentError for an invalid field."""
    if not 0 <= self.max_bad < 1:
      raise ArgumentError('max_bad', self.max_bad, 'must be a share in [0, 1)')
    return self

  def check(self, root: str, bad: list, total: int):
    """BadFilesError if more of `total` files are `bad` than may be.

    bad: [(path, why)].
    """
    skip, count = self.on_bad_image == 'skip', len(bad)
    if not bad or skip and count <= self.max_bad * total and count < total:
      return
    shown = [f"'{printable(path)}' {why}" for path, why in bad[:_LISTED]]
    if count > _LISTED:
      shown.append(f'and {count - _LISTED:,} more')
    raise BadFilesError(
        f'{printable(root)!r}: {count:,} of {total:,} files are no usable '
        f'images: {"; ".join(shown)}; repair or remove them',
        self._leave_out(count, total))

  def _leave_out(self, count: int, total: int) -> str:
    """', or ...': the settings that skip so many of the files, '' if none."""
    if count == total:
      return ''
    wanted = ['data.on_bad_image=skip'] * (self.on_bad_image != 'skip')
    said = ''
    if count > self.max_bad * total:
      wanted.append(f'data.max_bad={_share(count, total)}')
      said = (f' (the share of files that may be skipped, now '
              f'{self.max_bad:g})')
    return f', or leave them out by {" and ".join(wanted)}{said}'


def _share(count: int, total: int) -> float:
  """A short number below 1 that is `count` of `total` or more."""
  return next(share for digits in itertools.count(2) if count <= total * (
      share := math.ceil(count / total * 10 ** digits) / 10 ** digits) < total)
