"""The folder of the checkpoints: what is left by a kill at any moment."""

import errno
import json
import logging
import os
import subprocess
import sys

import pytest
import tiny

from gan_jax.base.errors import CheckpointError
from gan_jax.run import manifest
from gan_jax.run.checkpoint import Steps


def _save(steps, step, data=b'weights'):
  os.makedirs(steps.path(f'.saving-{step}/d'))
  for name in ('meta', 'd/1'):
    with open(steps.path(f'.saving-{step}/{name}'), 'wb') as file:
      file.write(data + b'%d' % step)
  steps.publish(step)


def _make(folder, numbers=(1, 2, 3), keep=5):
  steps = Steps(str(folder), keep=keep, strict=False)
  for step in numbers:
    _save(steps, step)
  return steps


def _open(folder, keep=0, strict=False):
  return Steps(str(folder), keep=keep, strict=strict)


def _flip(path):
  with open(path, 'r+b') as file:
    byte = file.read(1)[0]
    file.seek(0)
    file.write(bytes([byte ^ 4]))


def _warnings(caplog):
  return [r.getMessage() for r in caplog.records
          if r.levelno >= logging.WARNING]


def test_numbers_are_steps_and_nothing_else_is(tmp_path):
  _make(tmp_path)
  for name in ('004', '5x', '-6', 'damaged-7', '.saving-8', '0', '٩'):
    (tmp_path / name).mkdir()
  assert _open(tmp_path).all() == [1, 2, 3]
  assert _open(tmp_path / 'nowhere').all() == []
  assert not (tmp_path / 'nowhere').exists()  # A reader makes no folder.


@pytest.mark.parametrize('keep', [1, 2])
def test_the_newest_stay(tmp_path, keep):
  steps = _make(tmp_path, range(1, 6), keep)
  assert steps.all() == [4, 5][-keep:]
  assert sorted(os.listdir(tmp_path)) == ['4', '5'][-keep:]


def test_fall_back_is_loud_and_moves_the_damaged_ones_aside(tmp_path, caplog):
  _make(tmp_path)
  _flip(tmp_path / '3' / 'd' / '1')
  os.remove(tmp_path / '2' / manifest.NAME)
  assert _open(tmp_path).newest() == 1  # A reader moves nothing.
  assert sorted(os.listdir(tmp_path)) == ['1', '2', '3']
  said, = _warnings(caplog)
  assert said == (f'DAMAGED CHECKPOINT {tmp_path}/3: d/1: its sha256 has '
                  f'changed; {tmp_path}/2: manifest.json: is missing; step 1 '
                  'takes its place')
  caplog.clear()
  steps = _open(tmp_path, keep=5)
  assert steps.newest() == 1
  assert _warnings(caplog)[1:] == [
      f'moved {tmp_path}/3 to damaged-3', f'moved {tmp_path}/2 to damaged-2']
  assert sorted(os.listdir(tmp_path)) == ['1', 'damaged-2', 'damaged-3']
  # The run saves that step again, and it may be damaged again.
  _save(steps, 3)
  _flip(tmp_path / '3' / 'meta')
  assert _open(tmp_path, keep=5).newest() == 1
  assert sorted(os.listdir(tmp_path)) == ['1', 'damaged-2', 'damaged-3',
                                          'damaged-3.1']


def test_a_link_to_a_disk_that_is_not_there_is_damage(tmp_path, caplog):
  steps = _make(tmp_path)
  os.symlink(tmp_path / 'nowhere', steps.path(4))
  (tmp_path / '5').write_text('no folder')
  assert _open(tmp_path).newest() == 3
  said, = _warnings(caplog)
  assert 'step 3 takes its place' in said
  assert steps.path(4) in said


def test_strict_refuses_and_moves_nothing(tmp_path):
  _make(tmp_path)
  _flip(tmp_path / '3' / 'd' / '1')
  with pytest.raises(CheckpointError, match=r'/3: d/1: its sha256 has changed. '
                     'Without --strict, step 2 would take its place'):
    _open(tmp_path, keep=5, strict=True).newest()
  assert sorted(os.listdir(tmp_path)) == ['1', '2', '3']
  # Older ones are not asked for.
  os.rename(tmp_path / '3', tmp_path / 'x')
  _flip(tmp_path / '1' / 'd' / '1')
  assert _open(tmp_path, strict=True).newest() == 2


def test_where_none_is_valid_nothing_begins_anew(tmp_path):
  """A start from 0 would throw the rows of the old run away."""
  _make(tmp_path)
  for step in (1, 2, 3):
    _flip(tmp_path / str(step) / 'd' / '1')
  with pytest.raises(CheckpointError, match='3: d/1: .*2: d/1: .*1: d/1: .* No '
                     'older one is valid: bring the files back'):
    _open(tmp_path, keep=5).newest()
  assert sorted(os.listdir(tmp_path)) == ['1', '2', '3']


def test_another_format_is_refused_and_not_passed_over(tmp_path, monkeypatch):
  steps = _make(tmp_path, [1, 2])
  monkeypatch.setattr(manifest, 'FORMAT', 2)
  _save(steps, 3)
  monkeypatch.undo()
  with pytest.raises(CheckpointError, match='/3 has format 2, which a newer'):
    _open(tmp_path, keep=5).newest()
  assert sorted(os.listdir(tmp_path)) == ['1', '2', '3']


def test_a_disk_that_lies_costs_the_new_step_and_not_the_old_one(
    tmp_path, monkeypatch):
  steps = _make(tmp_path, [1], keep=1)
  sync = manifest.sync_folder

  def sync_and_lose(folder):
    sync(folder)
    if os.path.isdir(tmp_path / '2'):
      _flip(tmp_path / '2' / 'd' / '1')

  monkeypatch.setattr(manifest, 'sync_folder', sync_and_lose)
  with pytest.raises(CheckpointError, match='2 is damaged: d/1: its sha256'):
    _save(steps, 2)
  assert _open(tmp_path, keep=1).newest() == 1


def test_a_full_disk_at_the_manifest_leaves_the_old_one_and_the_room(
    tmp_path, monkeypatch):
  steps = _make(tmp_path, [1], keep=1)

  def full(path, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(manifest, 'write_file', full)
  with pytest.raises(CheckpointError, match=r'cannot write to .* \(\d+ bytes '
                     r'free\): OSError: .*No space left'), steps.writing():
    _save(steps, 2)
  assert os.listdir(tmp_path) == ['1']
  assert _open(tmp_path, strict=True).newest() == 1


def test_a_reader_beside_a_run_that_deletes(tmp_path, monkeypatch, caplog):
  steps = _make(tmp_path, [1], keep=1)
  verify = manifest.verify

  def verify_while_the_run_goes_on(path, step):
    if step == 1:
      monkeypatch.setattr(manifest, 'verify', verify)
      _save(steps, 2)
    return verify(path, step)

  monkeypatch.setattr(manifest, 'verify', verify_while_the_run_goes_on)
  reader = _open(tmp_path, strict=True)
  assert reader.newest() == 2
  assert not _warnings(caplog)
  with pytest.raises(CheckpointError, match='deleted by the run meanwhile'):
    reader.verify(1)


# A process for each operation on the folder, killed just before it.
_KILLED = """
import json, os, shutil, signal, sys
from gan_jax.run.checkpoint import Steps

folder, keep = sys.argv[1], int(sys.argv[2])
WATCHED = ('open', 'os.rename', 'os.remove', 'os.rmdir', 'os.mkdir')
found, point = [], 0

def save(steps, step):
  os.makedirs(steps.path(f'.saving-{step}/d'))
  for name in ('meta', 'd/1'):
    with open(steps.path(f'.saving-{step}/{name}'), 'w') as file:
      file.write(f'weights {step}')
  steps.publish(step)

def child(steps):
  left = [point]
  def hook(event, args):
    if event in WATCHED:
      left[0] -= 1
      if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
  sys.addaudithook(hook)
  save(steps, 3)
  os._exit(0)

while not found or found[-1]['status']:
  shutil.rmtree(folder, ignore_errors=True)
  steps = Steps(folder, keep=keep, strict=False)
  save(steps, 1)
  save(steps, 2)
  pid = os.fork()
  if not pid:
    child(steps)
  status = os.waitpid(pid, 0)[1]
  # A strict reader: not one number may stand for a damaged folder.
  reader = Steps(folder, keep=0, strict=True)
  row = {'status': status, 'newest': reader.newest(), 'all': reader.all(),
         'digests': [reader.verify(step) for step in reader.all()]}
  again = Steps(folder, keep=keep, strict=True)
  save(again, again.newest() + 1)
  found.append(row | {'left': sorted(os.listdir(folder))})
  point += 1
print(json.dumps(found))
"""


@pytest.mark.parametrize('keep', [1, 2])
def test_a_kill_before_any_operation_leaves_a_valid_checkpoint(tmp_path, keep):
  done = subprocess.run(
      [sys.executable, '-c', _KILLED, str(tmp_path / 'x'), str(keep)],
      cwd=tiny.ROOT, capture_output=True, text=True, timeout=300)
  assert done.returncode == 0, done.stderr
  found = json.loads(done.stdout)
  assert len(found) > 20 and {row['status'] for row in found} == {9, 0}
  newest = [row['newest'] for row in found]
  assert newest == sorted(newest) and set(newest) == {2, 3}
  for row in found:  # There, or renamed away: never half of it.
    assert len(row['all']) in (keep, keep + 1)
    assert row['left'] == [str(row['newest'] + i)
                           for i in range(2 - keep, 2)]
