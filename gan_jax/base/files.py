"""Atomic file writes, and appended records that survive a full disk."""

import contextlib
import errno
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil

from gan_jax.base.errors import RequestError, UserError

_log = logging.getLogger(__name__)
# What helps where a disk refuses to be written.
_DISK = {
    errno.ENOSPC: '{free} bytes free: free some space',
    errno.EDQUOT: 'the quota is used up: free some space, or raise the quota',
    errno.EFBIG: 'more than `ulimit -f` or the file system allows: raise the '
                 'limit',
    errno.EROFS: 'mounted read-only, perhaps since a disk error, which `dmesg` '
                 'shows: mount it writable',
    errno.EIO: 'the disk fails or has gone; `dmesg` may say why'}
# Files to which a run appends.
_ROWS = ('launches.jsonl', 'scalars.jsonl', 'scores.jsonl')
_failing = set()  # folders whose last try_write_file failed


def write_file(path, data: bytes):
  """Writes a file atomically: temporary file, fsync, rename.

  Missing folders are made; the mode follows the umask. Raises OSError, with the
  old file, if any, unchanged.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary = path.with_name(f'.{path.name[:50]}.{os.getpid()}.tmp')
  try:
    with open(temporary, 'wb') as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, path)
  except BaseException:
    temporary.unlink(missing_ok=True)
    raise
  sync_folder(path.parent)  # Makes the rename durable.


def write_json(path, value):
  """Writes a value as indented JSON, see `write_file`."""
  write_file(path, (json.dumps(value, indent=1) + '\n').encode())


def within(place, folder):
  """Whether a path is in a folder, or is it; with symlinks resolved."""
  return bool(place) and any(
      pathlib.Path(resolve(place)).is_relative_to(resolve(folder))
      for resolve in (os.path.abspath, os.path.realpath))


def refuse_record(out: str) -> None:
  """Raises RequestError for a file in which a run keeps its rows."""
  folder, name = os.path.split(out)
  if name in _ROWS and os.path.exists(os.path.join(folder, 'config.json')):
    raise RequestError(f'--out={out}: is a record of the run {folder or "."}; '
                       'give another name')


def check_out(out: str, *, folder: bool = False) -> None:
  """Raises RequestError if --out cannot be written, before it is computed.

  `folder`: it is to be one, with files in it.
  """
  if folder:
    why = refused(os.path.join(out, 'any'))
  else:
    why = 'it is a folder' if os.path.isdir(out) else refused(out)
  if why:
    raise RequestError(f'--out={out}: cannot write it: {why}; give another '
                       'name')


def refused(path) -> str:
  """Why nothing can be written at a path, told before it is tried; or ''.

  Of a folder that is there, what counts is whether it can be written, else the
  folder around: a file that is there is replaced.
  """
  place = pathlib.Path(path).absolute()
  # Not by the method, which raises an error in a folder that is closed.
  place = place if os.path.isdir(place) else place.parent
  while not os.path.lexists(place):
    place = place.parent
  if not os.path.isdir(place):
    return f'{place} is in the way and is no folder'
  if os.access(place, os.W_OK | os.X_OK):
    return ''
  read_only = os.statvfs(place).f_flag & os.ST_RDONLY
  error = OSError(code := errno.EROFS if read_only else errno.EACCES,
                  os.strerror(code))
  return f'{place}: {unwritten(place, error)}'


def unwritten(path, error: OSError) -> str:
  """Why writing at a path has failed, and what helps."""
  if error.errno in (errno.EEXIST, errno.ENOTDIR) and (
      why := refused(os.path.join(error.filename or path, 'any'))):
    return why
  return f'{error.strerror}{disk_hint(path, error)}'


@contextlib.contextmanager
def writing_out(out, fix: str = 'give another name'):
  """Context that writes what --out asks for; `fix` ends the message.

  Raises:
    RequestError: instead of an OSError.
    UserError: the same, where it is the disk that fails.
  """
  try:
    yield
  except OSError as e:
    said = f'--out={out}: cannot write it: {unwritten(out, e)}'
    if disk_hint(out, e):
      raise UserError(f'{said}; then rerun the command') from e
    raise RequestError(f'{said}; {fix}') from e


def sync_folder(path):
  """Fsyncs a folder, so that the names in it are on disk."""
  fd = os.open(path, os.O_RDONLY)
  try:
    os.fsync(fd)
  finally:
    os.close(fd)


def disk_hint(path, error: Exception) -> str:
  """What helps after an error of a disk: ' (12 bytes free: free some space)'.

  '' after other errors.
  """
  # Tensorstore raises other errors with the system's message.
  code = next((code for code in _DISK if getattr(error, 'errno', None) == code
               or os.strerror(code) in str(error)), None)
  if code is None:
    return ''
  folder = pathlib.Path(path).absolute()
  while not folder.is_dir() and folder != folder.parent:
    folder = folder.parent
  free = 'unknown'
  with contextlib.suppress(OSError):
    free = f'{shutil.disk_usage(folder).free:,}'
  return f' ({_DISK[code].format(free=free)})'


def remove_torn(folder):
  """Removes temporary files of a killed `write_file`; needs the run's lock."""
  for path in pathlib.Path(folder).glob('.*.tmp'):
    if re.fullmatch(r'\..+\.\d+\.tmp', path.name):
      with contextlib.suppress(OSError):  # It is only in the way.
        path.unlink()


def try_write_file(path, data: bytes) -> bool:
  """Like `write_file`, but failures only warn; returns whether it succeeded.

  There is one warning for each folder until a write there succeeds.
  """
  folder = str(pathlib.Path(path).parent)
  try:
    write_file(path, data)
  except OSError as error:
    if folder not in _failing:
      _warn(path, error)
    _failing.add(folder)
    return False
  _failing.discard(folder)
  return True


def _warn(path, error):
  _log.warning('cannot write %s: %s%s; the run continues without it, and '
               'retries later writes', path, error.strerror or error,
               disk_hint(path, error))


class Appender:
  """A file of appended records whose methods never raise OSError.

  A record that cannot be written is truncated away and kept in memory (up to
  `limit` bytes) until the next one: a temporarily full disk leaves no gap.
  With `strict` it is truncated away, and the error is raised.
  """

  def __init__(self, path, limit=16 * 2**20, *, strict=False):
    """Opens nothing yet; `limit` is in bytes."""
    self.path, self._limit, self._strict = pathlib.Path(path), limit, strict
    self._fd, self._waiting, self._lost, self._failed = None, [], 0, False

  def append(self, record: bytes):
    """Appends the pending records and this one."""
    self._waiting.append(record)
    if (not self._try(self._write)
        and sum(map(len, self._waiting)) > self._limit):
      self._waiting.pop()
      self._lost += 1

  def flush(self):
    """Fsyncs the file."""
    self._try(self._sync)

  def close(self):
    """Flushes; warns of lost records."""
    self.flush()
    if self._fd is not None:
      with contextlib.suppress(OSError):  # the flush has warned
        os.close(self._fd)
    lost = self._lost + len(self._waiting)
    self._fd, self._waiting, self._lost, self._failed = None, [], 0, False
    if lost:
      _log.warning('%d records are missing from %s', lost, self.path)

  def _try(self, action):
    try:
      action()
    except OSError as error:
      if self._strict:
        self._waiting.clear()
        raise
      if not self._failed:
        _warn(self.path, error)
      self._failed = True
      return False
    if self._failed:
      _log.warning('%s can be written again', self.path)
    self._failed = False
    return True

  def _sync(self):
    if self._waiting:
      self._write()
    if self._fd is not None:
      os.fsync(self._fd)

  def _write(self):
    if self._fd is None:
      self.path.parent.mkdir(parents=True, exist_ok=True)
      self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                         0o666)
    start = os.fstat(self._fd).st_size
    data = memoryview(b''.join(self._waiting))
    try:
      while data:  # a nearly full disk takes a part first
        data = data[os.write(self._fd, data):]
    except OSError:
      os.ftruncate(self._fd, start)
      raise
    self._waiting.clear()


def read_rows(path) -> list[dict]:
  """Rows of a file of JSON lines, without broken ones; [] without a file.

  A row is a dict that has an integer 'step'.
  """
  return [row for _, row in _lines(path) if row]


def _lines(path):
  """[(line, its row, None if it has none)]."""
  try:
    lines = pathlib.Path(path).read_bytes().split(b'\n')
  except FileNotFoundError:
    return []
  result = []
  for line in filter(None, lines):
    try:
      row = json.loads(line)
    except ValueError:  # UnicodeDecodeError is one too
      row = None
    if not isinstance(row, dict) or not isinstance(row.get('step'), int):
      row = None
    result.append((line, row))
  return result


def utf8(value) -> str:
  r"""A value as a text that can be written; half a character is '\udcff'.

  Names of files that are no UTF-8 have such halves.
  """
  return str(value).encode(errors='backslashreplace').decode()


def short_hash(value) -> str:
  """16 hex digits of the sha256 of plain JSON."""
  text = json.dumps(value, sort_keys=True, default=str)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def drop_rows(path, resume_step):
  """Rewrites the file without broken lines and rows after `resume_step`."""
  rows = _lines(path)
  keep = [line for line, row in rows
          if resume_step and row and row['step'] <= resume_step]
  data = b''.join(line + b'\n' for line in keep)
  if rows and data != path.read_bytes():
    write_file(path, data)
    broken = sum(row is None for _, row in rows)
    _log.info('%s: dropped %d rows after step %d and %d broken lines', path,
              len(rows) - len(keep) - broken, resume_step, broken)
