"""What a run does about findings: it warns, stops, or goes back."""

import jax.numpy as jnp
import pytest
import tiny
import watched_runs
from watched_runs import load, read, record

from gan_jax import main
from gan_jax.base.errors import StoppedError
from gan_jax.run import health, train

pytestmark = tiny.READS_CONFIGS


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
  watched_runs.quickly(monkeypatch)


def fading(run, at):
  """The generator's gradient, as logged, is gone from step `at` on."""
  good = run.step

  def step(state, batch, key, *, pmean):
    state, scalars = good(state, batch, key, pmean=pmean)
    size = jnp.where(state.step > at, 1e-9, 1.0)
    return state, scalars | {'grad_norm/gen': size * scalars['grad_norm/gen']}

  return run._replace(step=step)


LONG = dict(train_steps=48, checkpoint_every=16)


def test_warn_says_it_and_goes_on(images, tmp_path, caplog):
  run = fading(load(images, 'warn', **LONG), 24)
  assert train.train(run, tmp_path / 'whole') == 0
  assert caplog.text.count('generator gradient vanishing') == 1
  assert '| vanishing |' in read(tmp_path / 'whole')
  assert tiny.finished(tmp_path / 'whole')[-1] == 48
  # The same, cut in the middle of what it remembers.
  assert train.train(run._replace(train_steps=30), tmp_path / 'cut') == 0
  assert train.train(run, tmp_path / 'cut') == 0
  assert read(tmp_path / 'cut') == read(tmp_path / 'whole')
  assert tiny.saved_digest(run, tmp_path / 'cut') == tiny.saved_digest(
      run, tmp_path / 'whole')


def test_stop_saves_and_ends_until_the_policy_is_changed(images, tmp_path):
  run = fading(load(images, 'stop', **LONG), 24)
  with pytest.raises(StoppedError, match='step 36: the watchdog stopped the '
                     'run: generator gradient .* See .*report.md; --config'):
    train.train(run, tmp_path)
  # The call that was in flight is saved as well.
  assert tiny.finished(tmp_path)[-1] == 38
  # It still holds: the same command plays nothing more.
  with pytest.raises(StoppedError, match='step 38'):
    train.train(run, tmp_path)
  assert tiny.finished(tmp_path)[-1] == 38
  on = fading(load(images, 'warn', **LONG), 24)
  assert train.train(on, tmp_path) == 0
  assert tiny.finished(tmp_path)[-1] == 48


def test_a_finding_is_rolled_back_and_then_stops(images, tmp_path):
  """Its highest gradient is remembered, the rows since are looked at anew."""
  run = fading(load(images, 'rollback', max_rollbacks=1,
                    **LONG | dict(train_steps=64)), 24)
  with pytest.raises(StoppedError, match='generator gradient vanishing'):
    train.train(run, tmp_path)
  entry, = record(tmp_path)
  assert (entry['restored'], entry['step'], entry['name']) == (
      32, 36, 'vanishing')


def test_stopping_is_status_4(images, tmp_path, monkeypatch, capsys):
  def see(self, row):
    self.holding = {'saturated': health.Finding(
        'saturated', row['step'], 'discriminator saturated', 'Try less')}
    return []

  monkeypatch.setattr('gan_jax.run.health.Watchdog.see', see)
  assert main.main([
      'main', '--config=configs/critic_mlp.py:data=npz,quick',
      f'--config.data.path={images}', f'--workdir={tmp_path}',
      '--config.watchdog.policy=stop']) == 4
  assert 'the watchdog stopped the run: discriminator saturated. Try less' in (
      capsys.readouterr().err)


def test_a_mistyped_policy_is_refused_with_all_the_rest(
    images, tmp_path, capsys):
  assert main.main([
      'main', '--config=configs/critic_mlp.py:data=npz,quick',
      f'--config.data.path={images}', f'--workdir={tmp_path}',
      '--config.watchdog.policy=halt', '--config.watchdog.max_rolback=1',
      '--config.batch_size=0']) == 2
  said = capsys.readouterr().err
  for words in ("config.watchdog.policy = 'halt'", 'did you mean '
                '"max_rollbacks"', 'config.batch_size = 0'):
    assert words in said
