"""Checkpoints: what is kept, what is refused."""

import hashlib
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from saved_states import UNREAD, abstract, filled, opened

from experiments.reliability.soak import digest
from gan_jax import parallel
from gan_jax.base.errors import CheckpointError
from gan_jax.run import lock

pytestmark = UNREAD


def test_nothing_saved_is_step_0(tmp_path):
  with opened(tmp_path) as checkpoints:
    assert checkpoints.latest() == 0
    assert checkpoints.steps() == []
    with pytest.raises(CheckpointError, match='no checkpoint yet; no process'):
      checkpoints.restore(abstract(filled()))
    (tmp_path / 'launches.jsonl').write_text(json.dumps(
        {'train_steps': 3000, 'argv': [], 'first_checkpoint': 2500}))
    with lock.hold(tmp_path), pytest.raises(
        CheckpointError, match='yet: the first is due at step 2,500$'):
      checkpoints.restore(abstract(filled()))


def test_the_newest_stay_and_are_restored_bit_for_bit(tmp_path):
  states = {step: {'w': jax.random.normal(jax.random.key(step), (5, 7))}
            for step in (2, 4, 6, 8)}
  with opened(tmp_path, keep=2) as checkpoints:
    for step, state in states.items():
      checkpoints.save(step, state)
    checkpoints.wait()
    assert checkpoints.steps() == [6, 8]
    assert checkpoints.latest() == 8
  with opened(tmp_path, keep=2) as checkpoints:
    assert checkpoints.latest() == 8
    for step, want in ((0, 8), (6, 6), (8, 8)):
      got = checkpoints.restore(abstract(states[2]), step)
      assert digest(got) == digest(states[want])
    with pytest.raises(CheckpointError, match='step 4; there are 6, 8'):
      checkpoints.restore(abstract(states[2]), 4)


def test_a_replicated_state_is_saved_from_one_device(tmp_path, caplog):
  """Orbax would compile a program for each shape on each of four devices."""
  state = parallel.replicate({'w': np.arange(8 * 13.).reshape(8, 13),
                              'v': np.arange(24.)}, parallel.make_mesh(4))
  jax.config.update('jax_log_compiles', True)
  try:
    with opened(tmp_path) as checkpoints:
      checkpoints.save(1, state)
      jax.tree.map(lambda x: x.delete(), state)  # As if donated.
      checkpoints.wait()
      got = checkpoints.restore(parallel.abstract(
          state, parallel.make_mesh(4)))
  finally:
    jax.config.update('jax_log_compiles', False)
  assert 'Compiling jit(copy)' in caplog.text
  assert 'Compiling jit(slice)' not in caplog.text
  np.testing.assert_array_equal(got['w'], np.arange(8 * 13.).reshape(8, 13))
  assert parallel.copies(got) == 4


@pytest.mark.parametrize('name', [
    'penalties[0].weight=5', 'a*b', 'what?', os.fsdecode(b'caf\xe9')])
def test_a_folder_whose_name_is_a_pattern_or_no_utf8(tmp_path, name):
  with opened(tmp_path / name) as checkpoints:
    checkpoints.save(2, filled(2))
    checkpoints.wait()
    assert checkpoints.digest(2)
  with opened(tmp_path / name) as checkpoints:
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(2))
  assert os.listdir(tmp_path) == [name]


def test_a_state_may_be_donated_as_soon_as_save_returns(tmp_path):
  """The runner overwrites the buffers while Orbax is still writing."""
  state = {'w': jnp.arange(2**21, dtype=jnp.float32)}  # 8 MB
  wanted = digest(state)
  overwrite = jax.jit(lambda s: jax.tree.map(lambda x: -x, s), donate_argnums=0)
  with opened(tmp_path) as checkpoints:
    checkpoints.save(1, state)
    jax.block_until_ready(overwrite(state))
    checkpoints.wait()
    assert digest(checkpoints.restore(abstract(
        {'w': jnp.zeros(2**21)}))) == wanted


def test_saving_the_newest_step_again_changes_nothing(saved):
  with opened(saved) as checkpoints:
    checkpoints.save(2, filled(9))
    checkpoints.wait()
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(2))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_refused(saved, bad):
  with opened(saved) as checkpoints:
    with pytest.raises(CheckpointError, match='after step 3 .* not finite'):
      checkpoints.save(3, filled(bad))
    checkpoints.wait()
    assert checkpoints.latest() == 2
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(2))


@pytest.mark.parametrize('other, lines', [
    (filled(width=5),
     ['gen/w: float32[2, 3] (checkpoint) -> float32[2, 5] (config)']),
    (filled(dtype=jnp.float16),
     ['gen/w: float32[2, 3] (checkpoint) -> float16[2, 3] (config)']),
    ({**filled(), 'extra': jnp.zeros(2)},
     ['extra: absent (checkpoint) -> float32[2] (config)']),
    ({'gen': {'w': jnp.zeros((2, 3)), 'm': jnp.zeros(1)},
      'step': jnp.int32(0)},
     ['gen/m: absent (checkpoint) -> float32[1] (config)',
      'gen/n: int32[4] (checkpoint) -> absent (config)']),
])
def test_another_model_is_refused_with_the_arrays_that_differ(
    saved, other, lines):
  with opened(saved) as checkpoints:
    with pytest.raises(CheckpointError, match='is of another model') as error:
      checkpoints.restore(abstract(other))
  assert [x.strip() for x in str(error.value).splitlines()[1:]] == lines


def test_a_long_list_of_differences_is_cut(saved):
  many = {f'a{i:02}': jnp.zeros(1) for i in range(30)}
  with opened(saved) as checkpoints:
    with pytest.raises(CheckpointError) as error:
      checkpoints.restore(abstract(many))
  assert str(error.value).endswith('and 23 more')


def test_an_older_step_is_not_saved_over_a_newer_one(saved):
  with opened(saved) as checkpoints:
    with pytest.raises(CheckpointError, match='1 was not saved, there is step '
                       '2 already'):
      checkpoints.save(1, filled(9))


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
  with opened(saved, keep=1) as checkpoints:
    assert checkpoints.latest() == 2
    for step in (3, 4):
      checkpoints.save(step, filled(step))
  monkeypatch.undo()
  with opened(saved) as checkpoints:
    assert checkpoints.steps() == [4]
    assert digest(checkpoints.restore(abstract(filled()))) == digest(filled(4))


def test_a_reader_makes_no_folders(tmp_path):
  with opened(tmp_path, keep=0) as checkpoints:
    with pytest.raises(CheckpointError, match='no checkpoint'):
      checkpoints.restore(abstract(filled()))
  assert os.listdir(tmp_path) == []


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
