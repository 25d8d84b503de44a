"""The lock of a run folder, and what stands in the way of writing there."""

import contextlib
import datetime
import errno
import fcntl
import json
import logging
import os
import pathlib
import socket
import time

from gan_jax.base.errors import LockedError, WorkdirError
from gan_jax.base.files import disk_hint, refused, write_file

_LOG = logging.getLogger(__name__)
_FIX = ('; a run must be able to write there; make it a folder that is '
        'writable, or give another --workdir')

# A forked worker inherits the open lock; outliving a killed run it would hold
# the workdir for nobody. Closing its copy does not release the run's lock.
_held = {}  # {descriptor: content of its file}
os.register_at_fork(after_in_child=lambda: (
    [os.close(fd) for fd in _held], _held.clear()))


@contextlib.contextmanager
def writing(folder):
  """Says what to do where a disk refuses to be written.

  Raises:
    WorkdirError: instead of the OSError.
  """
  try:
    yield
  except OSError as e:
    if e.errno == errno.EIO or not (hint := disk_hint(folder, e)):
      raise  # EIO may be of data that cannot be read.
    raise WorkdirError(
        f'cannot write to {e.filename or folder}: {e.strerror}{hint}; then '
        'rerun the command to resume from the newest checkpoint') from e


def make(folder) -> pathlib.Path:
  """Creates a folder; its absolute path. WorkdirError if it cannot be."""
  folder = pathlib.Path(folder).absolute()
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise WorkdirError(_unwritable(folder, error)) from error
  return folder


def check(folder) -> None:
  """Raises WorkdirError for a folder that could not be written; makes none."""
  folder = pathlib.Path(folder).absolute()
  if why := refused(folder / 'lock'):
    raise WorkdirError(f'workdir {folder}: {why}{_FIX}')


@contextlib.contextmanager
def hold(workdir):
  """Creates and locks the run folder until the exit.

  The lock is an exclusive flock on workdir/lock, freed by the kernel when the
  process ends; the file holds pid, host and start time as JSON.

  Raises:
    WorkdirError: the folder cannot be created or written.
    LockedError: it is locked.
  """
  workdir = make(workdir)
  with contextlib.ExitStack() as stack:
    try:
      # Permission bits do not show root, or a read-only or full file system.
      probe = workdir / f'.probe.{os.getpid()}'
      write_file(probe, b'\0' * 4096)
      probe.unlink()
      fd = os.open(workdir / 'lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
                   0o666)
      _held[fd] = b''
      stack.callback(lambda: (_held.pop(fd), os.close(fd)))
      _lock(fd, workdir)
    except OSError as error:
      raise WorkdirError(_unwritable(workdir, error)) from error
    try:
      yield workdir
    finally:
      # Emptied, not removed: a process that has just opened it would be
      # refused, see `_lock`.
      with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)


def is_ours(workdir) -> bool:
  """Whether the folder is still the one that this process has locked.

  One that was removed takes its lock along; another run may be there by now.
  """
  try:
    return (pathlib.Path(workdir) / 'lock').read_bytes() in _held.values()
  except OSError as e:  # Others pass.
    return e.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


def is_held(workdir) -> bool:
  """Whether a run holds the lock of the folder now."""
  try:
    with open(os.path.join(workdir, 'lock')) as file:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  except OSError:
    pass
  return False


def _lock(fd, workdir):
  # `is_held` and sweep.sh take a shared lock briefly, so retry for a second.
  limit, locked = time.monotonic() + 1, False
  while not locked:
    try:
      fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
      locked = True
    except BlockingIOError:
      if time.monotonic() > limit:
        raise LockedError(
            f'workdir {workdir} is locked by another run: {_holder(fd)}; '
            'end that run or give another --workdir') from None
      time.sleep(0.05)
    except OSError as error:
      raise WorkdirError(
          f'workdir {workdir}: its file system cannot lock a file '
          f'({error.strerror}); without a lock two runs could overwrite each '
          'other; use a file system with flock, e.g. a local disk') from error
  if not _is_at(fd, workdir / 'lock'):
    raise LockedError(f'workdir {workdir}: another start there has failed just '
                      'now, and removed its files; try again')
  if os.fstat(fd).st_size:
    _LOG.warning('took over workdir %s from a run that was killed: %s',
                 workdir, _holder(fd))
  me = {'pid': os.getpid(), 'host': socket.gethostname(), 'started': now()}
  _held[fd] = json.dumps(me).encode() + b'\n'
  os.ftruncate(fd, 0)
  os.pwrite(fd, _held[fd], 0)
  os.fsync(fd)


def _is_at(fd, path):
  try:
    return os.path.samestat(os.fstat(fd), os.stat(path))
  except FileNotFoundError:
    return False


def _holder(fd):
  try:
    holder = json.loads(os.pread(fd, 4096, 0))
    return (f'pid {holder["pid"]} on host {holder["host"]}, started '
            f'{holder["started"]}')
  except (OSError, ValueError, TypeError, KeyError):
    return 'pid, host and start time are not (yet) written'


def _unwritable(workdir, error):
  why = refused(workdir / 'lock') or (
      f'cannot write {error.filename or workdir}: {error.strerror}'
      f'{disk_hint(workdir, error)}')
  return f'workdir {workdir}: {why}{_FIX}'


def now() -> str:
  """The time here, to the second, as ISO 8601."""
  return datetime.datetime.now().astimezone().isoformat(timespec='seconds')
