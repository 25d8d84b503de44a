"""The lock across real processes, provenance, and differences of configs."""

import errno
import fcntl
import json
import logging
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import numpy
import pytest

from gan_jax.base.errors import WorkdirError
from gan_jax.run import files

HOLDER = """
import os, sys, time
from gan_jax.run import files
with files.hold(sys.argv[1]):
  if 'fork' in sys.argv and os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
  if 'fork' not in sys.argv:
    print('held', flush=True)
  time.sleep(60)
"""


def _start(folder, *args):
  """Starts a process that holds the folder; returns it and its first line."""
  process = subprocess.Popen(
      [sys.executable, '-c', HOLDER, str(folder), *args], text=True,
      stdout=subprocess.PIPE, cwd=pathlib.Path(__file__).parents[2])
  return process, process.stdout.readline().strip()


def _end(process):
  process.kill()
  process.wait()
  process.stdout.close()


def _warnings(caplog):
  return [r.getMessage() for r in caplog.records
          if r.levelno >= logging.WARNING]


def test_hold_makes_the_folder_and_says_who_holds_it(tmp_path, caplog):
  with files.hold(tmp_path / 'a' / 'b') as folder:
    holder = json.loads((folder / 'lock').read_text())
    assert holder['pid'] == os.getpid() and holder['host']
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d',
                        holder['started'])
    assert [p.name for p in folder.iterdir()] == ['lock']
  with files.hold(folder):  # free again, and without a notice
    pass
  assert not _warnings(caplog)


def test_second_hold_in_the_same_process_is_refused(tmp_path):
  with files.hold(tmp_path):
    with pytest.raises(WorkdirError, match=f'pid {os.getpid()} '):
      with files.hold(tmp_path):
        pass
    # The refused one must not have freed or emptied the lock.
    assert json.loads((tmp_path / 'lock').read_text())['pid'] == os.getpid()
    with pytest.raises(WorkdirError):
      with files.hold(tmp_path):
        pass


def test_a_glance_at_the_lock_refuses_no_run(tmp_path):
  with files.hold(tmp_path):
    pass
  glance = os.open(tmp_path / 'lock', os.O_RDONLY)
  fcntl.flock(glance, fcntl.LOCK_SH)
  assert not files.is_held(tmp_path)  # Two may look at a time.
  threading.Timer(0.2, os.close, [glance]).start()
  with files.hold(tmp_path):
    assert files.is_held(tmp_path)


def test_an_error_inside_passes_and_frees_the_lock(tmp_path, caplog):
  with pytest.raises(KeyError):
    with files.hold(tmp_path):
      raise KeyError
  with files.hold(tmp_path):
    pass
  assert not _warnings(caplog)


def test_second_process_is_refused_until_the_first_is_killed(tmp_path, caplog):
  process, _ = _start(tmp_path)
  try:
    holder = json.loads((tmp_path / 'lock').read_text())
    assert holder['pid'] == process.pid
    with pytest.raises(WorkdirError) as error:
      with files.hold(tmp_path):
        pass
    for part in (str(tmp_path), f'pid {process.pid}', holder['host'],
                 holder['started'], 'give another --workdir'):
      assert part in str(error.value)
  finally:
    _end(process)  # kill -9
  with files.hold(tmp_path):
    message, = _warnings(caplog)
    assert f'pid {process.pid} on host {holder["host"]}' in message
    assert json.loads((tmp_path / 'lock').read_text())['pid'] == os.getpid()


def test_a_forked_worker_does_not_keep_the_lock_of_a_killed_run(tmp_path):
  process, worker = _start(tmp_path, 'fork')
  try:
    # Nor does the worker free the lock of a living run.
    with pytest.raises(WorkdirError, match=f'pid {process.pid} '):
      with files.hold(tmp_path):
        pass
    _end(process)
    os.kill(int(worker), 0)  # the worker is still alive
    with files.hold(tmp_path):
      pass
  finally:
    os.kill(int(worker), signal.SIGKILL)
    _end(process)


@pytest.mark.parametrize('content', [b'{"pid": 1', b'[]', b'\xff\0', b'{}'])
def test_a_damaged_lock_is_taken_over(tmp_path, content, caplog):
  (tmp_path / 'lock').write_bytes(content)
  with files.hold(tmp_path):
    pass
  assert 'not (yet) written' in _warnings(caplog)[0]


def test_something_in_the_way_is_refused(tmp_path):
  file = tmp_path / 'file'
  file.write_text('')
  for folder in (file, file / 'run' / '1'):
    with pytest.raises(WorkdirError,
                       match=f'{file} is in the way and is no folder'):
      with files.hold(folder):
        pass
  (tmp_path / 'dangling').symlink_to(tmp_path / 'nowhere')
  with pytest.raises(WorkdirError, match='dangling is in the way'):
    with files.hold(tmp_path / 'dangling'):
      pass
  (tmp_path / 'run' / 'lock').mkdir(parents=True)
  with pytest.raises(WorkdirError, match='cannot write .*lock: Is a'):
    with files.hold(tmp_path / 'run'):
      pass


@pytest.mark.parametrize('code', [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_an_unwritable_folder_is_refused(tmp_path, monkeypatch, code):
  def write_bytes(self, data):
    raise OSError(code, os.strerror(code))
  monkeypatch.setattr(pathlib.Path, 'write_bytes', write_bytes)
  with pytest.raises(WorkdirError) as error:
    with files.hold(tmp_path):
      pass
  assert os.strerror(code) in str(error.value)
  assert 'bytes free' in str(error.value)
  assert list(tmp_path.iterdir()) == []


def test_provenance_is_json_and_names_the_versions():
  got = files.provenance()
  assert json.loads(json.dumps(got, allow_nan=False)) == got
  assert got['argv'] == sys.argv and got['host'] and got['started']
  assert got['python'] == '.'.join(map(str, sys.version_info[:3]))
  assert got['versions']['numpy'] == numpy.__version__
  assert set(got['versions']) >= {'jax', 'jaxlib', 'flax', 'optax',
                                  'orbax-checkpoint'}
  assert set(got['git']) == {'commit', 'dirty'}


def _repository(folder):
  def git(*args):
    subprocess.run(['git', '-C', str(folder), '-c', 'user.name=x', '-c',
                    'user.email=x@x', *args], check=True, capture_output=True)
  package = folder / 'package'
  package.mkdir(parents=True)
  (package / '__init__.py').write_text('')
  git('init')
  git('add', '.')
  git('commit', '-m', 'x')
  return package


def test_git_state(tmp_path):
  package = _repository(tmp_path / 'repository')
  state = files._git_state(package)
  assert re.fullmatch('[0-9a-f]{40}', state['commit'])
  assert state['dirty'] is False
  (package.parent / 'results.txt').write_text('no code')
  assert files._git_state(package) == state
  (package.parent / 'my_loss.py').write_text('')  # new code counts
  assert files._git_state(package) == state | {'dirty': True}
  (package.parent / 'my_loss.py').unlink()
  (package / '__init__.py').write_text('1')
  assert files._git_state(package) == state | {'dirty': True}


def test_git_state_of_code_that_no_repository_tracks(tmp_path, monkeypatch):
  none = {'commit': '', 'dirty': False}
  assert files._git_state(tmp_path) == none
  package = _repository(tmp_path / 'repository')
  installed = package.parent / 'venv' / 'package'  # below one, not of it
  installed.mkdir(parents=True)
  (installed / '__init__.py').write_text('')
  assert files._git_state(installed) == none
  # In a git hook the environment names another repository.
  monkeypatch.setenv('GIT_DIR', str(package.parent / '.git'))
  assert files._git_state(tmp_path) == none
  monkeypatch.setenv('PATH', str(tmp_path))  # no git at all
  assert files._git_state(package) == none
