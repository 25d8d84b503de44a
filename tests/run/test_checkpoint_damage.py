"""Checkpoints that are damaged, hostile, cut off or too large for the disk."""

import contextlib
import errno
import glob
import os
import pickle
import resource
import shutil

import jax
import pytest
from canary import Canary
from saved_states import UNREAD, abstract, filled, opened

from experiments.reliability.soak import digest
from gan_jax.base.errors import CheckpointError
from gan_jax.run import manifest
from gan_jax.run.checkpoint import Checkpoints

pytestmark = UNREAD


def _files(folder):
  return [p for p in glob.glob(f'{folder}/checkpoints/2/**', recursive=True)
          if os.path.isfile(p)]


def _truncate(path):
  os.truncate(path, os.path.getsize(path) // 2)


def _flip(path):
  with open(path, 'r+b') as file:
    file.seek(os.path.getsize(path) // 2)
    byte = file.read(1)[0]
    file.seek(-1, os.SEEK_CUR)
    file.write(bytes([byte ^ 16]))


@pytest.mark.parametrize('damage', [os.remove, _truncate, _flip])
def test_damage_to_any_file_is_named_and_the_one_before_is_restored(
    saved, damage, caplog):
  names = [os.path.relpath(path, f'{saved}/checkpoints/2')
           for path in _files(saved)]
  assert len(names) > 9 and any('/d/' in name for name in names)
  for name in names:
    copy = f'{saved}/copy'
    shutil.copytree(f'{saved}/checkpoints', f'{copy}/checkpoints')
    damage(f'{copy}/checkpoints/2/{name}')
    with opened(copy, keep=0) as checkpoints:
      with pytest.raises(CheckpointError) as error:
        checkpoints.restore(abstract(filled()), 2)
      assert f'{copy}/checkpoints/2 is damaged: {name}: ' in str(error.value)
      caplog.clear()
      got = checkpoints.restore(abstract(filled()))
      assert digest(got) == digest(filled(1)), name
      assert f'{name}: ' in caplog.text
      assert 'using step 1 instead' in caplog.text
    shutil.rmtree(copy)


@pytest.mark.parametrize('keep', [0, 3])
def test_damage_after_publishing_is_found_by_who_has_published(
    tmp_path, keep, caplog):
  """What was valid once is verified anew before it is restored."""
  with opened(tmp_path) as checkpoints:
    checkpoints.save(1, filled(1))
    checkpoints.save(2, filled(2))
    if not keep:  # One that only reads, and has read it once.
      checkpoints.wait()
      checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest() == 2
    path, = glob.glob(f'{tmp_path}/checkpoints/2/d/*')
    _flip(path)
    with pytest.raises(CheckpointError, match='2 is damaged: d/.* its sha256'):
      checkpoints.restore(abstract(filled()), 2)
    got = checkpoints.restore(abstract(filled()))
    assert digest(got) == digest(filled(1))
    assert 'using step 1 instead' in caplog.text
    assert checkpoints.latest() == 1
    checkpoints.close()


def test_the_run_saves_the_damaged_step_again(saved):
  _flip(f'{saved}/checkpoints/2/_sharding')
  with opened(saved) as checkpoints:
    assert checkpoints.latest() == 1
    checkpoints.save(2, filled(2))
    checkpoints.save(3, filled(3))
  with contextlib.closing(Checkpoints(saved, strict=True)) as checkpoints:
    assert checkpoints.latest() == 3
    assert digest(checkpoints.restore(abstract(filled()), 2)) == digest(
        filled(2))
    assert checkpoints.digest(2) != checkpoints.digest(3)
  assert os.path.isdir(f'{saved}/checkpoints/damaged-2')


@pytest.mark.parametrize('protocol', [0, 4])
def test_a_hostile_checkpoint_runs_no_code(saved, monkeypatch, protocol):
  """A manifest proves that nothing broke, not who wrote it."""
  canary = saved / 'canary'
  hostile = pickle.dumps(Canary(canary), protocol)
  loads = []
  for name in ('load', 'loads', 'Unpickler'):
    monkeypatch.setattr(pickle, name, lambda *_, **__: loads.append(1))
  for path in _files(saved):
    name = os.path.relpath(path, f'{saved}/checkpoints/2')
    if name == manifest.NAME:
      continue
    copy = saved / 'copy'
    step = copy / 'checkpoints' / '2'
    shutil.copytree(f'{saved}/checkpoints/2', step)
    (step / name).write_bytes(hostile)
    manifest.write(str(step), 2)
    with opened(copy, keep=0) as checkpoints:
      assert checkpoints.latest() == 2
      with contextlib.suppress(CheckpointError):  # Or the file is not needed.
        got = checkpoints.restore(abstract(filled()))
        assert digest(got) == digest(filled(2)), name
    shutil.rmtree(copy)
  assert not loads and not canary.exists()
  monkeypatch.undo()
  pickle.loads(hostile)
  assert canary.exists()  # The canary does sing.


def test_a_save_that_was_cut_off_is_no_checkpoint(saved):
  half = f'{saved}/checkpoints/.saving-3.orbax-checkpoint-tmp'
  shutil.copytree(f'{saved}/checkpoints/2', half,
                  ignore=shutil.ignore_patterns('commit_success.txt'))
  # A reader leaves it alone: it may be the save in flight of a living run.
  with opened(saved, keep=0) as checkpoints:
    assert checkpoints.latest() == 2
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(2))
  assert os.path.isdir(half)
  with opened(saved) as checkpoints:
    assert checkpoints.latest() == 2
    assert checkpoints.steps() == [1, 2]
    checkpoints.save(3, filled(3))
    checkpoints.wait()
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(3))
  assert not os.path.exists(half)


@contextlib.contextmanager
def _small_disk(limit):
  """No file may grow beyond `limit` bytes: what a full disk does, for real."""
  old = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


def _refused(folder, state) -> str:
  with pytest.raises(CheckpointError) as error, opened(folder) as checkpoints:
    checkpoints.save(3, state)
    checkpoints.wait()
  assert 'the last finished checkpoint is intact' in str(error.value)
  assert sorted(os.listdir(f'{folder}/checkpoints')) == ['1', '2']  # No debris.
  with opened(folder) as checkpoints:
    assert checkpoints.latest() == 2
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(2))
  return str(error.value)


def test_a_full_disk_names_path_and_free_bytes(saved, monkeypatch):
  big = {'w': jax.random.normal(jax.random.key(0), (2**18,))}  # 1 MB, random
  with _small_disk(100_000):
    said = [_refused(saved, big)]

  def full(path, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(manifest, 'write_file', full)
  said.append(_refused(saved, filled(3)))
  assert 'No space left on device' in said[1]
  for message in said:
    assert f'cannot save a checkpoint in {saved}/checkpoints (' in message
  # The limit that stands for a small disk is said to be one.
  assert '(more than `ulimit -f` or the file system allows: raise' in said[0]
  free = said[1].partition('(')[2].partition(' bytes free: free some space)')[0]
  assert int(free.replace(',', '')) > 0


@pytest.mark.parametrize('error', [
    PermissionError(errno.EACCES, 'Permission denied'),
    ValueError('NOT_FOUND: no such driver')])
def test_an_error_of_another_kind_does_not_speak_of_the_disk(
    saved, monkeypatch, error):
  def refuse(path, data):
    raise error

  monkeypatch.setattr(manifest, 'write_file', refuse)
  said = _refused(saved, filled(3))
  assert f'{type(error).__name__}: {error}' in said and 'free' not in said


def test_arrays_without_a_number_are_refused_as_what_they_are(saved):
  """Orbax cannot save them; the disk has nothing to do with it."""
  said = _refused(saved, {'w': jax.numpy.zeros((0, 3))})
  assert 'ValueError' in said and 'free' not in said
