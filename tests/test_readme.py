"""What the README shows is run, not only read."""

import pathlib
import shlex
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from shown_code import ROOT, blocks

from configs import cgan
from gan_jax import main
from gan_jax.base import lookup
from gan_jax.config import command_line, experiment
from gan_jax.run import train


def commands():
  lines = '\n'.join(blocks('bash')).replace('\\\n', ' ').splitlines()
  return [line.split('#')[0].strip() for line in lines
          if line.startswith('python -m gan_jax.main')]


@pytest.mark.parametrize('command', commands())
def test_command_parses_and_its_config_loads(command, monkeypatch):
  monkeypatch.chdir(ROOT)
  argv = shlex.split(command)[2:]
  line = command_line.parse(['main', *argv[1:]])
  assert not line.problems or 'my_lab' in command
  if line.config is not None and 'my_lab' not in command:
    if 'fashion_mnist' in command and not pathlib.Path(
        '/usr/share/datasets/fashion-mnist').exists():
      pytest.skip('needs the Debian package dataset-fashion-mnist')
    if 'path=' not in command:
      experiment.load(line.config)


def test_the_loss_of_the_readme_trains(tmp_path, monkeypatch):
  code = next(b for b in blocks('python') if 'def exponential' in b)
  assert len(code.strip().splitlines()) <= 10
  (tmp_path / 'my_lab').mkdir()
  (tmp_path / 'my_lab' / 'ideas.py').write_text(code)
  monkeypatch.syspath_prepend(tmp_path)
  for name in ('my_lab', 'my_lab.ideas'):  # Another test has one too.
    monkeypatch.delitem(sys.modules, name, raising=False)
  monkeypatch.chdir(ROOT)
  loss = lookup.build('gan_jax.losses', dict(
      name='my_lab.ideas:exponential', scale=2.0))
  real, fake = jnp.array([0.5, -1.0]), jnp.array([0.0, 1.0])
  np.testing.assert_allclose(
      loss.disc(real, fake), np.exp([-1.0, 2.0]) + np.exp([0.0, 2.0]),
      rtol=1e-6)
  status = main.main([
      'gan_jax', '--config=configs/keras_mlp.py:quick',
      '--config.loss.name=my_lab.ideas:exponential',
      f'--workdir={tmp_path / "run"}'])
  assert status == 2  # keras_mlp spells out label_smoothing: refused, named
  status = main.main([
      'gan_jax', '--config=configs/original_gan.py:quick',
      '--config.loss.name=my_lab.ideas:exponential',
      f'--workdir={tmp_path / "run"}'])
  assert status == 0


def test_the_terms_of_the_readme_train(tmp_path, monkeypatch):
  code = next(b for b in blocks('python') if 'def centred' in b)
  (tmp_path / 'readme_terms.py').write_text(code)
  monkeypatch.syspath_prepend(tmp_path)
  config = experiment.plain(cgan.get_config('quick')) | dict(penalties=tuple(
      dict(name=f'readme_terms:{name}', weight=0.1)
      for name in ('centred', 'domains')))
  run = experiment.load(config)
  assert train.train(run, str(tmp_path / 'run')) == 0
  assert run.game.penalties[1].parts.heads == (('domain', 10),)
