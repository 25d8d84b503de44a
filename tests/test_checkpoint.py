"""Checkpoints: what is kept, what is refused, what damage looks like."""

import contextlib
import glob
import hashlib
import os
import pickle
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import parallel
from gan_jax.checkpoint import (
    CheckpointError,
    Checkpoints,
    digest,
    manifest,
)


def _state(fill=1.0, width=3, dtype=jnp.float32):
  return {'gen': {'w': jnp.full((2, width), fill, dtype),
                  'n': jnp.arange(4, dtype=jnp.int32)},
          'step': jnp.int32(fill if np.isfinite(fill) else 0)}


def _abstract(state):
  return parallel.abstract(state, parallel.make_mesh(1))


@pytest.fixture
def saved(tmp_path):
  """Checkpoints 1 and 2, finished and closed."""
  checkpoints = Checkpoints(tmp_path, keep=3)
  for step in (1, 2):
    checkpoints.save(step, _state(step))
  checkpoints.close()
  return tmp_path


# Reads that Orbax gives up leave callbacks behind for a closed event loop.
pytestmark = pytest.mark.filterwarnings(
    'ignore::pytest.PytestUnraisableExceptionWarning')


def _open(folder, keep=3):
  return contextlib.closing(Checkpoints(folder, keep=keep))


def test_nothing_saved_is_step_0(tmp_path):
  with _open(tmp_path) as checkpoints:
    assert checkpoints.latest() == 0
    assert checkpoints.steps() == []
    with pytest.raises(CheckpointError, match='no checkpoint of step any'):
      checkpoints.restore(_abstract(_state()))


def test_the_newest_stay_and_are_restored_bit_for_bit(tmp_path):
  states = {step: {'w': jax.random.normal(jax.random.key(step), (5, 7))}
            for step in (2, 4, 6, 8)}
  with _open(tmp_path, keep=2) as checkpoints:
    for step, state in states.items():
      checkpoints.save(step, state)
    checkpoints.wait()
    assert checkpoints.steps() == [6, 8]
    assert checkpoints.latest() == 8
  with _open(tmp_path, keep=2) as checkpoints:
    assert checkpoints.latest() == 8
    for step, want in ((0, 8), (6, 6), (8, 8)):
      got = checkpoints.restore(_abstract(states[2]), step)
      assert digest(got) == digest(states[want])
    with pytest.raises(CheckpointError, match=r'step 4 .*there are \[6, 8\]'):
      checkpoints.restore(_abstract(states[2]), 4)


def test_a_state_may_be_donated_as_soon_as_save_returns(tmp_path):
  """The runner overwrites the buffers while Orbax is still writing."""
  state = {'w': jnp.arange(2**21, dtype=jnp.float32)}  # 8 MB
  wanted = digest(state)
  overwrite = jax.jit(lambda s: jax.tree.map(lambda x: -x, s), donate_argnums=0)
  with _open(tmp_path) as checkpoints:
    checkpoints.save(1, state)
    jax.block_until_ready(overwrite(state))
    checkpoints.wait()
    assert digest(checkpoints.restore(_abstract(
        {'w': jnp.zeros(2**21)}))) == wanted


def test_saving_the_newest_step_again_changes_nothing(saved):
  with _open(saved) as checkpoints:
    checkpoints.save(2, _state(9))
    checkpoints.wait()
    assert digest(checkpoints.restore(_abstract(_state()))) == digest(_state(2))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_refused(saved, bad):
  with _open(saved) as checkpoints:
    with pytest.raises(CheckpointError, match='after step 3 .* not finite'):
      checkpoints.save(3, _state(bad))
    checkpoints.wait()
    assert checkpoints.latest() == 2
    assert digest(checkpoints.restore(_abstract(_state()))) == digest(_state(2))


@pytest.mark.parametrize('other, lines', [
    (_state(width=5),
     ['gen/w: float32[2, 3] (checkpoint) -> float32[2, 5] (config)']),
    (_state(dtype=jnp.float16),
     ['gen/w: float32[2, 3] (checkpoint) -> float16[2, 3] (config)']),
    ({**_state(), 'extra': jnp.zeros(2)},
     ['extra: absent (checkpoint) -> float32[2] (config)']),
    ({'gen': {'w': jnp.zeros((2, 3)), 'm': jnp.zeros(1)},
      'step': jnp.int32(0)},
     ['gen/m: absent (checkpoint) -> float32[1] (config)',
      'gen/n: int32[4] (checkpoint) -> absent (config)']),
])
def test_another_model_is_refused_with_the_arrays_that_differ(
    saved, other, lines):
  with _open(saved) as checkpoints:
    with pytest.raises(CheckpointError, match='is of another model') as error:
      checkpoints.restore(_abstract(other))
  assert [x.strip() for x in str(error.value).splitlines()[1:]] == lines


def test_a_long_list_of_differences_is_cut(saved):
  many = {f'a{i:02}': jnp.zeros(1) for i in range(30)}
  with _open(saved) as checkpoints:
    with pytest.raises(CheckpointError) as error:
      checkpoints.restore(_abstract(many))
  assert str(error.value).endswith('and 23 more')


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
    with _open(copy, keep=0) as checkpoints:
      with pytest.raises(CheckpointError) as error:
        checkpoints.restore(_abstract(_state()), 2)
      assert f'{copy}/checkpoints/2 is damaged: {name}: ' in str(error.value)
      caplog.clear()
      got = checkpoints.restore(_abstract(_state()))
      assert digest(got) == digest(_state(1)), name
      assert f'{name}: ' in caplog.text
      assert 'step 1 takes its place' in caplog.text
    shutil.rmtree(copy)


def test_the_run_saves_the_damaged_step_again(saved):
  _flip(f'{saved}/checkpoints/2/_sharding')
  with _open(saved) as checkpoints:
    assert checkpoints.latest() == 1
    checkpoints.save(2, _state(2))
    checkpoints.save(3, _state(3))
  with contextlib.closing(Checkpoints(saved, strict=True)) as checkpoints:
    assert checkpoints.latest() == 3
    assert digest(checkpoints.restore(_abstract(_state()), 2)) == digest(
        _state(2))
    assert checkpoints.digest(2) != checkpoints.digest(3)
  assert os.path.isdir(f'{saved}/checkpoints/damaged-2')


def test_an_older_step_is_not_saved_over_a_newer_one(saved):
  with _open(saved) as checkpoints:
    with pytest.raises(CheckpointError, match='1 was not saved, there is step '
                       '2 already'):
      checkpoints.save(1, _state(9))


def test_mtimes_and_a_clock_that_jumps_decide_nothing(saved, monkeypatch):
  for root, _, files in os.walk(saved):
    for name in files:
      os.utime(os.path.join(root, name), (2**32, 2**32))
  os.utime(f'{saved}/checkpoints/2', (0, 0))
  now = [2e9]

  def time():
    now[0] -= 1e6
    return now[0]

  monkeypatch.setattr('time.time', time)
  with _open(saved, keep=1) as checkpoints:
    assert checkpoints.latest() == 2
    for step in (3, 4):
      checkpoints.save(step, _state(step))
  monkeypatch.undo()
  with _open(saved) as checkpoints:
    assert checkpoints.steps() == [4]
    assert digest(checkpoints.restore(_abstract(_state()))) == digest(_state(4))


class _Canary:
  """Unpickled, it would write a file."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return open, (self.path, 'w')


@pytest.mark.parametrize('protocol', [0, 4])
def test_a_hostile_checkpoint_runs_no_code(saved, monkeypatch, protocol):
  """A manifest proves that nothing broke, not who wrote it."""
  canary = saved / 'canary'
  hostile = pickle.dumps(_Canary(canary), protocol)
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
    with _open(copy, keep=0) as checkpoints:
      assert checkpoints.latest() == 2
      with contextlib.suppress(CheckpointError):  # Or the file is not needed.
        got = checkpoints.restore(_abstract(_state()))
        assert digest(got) == digest(_state(2)), name
    shutil.rmtree(copy)
  assert not loads and not canary.exists()
  monkeypatch.undo()
  with pickle.loads(hostile):
    assert canary.exists()  # The canary does sing.


def test_a_save_that_was_cut_off_is_no_checkpoint(saved):
  half = f'{saved}/checkpoints/.saving-3.orbax-checkpoint-tmp'
  shutil.copytree(f'{saved}/checkpoints/2', half,
                  ignore=shutil.ignore_patterns('commit_success.txt'))
  # A reader leaves it alone: it may be the save in flight of a living run.
  with _open(saved, keep=0) as checkpoints:
    assert checkpoints.latest() == 2
    assert digest(checkpoints.restore(_abstract(_state()))) == digest(_state(2))
  assert os.path.isdir(half)
  with _open(saved) as checkpoints:
    assert checkpoints.latest() == 2
    assert checkpoints.steps() == [1, 2]
    checkpoints.save(3, _state(3))
    checkpoints.wait()
    assert digest(checkpoints.restore(_abstract(_state()))) == digest(_state(3))
  assert not os.path.exists(half)


def test_a_reader_makes_no_folders(tmp_path):
  with _open(tmp_path, keep=0) as checkpoints:
    with pytest.raises(CheckpointError, match='no checkpoint'):
      checkpoints.restore(_abstract(_state()))
  assert os.listdir(tmp_path) == []


@contextlib.contextmanager
def _small_disk(limit):
  """No file may grow beyond `limit` bytes: what a full disk does, for real."""
  old = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_names_path_and_free_bytes(saved):
  big = {'w': jax.random.normal(jax.random.key(0), (2**18,))}  # 1 MB, random
  with pytest.raises(CheckpointError) as error:
    with _small_disk(100_000), _open(saved) as checkpoints:
      checkpoints.save(3, big)
      checkpoints.wait()
  message = str(error.value)
  assert f'cannot write to {saved}/checkpoints' in message
  free = int(message.partition('(')[2].partition(' bytes free')[0])
  assert free > 0
  assert 'the last finished checkpoint is intact' in message
  assert sorted(os.listdir(f'{saved}/checkpoints')) == ['1', '2']  # No debris.
  with _open(saved) as checkpoints:
    assert checkpoints.latest() == 2
    assert digest(checkpoints.restore(_abstract(_state()))) == digest(_state(2))


def test_digest_is_that_of_names_types_shapes_and_bytes():
  state = {'a': np.arange(3, dtype=np.int32)}
  wanted = hashlib.sha256(b"['a'] int32 (3,);"
                          + np.arange(3, dtype='<i4').tobytes()).hexdigest()
  assert digest(state) == wanted
  others = [{'b': state['a']}, {'a': state['a'].astype(np.uint32)},
            {'a': state['a'][None]}, {'a': state['a'] + 1},
            {'a': jnp.zeros(3, jnp.int32)}]
  assert len({digest(other) for other in [*others, state]}) == 6
  assert digest({'a': jnp.arange(3, dtype=jnp.int32)}) == wanted
