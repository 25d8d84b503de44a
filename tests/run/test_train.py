"""How runs go and end: by steps, by numbers, by a full disk."""

import errno
import json
import os
import resource
import shutil
import sys

import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
import tiny
from recipes import parsed

from gan_jax.base.errors import CheckpointError, NonFiniteError, WorkdirError
from gan_jax.config import experiment
from gan_jax.evaluators.score import Score
from gan_jax.run import files, health, lock, train, writers

pytestmark = tiny.READS_CONFIGS


def with_step(run, change):
  """The run whose step returns change(state, scalars)."""
  good = run.step

  def step(state, batch, key, *, pmean):
    return change(*good(state, batch, key, pmean=pmean))

  return run._replace(step=step)


def test_a_run_that_quits_leaves_the_checkpoints_before(
    run, tmp_path, four_steps):
  class Quit(BaseException):
    pass

  def write(self, step, row):
    if step == 6:
      raise Quit

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(writers.ScalarWriter, 'write', write)
    with pytest.raises(Quit):
      train.train(run._replace(train_steps=40), tmp_path)
  assert tiny.finished(tmp_path) == [2, 4]
  assert tiny.saved_digest(run, tmp_path, 4) == tiny.saved_digest(
      run, four_steps, 4)


# --- steps -----------------------------------------------------------------


def test_any_number_of_steps_and_intervals(run, tmp_path, caplog, capfd):
  """Calls are cut short; a row is the mean since the last."""
  scored = []

  def evaluate(sample):
    scored.append(sample(0, 3)[0].shape)
    return [Score('fd_x', 9.0 - len(scored), floor=0.5)]

  counting = with_step(run, lambda state, scalars: (state, scalars | {
      'count': state.step.astype(jnp.float32)}))
  counting = counting._replace(
      train_steps=7, log_every=3, sample_every=0, eval_every=4,
      checkpoint_every=5, evaluators=[evaluate],
      config=run.config | {'evaluators': ({'name': 'x'},)})
  with caplog.at_level('INFO', logger='gan_jax'):
    assert train.train(counting, tmp_path) == 0
  # Calls of 2 steps end at 2, 3, 4, 5, 6, 7.
  rows = {row['step']: row for row in tiny.rows(tmp_path)}
  assert {step: row.get('count') for step, row in rows.items()} == {
      3: 2.0, 4: None, 6: 5.0, 7: None}
  assert {step: row.get('eval/fd_x') for step, row in rows.items()} == {
      3: None, 4: 8.0, 6: None, 7: 7.0}
  assert scored == [(3, 8, 8, 1)] * 2
  assert tiny.finished(tmp_path) == [5, 7]
  assert sorted(os.listdir(tmp_path / 'samples')) == [
      'step_00000000.png', 'step_00000007.png']
  # What a user sees: times on each line, and what to do next.
  line = capfd.readouterr().err.splitlines()[-1]
  assert line.startswith('step 7/7  ') and line.endswith(', 0:00 left')
  said = caplog.messages[-1].splitlines()
  assert said[0].startswith(f'finished: {tmp_path} is at step 7 of 7, after 0:')
  assert said[1:] == [
      '  fd_x: 7 at step 7, best 7 at step 7; of real images 0.5',
      '  watchdog: no findings; most was not looked for yet: that takes 10 '
      'logged rows and a tenth of the steps; a smaller --config.log_every logs '
      'more',
      f'  next: python -m gan_jax.main --mode=report --workdir={tmp_path}',
      f'        python -m gan_jax.main --mode=sample --workdir={tmp_path}']


def test_a_run_of_no_evaluators_or_intervals_saves_its_end(run, tmp_path):
  never = dict.fromkeys(('sample_every', 'eval_every', 'checkpoint_every'), 0)
  assert train.train(run._replace(train_steps=3, **never), tmp_path) == 0
  assert tiny.finished(tmp_path) == [3]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2]


# --- numbers ---------------------------------------------------------------


def test_a_number_that_is_not_finite_stops_the_run_with_status_4(
    images, tmp_path, monkeypatch, cli):
  args = ['--config=critic_mlp:data=npz,loss=least_squares,quick',
          f'--config.data.path={images}', '--config.seed=11',
          '--config.gen_optimizer.learning_rate=1e30',
          '--config.disc_optimizer.learning_rate=1e30',
          '--config.disc_weight_clip=0.0', '--config.train_steps=40']
  status, _, said = cli(*args, f'--workdir={tmp_path}')
  assert status == 4
  with open(tmp_path / 'nonfinite.json') as file:
    found = json.load(file)
  for words in (f'gan_jax: step {found["step"]}: ', 'not finite',
                'lower learning rate', 'max_grad_norm',
                str(tmp_path / 'nonfinite.json'), *found['scalars']):
    assert words in said
  assert found['seed'] == 11
  # The batch of that step, which is a function of seed and step.
  monkeypatch.setattr(experiment.tracing, 'trace', lambda *_: None)
  batches = experiment.load(parsed(*args)).batches
  assert found['batch_indices'] == batches(found['step'], 1).tolist()
  assert found['step'] < 10
  assert all(step <= found['step'] for step in tiny.finished(tmp_path))


def test_the_newest_checkpoint_is_from_before_the_bad_number(
    run, tmp_path, four_steps):
  """The data turn bad half-way: what was saved before stays the newest."""
  bad = with_step(run, lambda state, scalars: (state, scalars | {
      # Of the fourth call, its second step.
      'loss/disc': jnp.where(state.step == 8, jnp.nan, scalars['loss/disc'])}))
  with pytest.raises(NonFiniteError, match='^step 7: loss/disc not f') as error:
    train.train(bad._replace(train_steps=40), tmp_path)
  assert str(error.value).endswith('The newest checkpoint is of step 6')
  assert tiny.finished(tmp_path) == [2, 4, 6]
  assert tiny.saved_digest(run, tmp_path, 4) == tiny.saved_digest(
      run, four_steps, 4)
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6]
  with open(tmp_path / 'nonfinite.json') as file:
    found = json.load(file)
  assert found == {'step': 7, 'seed': 0, 'scalars': ['loss/disc'],
                   'batch_indices': run.batches(7, 1).tolist()}


_OWN = """
import jax.numpy as jnp
from flax import linen as nn
from gan_jax.losses import Loss
from gan_jax.models import Critique

def loss():
  return Loss(lambda real, fake: jnp.sqrt(-1.0 - real ** 2) + fake,
              lambda real, fake: -fake)

def steep():
  return Loss(lambda real, fake: 0.0 * jnp.sqrt(0.0 * real) + fake,
              lambda real, fake: -fake)

class Generator(nn.Module):
  image_shape: tuple

  @nn.compact
  def __call__(self, z, label, *, train):
    x = nn.Dense(64)(z)
    return jnp.sqrt(-1.0 - x ** 2).reshape(-1, *self.image_shape)

class Discriminator(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    x = nn.Dense(1)(images.reshape(images.shape[0], -1))[:, 0]
    return Critique(jnp.sqrt(-1.0 - x ** 2), x[:, None], {})

def penalty():
  return lambda real: jnp.sqrt(-1.0 - real[:, 0, 0, 0] ** 2)

def gradient():  # of sqrt at 0, times 0
  return lambda critic, real: 0.0 * jnp.sqrt(0.0 * critic(real))
"""


@pytest.mark.parametrize('key, name, first, where', [
    ('loss', 'loss', 'loss/disc', 'loss never:loss, of finite logits'),
    ('generator', 'Generator', 'logits/fake',
     'the images of generator never:Generator'),
    ('discriminator', 'Discriminator', 'logits/real',
     'discriminator never:Discriminator'),
    ('penalties', 'penalty', 'penalty/never:penalty', 'a penalty'),
    ('penalties', 'gradient', 'grad_norm/disc',
     'the gradients, of finite values, of never:gradient: those'),
    ('loss', 'steep', 'grad_norm/disc',
     'the gradients, of finite values, of never:steep: those')])
def test_what_is_never_finite_is_named_and_not_the_learning_rate(
    images, tmp_path, monkeypatch, caplog, key, name, first, where):
  (tmp_path / 'never.py').write_text(_OWN)
  monkeypatch.syspath_prepend(tmp_path)
  spec = dict(name=f'never:{name}')
  if key == 'penalties':  # That of the others is finite.
    spec = (dict(name='drift', weight=1.0), spec | dict(weight=1.0),
            dict(name='lecam', weight=1.0))
  if key != 'loss':
    monkeypatch.setattr(experiment.tracing, 'trace', lambda *_: None)
  run = experiment.load(tiny.config(images, **{key: spec}))
  monkeypatch.delitem(sys.modules, 'never')
  with pytest.raises(NonFiniteError) as error:
    if name == 'loss':  # The whole run, which says nothing else.
      train.train(run, tmp_path)
    else:
      health.Guard(run, tmp_path, {}, [], 0).refuse(
          0, {'loss/gen': np.array([np.nan])}, 0)
  said = str(error.value)
  assert said.startswith('step 0: ')
  assert 'so the learning rate is not the cause. Look at ' + where in said
  assert f'{first} is the first that is not finite' in said
  assert 'lower learning rate' not in said
  assert not caplog.messages


def test_weights_that_are_not_finite_are_not_saved(run, tmp_path):
  """The scalars of a step are of before its update: the save looks as well."""
  with pytest.raises(CheckpointError, match='after step 4 has values that are '
                     'not finite.* lower learning rate'):
    train.train(tiny.with_a_bad_average(run), tmp_path)
  assert tiny.finished(tmp_path) == [2]


# --- full disks ------------------------------------------------------------


def test_a_full_disk_at_a_checkpoint_ends_the_run_with_status_4(
    images, tmp_path, monkeypatch, cli):
  def full(self, path, *args, **kwargs):
    if path.endswith('4'):
      raise OSError(28, 'No space left on device')
    return save(self, path, *args, **kwargs)

  save = ocp.AsyncCheckpointer.save
  monkeypatch.setattr(ocp.AsyncCheckpointer, 'save', full)
  status, _, said = cli('--config=critic_mlp:data=npz,quick',
                        f'--config.data.path={images}',
                        f'--workdir={tmp_path}')
  assert status == 4
  assert f'cannot save a checkpoint in {tmp_path}/checkpoints (' in said
  assert 'bytes free' in said and 'No space left on device' in said
  assert tiny.finished(tmp_path) == [2]


# Of the writes that Orbax leaves behind when one of them fails; they may be
# reported during the test after it.
LEFT_BEHIND = pytest.mark.filterwarnings(
    'ignore::pytest.PytestUnraisableExceptionWarning')


@LEFT_BEHIND
def test_a_disk_that_fills_while_orbax_writes_is_one_message(
    images, tmp_path, monkeypatch, cli):
  def limited(self, path, *args, **kwargs):
    if path.endswith('4'):  # No file may grow beyond so many bytes.
      resource.setrlimit(resource.RLIMIT_FSIZE, (500, old[1]))
    return save(self, path, *args, **kwargs)

  old = resource.getrlimit(resource.RLIMIT_FSIZE)
  save = ocp.AsyncCheckpointer.save
  monkeypatch.setattr(ocp.AsyncCheckpointer, 'save', limited)
  try:
    status, _, said = cli('--config=critic_mlp:data=npz,quick',
                          f'--config.data.path={images}',
                          f'--workdir={tmp_path}')
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
  assert status == 4
  assert 'cannot save a checkpoint in' in said and 'File too large' in said
  assert 'Traceback' not in said, said
  assert tiny.finished(tmp_path) == [2]


@LEFT_BEHIND
def test_a_full_disk_at_the_record_of_a_launch(run, tmp_path, monkeypatch):
  def write_file(path, data):
    raise OSError(errno.ENOSPC, 'No space left on device', path)

  with lock.hold(tmp_path):
    pass
  monkeypatch.setattr(lock, 'write_file', write_file)
  with pytest.raises(WorkdirError, match=r'.probe.*: No space left on device '
                     r'\([\d,]+ bytes free: free some space\); a run'):
    train.train(run, tmp_path)

  def write_launch(folder, *_, **__):
    write_file(os.path.join(folder, 'launches.jsonl'), b'')

  monkeypatch.undo()
  monkeypatch.setattr(files, 'write_launch', write_launch)
  with pytest.raises(WorkdirError, match=r'launches.jsonl: No space left on '
                     r'device \([\d,]+ bytes free: free some space\); then re'):
    train.train(run, tmp_path)


def test_a_folder_removed_by_hand_ends_the_run_and_gets_no_checkpoint(
    run, tmp_path, monkeypatch):
  def remove(self, *_):
    while (tmp_path / 'run').exists():  # The run writes to it meanwhile.
      shutil.rmtree(tmp_path / 'run', ignore_errors=True)

  monkeypatch.setattr(health.Guard, 'look', remove)
  with pytest.raises(WorkdirError, match='run was removed or replaced while'):
    train.train(run, tmp_path / 'run')
  # A picture may still have been on its way.
  for name in ('checkpoints', 'report.md'):
    assert not (tmp_path / 'run' / name).exists()


def test_a_full_disk_at_a_picture_does_not_end_the_run(run, tmp_path, caplog):
  (tmp_path / 'samples').write_text('in the way of the folder')
  assert train.train(run, tmp_path) == 0
  assert 'cannot write' in caplog.text
  assert tiny.finished(tmp_path)[-1] == 4
