"""The lock across real processes, provenance, launches on other machines."""

import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import tiny
from written import warnings_of

import gan_jax
from gan_jax import extractors, parallel
from gan_jax.base.errors import WorkdirError
from gan_jax.config import experiment
from gan_jax.config.experiment import DataInfo
from gan_jax.data import sources
from gan_jax.evaluators.scores import features_of_data
from gan_jax.run import files, train

HOLDER = """
import os, sys, time
from gan_jax.run import files
with files.hold(sys.argv[1]):
  if os.fork() == 0:  # As a data set's worker does.
    print(os.getpid(), flush=True)
  time.sleep(60)
"""


def test_hold_makes_the_folder_and_says_who_holds_it(tmp_path, caplog):
  with files.hold(tmp_path / 'a' / 'b') as folder:
    holder = json.loads((folder / 'lock').read_text())
    assert holder['pid'] == os.getpid() and holder['host']
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d',
                        holder['started'])
    assert [p.name for p in folder.iterdir()] == ['lock']
  with files.hold(folder):  # free again, and without a notice
    pass
  assert not warnings_of(caplog)


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
  assert not warnings_of(caplog)


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
      with files.hold(tmp_path):
        pass
    for part in (str(tmp_path), f'pid {process.pid}', holder['host'],
                 holder['started'], 'give another --workdir'):
      assert part in str(error.value)
    process.kill()
    process.wait()
    os.kill(worker, 0)  # It is still alive, and does not keep the lock.
    with files.hold(tmp_path):
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
  with files.hold(tmp_path):
    pass
  assert 'not (yet) written' in warnings_of(caplog)[0]


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


@pytest.mark.parametrize('code, disk', [
    (errno.EROFS, True), (errno.EACCES, False), (errno.ENOSPC, True)])
def test_an_unwritable_folder_is_refused(tmp_path, monkeypatch, code, disk):
  def replace(*_):
    raise OSError(code, os.strerror(code))

  monkeypatch.setattr(os, 'replace', replace)
  with pytest.raises(WorkdirError) as error:
    with files.hold(tmp_path):
      pass
  assert os.strerror(code) in str(error.value)
  assert ('bytes free' in str(error.value)) == disk
  assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
  def flock(*_):
    raise OSError(errno.ENOLCK, 'No locks available')

  monkeypatch.setattr(fcntl, 'flock', flock)
  with pytest.raises(WorkdirError, match='cannot lock .*No locks available.*'
                     'local disk'):
    with files.hold(tmp_path):
      pass


def test_provenance_is_json_and_names_the_versions():
  got = files.provenance()
  assert json.loads(json.dumps(got, allow_nan=False)) == got
  assert got['argv'] == sys.argv and got['host'] and got['started']
  assert got['python'] == '.'.join(map(str, sys.version_info[:3]))
  assert got['versions']['numpy'] == np.__version__
  # Where it is not installed, too; the package is built with the same number.
  assert got['versions']['gan_jax'] == gan_jax.__version__ != ''
  pyproject = pathlib.Path(tiny.ROOT, 'pyproject.toml').read_text()
  assert 'attr = "gan_jax.__version__"' in pyproject
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


def test_a_run_that_knows_fewer_facts_of_its_data_goes_on(tmp_path):
  """Of its data.json only the fields that it has are compared."""
  info = DataInfo('x', (2, 2, 1), 4, 2, (0, 1), 'f', '',
                  class_names=('ant', 'bee'))
  run = types.SimpleNamespace(info=info, config={})
  old = info._asdict()
  del old['class_names']
  (tmp_path / 'data.json').write_text(json.dumps(old))
  assert files.check_same_run(tmp_path, run) == []
  (tmp_path / 'data.json').write_text(json.dumps(
      info._asdict() | {'class_names': ['ant', 'cow']}))
  with pytest.raises(WorkdirError, match='class_names'):
    files.check_same_run(tmp_path, run)
  # Other columns of a label vector are another network.
  for allowed in (False, True):
    (tmp_path / 'data.json').write_text(json.dumps(
        info._asdict() | {'label_columns': [['age', 20, 80]]}))
    with pytest.raises(WorkdirError, match='label_columns'):
      files.check_same_run(tmp_path, run, allow_changed_data=allowed)


@pytest.mark.parametrize('changes, words', [
    ({}, 'but not the same bits'),
    ({'discriminator': {'norm': 'virtual_batch', 'minibatch': 'std'}},
     'with discriminator.norm=virtual_batch, discriminator.minibatch=std each '
     'device uses its own part of the batch, so that training differs')])
def test_a_launch_on_other_devices_says_what_is_not_the_same(
    tmp_path, monkeypatch, caplog, changes, words):
  run = types.SimpleNamespace(
      info=DataInfo('x', (2, 2, 1), 4, 0, (), '', ''), train_steps=4,
      config={'discriminator': dict(norm='batch', minibatch='none')} | changes)
  for count in (2, 3):
    monkeypatch.setattr(parallel, 'device_names', lambda n=count: ['cpu'] * n)
    files.write_launch(tmp_path, run, 2)
  assert caplog.messages[-1].startswith('on 3 devices, before on 2: ')
  assert caplog.messages[-1].endswith(words)


def test_a_launch_on_other_cores_says_so(tmp_path, monkeypatch, caplog):
  run = types.SimpleNamespace(
      info=DataInfo('x', (2, 2, 1), 4, 0, (), '', ''), train_steps=4, config={})
  for count in (2, 2, 0, 2, 3):  # 0 is an accelerator.
    monkeypatch.setattr(parallel, 'cores', lambda n=count: n)
    files.write_launch(tmp_path, run, 2)
  said, = warnings_of(caplog)
  assert said.startswith('on 3 cores, before on 2: ')


def test_all_files_follow_the_umask(images, run, pictures, tmp_path):
  """Those of the cache too, which others may be let read."""
  shutil.copytree(pictures, tmp_path / 'set')
  for path in (tmp_path / 'set').iterdir():
    os.utime(path, (1e9, 1e9))  # Of files just written no index is kept.
  umask = 0o015  # Nobody has it: no mode that is set by hand fits it.
  before = os.umask(umask)
  try:
    experiment.load(tiny.config(images))  # Writes to the cache.
    assert train.train(run, tmp_path / 'run') == 0
    source = sources.folder(path=tmp_path / 'set')
    features_of_data(extractors.random(), source, np.arange(4))
  finally:
    os.umask(before)
  seen = []
  for folder in ('run', 'cache'):
    for path in (tmp_path / folder).rglob('*'):
      wanted = (0o777 if path.is_dir() else 0o666) & ~umask
      assert stat.S_IMODE(path.stat().st_mode) == wanted, path
      seen.append(str(path.relative_to(tmp_path)))
  assert len(seen) > 38
  assert {'data', 'extractors', 'folders'} <= {n.split('/')[1] for n in seen}


def test_the_command_of_the_first_launch(tmp_path):
  argv = ['main.py', '--config', 'configs/dcgan.py:quick', '--workdir=x',
          '--config.loss.fake=-1.0', '--config.seed', '3']
  (tmp_path / 'launches.jsonl').write_text(
      json.dumps({'step': 0, 'argv': argv}) + '\n'
      + json.dumps({'step': 4, 'argv': ['main.py', '--config=other']}) + '\n')
  assert files.launched(tmp_path) == [
      ('config', 'configs/dcgan.py:quick'), ('config.loss.fake', '-1.0'),
      ('config.seed', '3')]
  assert files.launched(tmp_path / 'none') == []
