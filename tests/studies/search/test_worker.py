"""A search on runs that are made up: who plays what, and what is told."""

import contextlib
import json
import os
import re
import signal
from types import SimpleNamespace

import pytest

from gan_jax.base.errors import ConfigError, Problem, RequestError, WorkdirError
from gan_jax.config import population
from gan_jax.run import lock
from gan_jax.studies.search import batches, cluster, plan, space, worker

STEPS = 25, 50, 75, 100
GIVEN = ['--config=configs/ring.py', '--config.train_steps=100',
         '--config.eval_every=25', '--config.best_metric=divergence_2500']
SPACE = ['gen_optimizer.learning_rate=1e-4..1e-2:log', 'disc_steps=1..2']


class Trainer:
  """In place of the program: scores by `loss(config, step)`; no JAX.

  played: configs and folders of each population.
  """

  def __init__(self):
    self.played, self.status = [], 0
    self.score = 'divergence_2500'

  def loss(self, config, step):
    return config['gen_optimizer']['learning_rate'] + config['seed'] / step

  def load(self, config):
    lists, problems = population._lists(config)
    if problems:
      raise ConfigError(problems)
    members = tuple(SimpleNamespace(
        config=each, train_steps=100, eval_every=25, evaluators=[
            SimpleNamespace(names=['modes_2500', self.score])])
                    for each in population._configs(config, lists))
    return population.Population(members, devices=1, numbers={}, game=None,
                                 step=None, init=None)

  def train(self, found, _, *, folders, stopping):
    self.played.append(([m.config for m in found.members], folders))
    going = dict(zip(folders, found.members, strict=True))
    for step in STEPS:
      rows = {}
      for folder, member in going.items():
        value = self.loss(member.config, step)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, 'scores.jsonl'), 'a') as file:
          file.write(json.dumps({'step': step, 'value': value,
                                 'name': self.score}) + '\n')
        rows[folder] = {f'eval/{self.score}': value}
      if self.status:
        return self.status
      if step < 100:
        for folder in stopping(step, rows):
          del going[folder]
    return 0


@pytest.fixture
def trainer(monkeypatch):
  made = Trainer()
  monkeypatch.setattr(os, 'fsync', lambda _: None)  # Tens of ms each.
  monkeypatch.setattr(batches.population, 'load', made.load)  # One module.
  monkeypatch.setattr(batches.populations, 'train', made.train)
  monkeypatch.setattr(worker.page, 'write', lambda study, *_: study)
  return made


def play(folder, trials=6, keys=SPACE, given=GIVEN, **how):
  status, study = worker.search(given, keys, str(folder), trials=trials, **how)
  return study if status == 0 else status


def states(study):
  return [trial.state.name for trial in study.trials]


def test_trials_are_played_and_told(trainer, tmp_path):
  study = play(tmp_path, prune=False)
  assert states(study) == ['COMPLETE'] * 6
  assert study.direction.name == 'MINIMIZE'
  for trial in study.trials:
    rate = float(f'{trial.params[SPACE[0].split("=")[0]]:.6g}')
    assert trial.value == pytest.approx(rate)
    assert trial.intermediate_values == dict.fromkeys(
        STEPS, pytest.approx(rate))
    assert (tmp_path / f'trial_{trial.number:04d}').exists()
  assert list((tmp_path / 'workers').iterdir()) == []


def test_numbers_train_together_and_programs_apart(trainer, tmp_path):
  study = play(tmp_path, given=[*GIVEN, '--config.population=6'])
  assert sum(len(folders) for _, folders in trainer.played) == 6
  for configs, folders in trainer.played:
    assert len({config['disc_steps'] for config in configs}) == 1
    for config, folder in zip(configs, folders, strict=True):
      number = int(folder.rpartition('_')[2])
      assert config['disc_steps'] == study.trials[number].params['disc_steps']
      assert config['gen_optimizer']['learning_rate'] == pytest.approx(
          study.trials[number].params['gen_optimizer.learning_rate'], rel=1e-5)
  # Of the first six one population for each of the two programs.
  assert [len(folders) for _, folders in trainer.played[:2]] in (
      [3, 3], [2, 4], [4, 2], [1, 5], [5, 1])


def test_every_trial_has_all_seeds(trainer, tmp_path):
  study = play(tmp_path, trials=3, keys=[SPACE[0], 'seed=0,4'])
  assert [len(folders) for _, folders in trainer.played] == [4, 2]
  configs, folders = trainer.played[0]
  assert [c['seed'] for c in configs] == [0, 4, 0, 4]
  assert [os.path.basename(f) for f in folders] == [
      'trial_0000-seed=0', 'trial_0000-seed=4', 'trial_0001-seed=0',
      'trial_0001-seed=4']
  trial = study.trials[0]
  rate = float(f'{trial.params["gen_optimizer.learning_rate"]:.6g}')
  assert trial.user_attrs['values'] == pytest.approx([rate, rate + 0.04])
  assert trial.value == pytest.approx(rate + 0.02)


def test_a_search_goes_on_where_it_was(trainer, tmp_path):
  """In all it asks what one asks that was never stopped."""
  play(tmp_path / 'a', trials=4)
  assert len(play(tmp_path / 'a', trials=4).trials) == 4
  again, whole = play(tmp_path / 'a'), play(tmp_path / 'b')
  assert [t.params for t in again.trials] == [t.params for t in whole.trials]
  assert len({t.params[SPACE[0].split('=')[0]] for t in whole.trials}) == 6


def test_a_stopped_search_leaves_its_trials_to_the_next(trainer, tmp_path):
  trainer.status = 143
  assert play(tmp_path) == 143
  trainer.status = 0
  study = play(tmp_path)
  assert states(study) == ['COMPLETE'] * 6
  assert {t.user_attrs['deaths'] for t in study.trials[:4]} == {0}
  # They went on in their own folders.
  assert {os.path.basename(f) for _, folders in trainer.played
          for f in folders} == {f'trial_{n:04d}' for n in range(6)}


def claimed_by(folder, name, trials=4):
  """A study whose trials a worker of some name has claimed."""
  optuna = worker._library()
  study, made = worker.open_study(str(folder), GIVEN, space.parse(SPACE))
  worker._Worker(optuna, study, made, str(folder), name, trials=trials,
                 prune=False, size=trials, sampler=optuna.samplers.TPESampler
                 )._claim()
  return study


def test_the_trials_of_a_dead_worker_are_played_again(trainer, tmp_path):
  before = claimed_by(tmp_path, 'gone').trials
  study = play(tmp_path, trials=6)
  assert states(study) == ['COMPLETE'] * 6
  assert [t.params for t in study.trials[:4]] == [t.params for t in before]
  assert [t.user_attrs.get('deaths', 0) for t in study.trials] == [
      1, 1, 1, 1, 0, 0]


def test_a_trial_whose_worker_died_while_it_was_drawn(trainer, tmp_path):
  """It has no values yet."""
  study, _ = worker.open_study(str(tmp_path), GIVEN, space.parse(SPACE))
  study.ask()
  study = play(tmp_path, trials=2)
  assert states(study) == ['COMPLETE'] * 2
  assert study.trials[0].params.keys() == study.trials[1].params.keys()


def test_what_kills_each_worker_has_failed(trainer, tmp_path):
  for name in 'abc':
    study = claimed_by(tmp_path, name)
  assert [t.user_attrs['deaths'] for t in study.trials] == [2] * 4
  study = play(tmp_path, trials=5)
  assert states(study) == ['FAIL'] * 4 + ['COMPLETE']
  assert study.trials[0].user_attrs['reason'].startswith('3 workers died')


def test_the_trials_of_a_worker_that_lives_are_its_own(trainer, tmp_path):
  claimed_by(tmp_path, 'alive')
  with lock.hold(tmp_path / 'workers' / 'alive'):
    study = play(tmp_path, trials=6)
  assert states(study) == ['RUNNING'] * 4 + ['COMPLETE'] * 2
  assert sum(len(folders) for _, folders in trainer.played) == 2


def test_workers_that_live_are_asked_to_stop(tmp_path, monkeypatch):
  asked, workers = [], tmp_path / 'workers'
  monkeypatch.setattr(os, 'kill', lambda *args: asked.append(args))
  (workers / 'ended').mkdir(parents=True)
  with contextlib.ExitStack() as held:
    # One has not said yet who it is, others say something else.
    for i, said in enumerate((b'', b'{"pid": 1}', b'[]', b'7')):
      held.enter_context(lock.hold(workers / f'{i}'))
      (workers / f'{i}' / 'lock').write_bytes(said)
    held.enter_context(lock.hold(workers / 'alive'))
    cluster._stop_here(str(tmp_path))
  assert asked == [(os.getpid(), signal.SIGTERM)]


def test_failures_have_a_reason_and_are_not_repeated(
    trainer, monkeypatch, tmp_path):
  monkeypatch.setattr(trainer, 'loss', lambda config, step: (
      None if step == 100 and config['disc_steps'] == 2 else 1.0))
  study = play(tmp_path)
  bad = [t for t in study.trials if t.params['disc_steps'] == 2]
  assert 0 < len(bad) < 6
  for trial in study.trials:
    assert trial.state.name == ('FAIL' if trial in bad else 'COMPLETE')
  assert 'no score at the last step' in bad[0].user_attrs['reason']
  assert len(play(tmp_path).trials) == 6


def test_numbers_that_a_component_takes_as_no_array_are_played_alone(
    trainer, monkeypatch, tmp_path):
  """So it is for want of memory; what no one can build has failed."""
  load = trainer.load

  def refuses(config):
    if isinstance(config['gen_optimizer']['learning_rate'], tuple):
      raise ConfigError([Problem('gen_optimizer.learning_rate', 1, 'no array')])
    if config['gen_optimizer']['learning_rate'] > 1e-3:
      raise ConfigError([Problem('gen_optimizer.learning_rate', 2, 'too high')])
    return load(config)

  worker.open_study(str(tmp_path), GIVEN, space.parse(SPACE[:1]))
  monkeypatch.setattr(batches.population, 'load', refuses)
  study = play(tmp_path, keys=SPACE[:1])
  for trial in study.trials:
    high = trial.params['gen_optimizer.learning_rate'] > 1e-3
    assert trial.state.name == ('FAIL' if high else 'COMPLETE')
    assert trial.user_attrs.get('reason', 'too high').endswith('too high')
  assert {len(folders) for _, folders in trainer.played} == {1}


def test_bad_trials_are_stopped_early_and_the_others_go_on(trainer, tmp_path):
  """Twelve at once by their rates: the four worst, at the second score."""
  given = [*GIVEN, '--config.population=12']
  study = play(tmp_path / 'a', 12, SPACE[:1], given)
  order = sorted(study.trials, key=lambda t: t.params[
      'gen_optimizer.learning_rate'])
  assert [t.state.name for t in order] == ['COMPLETE'] * 8 + ['PRUNED'] * 4
  assert all(max(t.intermediate_values) == 50 for t in order[8:])
  study = play(tmp_path / 'b', 12, SPACE[:1], given, prune=False)
  assert states(study) == ['COMPLETE'] * 12


def test_without_best_metric_it_is_the_first_score_and_that_is_said(
    trainer, tmp_path, caplog):
  caplog.set_level('INFO')
  for given, words in ((GIVEN, 'divergence_2500, lower is better'), (
      GIVEN[:-1], 'modes_2500, higher is better; best_metric takes another: '
      'divergence_2500')):
    caplog.clear()
    play(tmp_path / words[:5], trials=1, given=given)
    assert f'trials compare by {words}' in caplog.messages


def test_high_scores_are_good_where_they_are(trainer, tmp_path):
  """The study maximises, and those with low scores are stopped."""
  trainer.score = 'high_quality_2500'
  study = play(tmp_path, 12, SPACE[:1], [
      *GIVEN, '--config.population=12',
      '--config.best_metric=high_quality_2500'])
  assert study.direction.name == 'MAXIMIZE'
  order = sorted(study.trials, key=lambda t: t.params[
      'gen_optimizer.learning_rate'])
  assert [t.state.name for t in order] == ['PRUNED'] * 4 + ['COMPLETE'] * 8


def test_another_space_or_config_is_refused(trainer, tmp_path):
  play(tmp_path, trials=1)
  for keys, given, words in (
      (['disc_steps=1..2'], GIVEN, 'space.gen_optimizer.learning_rate'),
      (['disc_steps=1..3', SPACE[0]], GIVEN, 'high: 2 (there) -> 3 (now)'),
      ([*SPACE, 'seed=1'], GIVEN, 'seeds: [] (there) -> [1] (now)'),
      (SPACE, [*GIVEN, '--config.batch_size=8'],
       'config.batch_size: 512 (there) -> 8 (now)')):
    with pytest.raises(WorkdirError, match='another --workdir') as e:
      play(tmp_path, keys=keys, given=given)
    assert words in str(e.value)
  assert len(play(tmp_path, trials=2, given=[
      *GIVEN, '--config.population=2']).trials) == 2


@pytest.mark.slow
def test_a_loss_that_was_edited_is_another_search(
    trainer, tmp_path, monkeypatch):
  home = tmp_path / 'mine'
  home.mkdir()
  text = ('from gan_jax import losses\n'
          'def edited():\n  return losses.hinge()\n')
  (home / 'own_losses.py').write_text(text)
  monkeypatch.syspath_prepend(home)
  given = [*GIVEN, '--config.loss.name=own_losses:edited']
  play(tmp_path, given=given, trials=1)
  assert len(play(tmp_path, given=given, trials=2).trials) == 2
  (home / 'own_losses.py').write_text(text + '# a change\n')
  with pytest.raises(WorkdirError, match='code.own_losses'):
    play(tmp_path, given=given)


@pytest.mark.parametrize('keys, given, words', [
    (['disc_stepps=1..2'], GIVEN, 'disc_stepps.*did you mean "disc_steps"'),
    ([':loss=hinge,hing'], GIVEN, ':loss=hing: .*hing'),
    (['disc_steps=1.5,2'], GIVEN, '  cannot read disc_steps=1.5: must be an'),
    (['loss=hinge'], GIVEN, 'cannot read loss=hinge: holds .* dcgan:loss=NAME'),
    (SPACE, [*GIVEN, '--config.evaluators=()'], 'append :evaluator=scores'),
    (SPACE, [*GIVEN, '--config.seed=[0,1]'], 'a trial is one run')])
def test_mistakes_of_a_config_come_before_all(
    trainer, tmp_path, keys, given, words):
  with pytest.raises(ConfigError, match=f'(?s){words}'):
    play(tmp_path / 'new', keys=keys, given=given)
  assert not trainer.played and not (tmp_path / 'new').exists()


@pytest.mark.parametrize('values', ['1e-4,abc', 'abc,1e-4'])
def test_a_value_of_the_space_is_named_as_it_was_given(values):
  with pytest.raises(ConfigError) as found:
    plan.make(GIVEN, space.parse([f'gen_optimizer.learning_rate={values}']))
  problem, = found.value.problems
  assert str(problem).startswith(
      'gen_optimizer.learning_rate=abc: must be a float >= 0.0')


def test_other_mistakes(trainer, tmp_path):
  for how, words in (
      ({'trials': 0}, '--trials=0: must be 1 or more'),
      ({'given': [*GIVEN, '--config.population=0']}, 'population=0: must be'),
      ({'keys': []}, 'nothing to search')):
    with pytest.raises(RequestError, match=re.escape(words)):
      play(tmp_path, **how)


def test_a_line_that_a_full_disk_has_cut_is_dropped(trainer, tmp_path):
  play(tmp_path, trials=2)
  with open(tmp_path / 'journal.log', 'a') as file:
    file.write('{"op_code":4,"worker_id":"')
  assert states(play(tmp_path, trials=3)) == ['COMPLETE'] * 3


def test_a_damaged_journal_is_named(trainer, tmp_path):
  play(tmp_path, trials=1)
  with open(tmp_path / 'journal.log', 'r+') as file:
    text = file.read()
    file.truncate(len(text) - 9)
    file.seek(0, 2)
    file.write('\n{"op_code":1}\n')
  with pytest.raises(WorkdirError, match='journal.log is damaged'):
    play(tmp_path)
