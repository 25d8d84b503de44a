"""Several processes on this machine play the run that one plays."""

import signal
import socket
import sys
import time

import jax
import numpy as np
import pytest
import tiny
from recipes import parsed

from gan_jax.config import experiment
from gan_jax.run import processes, train

pytestmark = tiny.READS_CONFIGS


def command(images, folder, arg='', **changes):
  values = dict(checkpoint_every=8, sample_every=0, eval_every=0, log_every=4,
                steps_per_call=4, train_steps=10) | changes
  return [f'--config=configs/critic_mlp.py:data=npz,quick{arg}',
          f'--config.data.path={images}', f'--workdir={folder}',
          *(f'--config.{key}={value}' for key, value in values.items())]


class Processes:
  """`count` processes of one run, of `devices` each."""

  def __init__(self, args, *, last=(), count=2, devices=2):
    """`last`: arguments that only the last process is given."""
    with socket.socket() as free:
      free.bind(('127.0.0.1', 0))
      port = free.getsockname()[1]
    self.all = [tiny.start(
        *args, *(last if i == count - 1 else ()),
        f'--coordinator=127.0.0.1:{port}', f'--num_processes={count}',
        f'--process_id={i}', devices=devices) for i in range(count)]

  def ends(self, timeout=180):
    """[(status, what it said)]."""
    try:
      said = [p.communicate(timeout=timeout) for p in self.all]
    finally:
      for process in self.all:
        process.kill()
    return [(p.returncode, ''.join(s))
            for p, s in zip(self.all, said, strict=True)]

  def wait_for(self, path):
    limit = time.time() + 120
    while not (path.exists() and path.stat().st_size):
      assert not any(p.poll() for p in self.all), self.ends()
      assert time.time() < limit
      time.sleep(0.05)


def run_of(args):
  return experiment.load(parsed(*args))


def alone(args, folder):
  """The run in this process, on its four devices."""
  run = run_of(args)
  assert train.train(run, str(folder)) == 0
  return run


def same(run, one, other, step):
  for a, b in zip(tiny.rows(one), tiny.rows(other), strict=True):
    assert a.keys() == b.keys()
    for name, value in a.items():
      np.testing.assert_allclose(value, b[name], rtol=1e-4, atol=1e-5,
                                 err_msg=name)
  for a, b in zip(*(jax.tree.leaves(tiny.saved(run, folder, step))
                    for folder in (one, other)), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


_SCORING = """
import time
from gan_jax.evaluators.score import Score

def mean(*, num_samples=21, seconds=0.0, source):  # Not divisible by four.
  def score(sample):
    time.sleep(seconds)
    images = sample(0, num_samples)[0]
    return [Score('mean', float(images.mean()))]
  return score
"""


@pytest.fixture
def scoring(tmp_path, monkeypatch):
  """An evaluator of a user's own, for this process and others."""
  (tmp_path / 'scoring.py').write_text(_SCORING)
  monkeypatch.setenv('PYTHONPATH', str(tmp_path))
  monkeypatch.syspath_prepend(tmp_path)
  yield ',evaluator=scoring:mean'
  sys.modules.pop('scoring', None)


def test_a_follower_of_a_run_that_does_not_start_ends_as_its_leader(
    run, monkeypatch):
  """As where the leader finds another run in the folder."""
  group = processes.ProcessGroup(1, 2)
  monkeypatch.setattr(group, 'ready', lambda fingerprint: None)
  monkeypatch.setattr(group, 'next_order', lambda stop: {
      'what': 'end', 'status': 4})
  assert train.train(run, 'unused', group=group) == 4


def test_two_processes_are_one_and_go_on_from_each_other(
    images, tmp_path, scoring):
  """10 steps are calls of 4, 4 and 2."""
  args = command(images, tmp_path / 'two', scoring, eval_every=8)
  ends = Processes(args).ends()
  assert [status for status, _ in ends] == [0, 0], ends
  run = alone(args, tmp_path / 'one')
  same(run, tmp_path / 'two', tmp_path / 'one', 10)
  rows = tiny.rows(tmp_path / 'two')
  assert [row['step'] for row in rows if row.get('eval/mean')] == [8, 10]
  # One goes on where two were.
  longer = run._replace(train_steps=16)
  for folder in ('two', 'one'):
    assert train.train(longer, str(tmp_path / folder)) == 0
  same(run, tmp_path / 'two', tmp_path / 'one', 16)


@pytest.mark.slow
def test_two_processes_go_on_where_one_was(images, tmp_path):
  """Of half the devices, and their examples stream."""
  for folder in ('one', 'two'):
    alone(command(images, 'unused'), tmp_path / folder)
  ends = Processes(command(images, tmp_path / 'two', train_steps=20)
                   + ['--config.data.resident_limit=0'], devices=1).ends()
  assert [status for status, _ in ends] == [0, 0], ends
  assert 'resuming' in ends[0][1] and 'not the same bits' in ends[0][1]
  assert (tmp_path / 'two' / 'samples').is_dir()  # The leader draws.
  run = alone(command(images, 'unused', train_steps=20), tmp_path / 'one')
  same(run, tmp_path / 'two', tmp_path / 'one', 20)


@pytest.mark.slow
def test_a_signal_at_one_stops_all_and_a_death_ends_all(images, tmp_path):
  args = command(images, tmp_path, train_steps=2_000_000, log_every=100,
                 checkpoint_every=0)
  run = Processes(args, devices=1)
  run.wait_for(tmp_path / 'scalars.jsonl')
  run.all[1].send_signal(signal.SIGTERM)
  ends = run.ends()
  assert [status for status, _ in ends] == [143, 143], ends
  assert 'SIGTERM: saving' in ends[1][1] and 'SIGTERM' not in ends[0][1]
  step, = tiny.finished(tmp_path)
  assert 0 <= step - tiny.rows(tmp_path)[-1]['step'] < 100
  (tmp_path / 'scalars.jsonl').rename(tmp_path / 'before.jsonl')
  run = Processes(args, devices=1)  # The same command.
  run.wait_for(tmp_path / 'scalars.jsonl')
  run.all[1].kill()
  begin = time.time()
  (status, said), (killed, _) = run.ends()
  assert killed == -signal.SIGKILL
  assert status in (4, -signal.SIGABRT), said
  assert f'resuming {tmp_path} at step {step}' in said
  assert 'A process of this run has died' in said
  assert 'stopped sending heartbeats):\n1\n' in said or '/task:1' in said
  assert time.time() - begin < 60  # 15 s, on a machine that does all at once
  assert tiny.finished(tmp_path) == [step]
  (tmp_path / 'scalars.jsonl').rename(tmp_path / 'killed.jsonl')
  run = Processes(args, devices=1)  # The same command once more.
  run.wait_for(tmp_path / 'scalars.jsonl')
  run.all[0].send_signal(signal.SIGTERM)
  ends = run.ends()
  assert [status for status, _ in ends] == [143, 143], ends
  assert f'resuming {tmp_path} at step {step}' in ends[0][1]
  assert tiny.finished(tmp_path)[0] == step < tiny.finished(tmp_path)[-1]


@pytest.mark.slow
def test_what_differs_is_refused(images, tmp_path):
  other = tiny.write_images(tmp_path / 'other.npz', seed=1)
  run = Processes(command(images, tmp_path / 'run'), devices=1,
                  last=[f'--config.data.path={other}'])
  (status, said), (followed, _) = run.ends()
  assert status == followed == 4, said
  assert 'process 1 on' in said and 'another config or other data' in said
  assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_a_mistake_ends_all_with_its_status(images, tmp_path):
  ends = Processes([*command(images, tmp_path / 'run'),
                    '--config.loss.name=hings'], devices=1).ends()
  assert [status for status, _ in ends] == [2, 2], ends
  assert 'hinge' in ends[0][1]


@pytest.mark.slow
def test_four_processes_wait_for_their_leader(images, tmp_path, scoring):
  """Of another number than before, through a pause longer than heartbeats."""
  slow, quick = (command(images, tmp_path / folder, train_steps=20,
                         arg=scoring, eval_every=10) +
                 [f'--config.evaluators[0].seconds={seconds}']
                 for folder, seconds in (('many', 20.0), ('one', 0.0)))
  ends = Processes([*slow, '--config.train_steps=10'], devices=1).ends()
  assert [status for status, _ in ends] == [0] * 2, ends
  ends = Processes(slow, count=4, devices=1).ends()
  assert [status for status, _ in ends] == [0] * 4, ends
  run = alone(quick, tmp_path / 'one')
  same(run, tmp_path / 'many', tmp_path / 'one', 20)


@pytest.mark.slow
def test_the_death_of_the_leader_ends_all(images, tmp_path):
  run = Processes(command(images, tmp_path, train_steps=2_000_000,
                          log_every=100), count=4, devices=1)
  run.wait_for(tmp_path / 'scalars.jsonl')
  run.all[0].kill()
  begin = time.time()
  ends = run.ends()
  assert time.time() - begin < 2 * (processes.HEARTBEAT + processes.GRACE)
  assert all(status for status, _ in ends), ends
