"""What a start of training does not wait for."""

import subprocess
import sys

import jax
import pytest
import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.game import step as game_step
from gan_jax.run import loader

LATE = ('matplotlib', 'scipy', 'orbax', 'pandas', 'tensorflow_datasets',
        'tensorflow', 'torch')


def test_training_starts_without_packages_that_it_needs_later():
  code = ('import sys; import gan_jax.main, gan_jax.run.train; '
          'from gan_jax.config import recipe; recipe.shipped("dcgan"); '
          f'print(*(name for name in {LATE} if name in sys.modules))')
  done = subprocess.run([sys.executable, '-c', code], capture_output=True,
                        text=True, check=True)
  assert done.stdout.split() == []


@pytest.mark.parametrize('devices', [1, 4])
def test_the_step_is_traced_once(tmp_path, monkeypatch, devices):
  counted = []

  def step(*args, game, pmean):
    counted.append(game)
    return original(*args, game=game, pmean=pmean)

  original = game_step.STEPS['alternating']
  monkeypatch.setitem(game_step.STEPS, 'alternating', step)
  mesh = parallel.make_mesh(devices)
  monkeypatch.setattr(parallel, 'own_mesh', lambda: mesh)
  monkeypatch.setattr(parallel, 'device_count', lambda members=1: devices)
  run = experiment.load(tiny.config(tiny.write_images(tmp_path / 'i.npz')))
  assert len(counted) == 1  # by the check
  runner = parallel.make_runner(run.step, mesh, seed=0, image_range=(-1, 1))
  state = parallel.copy(parallel.replicate(run.init(), mesh))
  data = loader.Calls([run], mesh, 0).data
  for step, count in ((0, 2), (2, 1)):  # calls of two lengths
    state, _ = runner(state, data, loader.indices(run, step, count))
  jax.block_until_ready(state)
  assert len(counted) == 1
