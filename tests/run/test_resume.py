"""A run that is cut anywhere and started again ends as if it had not been."""

import functools
import os
import signal
import time

import pytest
import tiny
from recipes import parsed

from experiments.reliability import soak
from gan_jax import parallel
from gan_jax.base.errors import WorkdirError
from gan_jax.config import experiment
from gan_jax.run.train import train

STEPS = 6

# Of ml_collections, when it reads a config file.
pytestmark = pytest.mark.filterwarnings('ignore:the load_module')


@pytest.fixture(autouse=True, scope='module')
def _compile_once():
  """Every stretch of a run would compile the same runner anew."""
  with pytest.MonkeyPatch.context() as patch:
    make = parallel.make_runner
    runners = {}

    def make_runner(step, mesh, **kwargs):
      key = step, mesh, *sorted(kwargs.items())
      return runners.setdefault(key, make(step, mesh, **kwargs))

    patch.setattr(parallel, 'make_runner', make_runner)
    yield


@functools.cache
def _experiment(path, per_call):
  net = dict(widths=(8,), norm='batch', conditioning='onehot')
  return experiment.load(tiny.config(
      path, seed=3, steps_per_call=per_call, train_steps=STEPS,
      log_every=2, sample_every=4, checkpoint_every=2, keep_checkpoints=9,
      generator=dict(name='mlp.Generator', **net),
      discriminator=dict(name='mlp.Discriminator', **net),
      gen_optimizer=dict(name='adam', learning_rate=1e-2, b1=0.5),
      disc_optimizer=dict(name='adam', learning_rate=1e-2, b1=0.5),
      penalties=(dict(name='r1', weight=1.0, every=3),
                 dict(name='historical_averaging', weight=0.1),
                 dict(name='path_length', weight=0.1, every=2)),
      augment=(dict(name='instance_noise'), dict(name='apa', p=0.3)),
      disc_steps=2, ema_decay=0.9, ema_rampup=0.5))


def _files(folder):
  return sorted(os.listdir(os.path.join(folder, 'samples')))


def _picture(folder, name):
  with open(os.path.join(folder, 'samples', name), 'rb') as file:
    return file.read()


@pytest.mark.parametrize('per_call', [1, 2])
def test_every_split_point_gives_the_same_run_bit_for_bit(
    images, tmp_path, per_call):
  run = _experiment(images, per_call)
  whole, cut = tmp_path / 'whole', tmp_path / 'cut'
  assert train(run, whole) == 0
  wanted = {step: tiny.saved_digest(run, whole, step)
            for step in range(2, STEPS + 1, 2)}
  assert len(set(wanted.values())) == len(wanted)
  # Cut after every call: each state is that of the uninterrupted run, so each
  # of them is a split point from which the rest comes out equal.
  for step in range(per_call, STEPS + 1, per_call):
    assert train(run._replace(train_steps=step), cut) == 0
    assert tiny.finished(cut)[-1] == step
    if step in wanted:
      assert tiny.saved_digest(run, cut, step) == wanted[step], step
  assert [row['step'] for row in tiny.rows(cut)] == [2, 4, 6]
  assert tiny.rows(cut) == tiny.rows(whole)
  assert {'loss/disc', 'loss/gen', 'penalty/r1', 'memory/augment/apa/p',
          'memory/path_length_gen/length'} <= set(tiny.rows(cut)[0])
  assert _files(whole) == [f'step_{step:08}.png' for step in (0, 4, 6)]
  for name in _files(whole):
    assert _picture(cut, name) == _picture(whole, name)
  assert (cut / 'training.gif').read_bytes()[:6] in (b'GIF87a', b'GIF89a')
  assert (cut / 'curves.png').stat().st_size > 1000
  with open(cut / 'launches.jsonl') as file:
    assert len(file.readlines()) == STEPS // per_call


def test_calls_of_one_and_two_steps_may_take_turns(images, tmp_path):
  """steps_per_call may change in a run, where it divides the step."""
  run = _experiment(images, 2)
  assert train(run._replace(train_steps=2), tmp_path) == 0
  other = _experiment(images, 1)
  assert train(other._replace(train_steps=3), tmp_path) == 0
  with pytest.raises(WorkdirError, match='is at step 3, which is not a multiple'
                     ' of steps_per_call=2'):
    train(run, tmp_path)
  assert train(other._replace(train_steps=4), tmp_path) == 0
  assert train(run, tmp_path) == 0
  assert tiny.finished(tmp_path)[-1] == STEPS
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6]


def test_a_finished_run_that_is_started_again_changes_nothing(
    images, tmp_path, caplog):
  run = _experiment(images, 2)
  assert train(run, tmp_path) == 0
  before = tiny.rows(tmp_path), tiny.saved_digest(run, tmp_path)
  with caplog.at_level('INFO', logger='gan_jax'):
    assert train(run, tmp_path) == 0
  assert f'is finished, at step {STEPS}' in caplog.text
  assert (tiny.rows(tmp_path), tiny.saved_digest(run, tmp_path)) == before


def test_a_run_that_dies_while_it_saves_has_lost_no_row(
    images, tmp_path, monkeypatch):
  """The row and the picture of a step are there before its checkpoint is."""
  run = _experiment(images, 2)
  save = train.__globals__['Checkpoints'].save
  died = []

  def save_and_die(self, step, state):
    save(self, step, state)
    if step == 4 and not died:
      died.append(step)
      self.wait()
      raise KeyboardInterrupt  # As near to a kill as one process allows.

  monkeypatch.setattr(train.__globals__['Checkpoints'], 'save', save_and_die)
  with pytest.raises(KeyboardInterrupt):
    train(run, tmp_path)
  assert tiny.finished(tmp_path)[-1] == 4
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4]
  assert _files(tmp_path)[-1] == 'step_00000004.png'
  assert train(run, tmp_path) == 0
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4, 6]


def _long(images, steps):
  return ['--config=configs/keras_mlp.py:data=npz,quick',
          f'--config.data.path={images}', f'--config.train_steps={steps}',
          '--config.log_every=10', '--config.checkpoint_every=20',
          '--config.sample_every=100', '--config.eval_every=0']


def _kill_and_resume(images, steps, folder, after):
  """Kills a run once `after(folder)`, resumes it by the same command."""
  command = [*_long(images, steps), f'--workdir={folder}']
  victim = tiny.start(*command)
  try:
    limit = time.time() + 200
    while not after(folder):
      assert victim.poll() is None, victim.communicate()
      assert time.time() < limit
      time.sleep(0.002)
  finally:
    victim.kill()
    victim.communicate()
  assert victim.returncode == -signal.SIGKILL
  reached = (tiny.finished(folder) or [0])[-1]
  assert reached < steps
  again = tiny.start(*command)
  try:
    _, said = again.communicate(timeout=200)
  finally:
    again.kill()
  assert again.returncode == 0, said
  assert ('resuming' in said) == (reached > 0)


def _reference(images, steps, folder):
  run = experiment.load(parsed(*_long(images, steps)))
  assert train(run, folder) == 0
  return run


def test_the_same_command_after_a_kill_9_ends_the_same(images, tmp_path):
  steps = 200
  folder = tmp_path / 'killed'
  _kill_and_resume(images, steps, folder, lambda f: len(tiny.finished(f)) > 1)
  run = _reference(images, steps, tmp_path / 'whole')
  assert tiny.saved_digest(run, folder) == tiny.saved_digest(
      run, tmp_path / 'whole')
  found = tiny.rows(folder)
  assert [row['step'] for row in found] == list(range(10, steps + 1, 10))
  assert found == tiny.rows(tmp_path / 'whole')
  assert _files(folder) == _files(tmp_path / 'whole')
  assert (folder / 'training.gif').exists()


@pytest.mark.slow
def test_deaths_at_random_moments(tmp_path):
  """The long one: experiments/reliability/README.md."""
  end = soak.soak(str(tmp_path), kills=6, steps=400, seed=1)
  assert end['equal'] and end['kills'] == 6
