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
import re
import shutil
import socket
import subprocess
import sys
import time

from gan_jax import parallel
from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import write_file
from gan_jax.config import durations, fields, keys
from gan_jax.config.experiment import DataInfo, plain
from gan_jax.data import cache
from gan_jax.run import trust

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


_LOG = logging.getLogger(__name__)

# What may change when a run is resumed; all else would make it another run.
RESUMABLE = ('train_steps', 'log_every', 'sample_every', 'eval_every',
             'evaluators', 'best_metric', 'checkpoint_every',
             'keep_checkpoints', 'steps_per_call', 'sample_grid', 'watchdog')
# Where schedules may stand.
_SCHEDULED = ('gen_optimizer', 'disc_optimizer', 'penalties', 'augment',
              'ema_decay')
# Where the data lie and how they are read; the fingerprint says what they are.
_ELSEWHERE = tuple(f'data.{key}' for key in (
    'resident_limit', 'path', 'folder', 'data_dir', 'on_bad_image', 'max_bad'))
# DataInfo of the data that networks and readers depend on.
_SHAPES = ('image_shape', 'num_classes', 'classes')


def check_same_run(folder, experiment, *, allow_changed_data=False):
  """A folder belongs to one run: its config and its data.

  Args:
    folder: the working directory.
    experiment: what is to run there.
    allow_changed_data: only warn where the examples are others than before;
      their shape and classes must be the same all the same.

  Raises:
    WorkdirError: with the fields that differ.
  """
  config = experiment.config
  lines = [line for line in _differences(folder, 'config.json', config)
           if re.split(r'[.:[]', line)[0] not in _resumable(config)
           and line.split(':')[0] not in _ELSEWHERE]
  changed = _changed_data(folder, experiment.info)
  if changed and allow_changed_data and not any(
      line.startswith(_SHAPES) for line in changed):
    _LOG.warning('the data have changed since the last launch:\n  %s',
                 '\n  '.join(changed))
    changed = []
  if lines or changed:
    fix = ('; or --allow_changed_data to go on with the data as they are'
           if changed and not lines else '')
    raise WorkdirError(
        f'{folder} holds another run; use another --workdir, or remove it'
        f'{fix}:\n  ' + '\n  '.join([*lines, *changed]))


def read_run(folder: str):
  """(config, info) of a run, as it left them.

  Raises:
    WorkdirError: no run there, or one of another version.
  """
  found = []
  for name in ('config.json', 'data.json'):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
      raise WorkdirError(f'{path} does not exist: {folder!r} is not the '
                         'working directory of a run; give one with --workdir')
    try:
      with open(path) as file:
        found.append(plain(json.load(file)))
    except ValueError as e:
      raise WorkdirError(f'{path} is damaged: {e}') from e
  trust.check(folder, found[0])
  try:
    return keys.filled(found[0]), DataInfo(**found[1])
  except TypeError as e:
    raise WorkdirError(f'{folder}/data.json is of another version: {e}') from e


def _differences(folder, name, now):
  path = os.path.join(folder, name)
  if not os.path.exists(path):
    return []
  with open(path) as file:
    try:
      before = json.load(file)
    except ValueError as e:
      raise WorkdirError(f'{path} is damaged: {e}; bring it back from a copy, '
                         'or use another --workdir') from e
  return fields.diff(before, now)


def _changed_data(folder, info):
  """What is not as it was when the folder was last written, in words."""
  now = info._asdict()
  lines = [line for line in _differences(folder, 'data.json', now)
           if not line.startswith('manifest')]
  if any(line.startswith('fingerprint') for line in lines):
    with open(os.path.join(folder, 'data.json')) as file:
      before = json.load(file).get('manifest', '')
    if os.path.exists(before) and os.path.exists(info.manifest):
      lines += cache.changes(before, info.manifest)
  return lines


def _resumable(config):
  """Keys that may change; not the length if a schedule is a share of it.

  A duration in words is rounded to whole calls: their length counts as well.
  """
  if any(_has_share(config.get(key)) for key in _SCHEDULED):
    fixed = {'train_steps'} | ({'steps_per_call'} if durations.is_text(
        config['train_steps']) else set())
    return [key for key in RESUMABLE if key not in fixed]
  return RESUMABLE


def _has_share(value):
  """Whether a percentage stands anywhere in a part of a config."""
  if isinstance(value, dict):
    value = tuple(value.values())
  if isinstance(value, (list, tuple)):
    return any(map(_has_share, value))
  return durations.is_text(value) and '%' in value


def write_launch(folder, experiment, start, origin):
  """config.json and data.json of the run, a line per launch in launches.

  Args:
    folder: the working directory.
    experiment: what runs there.
    start: step that it starts from.
    origin: {}, or whose weights it starts with, of `init_from.start_from`.
  """
  for name, value in (('config.json', experiment.config),
                      ('data.json', experiment.info._asdict())):
    write_file(os.path.join(folder, name),
               (json.dumps(value, indent=1) + '\n').encode())
  launch = provenance() | {
      'step': start, 'train_steps': experiment.train_steps,
      'devices': parallel.device_names(), 'cores': parallel.cores()}
  if origin:
    launch['init_from'] = origin
  before = _last_launch(folder) if start else {}
  with open(os.path.join(folder, 'launches.jsonl'), 'a') as file:
    file.write(json.dumps(launch) + '\n')
  if start:
    _LOG.info('resuming %s at step %d', folder, start)
  now, then = len(launch['devices']), len(before.get('devices', ()))
  if then and now != then:
    _LOG.warning('on %d devices, before on %d: the same batches and noise, but '
                 'not the same bits%s', now, then,
                 _another_game(experiment.config))
  now, then = launch['cores'], before.get('cores', 0)
  if now and then and now != then:
    _LOG.warning('on %d cores, before on %d: a CPU sums in another order, so '
                 'that it is the same run, but not the same bits', now, then)


def _another_game(config):
  """What the number of devices changes beside rounding, in words."""
  found = [f'{key}={value}' for key, value in fields.flat(config).items()
           if value == 'virtual_batch'
           or key.endswith('.minibatch') and value != 'none']
  return (f'; and not the same game: with {", ".join(found)} each device looks '
          'at its own part of the batch') if found else ''


def _last_launch(folder) -> dict:
  """The launch before this one."""
  try:
    with open(os.path.join(folder, 'launches.jsonl')) as file:
      return json.loads(file.readlines()[-1])
  except (OSError, ValueError, LookupError):
    return {}
