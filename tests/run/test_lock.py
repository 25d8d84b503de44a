"""The lock of a run folder, across real processes."""

import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from written import warnings_of

from gan_jax.base.errors import WorkdirError
from gan_jax.run import lock

HOLDER = """
import os, sys, time
from gan_jax.run import lock
with lock.hold(sys.argv[1]):
  if os.fork() == 0:  # As a data set's worker does.
    print(os.getpid(), flush=True)
  time.sleep(60)
"""


def test_hold_makes_the_folder_and_says_who_holds_it(tmp_path, caplog):
  with lock.hold(tmp_path / 'a' / 'b') as folder:
    holder = json.loads((folder / 'lock').read_text())
    assert holder['pid'] == os.getpid() and holder['host']
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d',
                        holder['started'])
    assert [p.name for p in folder.iterdir()] == ['lock']
  with lock.hold(folder):  # free again, and without a notice
    pass
  assert not warnings_of(caplog)


def test_second_hold_in_the_same_process_is_refused(tmp_path):
  with lock.hold(tmp_path):
    with pytest.raises(WorkdirError, match=f'pid {os.getpid()} '):
      with lock.hold(tmp_path):
        pass
    # The refused one must not have freed or emptied the lock.
    assert json.loads((tmp_path / 'lock').read_text())['pid'] == os.getpid()
    with pytest.raises(WorkdirError):
      with lock.hold(tmp_path):
        pass


def test_a_glance_at_the_lock_refuses_no_run(tmp_path):
  with lock.hold(tmp_path):
    pass
  glance = os.open(tmp_path / 'lock', os.O_RDONLY)
  fcntl.flock(glance, fcntl.LOCK_SH)
  assert not lock.is_held(tmp_path)  # Two may look at a time.
  threading.Timer(0.2, os.close, [glance]).start()
  with lock.hold(tmp_path):
    assert lock.is_held(tmp_path)


def test_a_folder_that_was_removed_or_is_of_another_run_is_not_ours(tmp_path):
  folder = tmp_path / 'run'
  assert not lock.is_ours(folder)
  with lock.hold(folder):
    assert lock.is_ours(folder)
    shutil.rmtree(folder)
    assert not lock.is_ours(folder)
    with subprocess.Popen([sys.executable, '-c', HOLDER, folder],
                          stdout=subprocess.PIPE) as other:
      child = int(other.stdout.readline())
      assert lock.is_held(folder) and not lock.is_ours(folder)
      os.kill(child, signal.SIGKILL)
      other.kill()


def test_an_error_inside_passes_and_frees_the_lock(tmp_path, caplog):
  with pytest.raises(KeyError):
    with lock.hold(tmp_path):
      raise KeyError
  with lock.hold(tmp_path):
    pass
  assert not warnings_of(caplog)


def test_a_lock_whose_file_a_failed_start_has_removed_is_no_lock(
    tmp_path, monkeypatch):
  flock = fcntl.flock

  def late(fd, how):
    (tmp_path / 'lock').unlink()
    flock(fd, how)

  monkeypatch.setattr(fcntl, 'flock', late)
  with pytest.raises(WorkdirError, match='removed its files; try again'):
    with lock.hold(tmp_path):
      pass


def test_a_second_process_is_refused_until_the_first_is_killed(
    tmp_path, caplog):
  process = subprocess.Popen(
      [sys.executable, '-c', HOLDER, str(tmp_path)], text=True,
      stdout=subprocess.PIPE, cwd=pathlib.Path(__file__).parents[2])
  worker = int(process.stdout.readline())
  try:
    holder = json.loads((tmp_path / 'lock').read_text())
    assert holder['pid'] == process.pid
    # Nor does the worker free the lock of a living run.
    with pytest.raises(WorkdirError) as error:
      with lock.hold(tmp_path):
        pass
    for part in (str(tmp_path), f'pid {process.pid}', holder['host'],
                 holder['started'], 'give another --workdir'):
      assert part in str(error.value)
    process.kill()
    process.wait()
    os.kill(worker, 0)  # It is still alive, and does not keep the lock.
    with lock.hold(tmp_path):
      message, = warnings_of(caplog)
      assert f'pid {process.pid} on host {holder["host"]}' in message
      assert json.loads((tmp_path / 'lock').read_text())['pid'] == os.getpid()
  finally:
    os.kill(worker, signal.SIGKILL)
    process.kill()
    process.communicate()


@pytest.mark.parametrize('content', [b'{"pid": 1', b'[]', b'\xff\0', b'{}'])
def test_a_damaged_lock_is_taken_over(tmp_path, content, caplog):
  (tmp_path / 'lock').write_bytes(content)
  with lock.hold(tmp_path):
    pass
  assert 'not (yet) written' in warnings_of(caplog)[0]


def test_something_in_the_way_is_refused(tmp_path):
  file = tmp_path / 'file'
  file.write_text('')
  for folder in (file, file / 'run' / '1'):
    with pytest.raises(WorkdirError,
                       match=f'{file} is in the way and is no folder'):
      with lock.hold(folder):
        pass
  (tmp_path / 'dangling').symlink_to(tmp_path / 'nowhere')
  with pytest.raises(WorkdirError, match='dangling is in the way'):
    with lock.hold(tmp_path / 'dangling'):
      pass
  (tmp_path / 'run' / 'lock').mkdir(parents=True)
  with pytest.raises(WorkdirError, match='cannot write .*lock: Is a'):
    with lock.hold(tmp_path / 'run'):
      pass


@pytest.mark.parametrize('code, hint', [
    (errno.EROFS, ' (mounted read-only, perhaps since a disk error, which '
                  '`dmesg` shows: mount it writable)'),
    (errno.EDQUOT, ' (the quota is used up: free some space, or raise the '
                   'quota)'),
    (errno.EACCES, ''), (errno.ENOSPC, ' bytes free: free some space)')])
def test_an_unwritable_folder_is_refused(tmp_path, monkeypatch, code, hint):
  def replace(*_):
    raise OSError(code, os.strerror(code))

  monkeypatch.setattr(os, 'replace', replace)
  with pytest.raises(WorkdirError) as error:
    with lock.hold(tmp_path):
      pass
  said = str(error.value)
  assert os.strerror(code) in said and f'{hint}; a run must be able' in said
  assert ('bytes free' in said) == (code == errno.ENOSPC)
  assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
  def flock(*_):
    raise OSError(errno.ENOLCK, 'No locks available')

  monkeypatch.setattr(fcntl, 'flock', flock)
  with pytest.raises(WorkdirError, match='cannot lock .*No locks available.*'
                     'local disk'):
    with lock.hold(tmp_path):
      pass
