"""The folder of checkpoints, without Orbax: what is kept, damaged, killed."""

import json
import os
import subprocess
import sys

import pytest
import tiny
from written import warnings_of

from gan_jax.base.errors import CheckpointError
from gan_jax.run import checkpoint, manifest
from gan_jax.run.checkpoint import Checkpoints


@pytest.fixture
def folder(tmp_path):
  """Where the checkpoints of a run lie."""
  return tmp_path / 'checkpoints'


def _save(checkpoints, folder, step, data=b'weights'):
  (folder / f'.saving-{step}' / 'd').mkdir(parents=True)
  for name in ('meta', 'd/1'):
    (folder / f'.saving-{step}' / name).write_bytes(data + b'%d' % step)
  checkpoints.publish(step)


def _make(folder, numbers=(1, 2, 3), keep=5):
  checkpoints = _open(folder, keep)
  for step in numbers:
    _save(checkpoints, folder, step)
  return checkpoints


def _open(folder, keep=0, strict=False):
  return Checkpoints(folder.parent, keep=keep, strict=strict)


def _flip(path):
  with open(path, 'r+b') as file:
    byte = file.read(1)[0]
    file.seek(0)
    file.write(bytes([byte ^ 4]))


def test_numbers_are_steps_and_nothing_else_is(folder):
  _make(folder)
  for name in ('004', '5x', '-6', 'damaged-7', '.saving-8', '0', '٩'):
    (folder / name).mkdir()
  assert _open(folder).steps() == [1, 2, 3]
  assert _open(folder / 'nowhere').steps() == []
  assert not (folder / 'nowhere').exists()  # A reader makes no folder.


@pytest.mark.parametrize('keep', [1, 2])
def test_the_newest_stay(folder, keep):
  steps = _make(folder, range(1, 6), keep)
  assert steps.steps() == [4, 5][-keep:]
  assert sorted(os.listdir(folder)) == ['4', '5'][-keep:]


def test_fall_back_is_loud_and_moves_the_damaged_ones_aside(folder, caplog):
  _make(folder)
  _flip(folder / '3' / 'd' / '1')
  os.remove(folder / '2' / manifest.NAME)
  assert _open(folder).latest() == 1  # A reader moves nothing.
  assert sorted(os.listdir(folder)) == ['1', '2', '3']
  said, = warnings_of(caplog)
  assert said == (f'DAMAGED CHECKPOINT {folder}/3: d/1: its sha256 has '
                  f'changed; {folder}/2: manifest.json: is missing; using '
                  'step 1 instead')
  caplog.clear()
  steps = _open(folder, keep=5)
  assert steps.latest() == 1
  assert warnings_of(caplog)[1:] == [
      f'moved {folder}/3 to damaged-3', f'moved {folder}/2 to damaged-2']
  assert sorted(os.listdir(folder)) == ['1', 'damaged-2', 'damaged-3']
  # The run saves that step again, and it may be damaged again.
  _save(steps, folder, 3)
  _flip(folder / '3' / 'meta')
  assert _open(folder, keep=5).latest() == 1
  assert sorted(os.listdir(folder)) == ['1', 'damaged-2', 'damaged-3',
                                          'damaged-3.1']


def test_a_link_to_a_disk_that_is_not_there_is_damage(folder, caplog):
  _make(folder)
  os.symlink(folder / 'nowhere', folder / '4')
  (folder / '5').write_text('no folder')
  assert _open(folder).latest() == 3
  said, = warnings_of(caplog)
  assert 'using step 3 instead' in said
  assert str(folder / '4') in said


def test_strict_refuses_and_moves_nothing(folder):
  _make(folder)
  _flip(folder / '3' / 'd' / '1')
  with pytest.raises(CheckpointError, match=r'/3: d/1: its sha256 has changed. '
                     'Without --strict, step 2 would be used instead'):
    _open(folder, keep=5, strict=True).latest()
  assert sorted(os.listdir(folder)) == ['1', '2', '3']
  # Older ones are not asked for.
  os.rename(folder / '3', folder / 'x')
  _flip(folder / '1' / 'd' / '1')
  assert _open(folder, strict=True).latest() == 2


def test_where_none_is_valid_nothing_begins_anew(folder):
  """A start from 0 would throw the rows of the old run away."""
  _make(folder)
  for step in (1, 2, 3):
    _flip(folder / str(step) / 'd' / '1')
  with pytest.raises(CheckpointError, match='3: d/1: .*2: d/1: .*1: d/1: .* No '
                     'older one is valid: bring the files back'):
    _open(folder, keep=5).latest()
  assert sorted(os.listdir(folder)) == ['1', '2', '3']


def test_another_format_is_refused_and_not_passed_over(folder, monkeypatch):
  steps = _make(folder, [1, 2])
  monkeypatch.setattr(manifest, 'FORMAT', 2)
  _save(steps, folder, 3)
  monkeypatch.undo()
  with pytest.raises(CheckpointError, match='/3 has format 2, which a newer'):
    _open(folder, keep=5).latest()
  assert sorted(os.listdir(folder)) == ['1', '2', '3']


def test_a_disk_that_lies_costs_the_new_step_and_not_the_old_one(
    folder, monkeypatch):
  steps = _make(folder, [1], keep=1)
  sync = checkpoint.sync_folder

  def sync_and_lose(path):
    sync(path)
    if os.path.isdir(folder / '2'):
      _flip(folder / '2' / 'd' / '1')

  monkeypatch.setattr(checkpoint, 'sync_folder', sync_and_lose)
  with pytest.raises(CheckpointError, match='2 is damaged: d/1: its sha256'):
    _save(steps, folder, 2)
  assert _open(folder, keep=1).latest() == 1


def test_a_reader_beside_a_run_that_deletes(folder, monkeypatch, caplog):
  steps = _make(folder, [1], keep=1)
  verify = manifest.verify

  def verify_while_the_run_goes_on(path, step):
    if step == 1:
      monkeypatch.setattr(manifest, 'verify', verify)
      _save(steps, folder, 2)
    return verify(path, step)

  monkeypatch.setattr(manifest, 'verify', verify_while_the_run_goes_on)
  reader = _open(folder, strict=True)
  assert reader.latest() == 2
  assert not warnings_of(caplog)
  with pytest.raises(CheckpointError, match='deleted by the run meanwhile'):
    reader.digest(1)


# A process for each operation on the folder, killed just before it.
_KILLED = """
import json, os, shutil, signal, sys
from gan_jax.run.checkpoint import Checkpoints

work = sys.argv[1]
folder = f'{work}/checkpoints'
WATCHED = ('open', 'os.rename', 'os.remove', 'os.rmdir', 'os.mkdir')

def save(checkpoints, step):
  os.makedirs(f'{folder}/.saving-{step}/d')
  for name in ('meta', 'd/1'):
    with open(f'{folder}/.saving-{step}/{name}', 'w') as file:
      file.write(f'weights {step}')
  checkpoints.publish(step)

def child(checkpoints, point):
  left = [point]
  def hook(event, args):
    if event in WATCHED:
      left[0] -= 1
      if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
  sys.addaudithook(hook)
  save(checkpoints, 3)
  os._exit(0)

def killed_before(point, keep):
  shutil.rmtree(folder, ignore_errors=True)
  checkpoints = Checkpoints(work, keep=keep)
  save(checkpoints, 1)
  save(checkpoints, 2)
  pid = os.fork()
  if not pid:
    child(checkpoints, point)
  status = os.waitpid(pid, 0)[1]
  # A strict reader: not one number may stand for a damaged folder.
  reader = Checkpoints(work, strict=True)
  row = {'status': status, 'newest': reader.latest(), 'all': reader.steps(),
         'digests': [reader.digest(step) for step in reader.steps()]}
  again = Checkpoints(work, keep=keep, strict=True)
  save(again, again.latest() + 1)
  return row | {'left': sorted(os.listdir(folder))}

found = {1: [], 2: []}
for keep, rows in found.items():
  while not rows or rows[-1]['status']:
    rows.append(killed_before(len(rows), keep))
print(json.dumps(found))
"""


def test_a_kill_before_any_operation_leaves_a_valid_checkpoint(tmp_path):
  done = subprocess.run(
      [sys.executable, '-c', _KILLED, str(tmp_path / 'x')],
      cwd=tiny.ROOT, capture_output=True, text=True, timeout=300)
  assert done.returncode == 0, done.stderr
  for key, rows in json.loads(done.stdout).items():
    keep = int(key)
    assert len(rows) > 20 and {row['status'] for row in rows} == {9, 0}
    newest = [row['newest'] for row in rows]
    assert newest == sorted(newest) and set(newest) == {2, 3}
    for row in rows:  # There, or renamed away: never half of it.
      assert len(row['all']) in (keep, keep + 1)
      assert row['left'] == [str(row['newest'] + i)
                             for i in range(2 - keep, 2)]
