"""Orders, answers and what is refused, without a second process."""

import json

import jax
import pytest

from gan_jax.base.errors import ProcessGroupError
from gan_jax.run import processes
from gan_jax.run.processes import LostProcessError, ProcessGroup


class Store:
  """The key-value store of a coordinator that never waits."""

  def __init__(self):
    self.values = {}

  def key_value_set(self, key, value, allow_overwrite=False):
    assert allow_overwrite or key not in self.values
    self.values[key] = value

  def blocking_key_value_get(self, key, milliseconds):
    if key not in self.values:
      raise jax.errors.JaxRuntimeError('DEADLINE_EXCEEDED: not there')
    return self.values[key]

  def key_value_dir_get(self, folder):
    return [(k, v) for k, v in self.values.items() if k.startswith(folder)]

  def key_value_delete(self, folder):
    assert folder.endswith('/')
    self.values = {k: v for k, v in self.values.items()
                   if not k.startswith(folder)}


class Stop:
  signum = 0


@pytest.fixture
def store(monkeypatch):
  found = Store()
  monkeypatch.setattr(processes, '_client', lambda: found)
  return found


@pytest.fixture
def quits(monkeypatch):
  found = []

  def leave(status, why=''):
    found.append((status, why))
    raise SystemExit(status)

  monkeypatch.setattr(processes, 'quit_now', leave)
  return found


def test_one_process_leads_nobody():
  alone = ProcessGroup()  # No store: whatever it did with one would raise.
  alone.wait_for_all('x')
  alone.order('call')
  alone.leave(4)
  alone.abort(ValueError())
  assert alone.index == 0 and alone.signal() == 0


def test_orders_arrive_in_their_order_and_old_ones_are_forgotten(store):
  leader, follower = ProcessGroup(0, 2), ProcessGroup(1, 2)
  for step in range(1000):
    leader.order('start', step=step)
    assert follower.next_order(Stop()) == {'what': 'start', 'step': step}
    assert len(store.values) <= 2 * 64 + 1
  leader.order('end', status=143)
  leader.order('end', status=4)  # They have been told.
  assert follower.next_order(Stop()) == {'what': 'end', 'status': 143}
  assert not any(json.loads(v).get('status') == 4
                 for v in store.values.values())


def test_an_order_that_cannot_be_written_leaves_no_hole(store):
  leader, follower = ProcessGroup(0, 2), ProcessGroup(1, 2)
  with pytest.raises(TypeError, match='not JSON serializable'):
    leader.order('end', status=object())
  leader.order('call')
  assert follower.next_order(Stop()) == {'what': 'call'}


def test_a_signal_at_one_reaches_the_leader(store):
  leader, follower, stop = ProcessGroup(0, 3), ProcessGroup(2, 3), Stop()
  leader.order('call')
  follower.next_order(stop)
  assert leader.signal() == 0
  stop.signum = 15
  leader.order('call')
  follower.next_order(stop)
  leader._looked = 0.0  # It looks ten times a second.
  assert leader.signal() == 15


def test_a_failure_in_the_run_is_raised_at_the_leader(store, quits):
  leader, follower = ProcessGroup(0, 3), ProcessGroup(2, 3)
  follower.ready('run a')
  with pytest.raises(SystemExit):
    follower.leave(3)
  assert quits == [(3, '')]
  with pytest.raises(LostProcessError,
                     match='process 2 on .*pid.* failed: status 3'):
    leader.signal()


def test_before_the_run_all_leave_together(store, quits, monkeypatch):
  left = []
  monkeypatch.setattr(jax.distributed, 'shutdown', lambda: left.append(1))
  leader, others = ProcessGroup(0, 3), [ProcessGroup(1, 3), ProcessGroup(2, 3)]
  others[0].ready('run a')
  others[1].leave(3)
  with pytest.raises(ProcessGroupError,
                     match='process 2 on .* failed: status 3') as e:
    leader.wait_for_all('run a')
  assert not isinstance(e.value, LostProcessError)
  leader.leave(4)
  assert others[0].next_order(Stop()) == {'what': 'end', 'status': 4}
  others[0].leave(4)
  assert left == [1, 1, 1] and not quits


def test_all_must_be_ready_for_the_same_run(store):
  leader = ProcessGroup(0, 3)
  for index in (1, 2):
    ProcessGroup(index, 3).ready('run a')
  leader.wait_for_all('run a')
  with pytest.raises(ProcessGroupError, match='process 1 on .* another config'):
    leader.wait_for_all('run b')


def test_an_error_of_its_own_is_said_and_ends_the_process(store, quits, capsys):
  with pytest.raises(SystemExit):
    ProcessGroup(1, 2).abort(OSError('no such disk'))
  assert quits == [(1, '')]
  assert 'no such disk' in capsys.readouterr().err
  with pytest.raises(LostProcessError,
                     match='process 1 .*OSError: no such disk'):
    ProcessGroup(0, 2).signal()


def test_a_broken_collective_names_who_has_said_that_it_failed(
    store, quits, capsys):
  ProcessGroup(1, 2)._say('said', failed='OSError: no such disk')
  with pytest.raises(SystemExit):
    ProcessGroup(0, 2).abort(
        jax.errors.JaxRuntimeError('Gloo all-reduce failed'))
  (status, why), = quits
  assert status == 4 and 'process 1 on' in why and 'no such disk' in why
  said = capsys.readouterr().err
  assert 'Gloo all-reduce failed' in said and 'within 15 s' in said


@pytest.mark.parametrize('text', [
    'UNKNOWN: Gloo AllGather failed: Connection reset by peer',
    'FAILED_PRECONDITION: Buffer Definition Event: Gloo all-reduce failed',
    'INTERNAL: NCCL operation ncclAllReduce failed',
    'UNAVAILABLE: failed to connect to all addresses'])
def test_the_death_of_a_peer_is_not_said_as_a_failure_of_its_own(
    store, quits, monkeypatch, text):
  """It may come as a ValueError; a third would take the survivor for dead."""
  monkeypatch.setattr(processes.time, 'sleep', lambda seconds: None)
  with pytest.raises(SystemExit):
    ProcessGroup(1, 3).abort(ValueError(text))
  assert quits == [(4, '')] and not store.values


@pytest.mark.parametrize('text', [
    'UNKNOWN: no such column', 'the log says UNAVAILABLE: x', 'Gloo'])
def test_other_words_are_a_failure_of_its_own(store, quits, capsys, text):
  with pytest.raises(SystemExit):
    ProcessGroup(1, 3).abort(ValueError(text))
  assert quits == [(1, '')] and 'said/1' in store.values


def test_other_errors_of_the_store_are_not_waited_out(store, monkeypatch):
  def gone(key, milliseconds):
    raise jax.errors.JaxRuntimeError('UNAVAILABLE: connection reset')

  monkeypatch.setattr(store, 'blocking_key_value_get', gone)
  with pytest.raises(jax.errors.JaxRuntimeError, match='UNAVAILABLE'):
    ProcessGroup(1, 2).next_order(Stop())


@pytest.mark.parametrize('args, words', [
    (('host:1', 2, -1), '--process_id=I too'),
    (('host:1', 0, 0), '--num_processes=N'),
    (('', 2, 0), 'need --coordinator'),
    (('auto', 2, 0), 'need --coordinator'),
    (('host:1', 2, 2), '--process_id=2 is not below --num_processes=2')])
def test_flags_that_do_not_fit_are_refused(args, words, monkeypatch):
  monkeypatch.setattr(jax.distributed, 'initialize', None)
  with pytest.raises(ProcessGroupError, match=words):
    processes.join(*args)


def test_alone_nothing_is_initialised(monkeypatch):
  monkeypatch.setattr(jax.distributed, 'initialize', None)
  for name in ('SLURM_STEP_NODELIST', 'OMPI_COMM_WORLD_SIZE',
               'TPU_WORKER_HOSTNAMES'):
    monkeypatch.delenv(name, raising=False)
  assert processes.join().count == 1
  assert processes.join('host:1', 1, 0).count == 1


@pytest.mark.parametrize('environ, answer', [
    ({}, False),
    (dict(SLURM_NTASKS='4', SLURM_PROCID='0'), False),  # a batch script
    (dict(SLURM_NTASKS='4', SLURM_STEP_NODELIST='a'), True),
    (dict(SLURM_NTASKS='1', SLURM_STEP_NODELIST='a'), False),
    (dict(SLURM_STEP_NODELIST='a'), False),
    (dict(OMPI_COMM_WORLD_SIZE='2'), True),
    (dict(OMPI_COMM_WORLD_SIZE='1'), False),
    (dict(TPU_WORKER_HOSTNAMES='a,b'), True),
    (dict(TPU_WORKER_HOSTNAMES='localhost'), False),
    (dict(KUBERNETES_SERVICE_HOST='a', JOB_COMPLETION_INDEX='1'), False)])
def test_what_a_cluster_has_started(environ, answer):
  assert processes.several(environ) is answer
