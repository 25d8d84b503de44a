"""The folder of a run: its lock, where its results come from, its config."""

import contextlib
import datetime
import fcntl
import importlib.metadata
import json
import logging
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import sys
import time

_log = logging.getLogger(__name__)
_PACKAGES = ('gan_jax', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint',
             'numpy')

# A forked worker inherits the open lock; outliving a killed run it would hold
# the workdir for nobody.  Closing its copy does not release the run's lock.
_held = set()


def _close_inherited():
  for fd in _held:
    os.close(fd)
  _held.clear()


os.register_at_fork(after_in_child=_close_inherited)


class WorkdirError(RuntimeError):
  """The workdir cannot be written, or another run holds it."""


@contextlib.contextmanager
def hold(workdir):
  """Makes the workdir and keeps every other run out of it until the exit.

  The lock is an exclusive flock on workdir/lock, which the kernel frees when
  the process ends, however it ends; the file holds pid, host and start time
  as JSON for whoever is refused.  A lock that nobody holds any more is taken
  over with a notice.  In a job of several processes only the first calls this.

  Yields:
    pathlib.Path, absolute.

  Raises:
    WorkdirError: the folder cannot be made or written, or a second run.
  """
  workdir = pathlib.Path(workdir).absolute()
  _probe(workdir)
  path = workdir / 'lock'
  try:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
  except OSError as error:
    raise WorkdirError(_unwritable(workdir, path, error)) from error
  _held.add(fd)
  try:
    _lock(fd, workdir, path)
    try:
      yield workdir
    finally:
      # Empty means that the run ended by itself.  The file stays: to remove
      # it would let a run that has just opened it hold a lock that the next
      # one does not see.
      with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
  finally:
    _held.discard(fd)
    os.close(fd)


def is_held(workdir) -> bool:
  """Whether a run is writing the folder at this moment."""
  try:
    with open(pathlib.Path(workdir) / 'lock') as file:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  except OSError:
    pass
  return False


def _probe(workdir):
  """Makes the folder and writes into it.

  Permission bits would say too little: they do not bind root, and a read-only
  or full file system does not show in them.
  """
  probe = workdir / f'.probe.{os.getpid()}'
  path = workdir
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    path = probe
    probe.write_bytes(b'\0' * 4096)
    probe.unlink()
  except OSError as error:
    with contextlib.suppress(OSError):
      probe.unlink()
    raise WorkdirError(_unwritable(workdir, path, error)) from error


def _unwritable(workdir, path, error):
  """The message of an OSError on `path`."""
  folder = workdir
  while not folder.is_dir() and folder != folder.parent:
    folder = folder.parent
  way = next((p for p in (workdir, *workdir.parents)
              if os.path.lexists(p) and not p.is_dir()), None)
  if way:
    return (f'workdir {workdir}: {way} is in the way and is no folder; the '
            'workdir must be a folder; move it or give another --workdir')
  return (f'workdir {workdir}: cannot write {path}: {error.strerror} '
          f'({shutil.disk_usage(folder).free:,} bytes free); a run must be '
          'able to write there; make it writable or give another --workdir')


def _lock(fd, workdir, path):
  """Locks the open file and writes who we are into it."""
  try:
    _seize(fd)
  except BlockingIOError:
    raise WorkdirError(
        f'workdir {workdir} is held by another run: {_holder(fd)}; one run '
        'writes a workdir at a time; end that run or give another --workdir'
        ) from None
  except OSError as error:
    raise WorkdirError(
        f'workdir {workdir}: its file system cannot lock {path} '
        f'({error.strerror}); without a lock two runs could overwrite each '
        'other; use a file system with flock, e.g. a local disk') from error
  if os.fstat(fd).st_size:
    _log.warning('took over workdir %s from a run that was killed: %s',
                 workdir, _holder(fd))
  me = {'pid': os.getpid(), 'host': socket.gethostname(), 'started': _now()}
  try:
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(me).encode() + b'\n', 0)
    os.fsync(fd)
  except OSError as error:
    raise WorkdirError(_unwritable(workdir, path, error)) from error


def _seize(fd):
  """Locks the open file, or raises BlockingIOError after a second.

  Whoever only asks, `is_held` and sweep.sh, has the lock shared for an instant:
  to be refused once does not mean that there is a run.
  """
  for _ in range(20):
    with contextlib.suppress(BlockingIOError):
      fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return
    time.sleep(0.05)
  fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(fd):
  """'pid 12 on host a, started ...' from the content of the lock."""
  try:
    holder = json.loads(os.pread(fd, 4096, 0))
    return (f'pid {holder["pid"]} on host {holder["host"]}, started '
            f'{holder["started"]}')
  except (OSError, ValueError, TypeError, KeyError):
    return 'pid, host and start time are not (yet) written'


def _now():
  return datetime.datetime.now().astimezone().isoformat(timespec='seconds')


def provenance() -> dict:
  """Says what ran, where and when, for the workdir.  Never raises.

  Returns:
    {'started': ISO time, 'host', 'argv': [...], 'python', 'platform',
    'versions': {package: version, '' if not installed},
    'git': {'commit': of the repository that this code is in, '' if none,
            'dirty': True if any of its Python files is new or changed}}
  """
  versions = {}
  for name in _PACKAGES:
    try:
      versions[name] = importlib.metadata.version(name)
    except Exception:  # not installed, or damaged metadata: unknown
      versions[name] = ''
  return {'started': _now(), 'host': socket.gethostname(),
          'argv': list(sys.argv), 'python': platform.python_version(),
          'platform': platform.platform(), 'versions': versions,
          'git': _git_state(pathlib.Path(__file__).parent)}


def _git_state(folder):
  """{'commit', 'dirty'} of the repository that tracks `folder`'s package."""
  # A package installed below somebody's repository is not part of it.
  if not _git(folder, 'ls-files', '__init__.py'):
    return {'commit': '', 'dirty': False}
  changes = _git(folder, 'status', '--porcelain', '--untracked-files=all', '--',
                 ':/*.py')
  return {'commit': _git(folder, 'rev-parse', '--verify', 'HEAD'),
          'dirty': bool(changes)}


def _git(folder, *arguments):
  """The output of a git command, '' if it fails."""
  # Inside a git hook GIT_DIR names another repository.
  env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
  env['GIT_OPTIONAL_LOCKS'] = '0'  # runs that start together must not collide
  try:
    return subprocess.run(['git', '-C', str(folder), *arguments], env=env,
                          capture_output=True, text=True, timeout=20,
                          check=True, errors='replace').stdout.strip()
  except (OSError, subprocess.SubprocessError):
    return ''
