"""Run folder: config, launch record."""

import contextlib
import difflib
import functools
import glob
import importlib.metadata
import importlib.util
import json
import logging
import os
import pathlib
import platform
import socket
import subprocess
import sys

import gan_jax
from gan_jax import parallel
from gan_jax.base.errors import DataError, WorkdirError
from gan_jax.base.files import read_rows, write_file, write_json
from gan_jax.config import command_line, fields, keys
from gan_jax.config.experiment import DataInfo, plain
from gan_jax.config.rules import parts_of_batch
from gan_jax.run import foreign_code
from gan_jax.run.lock import now

_LOG = logging.getLogger(__name__)
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def provenance() -> dict:
  """Versions, host, command and git state; never raises.

  Returns:
    {'started': ISO time, 'host', 'argv': [...], 'python', 'platform',
    'versions': {package: version, '' if not installed},
    'git': {'commit': of the repository that this code is in, '' if none,
            'dirty': True if any of its Python files is new or changed}}
  """
  versions = {'gan_jax': gan_jax.__version__} | dict.fromkeys(_PACKAGES, '')
  for name in _PACKAGES:
    with contextlib.suppress(Exception):  # not installed, damaged metadata
      versions[name] = importlib.metadata.version(name)
  return {'started': now(), 'host': socket.gethostname(),
          'argv': list(sys.argv), 'python': platform.python_version(),
          'platform': platform.platform(), 'versions': versions,
          'git': _own_git_state()}


@functools.cache  # Who edits the code meanwhile does not change what runs.
def _own_git_state():
  return _git_state(pathlib.Path(gan_jax.__file__).parent)


def _git_state(folder):
  """{'commit', 'dirty'} of the repository that tracks `folder`'s package."""
  # Ignores a package that is installed below another repository.
  if not _git(folder, 'ls-files', '__init__.py'):
    return {'commit': '', 'dirty': False}
  return {'commit': _git(folder, 'rev-parse', '--verify', 'HEAD'),
          'dirty': bool(_git(folder, 'status', '--porcelain',
                             '--untracked-files=all', '--', ':/*.py'))}


def _git(folder, *arguments):
  # Inside a git hook GIT_DIR names another repository.
  env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
  env['GIT_OPTIONAL_LOCKS'] = '0'  # runs that start together must not collide
  try:
    return subprocess.run(['git', '-C', str(folder), *arguments], env=env,
                          capture_output=True, text=True, timeout=20,
                          check=True, errors='replace').stdout.strip()
  except (OSError, subprocess.SubprocessError):
    return ''


def recorded_keys(folder: str) -> set[str]:
  """Keys of the config of a run, or of the first member of a population.

  An older version may have had keys that are none now. WorkdirError as
  `read_json`.
  """
  return {*read_json(folder, 'config.json'), *read_json(
      os.path.join(folder, 'member_0'), 'config.json')}


def read_run(folder: str):
  """Reads (config, info) of a run.

  Raises:
    WorkdirError: no run there, one of another version, or a config that names
      foreign code.
  """
  found = []
  for name in ('config.json', 'data.json'):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
      raise WorkdirError(
          f'{path} does not exist: ' + (
              members_of(folder) or f'{folder!r} is not the working directory '
              f'of a run; give one{_beside(folder)}') + ' with --workdir')
    found.append(plain(read_json(folder, name)))
  foreign_code.refuse(folder, found[0])
  try:
    return keys.filled(found[0]), DataInfo(**found[1])
  except TypeError as e:
    raise WorkdirError(f'{folder}/data.json is of another version: {e}') from e


def members_of(folder: str) -> str:
  """Says that a folder is that of a population, and what to give; or ''."""
  members = sorted(glob.glob(os.path.join(glob.escape(folder), 'member_*')))
  return members and (f'{folder!r} is a population; give one of its members, '
                      f'such as {members[0]}') or ''


@contextlib.contextmanager
def reading_data_of(folder: str):
  """Context of reading a run's data, whose DataError says whose they are."""
  try:
    yield
  except DataError as e:
    raise DataError(
        f'{e}\nThese are the data of {folder}, as its config.json names them: '
        'put them back (a relative path counts from where the program starts), '
        'or, if they have moved, write their new place in data there') from e


def _beside(folder):
  parent, name = os.path.split(os.path.normpath(folder))
  inside = sorted(glob.glob(os.path.join(glob.escape(folder), '*',
                                         'config.json')), key=os.path.getmtime)
  for run in (parent, *map(os.path.dirname, inside[-1:])):
    if run and os.path.exists(os.path.join(run, 'config.json')):
      return f', such as {run},'
  # Changed keys are in the name of a run, so that runs/dcgan may be another.
  runs = {os.path.basename(os.path.dirname(path)): path for path in sorted(
      glob.glob(os.path.join(glob.escape(parent), '*', 'config.json')),
      key=os.path.getmtime)}
  like = [run for run in runs if name and run.startswith(name)][-1:] or (
      difflib.get_close_matches(name, runs, n=1))
  return f', such as {os.path.join(parent, like[0])},' if like else ''


def read_json(folder, name: str) -> dict:
  """Reads a JSON file of a run folder, {} if absent.

  Raises:
    WorkdirError: it is damaged, or cannot be read.
  """
  path = os.path.join(folder, name)
  try:
    return json.loads(pathlib.Path(path).read_bytes())
  except (FileNotFoundError, NotADirectoryError):
    return {}
  except OSError as e:
    raise WorkdirError(f'{path} cannot be read: {e.strerror}; make it so, or '
                       'use another --workdir') from e
  except ValueError as e:
    raise WorkdirError(f'{path} is damaged: {e}; bring it back from a copy, '
                       'or use another --workdir') from e


def launched(folder: str) -> list[tuple[str, str]]:
  """Flags of --config and --config.KEY of the first launch, [] if unknown."""
  rows = read_rows(os.path.join(folder, 'launches.jsonl'))
  argv = [*rows, {}][0].get('argv', [])
  found = [arg.lstrip('-').partition('=')[::2]
           for arg in command_line.joined(map(str, argv[1:]))]
  return [(key, value) for key, value in found if key.startswith('config')]


def write_launch(folder, experiment, start: int, **facts) -> None:
  """Writes config.json and data.json, and a row of launches.jsonl.

  `start` is the first step, `facts` are further fields; empty ones are left
  out.
  """
  config, last = experiment.config, read_json(folder, 'config.json')
  end = experiment.train_steps
  for name, value in (('config.json', config),
                      ('data.json', experiment.info._asdict())):
    write_json(os.path.join(folder, name), value)
  launch = provenance() | {
      'step': start, 'train_steps': end, 'first_checkpoint': min(
          experiment.checkpoint_every or end, end),
      'devices': parallel.device_names(), 'cores': parallel.cores()}
  launch |= {name: value for name, value in facts.items() if value}
  path = os.path.join(folder, 'launches.jsonl')
  rows = read_rows(path)
  before = [{}, *rows][-1]
  # As a whole: what is appended to a line that a full disk cut is lost, too.
  write_file(path, ''.join(
      json.dumps(row) + '\n' for row in [*rows, launch]).encode())
  if start in (0, end):  # Nothing is resumed.
    return
  _LOG.info('resuming %s at step %d', folder, start)
  if before.get('devices'):
    _warn_of_devices((config, len(launch['devices'])),
                     (last, len(before['devices'])))
  now, then = launch['cores'], before.get('cores', 0)
  if now and then and now != then:
    _LOG.warning('on %d cores, before on %d: the same run, but not the same '
                 'bits, as the summation order differs', now, then)


def _warn_of_devices(now, then) -> None:
  """Says what differs from the last launch; each is (config, devices)."""
  (here, count), (there, before) = now, then
  shards = [" with shard='state'" * (config.get('shard') == 'state')
            for config in (here, there)]
  if (count, shards[0]) == (before, shards[1]):
    return
  parts = [parts_of_batch(*each) for each in (now, then)]
  compare = [f'{key}={value}' for key, value in fields.flat(here).items()
             if key.endswith('.minibatch') and value != 'none']
  differs = ('; with {} the batch is compared in {} parts, before in {}, so '
             'that training differs'.format(', '.join(compare), *parts)
             if compare and parts[0] != parts[1] else '')
  _LOG.warning('on %d devices%s, before on %d%s: the same batches and noise, '
               'but not the same bits%s', count, shards[0], before, shards[1],
               differs)
