"""What a run that died, or whose disk did, leaves and where it goes on."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import tiny
from recipes import parsed

from gan_jax import extractors, main, parallel
from gan_jax.config import experiment
from gan_jax.data import sources
from gan_jax.evaluators.scores import features_of_data
from gan_jax.run import train
from gan_jax.run.checkpoint import Checkpoints

pytestmark = [tiny.READS_CONFIGS, pytest.mark.usefixtures('no_pictures')]


def _args(images, folder):
  return ['main', '--config=configs/critic_mlp.py:data=npz,quick',
          f'--config.data.path={images}', f'--workdir={folder}']


@pytest.fixture(scope='module')
def finished(images, tmp_path_factory):
  """The folder of a run of four steps, and its last state."""
  folder = tmp_path_factory.mktemp('run') / 'whole'
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train._Loop, 'draw', lambda self: None)
    assert main.main(_args(images, folder)) == 0
  run = experiment.load(parsed(*_args(images, folder)[1:]))
  return folder, run, tiny.saved_digest(run, folder)


@pytest.fixture
def damaged(finished, tmp_path):
  """Its copy, with one bit of a weight of the newest checkpoint flipped."""
  folder = tmp_path / 'run'
  shutil.copytree(finished[0], folder)
  path, = (folder / 'checkpoints' / '4' / 'd').iterdir()
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)
  return folder, f'checkpoints/4: d/{path.name}: its sha256 has changed'


# --- damage ----------------------------------------------------------------


def test_the_run_goes_on_from_the_one_before_to_the_same_end(
    images, finished, damaged, capfd):
  folder, words = damaged
  assert main.main(_args(images, folder)) == 0
  said = capfd.readouterr().err
  assert words in said and 'step 2 takes its place' in said
  assert 'moved' in said and 'to damaged-4' in said
  assert sorted(os.listdir(folder / 'checkpoints')) == ['2', '4', 'damaged-4']
  assert tiny.saved_digest(finished[1], folder) == finished[2]
  assert tiny.rows(folder) == tiny.rows(finished[0])


@pytest.mark.parametrize('mode', ['train', 'sample'])
def test_strict_is_status_4_and_changes_nothing(images, damaged, mode, capfd):
  folder, words = damaged
  status = main.main([*_args(images, folder), f'--mode={mode}', '--strict'])
  assert status == 4
  said = capfd.readouterr().err
  assert words in said and 'Without --strict, step 2' in said
  assert sorted(os.listdir(folder / 'checkpoints')) == ['2', '4']
  assert not (folder / 'samples.png').exists()


def test_samples_are_of_the_newest_valid_step(damaged, tmp_path, capfd):
  folder, words = damaged
  out = tmp_path / 'fakes.npz'
  assert main.main(['main', '--mode=sample', f'--workdir={folder}',
                    '--num_samples=3', f'--out={out}']) == 0
  out_text, err = capfd.readouterr()
  assert '3 images of step 2' in out_text and words in err
  assert np.load(out)['images'].shape == (3, 8, 8, 1)
  assert sorted(os.listdir(folder / 'checkpoints')) == ['2', '4']


def test_all_damaged_is_status_4_and_no_row_is_lost(images, damaged, capfd):
  folder, _ = damaged
  os.remove(folder / 'checkpoints' / '2' / '_METADATA')
  before = (folder / 'scalars.jsonl').read_bytes()
  assert main.main(_args(images, folder)) == 4
  assert 'checkpoints/2: _METADATA: is missing' in capfd.readouterr().err
  assert (folder / 'scalars.jsonl').read_bytes() == before


# --- another machine -------------------------------------------------------


def test_on_another_number_of_devices_it_is_the_same_run_but_for_rounding(
    images, finished, tmp_path, monkeypatch, capfd):
  whole, run, _ = finished
  folder = tmp_path / 'run'
  args = _args(images, folder)
  assert main.main([*args, '--config.train_steps=2']) == 0
  make_mesh = parallel.make_mesh
  monkeypatch.setattr(parallel, 'make_mesh', lambda count=0: make_mesh(1))
  monkeypatch.setattr(parallel, 'own_mesh', lambda: make_mesh(1))
  monkeypatch.setattr(parallel, 'device_names', lambda: ['one'])
  assert main.main(args) == 0
  assert ('on 1 devices, before on 4: the same batches and noise, but not the '
          'same bits') in capfd.readouterr().err
  pairs = zip(*(jax.tree.leaves(tiny.saved(run, f)) for f in (whole, folder)),
              strict=True)
  for wanted, got in pairs:
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


# --- signals ---------------------------------------------------------------


@pytest.mark.parametrize('signum, status', [(signal.SIGINT, -signal.SIGINT),
                                            (signal.SIGUSR1, 85)])
def test_before_the_run_a_signal_ends_the_process_at_once(signum, status):
  """Python's KeyboardInterrupt is lost inside whoever catches everything."""
  code = ('import os, sys, signal\n'
          'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
          'from gan_jax import signals\n'
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
  from gan_jax.run import signals
  found = {}
  monkeypatch.setattr(signal, 'getsignal', lambda s: signal.SIG_IGN)
  monkeypatch.setattr(signal, 'signal', found.__setitem__)
  signals.before_the_run()
  assert set(found) == {signal.SIGUSR1}


_SAVES = """
import os, signal, sys, time
import jax, jax.numpy as jnp
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.signals import StopRequest

checkpoints = Checkpoints(sys.argv[1], keep=1)
checkpoints.save(1, {'w': jnp.ones(3)})
checkpoints.wait()
with StopRequest() as stop:
  checkpoints.save(2, {'w': jnp.zeros(2 ** 25)})  # 128 MB
  os.kill(os.getpid(), signal.SIGTERM)
  while not stop.signum:
    time.sleep(0.001)
  os.kill(os.getpid(), signal.SIGUSR1)
  checkpoints.wait()
  time.sleep(60)
"""


def test_a_second_signal_in_a_save_quits_with_the_old_checkpoint_intact(
    tmp_path):
  done = subprocess.run(
      [sys.executable, '-c', _SAVES, str(tmp_path)], cwd=tiny.ROOT,
      capture_output=True, text=True, timeout=100,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'})
  assert done.returncode == 85, done.stderr
  checkpoints = Checkpoints(tmp_path, strict=True)
  assert checkpoints.latest() in (1, 2)  # The save may have been faster.
  checkpoints.close()


# --- files -----------------------------------------------------------------


@pytest.mark.parametrize('umask', [0o027, 0o077, 0o002])
def test_all_files_follow_the_umask(images, pictures, tmp_path, umask):
  """Those of the cache too, which others may be let read."""
  shutil.copytree(pictures, tmp_path / 'set')
  for path in (tmp_path / 'set').iterdir():
    os.utime(path, (1e9, 1e9))  # Of files just written no index is kept.
  before = os.umask(umask)
  try:
    assert main.main(_args(images, tmp_path / 'run')) == 0
    source = sources.folder(path=tmp_path / 'set')
    features_of_data(extractors.random(), source, np.arange(4))
  finally:
    os.umask(before)
  seen = []
  for folder in ('run', 'cache'):
    for path in (tmp_path / folder).rglob('*'):
      wanted = (0o777 if path.is_dir() else 0o666) & ~umask
      assert stat.S_IMODE(path.stat().st_mode) == wanted, path
      seen.append(str(path.relative_to(tmp_path)))
  assert len(seen) > 38
  assert {'data', 'extractors', 'folders'} <= {n.split('/')[1] for n in seen}


def test_nothing_is_written_outside_the_workdir_and_the_cache(
    images, tmp_path):
  for name in ('here', 'home', 'tmp'):
    (tmp_path / name).mkdir()
  config = os.path.join(tiny.ROOT, 'configs', 'critic_mlp.py')
  env = {k: v for k, v in os.environ.items() if k not in (
      'GAN_JAX_CACHE', 'JAX_COMPILATION_CACHE_DIR', 'XDG_CACHE_HOME')}
  done = subprocess.run(
      [sys.executable, '-m', 'gan_jax.main',
       f'--config={config}:data=npz,quick,evaluator=scores',
       f'--config.data.path={images}', '--workdir=runs/x'],
      cwd=tmp_path / 'here', timeout=200, capture_output=True, text=True,
      env=env | {'HOME': str(tmp_path / 'home'), 'JAX_PLATFORMS': 'cpu',
                 'TMPDIR': str(tmp_path / 'tmp'), 'PYTHONPATH': tiny.ROOT,
                 'PYTHONDONTWRITEBYTECODE': '1', 'NPROC': '16'})
  assert done.returncode == 0, done.stderr
  assert os.listdir(tmp_path / 'here') == ['runs']
  assert os.listdir(tmp_path / 'here' / 'runs') == ['x']
  assert os.listdir(tmp_path / 'tmp') == []
  outside = [str(path.relative_to(tmp_path / 'home'))
             for path in (tmp_path / 'home').rglob('*')]
  assert all(name == '.cache' or name.startswith('.cache/gan_jax')
             for name in outside), outside


def test_a_clock_that_goes_back_changes_nothing(
    images, finished, tmp_path, monkeypatch):
  now, step = [2e9], 3600.0

  def clock():
    now[0] -= step
    return now[0]

  monkeypatch.setattr(time, 'time', clock)
  folder = tmp_path / 'run'
  args = _args(images, folder)
  assert main.main([*args, '--config.train_steps=2']) == 0
  assert main.main(args) == 0
  monkeypatch.undo()
  assert tiny.saved_digest(finished[1], folder) == finished[2]
  assert tiny.rows(folder) == tiny.rows(finished[0])
