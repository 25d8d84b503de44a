"""Signals: the run ends after the call, or at once, with its status."""

import os
import signal
import subprocess
import sys
import time

import pytest
import tiny
from recipes import parsed

from gan_jax.base.errors import WorkdirError
from gan_jax.config import experiment
from gan_jax.run import train, writers
from gan_jax.run.signals import StopRequest

pytestmark = [tiny.READS_CONFIGS, pytest.mark.usefixtures('no_pictures')]


@pytest.mark.parametrize('signum, status', [(signal.SIGTERM, 143),
                                            (signal.SIGINT, 130),
                                            (signal.SIGUSR1, 85)])
def test_a_signal_ends_the_run_after_the_call_with_a_checkpoint(
    images, tmp_path, monkeypatch, signum, status, capfd):
  run = experiment.load(tiny.config(
      images, train_steps=400, checkpoint_every=200, sample_every=0))
  write = writers.ScalarWriter.write

  def write_and_signal(self, step, row):
    write(self, step, row)
    if step == 10:
      os.kill(os.getpid(), signum)
      time.sleep(0.2)

  monkeypatch.setattr(writers.ScalarWriter, 'write', write_and_signal)
  before = signal.getsignal(signum)
  assert train.train(run, tmp_path) == status
  assert signal.getsignal(signum) is before
  # Step 10 is written while the call to 12 is in flight; no other was begun.
  assert tiny.finished(tmp_path) == [12]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6, 8, 10, 12]
  assert f'{signum.name}: saving after this call' in capfd.readouterr().err


def test_the_process_exits_143_and_the_same_command_goes_on(images, tmp_path):
  args = ('--config=configs/critic_mlp.py:data=npz,quick',
          f'--config.data.path={images}', '--config.train_steps=2000000',
          '--config.checkpoint_every=0', '--config.sample_every=0',
          '--config.eval_every=0', '--config.log_every=100',
          f'--workdir={tmp_path}')
  process = tiny.start(*args)
  rows = tmp_path / 'scalars.jsonl'
  limit = time.time() + 120
  while not (rows.exists() and rows.stat().st_size):
    assert process.poll() is None and time.time() < limit
    time.sleep(0.05)
  # A second run in the meantime is refused, naming the first.
  with pytest.raises(WorkdirError, match=f'pid {process.pid} on host'):
    train.train(experiment.load(parsed(*args)), tmp_path)
  process.send_signal(signal.SIGTERM)
  _, said = process.communicate(timeout=60)
  assert process.returncode == 143, said
  step, = tiny.finished(tmp_path)
  assert step % 2 == 0 and 0 < step < 2_000_000
  assert tiny.rows(tmp_path)[-1]['step'] == step // 100 * 100


_TWICE = """
import os, signal, sys, threading, time
import jax, jax.numpy as jnp, numpy as np
from gan_jax.run.signals import StopRequest

@jax.jit
def minutes(x):
  return jax.lax.fori_loop(0, 10**8, lambda i, x: jnp.tanh(x @ x), x)

with StopRequest() as stop:
  out = minutes(jnp.ones((200, 200)))
  def kill():
    for name in sys.argv[1:]:
      while name != sys.argv[1] and not stop.signum:
        time.sleep(0.01)
      os.kill(os.getpid(), getattr(signal, name))
  threading.Thread(target=kill).start()
  np.asarray(out)  # The main thread is deep in C.
sys.exit(7)
"""


def test_a_second_signal_quits_at_once_though_a_call_is_in_flight():
  begin = time.time()
  process = subprocess.run(
      [sys.executable, '-c', _TWICE, 'SIGTERM', 'SIGINT'], cwd=tiny.ROOT,
      timeout=100, capture_output=True, text=True,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'})
  assert process.returncode == 130, process.stderr
  assert 'once more to quit at once' in process.stderr
  assert time.time() - begin < 90


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
