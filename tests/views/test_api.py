"""`import gan_jax`: what a notebook calls is what the command line does."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tiny
from ml_collections import ConfigDict

import gan_jax
from gan_jax.base.errors import ConfigError, RequestError, WorkdirError
from gan_jax.run import files


def test_the_import_is_light():
  code = ('import sys, gan_jax; print(gan_jax.__version__, sorted({"jax", '
          '"numpy", "pandas", "tensorflow_datasets"} & set(sys.modules)))')
  done = subprocess.run([sys.executable, '-c', code], cwd=tiny.ROOT, text=True,
                        capture_output=True)
  assert done.stdout == f'{gan_jax.__version__} []\n', done.stderr
  with pytest.raises(AttributeError, match='nothing'):
    _ = gan_jax.nothing


OVERRIDES = {'loss.name': 'hinge', 'penalties': [dict(name='r1', weight=1.0)]}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The folder of all, a ConfigDict, the run of it and of `OVERRIDES`."""
  folder = tmp_path_factory.mktemp('api')
  images = tiny.write_images(folder / 'a.npz')
  config = ConfigDict(tiny.config(images, checkpoint_every=2, log_every=2))
  with pytest.MonkeyPatch.context() as patch:  # As no_pictures, of a test.
    patch.setattr('gan_jax.run.member.Member.draw', lambda self: None)
    return folder, config, gan_jax.train(config, str(folder / 'run'),
                                         train_steps=4, **OVERRIDES)


def test_a_run_trains_goes_on_and_is_scored(trained, no_pictures):
  folder, config, run = trained
  assert run.step == 4 and run.sample(3).shape == (3, 8, 8, 1)
  assert run.scalars().index.tolist() == [2, 4]
  # The same call finds it finished, a longer one goes on.
  again = gan_jax.train(config, folder / 'run', train_steps=4, **OVERRIDES)
  np.testing.assert_array_equal(again.sample(3), run.sample(3))
  longer = gan_jax.train(config, folder / 'run', train_steps=6, **OVERRIDES)
  assert longer.step == 6
  frame = gan_jax.score(folder / 'run', metrics=('fd',), extractor='random',
                        num_samples=12)
  assert set(frame.step) == set(longer.scores().step) <= {2, 4, 6}
  assert set(frame.name) == {'fd_random_12_train'} and (frame.value > 0).all()
  runs = gan_jax.compare(str(folder / 'run'))
  assert runs.value.tolist() == frame.value[frame.step == 6].tolist()
  assert len(gan_jax.compare([folder / 'run', str(folder / 'r*n')])) == 1


def test_folders_of_images_are_scored(trained):
  images = str(trained[0] / 'a.npz')
  frame = gan_jax.score(images, images, metrics=('fd',), extractor='random')
  assert abs(frame.value[0]) < 1e-6


def test_overrides_reach_into_the_config_and_leave_it_as_it_was(trained):
  folder, config, run = trained
  assert config.to_dict() == ConfigDict(tiny.config(
      str(folder / 'a.npz'), checkpoint_every=2, log_every=2)).to_dict()
  assert config.loss.name == 'non_saturating'
  assert run.config['loss']['name'] == 'hinge'
  assert run.config['penalties'][0]['weight'] == 1.0


def test_a_file_is_recorded_as_the_command_line_that_it_stands_for(
    trained, monkeypatch, no_pictures):
  folder, config, _ = trained
  monkeypatch.chdir(folder)
  recipe = folder / 'mine.py'
  recipe.write_text(
      'from ml_collections import ConfigDict\n'
      'def get_config(arg=""):\n'
      f'  return ConfigDict({config.to_dict() | dict(train_steps=2)!r})\n')
  assert gan_jax.get_config(str(recipe)).train_steps == 2
  run = gan_jax.train(str(recipe), seed=3)
  assert files.launched(run.folder) == [
      ('config', str(recipe)), ('config.seed', '3')]
  assert os.path.abspath(run.folder) == str(folder / 'runs' / 'mine-seed=3')


def test_other_signals_end_the_program(trained, tmp_path, monkeypatch):
  from gan_jax.views import api
  monkeypatch.setattr(api.populations, 'train', lambda *_, **__: 143)
  with pytest.raises(SystemExit) as stop:
    gan_jax.train(trained[1], tmp_path / 'a')
  assert stop.value.code == 143


def test_a_thread_is_told_before_anything_is_written(trained, tmp_path):
  with ThreadPoolExecutor() as pool:
    done = pool.submit(gan_jax.train, trained[1], tmp_path / 'a')
    with pytest.raises(RequestError, match='main thread'):
      done.result()
  assert not (tmp_path / 'a').exists()


def test_mistakes(trained, tmp_path):
  _, config, _ = trained
  with pytest.raises(ConfigError, match='did you mean'):
    gan_jax.train(config, tmp_path / 'a', train_stepz=4)
  with pytest.raises(RequestError, match='give a folder'):
    gan_jax.train(config)
  with pytest.raises(ConfigError, match='dcgan'):
    gan_jax.get_config('dcgna')
  with pytest.raises(WorkdirError):
    gan_jax.load(tmp_path / 'none')
  with pytest.raises(WorkdirError):
    gan_jax.compare(str(tmp_path / '*'))


def test_a_stop_button_saves_and_interrupts(trained, tmp_path, monkeypatch):
  from gan_jax.views import api
  monkeypatch.setattr(api.populations, 'train', lambda *_, **__: 130)
  with pytest.raises(KeyboardInterrupt, match='the same call resumes'):
    gan_jax.train(trained[1], tmp_path / 'a')
