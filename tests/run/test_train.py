"""How runs end: by numbers, by refusals, by a full disk."""

import errno
import json
import os

import jax.numpy as jnp
import orbax.checkpoint as ocp
import pytest
import tiny

from gan_jax import main
from gan_jax.base.errors import CheckpointError, NonFiniteError, WorkdirError
from gan_jax.config import experiment
from gan_jax.run import train, writers
from gan_jax.run.checkpoint import Checkpoints

pytestmark = [tiny.READS_CONFIGS, pytest.mark.usefixtures('no_pictures')]


@pytest.fixture(scope='module')
def finished(images, tmp_path_factory):
  """A run of four steps, and its folder."""
  run = experiment.load(tiny.config(images))
  folder = tmp_path_factory.mktemp('run')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train._Loop, 'draw', lambda self: None)
    assert train.train(run, folder) == 0
  return run, folder


def test_a_run_that_quits_leaves_the_checkpoints_before(
    images, tmp_path, finished):
  run = experiment.load(tiny.config(images, train_steps=40))
  quits = []

  class Quit(BaseException):
    pass

  def write(self, step, row):
    if step == 6:
      quits.append(step)
      raise Quit

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(writers.ScalarWriter, 'write', write)
    with pytest.raises(Quit):
      train.train(run, tmp_path)
  assert quits == [6]
  assert tiny.finished(tmp_path) == [2, 4]
  assert tiny.saved_digest(run, tmp_path, 4) == tiny.saved_digest(*finished, 4)


# --- numbers ---------------------------------------------------------------


def test_a_number_that_is_not_finite_stops_the_run(images, tmp_path):
  sgd = dict(name='sgd', learning_rate=1e25)
  run = experiment.load(tiny.config(
      images, seed=11, gen_optimizer=sgd, disc_optimizer=sgd, train_steps=40,
      loss=dict(name='least_squares')))
  with pytest.raises(NonFiniteError) as error:
    train.train(run, tmp_path)
  with open(tmp_path / 'nonfinite.json') as file:
    found = json.load(file)
  message = str(error.value)
  assert message.startswith(f'step {found["step"]}: ')
  for words in ('not finite', 'lower learning rate', 'max_grad_norm',
                str(tmp_path / 'nonfinite.json'), *found['scalars']):
    assert words in message
  assert found['seed'] == 11
  # The batch of that step, which is a function of seed and step.
  assert found['batch_indices'] == run.batches(found['step'], 1).tolist()
  assert found['step'] < 10
  assert all(step <= found['step'] for step in tiny.finished(tmp_path))


def test_the_newest_checkpoint_is_from_before_the_bad_number(
    images, tmp_path, finished):
  """The data turn bad half-way: what was saved before stays the newest."""
  run = experiment.load(tiny.config(images, train_steps=40))
  good = run.step

  def step(state, batch, key, *, pmean):
    state, scalars = good(state, batch, key, pmean=pmean)
    bad = state.step == 8  # Of the fourth call, its second step.
    return state, scalars | {
        'loss/disc': jnp.where(bad, jnp.nan, scalars['loss/disc'])}

  with pytest.raises(NonFiniteError, match='^step 7: loss/disc not f') as error:
    train.train(run._replace(step=step), tmp_path)
  assert str(error.value).endswith('The newest checkpoint is of step 6')
  assert tiny.finished(tmp_path) == [2, 4, 6]
  assert tiny.saved_digest(run, tmp_path, 4) == tiny.saved_digest(*finished, 4)
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6]
  with open(tmp_path / 'nonfinite.json') as file:
    found = json.load(file)
  assert found == {'step': 7, 'seed': 0, 'scalars': ['loss/disc'],
                   'batch_indices': run.batches(7, 1).tolist()}


def test_weights_that_are_not_finite_are_not_saved(images, tmp_path):
  """The scalars of a step are of before its update: the save looks as well."""
  run = experiment.load(tiny.config(images))
  with pytest.raises(CheckpointError, match='after step 4 has values that are '
                     'not finite.* lower learning rate'):
    train.train(tiny.with_a_bad_average(run), tmp_path)
  assert tiny.finished(tmp_path) == [2]


def test_through_the_command_line_it_is_status_4(images, tmp_path, capsys):
  arg = 'data=npz,loss=least_squares,quick'
  status = main.main([
      'main', f'--config=configs/critic_mlp.py:{arg}',
      f'--config.data.path={images}', f'--workdir={tmp_path}',
      '--config.gen_optimizer.learning_rate=1e30',
      '--config.disc_optimizer.learning_rate=1e30',
      '--config.disc_weight_clip=0.0', '--config.train_steps=40'])
  assert status == 4
  assert 'lower learning rate' in capsys.readouterr().err


def test_a_row_is_the_mean_over_its_call(images, tmp_path):
  run = experiment.load(tiny.config(images))
  good = run.step

  def step(state, batch, key, *, pmean):
    state, scalars = good(state, batch, key, pmean=pmean)
    return state, scalars | {'count': state.step.astype(jnp.float32)}

  assert train.train(run._replace(step=step), tmp_path) == 0
  assert [(row['step'], row['count']) for row in tiny.rows(tmp_path)] == [
      (2, 1.5), (4, 3.5)]


# --- refusals --------------------------------------------------------------


def test_another_config_in_the_folder_is_refused_with_its_fields(
    images, finished):
  run, folder = finished
  other = experiment.load(tiny.config(
      images, seed=1, loss=dict(name='non_saturating', label_smoothing=0.1),
      gen_optimizer=dict(name='sgd', learning_rate=0.1),
      penalties=(dict(name='r1', weight=1.0),)))
  before = (folder / 'config.json').read_bytes()
  with pytest.raises(WorkdirError, match='holds another run') as error:
    train.train(other, folder)
  lines = [line.strip() for line in str(error.value).splitlines()[1:]]
  assert sorted(lines) == sorted([
      'seed: 0 (checkpoint) -> 1 (now)',
      'loss.label_smoothing: absent (checkpoint) -> 0.1 (now)',
      "penalties[0].name: absent (checkpoint) -> 'r1' (now)",
      'penalties[0].weight: absent (checkpoint) -> 1.0 (now)',
      'gen_optimizer.learning_rate: 0.05 (checkpoint) -> 0.1 (now)'])
  assert (folder / 'config.json').read_bytes() == before


def test_what_may_change_may_change(images, tmp_path):
  run = experiment.load(tiny.config(images))
  assert train.train(run, tmp_path) == 0
  longer = experiment.load(tiny.config(
      images, train_steps=6, log_every=6, sample_every=0, sample_grid=(1, 3),
      checkpoint_every=0, keep_checkpoints=1))
  assert train.train(longer, tmp_path) == 0
  assert tiny.finished(tmp_path) == [6]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6]
  with open(tmp_path / 'config.json') as file:
    assert json.load(file)['train_steps'] == 6


def test_changed_data_are_refused(tmp_path):
  path = tiny.write_images(tmp_path / 'noise.npz')
  run = experiment.load(tiny.config(path))
  folder = tmp_path / 'run'
  assert train.train(run._replace(train_steps=2), folder) == 0
  tiny.write_images(path, seed=1)
  with pytest.raises(WorkdirError, match='fingerprint: ') as error:
    train.train(experiment.load(tiny.config(path)), folder)
  assert run.info.fingerprint in str(error.value)
  tiny.write_images(path)  # The old data again.
  assert train.train(experiment.load(tiny.config(path)), folder) == 0
  assert tiny.finished(folder)[-1] == 4


@pytest.mark.parametrize('name', ['config.json', 'data.json'])
def test_a_damaged_record_is_refused(images, tmp_path, name):
  run = experiment.load(tiny.config(images))
  assert train.train(run, tmp_path) == 0
  (tmp_path / name).write_text('{"seed": 1')
  with pytest.raises(WorkdirError, match=f'{name} is damaged'):
    train.train(run, tmp_path)


def test_a_checkpoint_of_other_arrays_is_refused(images, tmp_path):
  run = experiment.load(tiny.config(images))
  assert train.train(run, tmp_path) == 0
  for name in ('config.json', 'data.json'):  # As if somebody had edited them.
    os.remove(tmp_path / name)
  wide = dict(name='mlp.Discriminator', widths=(9,))
  with pytest.raises(CheckpointError, match=r'disc/params/Dense_0/kernel: '
                     r'float32\[64, 8\] .* float32\[64, 9\]'):
    train.train(experiment.load(tiny.config(
        images, discriminator=wide, train_steps=8)), tmp_path)


def test_a_folder_that_cannot_be_made_is_refused_before_anything_compiles(
    images, tmp_path, monkeypatch):
  run = experiment.load(tiny.config(images))
  (tmp_path / 'file').write_text('')
  monkeypatch.setattr(train.parallel, 'make_runner', None)
  with pytest.raises(WorkdirError, match='is in the way and is no folder'):
    train.train(run, tmp_path / 'file' / 'run')


def test_a_full_disk_at_a_checkpoint_ends_the_run_with_status_4(
    images, tmp_path, monkeypatch, capsys):
  def full(self, path, *args, **kwargs):
    if path.endswith('4'):
      raise OSError(28, 'No space left on device')
    return save(self, path, *args, **kwargs)

  save = ocp.AsyncCheckpointer.save
  monkeypatch.setattr(ocp.AsyncCheckpointer, 'save', full)
  assert main.main([
      'main', '--config=configs/critic_mlp.py:data=npz,quick',
      f'--config.data.path={images}', f'--workdir={tmp_path}']) == 4
  said = capsys.readouterr().err
  assert f'cannot write to {tmp_path}/checkpoints (' in said
  assert 'bytes free' in said and 'No space left on device' in said
  checkpoints = Checkpoints(tmp_path)
  assert checkpoints.steps() == [2]
  checkpoints.close()


def test_a_full_disk_at_the_record_of_a_launch(images, tmp_path, monkeypatch):
  def write_launch(folder, *_):
    raise OSError(errno.ENOSPC, 'No space left on device',
                  os.path.join(folder, 'launches.jsonl'))

  monkeypatch.setattr(train.record, 'write_launch', write_launch)
  with pytest.raises(WorkdirError, match=r'launches.jsonl \(No space left on '
                     r'device, [\d,]+ bytes free\): free some room'):
    train.train(experiment.load(tiny.config(images)), tmp_path)


def test_a_full_disk_at_a_picture_does_not_end_the_run(
    images, tmp_path, monkeypatch, caplog):
  run = experiment.load(tiny.config(images))
  (tmp_path / 'samples').write_text('in the way of the folder')
  assert train.train(run, tmp_path) == 0
  assert 'cannot write' in caplog.text
  assert tiny.finished(tmp_path)[-1] == 4
