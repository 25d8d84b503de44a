"""Rollbacks: a run goes back from a bad number, and not for ever."""

import json

import jax.numpy as jnp
import pytest
import tiny
import watched_runs
from jax import random
from watched_runs import load, read, record

from gan_jax.base.errors import CheckpointError, NonFiniteError
from gan_jax.run import health, train, writers
from gan_jax.views import compare

pytestmark = tiny.READS_CONFIGS


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
  watched_runs.quickly(monkeypatch)


def broken(run, at, *, always=False):
  """Its step gives NaN at step `at`: in the first attempt, or in all."""
  good, seed = run.step, run.config['seed']

  def step(state, batch, key, *, pmean):
    state, scalars = good(state, batch, key, pmean=pmean)
    first = jnp.all(random.key_data(key) == random.key_data(random.key(seed)))
    bad = (state.step == at) & (first | always)
    return state, scalars | {
        'loss/disc': jnp.where(bad, jnp.nan, scalars['loss/disc'])}

  return run._replace(step=step)


def test_a_number_that_is_bad_once_costs_one_rollback(images, tmp_path, caplog):
  run = load(images, 'rollback')
  assert train.train(run, tmp_path / 'well') == 0
  assert train.train(broken(run, 7), tmp_path / 'ill') == 0
  entry, = record(tmp_path / 'ill')
  assert [entry[k] for k in ('attempt', 'restored', 'step', 'name')] == [
      1, 6, 6, 'non-finite']
  assert 'back to step 6, attempt 1 of 2' in caplog.text
  assert 'rolled back to step 6, attempt 1' in read(tmp_path / 'ill')
  assert not (tmp_path / 'ill' / 'nonfinite.json').exists()
  well, ill = tiny.rows(tmp_path / 'well'), tiny.rows(tmp_path / 'ill')
  assert [row['step'] for row in ill] == [2, 4, 6, 8, 10]
  assert ill[:3] == well[:3]
  # Other noise and other batches from there on.
  assert ill[3]['pairwise/fake'] != well[3]['pairwise/fake']
  assert ill[3]['logits/real'] != well[3]['logits/real']


@pytest.mark.parametrize('cut', [6, 8])
def test_a_run_resumed_after_a_rollback_ends_the_same(images, tmp_path, cut):
  run = broken(load(images, 'rollback'), 5)
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  assert train.train(run, whole) == 0
  assert train.train(run._replace(train_steps=cut), parts) == 0
  assert train.train(run, parts) == 0
  assert tiny.saved_digest(run, parts) == tiny.saved_digest(run, whole)
  assert tiny.rows(parts) == tiny.rows(whole)
  assert record(parts) == record(whole)
  assert read(parts) == read(whole)


def test_a_run_killed_between_the_record_and_its_new_rows_plays_the_same(
    images, tmp_path, monkeypatch):
  run = broken(load(images, 'rollback'), 7)
  assert train.train(run, tmp_path / 'whole') == 0

  class Killed(BaseException):
    pass

  def rewind(self, step):
    raise Killed

  with monkeypatch.context() as patch:
    patch.setattr(writers.ScalarWriter, 'rewind', rewind)  # After the record.
    with pytest.raises(Killed):
      train.train(run, tmp_path / 'cut')
  assert train.train(run, tmp_path / 'cut') == 0
  assert tiny.saved_digest(run, tmp_path / 'cut') == tiny.saved_digest(
      run, tmp_path / 'whole')
  assert tiny.rows(tmp_path / 'cut') == tiny.rows(tmp_path / 'whole')


def test_without_a_checkpoint_it_goes_back_to_the_start(images, tmp_path):
  run = broken(load(images, 'rollback', checkpoint_every=0), 3)
  assert train.train(run, tmp_path) == 0
  assert record(tmp_path)[0]['restored'] == 0
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6, 8, 10]


def test_rollbacks_come_to_an_end(images, tmp_path):
  run = broken(load(images, 'rollback'), 7, always=True)
  with pytest.raises(NonFiniteError, match='step 6: loss/disc not finite'):
    train.train(run, tmp_path)
  assert [e['restored'] for e in record(tmp_path)] == [6, 6]
  assert tiny.finished(tmp_path)[-1] == 6


def test_weights_that_are_not_finite_are_rolled_back_too(images, tmp_path):
  run = load(images, 'rollback', max_rollbacks=1)
  with pytest.raises(CheckpointError, match='after step 4 has values that '):
    train.train(tiny.with_a_bad_average(run), tmp_path)
  assert [e['restored'] for e in record(tmp_path)] == [2]


def test_weights_that_are_not_finite_are_named_as_losses_are(images, tmp_path):
  run = load(images, 'warn')
  with pytest.raises(CheckpointError, match='after step 4 has values that '):
    train.train(tiny.with_a_bad_average(run), tmp_path)
  assert json.loads(read(tmp_path, 'nonfinite.json')) == {
      'step': 3, 'seed': 0, 'scalars': ['state'],
      'batch_indices': run.batches(3, 1).tolist()}
  assert f'* {tmp_path}: not finite' in compare.compare([str(tmp_path)])


def test_a_checkpoint_altered_in_the_run_is_not_gone_back_to(
    images, tmp_path, monkeypatch, caplog):
  """Step 6 was whole when this process saved it, and is not any more."""
  refuse = health.Guard.refuse

  def alter_and_refuse(self, step, bad, newest):
    path, = (tmp_path / 'checkpoints' / str(newest) / 'd').iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    refuse(self, step, bad, newest)

  monkeypatch.setattr(health.Guard, 'refuse', alter_and_refuse)
  run = broken(load(images, 'rollback'), 7)
  assert train.train(run, tmp_path) == 0
  assert 'checkpoints/6: d/' in caplog.text
  assert [e['restored'] for e in record(tmp_path)] == [4]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6, 8, 10]


def test_rollbacks_to_after_a_damaged_checkpoint_are_forgotten(
    images, tmp_path):
  run = broken(load(images, 'rollback'), 7)
  assert train.train(run, tmp_path) == 0
  assert [e['restored'] for e in record(tmp_path)] == [6]
  back = health.Guard(run, str(tmp_path), {}, [], 4)
  assert (back.attempt, back.seed) == (0, run.config['seed'])
  assert record(tmp_path) == []  # Or the next resume would have another seed.


def test_batches_of_another_seed_leave_the_old_ones_alone(images):
  batches = load(images, 'warn').batches
  before = batches(0, 3).tolist()
  other = batches.reseeded(99)
  assert other(0, 3).tolist() != before
  assert batches(0, 3).tolist() == before
  assert batches.reseeded(batches.seed)(0, 3).tolist() == before
