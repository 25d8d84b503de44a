"""What a run does about findings: it warns, stops, or goes back, not for ever.
"""

import json
import shutil

import pytest
import tiny
from watched_runs import broken, fading, read, record, watched

from gan_jax.base.errors import CheckpointError, NonFiniteError, StoppedError
from gan_jax.run import detectors, health, results, train
from gan_jax.views.leaderboard import compare

pytestmark = tiny.READS_CONFIGS


@pytest.fixture(autouse=True, scope='module')
def _no_collapse():
  """Games of noise are no subject for the detector."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(detectors, 'COLLAPSED', 0.0)
    yield


@pytest.fixture(scope='module')
def rolled_back(run, tmp_path_factory):
  """A run that was bad once, in step 6 of 10, and its folder."""
  folder = tmp_path_factory.mktemp('rolled_back')
  ill = broken(watched(run, 'rollback'), 7)
  assert train.train(ill, folder) == 0
  return ill, folder


def test_a_number_that_is_bad_once_costs_one_rollback(run, tmp_path, caplog):
  well = watched(run, 'rollback')
  assert train.train(well, tmp_path / 'well') == 0
  assert train.train(broken(well, 7), tmp_path / 'ill') == 0
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


def test_a_run_resumed_after_a_rollback_ends_the_same(
    run, rolled_back, tmp_path):
  ill, whole = rolled_back
  parts = tmp_path / 'parts'
  for steps in (8, 10):  # 8: right after what was played again.
    assert train.train(ill._replace(train_steps=steps), parts) == 0
  assert tiny.saved_digest(run, parts) == tiny.saved_digest(run, whole)
  assert tiny.rows(parts) == tiny.rows(whole)
  assert record(parts) == record(whole)
  assert read(parts) == read(whole)


def test_a_run_killed_between_the_record_and_its_new_rows_plays_the_same(
    run, rolled_back, tmp_path, monkeypatch):
  ill, whole = rolled_back

  class Killed(BaseException):
    pass

  def rewind(self, step):
    raise Killed

  with monkeypatch.context() as patch:
    patch.setattr(results.Results, 'rewind', rewind)  # After the record.
    with pytest.raises(Killed):
      train.train(ill, tmp_path / 'cut')
  assert train.train(ill, tmp_path / 'cut') == 0
  assert tiny.saved_digest(run, tmp_path / 'cut') == tiny.saved_digest(
      run, whole)
  assert tiny.rows(tmp_path / 'cut') == tiny.rows(whole)


def test_without_a_checkpoint_it_goes_back_to_the_start(run, tmp_path):
  ill = broken(watched(run, 'rollback', checkpoint_every=0), 7)
  assert train.train(ill, tmp_path) == 0
  assert record(tmp_path)[0]['restored'] == 0
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6, 8, 10]


def test_rollbacks_come_to_an_end(run, tmp_path):
  ill = broken(watched(run, 'rollback'), 7, always=True)
  with pytest.raises(NonFiniteError, match='step 6: loss/disc not finite'):
    train.train(ill, tmp_path)
  assert [e['restored'] for e in record(tmp_path)] == [6, 6]
  assert tiny.finished(tmp_path)[-1] == 6


def test_weights_that_are_not_finite_are_rolled_back_too(run, tmp_path):
  well = watched(run, 'rollback', max_rollbacks=1)
  with pytest.raises(CheckpointError, match='after step 4 has values that '):
    train.train(tiny.with_a_bad_average(well), tmp_path)
  assert [e['restored'] for e in record(tmp_path)] == [2]


def test_weights_that_are_not_finite_are_named_as_losses_are(run, tmp_path):
  well = watched(run, 'warn')
  with pytest.raises(CheckpointError, match='after step 4 has values that '):
    train.train(tiny.with_a_bad_average(well), tmp_path)
  assert json.loads(read(tmp_path, 'nonfinite.json')) == {
      'step': 3, 'seed': 0, 'scalars': ['state'],
      'batch_indices': run.batches(3, 1).tolist()}
  assert f'* {tmp_path}: not finite' in compare([str(tmp_path)])


def test_a_checkpoint_altered_in_the_run_is_not_gone_back_to(
    run, tmp_path, monkeypatch, caplog):
  """Step 6 was whole when this process saved it, and is not any more."""
  refuse = health.Guard.refuse

  def alter_and_refuse(self, step, bad, newest):
    path, = (tmp_path / 'checkpoints' / str(newest) / 'd').iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    refuse(self, step, bad, newest)

  monkeypatch.setattr(health.Guard, 'refuse', alter_and_refuse)
  ill = broken(watched(run, 'rollback'), 7)
  assert train.train(ill, tmp_path) == 0
  assert 'checkpoints/6: d/' in caplog.text
  assert [e['restored'] for e in record(tmp_path)] == [4]
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6, 8, 10]


def test_rollbacks_to_after_a_damaged_checkpoint_are_forgotten(
    rolled_back, tmp_path):
  ill, folder = rolled_back
  copy = shutil.copytree(folder, tmp_path / 'copy')
  assert [e['restored'] for e in record(copy)] == [6]
  back = health.Guard(ill, str(copy), {}, [], 4)
  assert back.seed == ill.config['seed']
  assert record(copy) == []  # Or the next resume would have another seed.


LONG = dict(train_steps=48, checkpoint_every=16)


def test_warn_says_it_and_goes_on(run, tmp_path, caplog):
  ill = fading(watched(run, 'warn', **LONG), 24)
  with caplog.at_level('INFO', logger='gan_jax'):
    assert train.train(ill, tmp_path / 'whole') == 0
  assert caplog.text.count('watchdog: step 36: generator gradient van') == 1
  assert '| vanishing |' in read(tmp_path / 'whole')
  assert 'watchdog: vanishing (step 36), see report.md' in caplog.messages[-1]
  assert tiny.finished(tmp_path / 'whole')[-1] == 48
  # The same, cut in the middle of what it remembers.
  for steps in (30, 48):
    assert train.train(ill._replace(train_steps=steps), tmp_path / 'cut') == 0
  assert read(tmp_path / 'cut') == read(tmp_path / 'whole')
  assert tiny.saved_digest(run, tmp_path / 'cut') == tiny.saved_digest(
      run, tmp_path / 'whole')


def test_stop_saves_and_ends_until_the_policy_is_changed(run, tmp_path):
  ill = fading(watched(run, 'stop', **LONG), 24)
  with pytest.raises(StoppedError, match='step 36: the watchdog stopped the '
                     'run: generator gradient .* See .*report.md; --config'):
    train.train(ill, tmp_path)
  # The call that was in flight is saved as well.
  assert tiny.finished(tmp_path)[-1] == 38
  # It still holds: the same command plays nothing more.
  with pytest.raises(StoppedError, match='step 38'):
    train.train(ill, tmp_path)
  assert tiny.finished(tmp_path)[-1] == 38
  assert train.train(fading(watched(run, 'warn', **LONG), 24), tmp_path) == 0
  assert tiny.finished(tmp_path)[-1] == 48


def test_a_finding_is_rolled_back_and_then_stops(run, tmp_path):
  """Its highest gradient is remembered, the rows since are looked at anew."""
  ill = fading(watched(run, 'rollback', max_rollbacks=1,
                       **LONG | dict(train_steps=64)), 24)
  with pytest.raises(StoppedError, match='generator gradient vanishing'):
    train.train(ill, tmp_path)
  entry, = record(tmp_path)
  assert (entry['restored'], entry['step'], entry['name']) == (
      32, 36, 'vanishing')


def test_stopping_is_status_4(images, tmp_path, monkeypatch, cli):
  monkeypatch.setattr(detectors, 'WARM_UP', 0.0)
  monkeypatch.setitem(detectors.DETECTORS, 'non-finite', lambda history: (
      'discriminator saturated', 'Try less'))
  status, _, said = cli('--config=critic_mlp:data=npz,quick',
                        f'--config.data.path={images}',
                        f'--workdir={tmp_path}',
                        '--config.watchdog.policy=stop')
  assert status == 4
  assert 'the watchdog stopped the run: discriminator saturated. Try less' in (
      said)
