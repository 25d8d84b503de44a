"""A run that is cut, killed, or goes on elsewhere, by the commands of users."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import tiny
from recipes import parsed

from experiments.reliability import soak
from gan_jax import parallel
from gan_jax.base.errors import WorkdirError
from gan_jax.config import experiment
from gan_jax.run.train import train

pytestmark = tiny.READS_CONFIGS


def test_calls_of_other_lengths_are_cut_and_resumed_alike(run, tmp_path):
  """The calls end at 2, 3, 4, 6, 7, 8."""
  odd = run._replace(train_steps=8, log_every=3, checkpoint_every=7,
                     sample_every=0, eval_every=4)
  for folder, steps in (('whole', (8,)), ('cut', (3, 7, 8))):
    for step in steps:
      assert train(odd._replace(train_steps=step), tmp_path / folder) == 0
  assert tiny.saved_digest(run, tmp_path / 'cut') == tiny.saved_digest(
      run, tmp_path / 'whole')
  assert tiny.rows(tmp_path / 'cut') == tiny.rows(tmp_path / 'whole')


def test_on_another_number_of_devices_it_is_the_same_run_but_for_rounding(
    run, tmp_path, monkeypatch, caplog):
  whole, folder = tmp_path / 'whole', tmp_path / 'run'
  assert train(run, whole) == 0
  assert train(run._replace(train_steps=2), folder) == 0
  make_mesh = parallel.make_mesh
  monkeypatch.setattr(parallel, 'make_mesh', lambda count=0: make_mesh(1))
  monkeypatch.setattr(parallel, 'own_mesh', lambda: make_mesh(1))
  monkeypatch.setattr(parallel, 'device_names', lambda: ['one'])
  assert train(run, folder) == 0
  assert ('on 1 devices, before on 4: the same batches and noise, but not the '
          'same bits') in caplog.text
  pairs = zip(*(jax.tree.leaves(tiny.saved(run, f))
                for f in (whole, folder)), strict=True)
  for wanted, got in pairs:
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


# --- kills and signals, of processes of their own ---------------------------


def _wait_until(happened, process):
  limit = time.time() + 200
  while not happened():
    assert process.poll() is None, process.communicate()
    assert time.time() < limit
    time.sleep(0.01)


@pytest.fixture(scope='module')
def killed(images, tmp_path_factory):
  """A run in a home of its own: killed by -9, resumed, ended by SIGTERM.

  (experiment, its folder, steps at both ends, what the second process said).
  """
  home = tmp_path_factory.mktemp('home')
  for name in ('here', 'tmp'):
    (home / name).mkdir()
  # What is compiled already, in the place where it is kept by default.
  compiled = home / '.cache' / 'gan_jax' / 'xla'
  compiled.parent.mkdir(parents=True)
  compiled.symlink_to(jax.config.jax_compilation_cache_dir)
  env = tiny.environment() | {
      'HOME': str(home), 'TMPDIR': str(home / 'tmp'), 'PYTHONPATH': tiny.ROOT,
      'PYTHONDONTWRITEBYTECODE': '1'}
  for name in ('GAN_JAX_CACHE', 'JAX_COMPILATION_CACHE_DIR', 'XDG_CACHE_HOME'):
    env.pop(name, None)
  args = ['--config=critic_mlp:data=npz,quick,evaluator=scores',
          f'--config.data.path={images}', '--config.train_steps=100000',
          '--config.log_every=20', '--config.checkpoint_every=40',
          '--config.steps_per_call=10', '--config.sample_every=80',
          '--config.eval_every=40', "--config.evaluators[0].metrics=('prdc',)"]
  # So many steps that no signal comes too late, however busy the machine is.
  folder, run = home / 'here' / 'runs' / 'x', experiment.load(parsed(*args))

  def start():
    return subprocess.Popen(
        [sys.executable, '-m', 'gan_jax.main', *args, '--workdir=runs/x'],
        cwd=home / 'here', env=env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)

  victim = start()
  try:
    _wait_until(lambda: tiny.finished(folder), victim)
  finally:
    victim.kill()
    victim.communicate()
  assert victim.returncode == -signal.SIGKILL
  ends = [tiny.finished(folder)[-1]]
  again = start()
  try:
    _wait_until(lambda: tiny.finished(folder)[-1] > ends[0], again)
    # A second run in the meantime is refused, naming the first.
    with pytest.raises(WorkdirError, match=f'pid {again.pid} on host'):
      train(run, folder)
    again.send_signal(signal.SIGTERM)
    _, said = again.communicate(timeout=100)
  finally:
    again.kill()
  assert again.returncode == 143, said
  ends.append(tiny.finished(folder)[-1])
  return run._replace(
      train_steps=ends[1] // 40 * 40 + 40), folder, ends, said


def test_nothing_is_written_outside_the_workdir_and_the_cache(killed):
  home = killed[1].parents[2]
  assert sorted(os.listdir(home)) == ['.cache', 'here', 'tmp']
  assert os.listdir(home / 'here') == ['runs']
  assert os.listdir(home / 'here' / 'runs') == ['x']
  assert os.listdir(home / 'tmp') == []
  assert os.listdir(home / '.cache') == ['gan_jax']
  # What was written there shows that it was looked for there.
  assert 'extractors' in os.listdir(home / '.cache' / 'gan_jax')


def test_the_same_command_after_kill_9_and_after_143_ends_the_same(
    killed, tmp_path):
  run, folder, ends, said = killed
  assert 0 < ends[0] < ends[1] < run.train_steps
  assert f'resuming runs/x at step {ends[0]}' in said
  assert 'SIGTERM: saving after the current chunk' in said
  for each in (folder, tmp_path):
    assert train(run, each) == 0
  assert tiny.saved_digest(run, folder) == tiny.saved_digest(run, tmp_path)
  found = tiny.rows(folder)
  assert [row['step'] for row in found] == list(
      range(20, run.train_steps + 1, 20))
  assert found == tiny.rows(tmp_path)
  assert sorted(os.listdir(folder / 'samples')) == sorted(
      os.listdir(tmp_path / 'samples'))
  assert (folder / 'training.gif').exists()


@pytest.mark.slow
def test_deaths_at_random_moments(tmp_path):
  """The long one: experiments/reliability/README.md."""
  end = soak.soak(str(tmp_path), kills=6, steps=400, seed=1)
  assert end['equal'] and end['kills'] == 6
