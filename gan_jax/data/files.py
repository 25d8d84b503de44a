"""What is common to readers of a user's files: `DataError` and path checks."""

import contextlib
import difflib
import itertools
import os
import tokenize
import zipfile
import zlib

from gan_jax.base.errors import DataError

_MAX_LISTED = 10_000  # directory entries looked at for near names
_CONTENTS = (
    (b'PK\x03\x04', 'a zip or npz archive'),
    (b'PK\x05\x06', 'an empty zip archive'),
    (b'\x93NUMPY', 'a single npy array'),
    (b'\x1f\x8b', 'a gzip file'),
    (b'\xfd7zXZ', 'an xz file'),
    (b'BZh', 'a bzip2 file'),
    (b'\x89PNG', 'a PNG image'),
    (b'\xff\xd8\xff', 'a JPEG image'),
    (b'version https://git-lfs', 'a git LFS pointer, not the file itself'),
    (b'<', 'a web page or XML'),
    (b'\x80', 'perhaps a pickle, which is never loaded'),
    (b'\x00\x00', 'perhaps an IDX file'),
)


def check_memory(num_bytes, where):
  """Raises DataError where an array is larger than this machine's memory."""
  try:
    limit = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  except (AttributeError, OSError, ValueError):  # not on every platform
    return
  if num_bytes > limit:
    raise DataError(
        f'{where}: an array of {num_bytes:,} bytes, but this machine has '
        f'{limit:,} bytes of memory; a data set is held in memory: check that '
        f'the header is not damaged, or use fewer or smaller images')


def check_file(path) -> str:
  """Expands `~` and returns the path of a regular, non-empty file.

  Raises:
    DataError: no such file (with the near names of its folder), a directory,
      a device or pipe, an empty file.
  """
  if not isinstance(path, str | os.PathLike) or not os.fspath(path):
    raise DataError(f'path {path!r}: not the path of a file; give a non-empty '
                    f'string')
  path = os.path.expanduser(os.fspath(path))
  if os.path.isdir(path):
    raise DataError(f'{path!r} is a directory; a file is needed: it holds '
                    f'{_some(list_folder(path))}')
  if not os.path.exists(path):
    raise DataError(f'{path!r}: no such file; {_near(path)}')
  if not os.path.isfile(path):
    raise DataError(f'{path!r} is a device, pipe or socket; only regular files '
                    f'are read: copy the data into a file')
  if os.path.getsize(path) == 0:
    raise DataError(f'{path!r} is empty (0 bytes); download or write it again')
  return path


def list_folder(path) -> list:
  """Sorted names in a folder; at most 10,000 of them, so that it never hangs.

  Raises:
    DataError: not a folder, or not readable.
  """
  try:
    with os.scandir(path) as entries:
      return sorted(e.name for e in itertools.islice(entries, _MAX_LISTED))
  except (OSError, ValueError) as error:
    raise DataError(f'{path!r}: not a folder that can be read ({error}); '
                    f'check the path') from error


def _some(names, limit=8) -> str:
  more = f' and {len(names) - limit} more' if len(names) > limit else ''
  return (', '.join(repr(n) for n in names[:limit]) or 'nothing') + more


def _near(path) -> str:
  folder, name = os.path.split(path)
  folder = folder or '.'
  if not os.path.isdir(folder):
    return f'its folder {folder!r} does not exist either: check the path'
  names = list_folder(folder)
  near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
  if near:
    return f'did you mean {_some(near)} in {folder!r}?'
  return f'{folder!r} holds {_some(names)}: check the path'


def looks_like(head) -> str:
  """Names the format that the first bytes of a file belong to."""
  return next((what for magic, what in _CONTENTS if head.startswith(magic)),
              'an unknown format')


@contextlib.contextmanager
def one_error(path, kind):
  """Turns whatever a damaged file can raise into one DataError."""
  try:
    yield
  except DataError:
    raise
  except (OSError, EOFError, ValueError, TypeError, SyntaxError, RuntimeError,
          MemoryError, OverflowError, zlib.error, zipfile.BadZipFile,
          tokenize.TokenError) as error:
    raise DataError(
        f'{path!r}: damaged, truncated or unreadable ({type(error).__name__}: '
        f'{error}); it must be a complete {kind}: download or write it again'
    ) from error
