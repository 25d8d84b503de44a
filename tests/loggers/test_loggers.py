"""Loggers: who hears what, what resumes, what a failing one costs."""

import json
import math
import sys
import types

import numpy as np
import pytest
import tiny
from written import events_of, warnings_of

from gan_jax import loggers
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment
from gan_jax.loggers.base import Logger
from gan_jax.run import train
from gan_jax.run.writers import ScalarWriter

IMAGE = np.zeros((2, 3, 1), np.uint8)


class Broken(Logger):
  """Fails at the second row."""

  closed = 0

  def write(self, step, scalars):
    if step > 2:
      raise RuntimeError('the server is gone')

  def close(self):
    Broken.closed += 1


class Heard(Logger):
  """Remembers what it was told."""

  told = []

  def __init__(self):
    self.told.clear()

  def __getattribute__(self, name):
    if name in ('open', 'write', 'image', 'rewind', 'flush', 'close'):
      return lambda *args: self.told.append((name, *args))
    return super().__getattribute__(name)


@pytest.fixture
def wandb(monkeypatch):
  """A module wandb that remembers its runs."""
  class Run:
    def __init__(self, **how):
      self.how, self.rows, self.axes, self.ended = how, [], [], 0
      runs.append(self)

    def define_metric(self, name, step_metric):
      self.axes.append((name, step_metric))

    def log(self, row):
      self.rows.append(row)

    def finish(self):
      self.ended += 1

  runs = []
  monkeypatch.setitem(sys.modules, 'wandb', types.SimpleNamespace(
      init=Run, Image=lambda image: ('image', image.shape)))
  return runs


@pytest.fixture
def mlflow(monkeypatch):
  """A module mlflow with one store."""
  class Client:
    def __init__(self, uri):
      store.setdefault('uris', []).append(uri)

    def get_experiment_by_name(self, name):
      return store.get('experiment')

    def create_experiment(self, name, **where):
      store['experiment'] = types.SimpleNamespace(experiment_id='7', **where)
      return '7'

    def search_runs(self, homes, text):
      return [run for run in store.get('runs', ())
              if text == f"tags.gan_jax = '{run.tags['gan_jax']}'"]

    def create_run(self, home, run_name, tags):
      name = f'run{len(store.get("runs", ()))}'
      run = types.SimpleNamespace(
          info=types.SimpleNamespace(run_id=name), tags=tags)
      store.setdefault('runs', []).append(run)
      return run

    def set_terminated(self, run, status='FINISHED'):
      store.setdefault('states', []).append((run, status))

    def log_dict(self, run, values, name):
      store[name] = values

    def log_batch(self, run, metrics):
      store.setdefault('rows', []).extend((run, *metric) for metric in metrics)

    def log_image(self, run, image, name):
      store.setdefault('images', []).append((run, image.shape, name))

  store = {}
  monkeypatch.setitem(sys.modules, 'mlflow', types.SimpleNamespace(
      MlflowClient=Client, entities=types.SimpleNamespace(
          Metric=lambda name, value, now, step: (name, value, step))))
  return store


def _log(folder, step, **logger):
  spec = dict(logger)
  make = getattr(loggers, spec.pop('name'))(**spec)
  with ScalarWriter(folder, resume_step=step, loggers=[make],
                    config={'a': 1}) as writer:
    writer.write(step + 2, {'loss': 1.5, 'bad': math.nan, 'none': None})
    writer.image(step + 2, 'samples', IMAGE)


def test_wandb_is_offline_and_goes_on_under_its_id(tmp_path, wandb):
  for step in (0, 2):
    _log(tmp_path / 'run', step, name='wandb')
  first, again = wandb
  assert first.how['mode'] == 'offline' and first.how['name'] == 'run'
  assert first.how['config'] == {'a': 1} and first.how['resume'] is None
  assert first.how['id'] == again.how['id'] != ''
  assert first.axes == [('*', 'step')] and first.ended == again.ended == 1
  row, picture = again.rows
  assert row['step'] == 4 and row['loss'] == 1.5 and math.isnan(row['bad'])
  assert set(row) == {'step', 'loss', 'bad'}
  assert picture == {'step': 4, 'samples': ('image', (2, 3, 1))}
  _log(tmp_path / 'run', 0, name='wandb', mode='online')  # From the start.
  assert wandb[2].how['id'] != first.how['id']
  assert wandb[2].how['resume'] == 'allow'


def test_mlflow_goes_on_under_its_id(tmp_path, mlflow):
  for step in (0, 2):
    _log(tmp_path / 'run', step, name='mlflow')
  assert mlflow['uris'] == [f'sqlite:///{tmp_path}/run/mlflow.db'] * 2
  assert mlflow['experiment'].artifact_location == f'file://{tmp_path}/run/mlflow'
  assert mlflow['rows'] == [('run0', 'loss', 1.5, 2), ('run0', 'loss', 1.5, 4)]
  assert mlflow['images'][1] == ('run0', (2, 3, 1), 'samples/step_00000004.png')
  assert mlflow['states'] == [('run0', 'RUNNING'), ('run0', 'FINISHED')] * 2
  assert mlflow['config.json'] == {'a': 1}
  _log(tmp_path / 'run', 0, name='mlflow')
  assert len(mlflow['runs']) == 2


@pytest.mark.parametrize('name', ['wandb', 'mlflow'])
def test_a_missing_package_is_named_before_compiling(
    images, monkeypatch, not_compiled, name):
  monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(ConfigError) as found:
    experiment.load(tiny.config(images, loggers=({'name': name},)))
  problem, = found.value.problems
  assert problem.path == 'loggers[0].name'
  assert f'pip install {name}' in problem.rule


def test_a_wrong_choice_is_refused(images):
  specs = {'name': 'wandb', 'mode': 'of'}, {'name': 'tensorbord'}
  with pytest.raises(ConfigError) as found:
    experiment.load(tiny.config(images, loggers=specs))
  said = str(found.value)
  assert 'Known: offline, online' in said
  assert 'did you mean "tensorboard"' in said


def without_loggers(run):
  return run._replace(loggers=[], config=run.config | {'loggers': ()})


def test_a_failing_logger_costs_one_warning_and_nothing_else(
    images, tmp_path, monkeypatch, caplog, no_pictures):
  monkeypatch.setitem(sys.modules, 'own', types.SimpleNamespace(Broken=Broken))
  run = experiment.load(tiny.config(images, train_steps=6, loggers=(
      {'name': 'own:Broken'}, {'name': 'tensorboard'})))
  train.train(without_loggers(run), tmp_path / 'alone')
  assert not (tmp_path / 'alone' / 'tensorboard').exists()
  assert not warnings_of(caplog)
  train.train(run, tmp_path / 'both')
  assert tiny.rows(tmp_path / 'both') == tiny.rows(tmp_path / 'alone')
  warning, = warnings_of(caplog)
  assert 'Broken failed' in warning and 'the server is gone' in warning
  assert Broken.closed == 1
  assert [e.step for e in events_of(tmp_path / 'both')
          if e.summary.value and not e.summary.value[0].HasField('image')] == [
              2, 4, 6]


def test_a_run_may_be_resumed_with_other_loggers(images, tmp_path, no_pictures):
  run = experiment.load(tiny.config(images, train_steps=2, loggers=(
      {'name': 'tensorboard'},)))
  train.train(run, tmp_path)
  train.train(without_loggers(run)._replace(train_steps=4), tmp_path)
  assert [row['step'] for row in tiny.rows(tmp_path)] == [2, 4]
  config = json.loads((tmp_path / 'config.json').read_text())
  assert config['loggers'] == []


def test_loggers_hear_all_in_order(tmp_path):
  heard = Heard()
  with ScalarWriter(tmp_path, resume_step=4, loggers=[heard],
                    config={'b': 2}) as writer:
    writer.write(6, {'a': np.float32(0.5)})
    writer.image(6, 'x', IMAGE)
    writer.rewind(4)
  assert [what for what in heard.told if what != ('flush',)] == [
      ('open', tmp_path, 4, {'b': 2}), ('rewind', 4), ('write', 6, {'a': 0.5}),
      ('image', 6, 'x', IMAGE), ('rewind', 4), ('close',)]
