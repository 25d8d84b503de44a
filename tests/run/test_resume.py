"""A run that is cut anywhere and started again ends as if it had not been."""

import importlib.metadata
import json
import os
import shutil
import time

import jax
import numpy as np
import pytest
import tiny

from gan_jax.base.errors import CheckpointError
from gan_jax.config import experiment
from gan_jax.run import checkpoint
from gan_jax.run.train import train

STEPS = 6

pytestmark = tiny.READS_CONFIGS


@pytest.fixture(scope='module', autouse=True)
def _emitters_of_users():
  """The step is compiled by those that runs have, not by those of conftest.

  With the older ones, which JAX 0.10 has too, the bits of a step depend on the
  length of its call.
  """
  if not importlib.metadata.version('jaxlib').startswith('0.10.'):
    yield
    return
  jit = jax.jit

  def as_users(*args, **options):
    if 'compiler_options' in options:  # The runner of the step has them.
      options['compiler_options'] = {'xla_cpu_use_fusion_emitters': True}
    return jit(*args, **options)

  with pytest.MonkeyPatch.context() as patched:
    patched.setattr('gan_jax.parallel.runner.jax.jit', as_users)
    yield


@pytest.fixture(scope='module')
def rich(images):
  """A run with all that a state may hold."""
  net = dict(widths=(8,), norm='batch', conditioning='onehot')
  return experiment.load(tiny.config(
      images, seed=3, steps_per_call=2, train_steps=STEPS, log_every=2,
      sample_every=4, checkpoint_every=2, keep_checkpoints=9,
      generator=dict(name='mlp.Generator', **net),
      discriminator=dict(name='mlp.Discriminator', **net),
      gen_optimizer=dict(name='adam', learning_rate=1e-2, b1=0.5),
      disc_optimizer=dict(name='adam', learning_rate=1e-2, b1=0.5),
      penalties=(dict(name='historical_averaging', weight=0.1),
                 dict(name='lecam', weight=0.1, every=2, start=1)),
      augment=(dict(name='instance_noise'), dict(name='apa', p=0.3)),
      disc_steps=2, ema_decay=0.9, ema_rampup=0.5))


@pytest.fixture(scope='module')
def whole(rich, tmp_path_factory):
  """The folder of the run that was not cut."""
  folder = tmp_path_factory.mktemp('whole')
  assert train(rich, folder) == 0
  return folder


def _files(folder, of='samples'):
  return sorted(os.listdir(os.path.join(folder, of)))


def _picture(folder, name):
  with open(os.path.join(folder, 'samples', name), 'rb') as file:
    return file.read()


def test_every_split_point_gives_the_same_run_bit_for_bit(
    rich, whole, tmp_path, monkeypatch, caplog):
  """By a clock that goes back, which decides nothing."""
  now = [2e9]

  def clock():
    now[0] -= 3600.0
    return now[0]

  monkeypatch.setattr(time, 'time', clock)
  # Cut after every call: each state is that of the uninterrupted run, so each
  # of them is a split point from which the rest comes out equal.
  wanted = {step: tiny.saved_digest(rich, whole, step) for step in (2, 4, 6)}
  assert len(set(wanted.values())) == len(wanted)
  for step in (2, 4, 6):
    assert train(rich._replace(train_steps=step), tmp_path) == 0
    assert tiny.finished(tmp_path)[-1] == step
    assert tiny.saved_digest(rich, tmp_path, step) == wanted[step], step
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6]
  assert tiny.rows(tmp_path) == tiny.rows(whole)
  assert {'loss/disc', 'loss/gen', 'penalty/historical_averaging',
          'memory/augment/apa/p', 'memory/lecam/real'} <= set(
              tiny.rows(tmp_path)[0])
  assert _files(whole) == [f'step_{step:08}.png' for step in (0, 4, 6)]
  for name in _files(whole):
    assert _picture(tmp_path, name) == _picture(whole, name)
  with open(tmp_path / 'launches.jsonl') as file:
    assert [json.loads(line)['step'] for line in file] == [0, 2, 4]
  # A finished run that is started again changes nothing.
  logged = _files(tmp_path, 'tensorboard')
  with caplog.at_level('INFO', logger='gan_jax'):
    assert train(rich, tmp_path) == 0
  said, = [record.getMessage() for record in caplog.records
           if record.levelname == 'INFO']
  assert said == (f'{tmp_path} is finished, at step {STEPS}: to train longer, '
                  f'raise train_steps, with --workdir={tmp_path}')
  assert tiny.rows(tmp_path) == tiny.rows(whole)
  assert len(logged) == 3 and _files(tmp_path, 'tensorboard') == logged
  assert tiny.saved_digest(rich, tmp_path) == wanted[6]


def test_every_length_of_a_call_gives_the_same_bits_and_rows(
    rich, whole, tmp_path):
  """Cut between two rows, too: a row is the mean of all steps since the last.

  Calls end at each step, and at 3, 4 and 6.
  """
  for length in (1, 'auto'):
    folder, run = tmp_path / str(length), rich._replace(
        config=rich.config | {'steps_per_call': length}, log_every=3,
        checkpoint_every=0, sample_every=0)
    for step in (4, STEPS):
      assert train(run._replace(train_steps=step), folder) == 0
    assert tiny.saved_digest(rich, folder) == tiny.saved_digest(rich, whole)
    assert tiny.rows(folder) == tiny.rows(tmp_path / '1')
  assert [row['step'] for row in tiny.rows(folder)] == [3, 6]


def test_a_run_that_dies_while_it_saves_has_lost_no_row(
    rich, whole, tmp_path, monkeypatch):
  """The row and the picture of a step are there before its checkpoint is."""
  save = checkpoint.Checkpoints.save

  def save_and_die(self, step, state, **how):
    save(self, step, state, **how)
    if step == 4:
      self.wait()
      raise KeyboardInterrupt  # As near to a kill as one process allows.

  with monkeypatch.context() as patch:
    patch.setattr(checkpoint.Checkpoints, 'save', save_and_die)
    with pytest.raises(KeyboardInterrupt):
      train(rich, tmp_path)
  assert tiny.finished(tmp_path) == [2, 4]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4]
  assert _files(tmp_path)[-1] == 'step_00000004.png'
  assert train(rich, tmp_path) == 0
  assert tiny.rows(tmp_path) == tiny.rows(whole)
  assert tiny.saved_digest(rich, tmp_path) == tiny.saved_digest(rich, whole)


# --- damage ----------------------------------------------------------------


@pytest.fixture
def damaged(whole, tmp_path):
  """A copy of the run with one bit of a weight of its newest state flipped."""
  folder = shutil.copytree(whole, tmp_path / 'run')
  path, = (folder / 'checkpoints' / '6' / 'd').iterdir()
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)
  return folder, f'checkpoints/6: d/{path.name}: its sha256 has changed'


def test_the_run_goes_on_from_the_one_before_to_the_same_end(
    rich, whole, damaged, caplog):
  folder, words = damaged
  assert train(rich, folder) == 0
  assert words in caplog.text and 'using step 4 instead' in caplog.text
  assert 'moved' in caplog.text and 'to damaged-6' in caplog.text
  assert sorted(os.listdir(folder / 'checkpoints')) == [
      '2', '4', '6', 'damaged-6']
  assert tiny.saved_digest(rich, folder) == tiny.saved_digest(rich, whole)
  assert tiny.rows(folder) == tiny.rows(whole)


@pytest.fixture
def recipe(whole, tmp_path):
  """The run of that folder as a file for --config."""
  path = tmp_path / 'recipe.py'
  path.write_text(
      'import json\nfrom gan_jax.config.fields import plain\n'
      'from ml_collections import ConfigDict\n'
      'def get_config(arg=None):\n'
      f'  with open({str(whole / "config.json")!r}) as file:\n'
      '    return ConfigDict(plain(json.load(file)))\n')
  return path


@pytest.mark.parametrize('mode', ['train', 'sample'])
def test_strict_is_status_4_and_changes_nothing(damaged, recipe, mode, cli):
  folder, words = damaged
  args = [f'--config={recipe}'] if mode == 'train' else []
  status, _, said = cli(*args, f'--workdir={folder}', f'--mode={mode}',
                        '--strict')
  assert status == 4
  assert words in said and 'Without --strict, step 4' in said
  assert sorted(os.listdir(folder / 'checkpoints')) == ['2', '4', '6']
  assert not (folder / 'samples.png').exists()


def test_samples_are_of_the_newest_valid_step(damaged, tmp_path, cli):
  folder, words = damaged
  out = tmp_path / 'fakes.npz'
  status, printed, said = cli('--mode=sample', f'--workdir={folder}',
                              '--num_samples=3', f'--out={out}')
  assert status == 0
  assert '3 images of step 4' in printed and words in said
  assert np.load(out)['images'].shape == (3, 8, 8, 1)
  assert sorted(os.listdir(folder / 'checkpoints')) == ['2', '4', '6']


def test_all_damaged_is_an_error_and_no_row_is_lost(rich, damaged):
  folder, _ = damaged
  for step in '24':
    os.remove(folder / 'checkpoints' / step / '_METADATA')
  before = (folder / 'scalars.jsonl').read_bytes()
  with pytest.raises(CheckpointError, match='/2: _METADATA: is missing'):
    train(rich, folder)
  assert (folder / 'scalars.jsonl').read_bytes() == before
