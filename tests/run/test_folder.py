"""What a run leaves on the disk: where, and who may read it."""

import os
import shutil
import stat
import subprocess
import sys

import jax
import numpy as np
import tiny

from gan_jax import extractors
from gan_jax.config import experiment
from gan_jax.data import sources
from gan_jax.evaluators.scores import features_of_data
from gan_jax.run import train


def test_all_files_follow_the_umask(images, run, pictures, tmp_path):
  """Those of the cache too, which others may be let read."""
  shutil.copytree(pictures, tmp_path / 'set')
  for path in (tmp_path / 'set').iterdir():
    os.utime(path, (1e9, 1e9))  # Of files just written no index is kept.
  before = os.umask(0o027)
  try:
    experiment.load(tiny.config(images))  # Writes to the cache.
    assert train.train(run, tmp_path / 'run') == 0
    source = sources.folder(path=tmp_path / 'set')
    features_of_data(extractors.random(), source, np.arange(4))
  finally:
    os.umask(before)
  seen = []
  for folder in ('run', 'cache'):
    for path in (tmp_path / folder).rglob('*'):
      wanted = (0o777 if path.is_dir() else 0o666) & ~0o027
      assert stat.S_IMODE(path.stat().st_mode) == wanted, path
      seen.append(str(path.relative_to(tmp_path)))
  assert len(seen) > 38
  assert {'data', 'extractors', 'folders'} <= {n.split('/')[1] for n in seen}


def test_nothing_is_written_outside_the_workdir_and_the_cache(
    images, tmp_path):
  for name in ('here', 'home', 'tmp'):
    (tmp_path / name).mkdir()
  # What is compiled already, in the place where it is kept by default.
  compiled = tmp_path / 'home' / '.cache' / 'gan_jax' / 'xla'
  compiled.parent.mkdir(parents=True)
  compiled.symlink_to(jax.config.jax_compilation_cache_dir)
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
