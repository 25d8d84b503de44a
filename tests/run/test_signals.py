"""Signals: the run ends after the call, or at once, with its status."""

import os
import signal
import subprocess
import sys
import time

import pytest
import tiny

from gan_jax.run import member, results, signals, train
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.signals import StopRequest

pytestmark = tiny.READS_CONFIGS


@pytest.mark.parametrize('signum, status', [(signal.SIGTERM, 143),
                                            (signal.SIGINT, 130),
                                            (signal.SIGUSR1, 85)])
def test_a_signal_ends_the_run_after_the_call_with_a_checkpoint(
    run, tmp_path, monkeypatch, caplog, signum, status, capfd):
  long = run._replace(train_steps=400, checkpoint_every=200, sample_every=0)
  write = member.Member.write

  def write_and_signal(self, start, step, *rest):
    row = write(self, start, step, *rest)
    if step == 10:
      os.kill(os.getpid(), signum)
      time.sleep(0.2)
    return row

  monkeypatch.setattr(member.Member, 'write', write_and_signal)
  before = signal.getsignal(signum)
  with caplog.at_level('INFO', logger='gan_jax'):
    assert train.train(long, tmp_path) == status
  assert signal.getsignal(signum) is before
  # Step 10 is written while the call to 12 is in flight; no other was begun.
  assert tiny.finished(tmp_path) == [12]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6, 8, 10, 12]
  said = capfd.readouterr().err
  assert f'{signum.name}: saving after the current chunk' in said
  assert caplog.messages[-1].startswith(
      f'stopped by {signum.name}, the same command resumes: {tmp_path} is at '
      'step 12 of 400, after ')


def test_a_signal_after_the_last_step_lets_the_run_draw(run, tmp_path,
                                                        monkeypatch, capfd):
  monkeypatch.setattr(results.pictures, 'gif', lambda *_: b'frames')
  draw = member.Member.draw

  def signal_and_draw(self):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
    draw(self)

  monkeypatch.setattr(member.Member, 'draw', signal_and_draw)
  before = signal.signal(signal.SIGTERM, lambda *_: None)  # Not to die of it.
  try:
    assert train.train(run, tmp_path) == 143
  finally:
    signal.signal(signal.SIGTERM, before)
  assert 'SIGTERM: saving' in capfd.readouterr().err
  assert tiny.finished(tmp_path) == [2, 4]
  assert (tmp_path / 'training.gif').read_bytes() == b'frames'


@pytest.mark.parametrize('signum, status', [(signal.SIGINT, -signal.SIGINT),
                                            (signal.SIGUSR1, 85)])
def test_before_the_run_a_signal_ends_the_process_at_once(signum, status):
  """Python's KeyboardInterrupt is lost inside whoever catches everything."""
  code = ('import os, sys, signal\n'
          'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
          'from gan_jax.run import signals\n'
          'signals.before_the_run()\n'
          'try:\n'
          f'  os.kill(os.getpid(), {int(signum)})\n'
          '  sys.exit(1)\n'
          'except BaseException:\n'
          '  pass\n')
  done = subprocess.run([sys.executable, '-c', code], cwd=tiny.ROOT,
                        capture_output=True, text=True, timeout=60)
  assert (done.returncode, done.stderr) == (status, '')


def test_a_signal_that_the_shell_ignores_stays_ignored(monkeypatch):
  """Jobs in the background of a script ignore Ctrl-C."""
  found = {}
  monkeypatch.setattr(signal, 'getsignal', lambda s: signal.SIG_IGN)
  monkeypatch.setattr(signal, 'signal', found.__setitem__)
  signals.before_the_run()
  assert set(found) == {signal.SIGUSR1}


# A save to a disk that takes its time, the main thread deep in C, and two
# signals at once.
_TWICE = """
import os, signal, sys, threading, time
import jax, jax.numpy as jnp, numpy as np
from gan_jax.run import manifest
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.signals import StopRequest

@jax.jit
def minutes(x):
  return jax.lax.fori_loop(0, 10**8, lambda i, x: jnp.tanh(x @ x), x)

checkpoints = Checkpoints(sys.argv[1], keep=1)
checkpoints.save(1, {'w': jnp.ones(3)})
checkpoints.wait()
manifest.write = lambda *_: time.sleep(600)
with StopRequest() as stop:
  checkpoints.save(2, {'w': jnp.zeros(3)})
  out = minutes(jnp.ones((200, 200)))
  def kill():
    os.kill(os.getpid(), signal.SIGTERM)
    while not stop.signum:
      time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGUSR1)
  threading.Thread(target=kill).start()
  np.asarray(out)
sys.exit(7)
"""


def test_a_second_signal_in_a_call_and_a_save_quits_at_once(tmp_path):
  begin = time.time()
  process = subprocess.run(
      [sys.executable, '-c', _TWICE, str(tmp_path)], cwd=tiny.ROOT,
      timeout=100, capture_output=True, text=True,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'})
  assert process.returncode == 85, process.stderr
  assert 'a second signal quits at once' in process.stderr
  assert time.time() - begin < 90
  found = os.listdir(tmp_path / 'checkpoints')
  assert len(found) == 2 and any(n.startswith('.saving-2') for n in found)
  with Checkpoints(tmp_path, strict=True) as checkpoints:
    assert checkpoints.latest() == 1


def test_a_signal_counts_though_nobody_reads_what_it_says(monkeypatch):
  def gone(*_):
    raise BrokenPipeError  # As after a Ctrl-C that has ended tee, too.

  exits, stop = [], StopRequest()
  monkeypatch.setattr(os, 'write', gone)
  monkeypatch.setattr(os, '_exit', exits.append)
  stop._note(signal.SIGINT)
  assert stop.signum == signal.SIGINT and not exits
  stop._note(signal.SIGINT)
  assert exits == [130]


def test_stop_request_counts_and_restores(monkeypatch, capfd):
  exits = []
  monkeypatch.setattr(os, '_exit', exits.append)
  handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
  with StopRequest() as stop:
    assert (stop.signum, stop.exit_status) == (0, 0)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
    assert (stop.signum, stop.exit_status, exits) == (15, 143, [])
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)
    assert exits == [130]
  assert handlers == [signal.getsignal(s)
                      for s in (signal.SIGTERM, signal.SIGINT)]
  assert signal.set_wakeup_fd(-1) == -1
