"""Checks of files that a user names, and their error messages."""

import codecs
import contextlib
import csv
import difflib
import errno
import itertools
import os
import tarfile
import tokenize
import zipfile
import zlib

from gan_jax.base.errors import ArgumentError, DataError, UserError

_MAX_LISTED = 10_000  # directory entries searched for similar names
_CONTENTS = {
    b'PK\x03\x04': 'a zip or npz archive',
    b'PK\x05\x06': 'an empty zip archive',
    b'\x93NUMPY': 'a single npy array',
    b'\x1f\x8b': 'a gzip file',
    b'\xfd7zXZ': 'an xz file',
    b'BZh': 'a bzip2 file',
    b'\x89PNG': 'a PNG image',
    b'\xff\xd8\xff': 'a JPEG image',
    b'version https://git-lfs': 'a git LFS pointer, not the file itself',
    b'<': 'a web page or XML',
    b'\x80': 'perhaps a pickle, which is never loaded',
    b'\x00\x00': 'perhaps an IDX file'}

# Its other CSV is in the code page of the country.
IN_EXCEL = ", in Excel as 'CSV UTF-8'"
NO_MEMORY = ('needs more memory than there is, or than `ulimit -v` allows: end '
             'other programs, or raise the limit')


def memory() -> int:
  """Bytes of the machine's memory."""
  return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


def check_memory(num_bytes, where):
  """Raises DataError for an array larger than the machine's memory."""
  if num_bytes > (limit := memory()):
    raise DataError(f'{where}: an array of {num_bytes:,} bytes, but this '
                    f'machine has {limit:,} bytes of memory; use fewer or '
                    f'smaller images, or check that the header is not damaged')


def check_there(path, what: str = 'file or folder') -> str:
  """Expands `~` and returns a path.

  what: is needed there, for the message.

  Raises:
    ArgumentError: no text, or an empty one.
    DataError: there is nothing (with similar names), or an empty folder.
  """
  if not isinstance(path, str | os.PathLike) or not os.fspath(path):
    raise ArgumentError('path', path, f'the path of a {what} is needed')
  path = os.path.expanduser(os.fspath(path))
  if not os.path.exists(path):
    raise DataError(f'{path!r}: no such {what}; '
                    f'{_similar(*os.path.split(path))}')
  if os.path.isdir(path) and not list_folder(path, 1):
    raise DataError(f'{path!r}: this folder is empty; put the files there, or '
                    'give the folder that holds them')
  return path


def check_file(path) -> str:
  """Expands `~` and returns the path of a regular, non-empty file.

  Raises:
    ArgumentError: no text, or an empty one.
    DataError: no such file (with similar names), not a regular file, or empty.
  """
  path, problem = check_there(path, 'file'), ''
  if os.path.isdir(path):
    problem = (f' is a directory; a file is needed: it holds '
               f'{some(list_folder(path))}')
  elif not os.path.isfile(path):
    problem = (' is a device, pipe or socket; only regular files are read: '
               'copy the data into a file')
  elif os.path.getsize(path) == 0:
    problem = ' is empty (0 bytes); download or write it again'
  if problem:
    raise DataError(f'{path!r}{problem}')
  return path


def _similar(folder, name) -> str:
  folder = folder or '.'
  if not os.path.isdir(folder):
    return f'its folder {folder!r} does not exist either: check the path'
  names = list_folder(folder)
  near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
  return (f'did you mean {some(near)} in {folder!r}?' if near else
          f'{folder!r} holds {some(names)}: check the path')


def list_folder(path, limit: int | None = _MAX_LISTED) -> list:
  """Sorted names in a folder, at most `limit`; DataError if it is none.

  For messages 10,000 are enough; None lists all.
  """
  try:
    with os.scandir(path) as entries:
      return sorted(e.name for e in itertools.islice(entries, limit))
  except (OSError, ValueError) as error:
    raise DataError(f'{path!r}: not a folder that can be read '
                    f'({reason(error)}); check the path') from error


def printable(text) -> str:
  """A file name, of any bytes, on one line."""
  return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def some(names, limit=5) -> str:
  """The first names of a list, for a message."""
  shown = [f"'{printable(name)}'" for name in names[:limit]] or ['nothing']
  more = f' and {len(names) - limit} more' if len(names) > limit else ''
  return ', '.join(shown) + more


def looks_like(head) -> str:
  """Names the format of a file's first bytes."""
  return next((what for magic, what in _CONTENTS.items()
               if head.startswith(magic)), 'an unknown format')


def reason(error: BaseException) -> str:
  """Message of an exception on one line."""
  if isinstance(error, (SyntaxError, tokenize.TokenError)):
    return 'its header cannot be parsed'
  if isinstance(error, zlib.error):
    return 'its compressed data are damaged'
  if isinstance(error, UnicodeError):
    return 'its text is not UTF-8'
  said = getattr(error, 'strerror', None) or str(error)
  return printable(' '.join(said.split()))[:200] or 'no reason known'


def encoding_of(start: bytes) -> str:
  """Encoding of a text that begins so: UTF-8, or UTF-16 of Windows."""
  return 'utf-16' if start.startswith(
      (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else 'utf-8-sig'


def lacks_memory(error: BaseException) -> bool:
  """Whether it is the memory of the machine, or its limit, that is short."""
  return isinstance(error, MemoryError) or (
      getattr(error, 'errno', None) == errno.ENOMEM)


@contextlib.contextmanager
def as_os_error(what='damaged or truncated'):
  """Context of reading one example, whose DataError becomes an OSError.

  So that the example alone is bad, see `collection.load`.
  """
  try:
    yield
  except DataError as error:
    raise OSError(0, what) from error


@contextlib.contextmanager
def one_error(path, kind):
  """Context that turns any error of reading a damaged file into DataError."""
  try:
    yield
  except UserError:
    raise
  except (OSError, EOFError, ValueError, TypeError, SyntaxError, RuntimeError,
          MemoryError, OverflowError, LookupError, zlib.error,
          zipfile.BadZipFile, tarfile.TarError, tokenize.TokenError,
          csv.Error) as error:
    if lacks_memory(error):  # Which a damaged header asks for, too.
      raise DataError(f'{path!r}: {NO_MEMORY} ({reason(error)}); if it is a '
                      'small file, it is damaged: download or write it again'
                      ) from error
    fix = (f'save it as UTF-8{IN_EXCEL}' if isinstance(error, UnicodeError)
           else 'download or write it again')
    raise DataError(
        f'{path!r}: damaged, truncated or unreadable ({reason(error)}); it '
        f'must be a complete {kind}: {fix}') from error
