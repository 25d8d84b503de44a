"""The folder of a run: its lock, its config, what was launched there."""

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
import socket
import subprocess
import sys
import time

import gan_jax
from gan_jax import parallel
from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import free_space, read_rows, write_file
from gan_jax.config import durations, fields, keys
from gan_jax.config.experiment import DataInfo, plain
from gan_jax.data import scan
from gan_jax.run import foreign_code

_LOG = logging.getLogger(__name__)
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')

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
# Fields of DataInfo that networks and readers depend on.
_SHAPES = ('image_shape', 'num_classes', 'classes')

# A forked worker inherits the open lock; outliving a killed run it would hold
# the workdir for nobody. Closing its copy does not release the run's lock.
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
  as JSON for whoever is refused. A lock that nobody holds any more is taken
  over with a notice. Of several processes of a run only the first calls this.

  Yields:
    pathlib.Path, absolute.

  Raises:
    WorkdirError: the folder cannot be made or written, or a second run.
  """
  workdir = pathlib.Path(workdir).absolute()
  with contextlib.ExitStack() as stack:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      # Permission bits would say too little: they do not bind root, and a
      # read-only or full file system does not show in them.
      probe = workdir / f'.probe.{os.getpid()}'
      write_file(probe, b'\0' * 4096)
      probe.unlink()
      fd = os.open(workdir / 'lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
                   0o666)
      _held.add(fd)
      stack.callback(lambda: (_held.discard(fd), os.close(fd)))
      _lock(fd, workdir)
    except OSError as error:
      raise WorkdirError(_unwritable(workdir, error)) from error
    # Empty means that the run ended by itself. The file stays: to remove it
    # would let a run that has just opened it hold a lock that the next one does
    # not see.
    stack.callback(_truncate, fd)
    yield workdir


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


def _lock(fd, workdir):
  """Locks the open file and writes who we are into it."""
  # `is_held` and sweep.sh hold a shared lock for an instant: only who is
  # refused for a second meets another run.
  for attempt in range(21):
    try:
      fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
      break
    except BlockingIOError:
      if attempt == 20:
        raise WorkdirError(
            f'workdir {workdir} is held by another run: {_holder(fd)}; one run '
            'writes a workdir at a time; end that run or give another '
            '--workdir') from None
      time.sleep(0.05)
    except OSError as error:
      raise WorkdirError(
          f'workdir {workdir}: its file system cannot lock a file '
          f'({error.strerror}); without a lock two runs could overwrite each '
          'other; use a file system with flock, e.g. a local disk') from error
  if os.fstat(fd).st_size:
    _LOG.warning('took over workdir %s from a run that was killed: %s',
                 workdir, _holder(fd))
  me = {'pid': os.getpid(), 'host': socket.gethostname(), 'started': _now()}
  os.ftruncate(fd, 0)
  os.pwrite(fd, json.dumps(me).encode() + b'\n', 0)
  os.fsync(fd)


def _truncate(fd):
  with contextlib.suppress(OSError):
    os.ftruncate(fd, 0)


def _holder(fd):
  """'pid 12 on host a, started ...' from the content of the lock."""
  try:
    holder = json.loads(os.pread(fd, 4096, 0))
    return (f'pid {holder["pid"]} on host {holder["host"]}, started '
            f'{holder["started"]}')
  except (OSError, ValueError, TypeError, KeyError):
    return 'pid, host and start time are not (yet) written'


def _unwritable(workdir, error):
  """The message of an OSError in the folder."""
  way = next((p for p in (workdir, *workdir.parents)
              if os.path.lexists(p) and not p.is_dir()), None)
  if way:
    return (f'workdir {workdir}: {way} is in the way and is no folder; the '
            'workdir must be a folder; move it or give another --workdir')
  return (f'workdir {workdir}: cannot write {error.filename or workdir}: '
          f'{error.strerror}{free_space(workdir, error)}; a run must be able '
          'to write there; make it writable or give another --workdir')


def _now():
  return datetime.datetime.now().astimezone().isoformat(timespec='seconds')


def provenance() -> dict:
  """What runs, where and when. Never raises.

  Returns:
    {'started': ISO time, 'host', 'argv': [...], 'python', 'platform',
    'versions': {package: version, '' if not installed},
    'git': {'commit': of the repository that this code is in, '' if none,
            'dirty': True if any of its Python files is new or changed}}
  """
  versions = {'gan_jax': gan_jax.__version__}
  for name in _PACKAGES:
    try:
      versions[name] = importlib.metadata.version(name)
    except Exception:  # not installed, or damaged metadata
      versions[name] = ''
  return {'started': _now(), 'host': socket.gethostname(),
          'argv': list(sys.argv), 'python': platform.python_version(),
          'platform': platform.platform(), 'versions': versions,
          'git': _git_state(pathlib.Path(gan_jax.__file__).parent)}


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


def check_same_run(folder, experiment, *, allow_changed_data: bool = False,
                   allow_changed=()) -> list[str]:
  """A folder belongs to one run: its config and its data.

  Args:
    folder: the working directory.
    experiment: what is to run there.
    allow_changed_data: only warn where the examples are others than before;
      their shape and classes must be the same all the same.
    allow_changed: paths of a config, 'gen_optimizer.learning_rate', that may
      differ, and all below them.

  Returns:
    What differs and is allowed to, 'path: before (checkpoint) -> now (now)'.

  Raises:
    WorkdirError: with the fields that differ.
  """
  changed = [line for line in _differences(folder, 'config.json',
                                           experiment.config)
             if not _may_change(line.split(':')[0], experiment.config)]
  allowed = [line for line in changed if any(
      re.match(rf'{re.escape(path)}[.:[]', line) for path in allow_changed)]
  if allowed:
    _LOG.warning('changed, as --allow_changed lets it:\n  %s',
                 '\n  '.join(allowed))
  lines = [line for line in changed if line not in allowed]
  data = _changed_data(folder, experiment.info)
  if data and allow_changed_data and not any(
      line.startswith(_SHAPES) for line in data):
    _LOG.warning('the data have changed since the last launch:\n  %s',
                 '\n  '.join(data))
    data = []
  if lines or data:
    fixes = []
    if lines:
      paths = ','.join(line.split(':')[0] for line in changed)
      fixes.append(f'--allow_changed={paths}')
    if data:
      fixes.append('--allow_changed_data')
    raise WorkdirError(
        f'{folder} holds another run; use another --workdir, or remove it; or '
        f'go on with what has changed by {" ".join(fixes)}:\n  '
        + '\n  '.join([*lines, *data]))
  return allowed


def read_run(folder: str):
  """(config, info) of a run, as it left them.

  Raises:
    WorkdirError: no run there, or one of another version.
  """
  for name in ('config.json', 'data.json'):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
      raise WorkdirError(f'{path} does not exist: {folder!r} is not the '
                         'working directory of a run; give one with --workdir')
  config = plain(read_json(folder, 'config.json'))
  foreign_code.refuse(folder, config)
  try:
    return keys.filled(config), DataInfo(**plain(read_json(folder,
                                                           'data.json')))
  except TypeError as e:
    raise WorkdirError(f'{folder}/data.json is of another version: {e}') from e


def read_json(folder, name: str) -> dict:
  """What a file of a run folder holds, {} where it does not exist.

  Raises:
    WorkdirError: it is damaged.
  """
  path = os.path.join(folder, name)
  try:
    with open(path) as file:
      return json.load(file)
  except FileNotFoundError:
    return {}
  except ValueError as e:
    raise WorkdirError(f'{path} is damaged: {e}; bring it back from a copy, '
                       'or use another --workdir') from e


def _differences(folder, name, now):
  before = read_json(folder, name)
  return fields.diff(before, now) if before else []


def _changed_data(folder, info):
  """What is not as it was when the folder was last written, in words."""
  lines = [line for line in _differences(folder, 'data.json', info._asdict())
           if not line.startswith('manifest')]
  if any(line.startswith('fingerprint') for line in lines):
    before = read_json(folder, 'data.json').get('manifest', '')
    if os.path.exists(before) and os.path.exists(info.manifest):
      lines += scan.changes(before, info.manifest)
  return lines


def _may_change(path, config):
  """Whether a field may change; not the length if a schedule is a share of it.

  A duration in words is rounded to whole calls: their length counts as well.
  """
  key = re.split(r'[.[]', path)[0]
  if any(_has_share(config.get(name)) for name in _SCHEDULED) and (
      key == 'train_steps' or key == 'steps_per_call'
      and durations.is_text(config['train_steps'])):
    return False
  return key in RESUMABLE or path in _ELSEWHERE


def _has_share(value):
  """Whether a percentage stands anywhere in a part of a config."""
  return any(durations.is_text(leaf) and '%' in leaf
             for leaf in fields.flat({'': value}).values())


def write_launch(folder, experiment, start: int, **facts) -> None:
  """config.json and data.json of the run, a line per launch in launches.jsonl.

  Args:
    folder: the working directory.
    experiment: what runs there.
    start: step that it starts from.
    **facts: of this launch; empty ones are left out.
  """
  for name, value in (('config.json', experiment.config),
                      ('data.json', experiment.info._asdict())):
    write_file(os.path.join(folder, name),
               (json.dumps(value, indent=1) + '\n').encode())
  launch = provenance() | {
      'step': start, 'train_steps': experiment.train_steps,
      'devices': parallel.device_names(), 'cores': parallel.cores()}
  launch |= {name: value for name, value in facts.items() if value}
  path = os.path.join(folder, 'launches.jsonl')
  rows = [row for _, row in read_rows(path) if row]
  with open(path, 'a') as file:
    file.write(json.dumps(launch) + '\n')
  if not start:
    return
  _LOG.info('resuming %s at step %d', folder, start)
  before = rows[-1] if rows else {}
  now, then = len(launch['devices']), len(before.get('devices', ()))
  if then and now != then:
    _LOG.warning('on %d devices, before on %d: the same batches and noise, but '
                 'not the same bits%s', now, then,
                 _per_device(experiment.config))
  now, then = launch['cores'], before.get('cores', 0)
  if now and then and now != then:
    _LOG.warning('on %d cores, before on %d: a CPU sums in another order, so '
                 'that it is the same run, but not the same bits', now, then)


def _per_device(config):
  """What the number of devices changes beside rounding, in words."""
  found = [f'{key}={value}' for key, value in fields.flat(config).items()
           if value == 'virtual_batch'
           or key.endswith('.minibatch') and value != 'none']
  return (f'; and not the same game: with {", ".join(found)} each device looks '
          'at its own part of the batch') if found else ''
