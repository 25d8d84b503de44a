"""--mode=evaluate of a run: its checkpoints, the best one."""

import json
import os
import shutil
import threading

import jax
import numpy as np
import pytest
import tiny
from sweeps import wait_for

from gan_jax import main
from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.config import experiment
from gan_jax.evaluators.score import Score
from gan_jax.run import evaluator, files, lock
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.views import evaluate

ASKED = dict(extractor='random', metrics=('fd', 'prdc'))
BEST = 'fd_random_12_train'


@pytest.fixture(scope='module')
def run(made_run, tmp_path_factory):
  """A run with checkpoints of steps 2 and 4, both scored with 12 examples."""
  folder = tmp_path_factory.mktemp('evaluate') / 'run'
  shutil.copytree(made_run('plain'), folder)
  shown = evaluate.checkpoints(str(folder), **ASKED, num_samples=12)
  return str(folder), shown


@pytest.fixture(autouse=True)
def _untraced(run, untraced):
  """Loads whose trace of a step is not looked at, after that of `run`."""


@pytest.fixture
def copy(run, tmp_path):
  """A copy of it that a test may change."""
  return str(shutil.copytree(run[0], tmp_path / 'run'))


def scores_of(folder):
  with open(os.path.join(folder, 'scores.jsonl')) as file:
    return [json.loads(line) for line in file]


def lowest(rows, name):
  """Step of the lowest value of a score."""
  values = {row['step']: row['value'] for row in rows if row['name'] == name}
  assert set(values) == {2, 4} and len(set(values.values())) == 2
  return min(values, key=values.get)


def kept(folder, name=BEST):
  with open(os.path.join(folder, f'best-{name}', 'best.json')) as file:
    return json.load(file)


def test_every_checkpoint_is_scored_once(run, copy, caplog):
  rows = scores_of(copy)
  assert sorted({row['step'] for row in rows}) == [2, 4]
  names = {row['name'] for row in rows}
  assert names == {f'{n}_random_12_train' for n in (
      'fd', 'precision', 'recall', 'density', 'coverage')}
  for row in rows:
    assert row['value'] is not None and row['floor'] is not None
    assert row['protocol']['step'] == row['step']
  shown = [(step, score.name, score.value) for step, score in run[1]]
  assert shown == [(r['step'], r['name'], r['value']) for r in rows]
  # All are scored: none is scored again, and they are shown all the same.
  assert evaluate.checkpoints(copy, **ASKED, num_samples=12) == run[1]
  assert scores_of(copy) == rows
  # Another protocol is another score.
  with caplog.at_level('INFO', logger='gan_jax'):
    evaluate.checkpoints(copy, **ASKED, num_samples=10)
  assert [record.message for record in caplog.records] == [
      'scores step 2: scores', 'scores step 4: scores']
  assert {row['name'] for row in scores_of(copy)} > names


def test_a_run_that_cannot_be_written_is_told_before_it_is_scored(
    run, copy, monkeypatch):
  monkeypatch.setattr(os, 'access', lambda *_: False)
  # Nothing is to be written where all is scored.
  same = evaluate.checkpoints(copy, **ASKED, num_samples=12)
  assert same == run[1]
  monkeypatch.delattr(evaluator.Evaluator, 'scores')
  with pytest.raises(WorkdirError, match=f'{copy}/scores.jsonl: cannot write '
                     f'it: {copy}: Permission denied; then rerun'):
    evaluate.checkpoints(copy, **ASKED, num_samples=8)


def test_the_best_of_scores_that_are_there_already(copy, caplog, tmp_path):
  rows = scores_of(copy)
  with caplog.at_level('INFO', logger='gan_jax'):
    evaluate.checkpoints(copy, **ASKED, num_samples=12, best=BEST)
  assert scores_of(copy) == rows and 'scores step' not in caplog.text
  best = lowest(rows, BEST)
  found = kept(copy)
  assert (found['name'], found['step']) == (BEST, best)
  assert found['value'] in [row['value'] for row in rows]
  out = tmp_path / 'best.npz'
  assert main.main(['', '--mode=sample', f'--workdir={copy}/best-{BEST}',
                    '--num_samples=10', f'--out={out}']) == 0
  assert np.load(out)['images'].shape == (10, 8, 8, 1)


def test_the_same_state_gets_the_same_scores_and_the_best_is_kept(copy):
  before = scores_of(copy)
  os.remove(os.path.join(copy, 'scores.jsonl'))
  evaluate.checkpoints(copy, **ASKED, num_samples=12, best=BEST)
  again = scores_of(copy)
  assert [(r['step'], r['name'], r['value']) for r in before] == [
      (r['step'], r['name'], r['value']) for r in again]
  assert kept(copy)['step'] == lowest(before, BEST)


def test_a_damaged_checkpoint_does_not_hide_the_others(copy, caplog):
  os.remove(os.path.join(copy, 'scores.jsonl'))
  for folder, _, names in os.walk(os.path.join(copy, 'checkpoints', '2')):
    for path in (os.path.join(folder, name) for name in names):
      if os.path.getsize(path) > 100:
        with open(path, 'r+b') as file:
          file.seek(-1, os.SEEK_END)
          file.write(b'?')
  assert BEST in {score.name for _, score in evaluate.checkpoints(
      copy, **ASKED, num_samples=12, best=BEST)}
  assert {row['step'] for row in scores_of(copy)} == {4}
  assert 'damaged' in caplog.text and kept(copy)['step'] == 4
  evaluate.checkpoints(copy, **ASKED, num_samples=12)  # 2 is still not scored.
  assert {row['step'] for row in scores_of(copy)} == {4}


def test_a_job_is_followed_by_one_reader_which_is_closed(copy, monkeypatch):
  opened, closed = [], []

  class Counted(Checkpoints):
    def __init__(self, *args, **kwargs):
      opened.append(1)
      super().__init__(*args, **kwargs)

    def close(self):
      closed.append(1)
      super().close()

  monkeypatch.setattr(evaluate, 'Checkpoints', Counted)
  monkeypatch.setattr(evaluate, '_PAUSE', 0.01)
  loaded = experiment.load(files.read_run(copy)[0])
  state = tiny.saved(loaded, copy)
  said = []
  follower = threading.Thread(target=lambda: said.append(
      evaluate.checkpoints(copy, **ASKED, num_samples=12, follow=True)))
  with lock.hold(copy):
    follower.start()
    job = Checkpoints(copy, keep=3)
    job.save(6, state.replace(step=jax.numpy.asarray(6, state.step.dtype)))
    job.close()
    wait_for(lambda: not follower.is_alive() or 6 in {
        row['step'] for row in scores_of(copy)})
    assert follower.is_alive()
  follower.join(100)
  assert BEST in {score.name for _, score in said[0]}
  steps = [row['step'] for row in scores_of(copy) if row['name'] == BEST]
  assert sorted(steps) == [2, 4, 6]
  assert len(opened) == len(closed) == 1


def test_an_evaluator_that_fails_costs_the_others_nothing(run):
  config, _ = files.read_run(run[0])
  spec, = evaluate.specs(**ASKED, num_samples=12)
  loaded = experiment.load(config | {'evaluators': (spec, {
      'name': 'parzen', 'num_samples': 5, 'num_test': 5, 'num_validation': 5})})
  state = loaded.init()

  def broken(sample):
    raise OSError('no such disk')

  working = loaded.evaluators
  both = evaluator.Evaluator(loaded._replace(evaluators=[broken, working[1]]))
  with pytest.raises(OSError, match='no such disk'):
    both.scores(state)
  first, second = both.scores(state, forgiving=True)
  assert (first.name, first.value) == ('scores', None)
  assert first.reason.startswith('OSError: no such disk\n')
  assert 'test_evaluate.py, line' in first.reason  # The user's own code.
  assert second.value is not None
  # Images that are not finite have no scores.
  bad = jax.tree.map(lambda x: x * np.nan, state.ema)
  found, = evaluator.Evaluator(loaded._replace(
      config=config | {'evaluators': (spec,)}, evaluators=working[:1])).scores(
          state.replace(ema=bad))
  assert (found.value, found.name) == (None, 'scores')
  assert 'generated examples are not finite' in found.reason


# Two folders.


def test_how_inception_resizes_is_asked_for(tmp_path):
  path = tmp_path / 'w.pth'
  path.write_bytes(b'weights')
  assert evaluate.specs(
      extractor='inception', weights=str(path), resizer='clean') == (
          {'name': 'scores', 'extractor': {
              'name': 'inception', 'weights': str(path), 'resizer': 'clean'}},)
  assert evaluate.specs() == ()


def test_an_evaluator_is_asked_for_as_a_metric_is():
  assert evaluate.specs(metrics=('ais', 'parzen'), num_samples=9) == (
      {'name': 'ais', 'num_test': 9}, {'name': 'parzen', 'num_samples': 9})
  assert evaluate.specs(metrics='fd,ais', num_samples=9) == (
      {'name': 'scores', 'metrics': ('fd',), 'num_samples': 9},
      {'name': 'ais', 'num_test': 9})
  assert evaluate.specs(metrics=('fd',)) == (
      {'name': 'scores', 'metrics': ('fd',)},)


def test_what_is_asked_of_an_evaluator_stands_behind_its_colon():
  assert evaluate.specs(metrics=(
      'ais:chains=4:sigma=0.1:likelihood=bernoulli', 'elbo'),
                        num_samples=9) == (
      {'name': 'ais', 'num_test': 9, 'chains': 4, 'sigma': 0.1,
       'likelihood': 'bernoulli'}, {'name': 'elbo', 'num_test': 9})
  # What it is told itself counts.
  assert evaluate.specs(metrics='ais:num_test=5', num_samples=9) == (
      {'name': 'ais', 'num_test': 5},)


@pytest.mark.parametrize('metrics,words', [
    ('aiss', 'no such metric; did you mean "ais"'),
    ('fd:chains=4', 'fd takes no arguments'),
    ('ais:chains=4,temperatures=50', 'temperatures=50: no such metric'),
    ('ais:chains=2:chains=3', 'chains is given twice')])
def test_what_cannot_be_asked_for_is_named(metrics, words):
  with pytest.raises(RequestError, match=words):
    evaluate.specs(metrics=metrics)


def test_scores_that_a_run_cannot_have_are_an_error(copy, cli):
  before = scores_of(copy)
  status, _, err = cli('--mode=evaluate', f'--workdir={copy}', '--metrics=elbo',
                       '--num_samples=4')
  assert status == 2 and 'has none of these scores: elbo_4' in err
  assert 'needs an encoder' in err
  assert scores_of(copy) == before


def test_a_score_that_a_run_cannot_have_is_announced_and_shown_once(copy, cli):
  status, said, err = cli('--mode=evaluate', f'--workdir={copy}',
                          '--extractor=random', '--metrics=fd,elbo',
                          '--num_samples=11')
  assert status == 0, err
  assert said.count('fd_random_11_train') == 2
  assert said.count(' elbo_11_train') == 1
  assert said.count('needs an encoder') == 2  # elbo_weighted too
  assert err.count(': scores') == 2 and err.count(': elbo') == 1


def test_of_scores_that_need_classes_one_checkpoint_tells(copy, caplog):
  before = scores_of(copy)
  with caplog.at_level('INFO', logger='gan_jax'), pytest.raises(
      RequestError, match='none of these scores: they need classes'):
    evaluate.checkpoints(copy, extractor='random', num_samples=12,
                         metrics=('class_accuracy',))
  assert caplog.messages == ['scores step 2: scores']
  assert scores_of(copy) == before


def test_a_checkpoint_without_scores_is_written_beside_one_with_some(
    copy, monkeypatch):
  def scores(self, state):
    bad = int(state.step) == 2
    return [Score('own', None if bad else 1.0, 'not finite' * bad,
                  protocol=self.protocol)]

  monkeypatch.setattr(evaluator.Evaluator, 'scores', scores)
  found = evaluate.checkpoints(copy, extractor='random', num_samples=11)
  assert [(step, score.value) for step, score in found] == [(2, None), (4, 1.0)]
  assert [(row['step'], row['value']) for row in scores_of(copy)
          if row['name'] == 'own'] == [(2, None), (4, 1.0)]


AIS = dict(num_simulated=3, chains=2, temperatures=5, leapfrogs=2)


def own_evaluator(folder):
  """Has the config of a run name `ais`; the flags that then score it."""
  path = os.path.join(folder, 'config.json')
  with open(path) as file:
    config = json.load(file)
  config['evaluators'] = [dict(name='ais', num_test=2, **AIS)]
  with open(path, 'w') as file:
    json.dump(config, file)
  return []


def by_flags(folder):
  del folder
  return ['--num_samples=2', ':'.join(['--metrics=ais', *(
      f'{key}={value}' for key, value in AIS.items())])]


@pytest.mark.parametrize('ask', [own_evaluator, by_flags])
def test_the_density_of_a_run(copy, cli, ask):
  shutil.rmtree(os.path.join(copy, 'checkpoints', '2'))
  status, said, err = cli('--mode=evaluate', f'--workdir={copy}', *ask(copy))
  assert status == 0, err
  assert 'ais_2_train' in said and 'ais_gap_3' in said
  rows = [row for row in scores_of(copy) if row['name'] == 'ais_2_train']
  row, = rows
  assert row['step'] == 4 and np.isfinite(row['value'])
  assert row['found']['sigma'] > 0
  assert row['protocol'].items() >= (AIS | {'num_test': 2}).items()


@pytest.mark.parametrize('asked,message', [
    ('ais:chains', "'chains' must be KEY=VALUE"),
    ('ais:=4', "'=4' must be KEY=VALUE"),
    ('ais:name=elbo', "'name=elbo' must be KEY=VALUE"),
    ('ais:num_test=2:chain=4', 'did you mean "chains"?'),
    ('ais:num_test=2:chains=many', "chains = 'many': must be an int"),
    ('ais:num_test=2:chains=2.5', 'chains = 2.5: must be an int'),
    ('ais:num_test=2:temperatures=0', 'temperatures = 0: must be 1 or more'),
    ('ais:num_test=2:likelihood=laplace', 'no such choice'),
    ('ais:num_test=2:seed=4', 'takes no such argument')])
def test_what_cannot_be_asked_of_an_evaluator(run, cli, asked, message):
  status, _, err = cli('--mode=evaluate', f'--workdir={run[0]}',
                       f'--metrics={asked}')
  assert status == 2 and err.count(message) == 1 and 'Traceback' not in err
  assert err.startswith(f'gan_jax: --metrics={asked}: ') and 'config' not in err


def test_of_two_of_one_name_the_wrong_one_is_named(run, cli):
  wrong = 'ais:num_test=2:chains=many'
  status, _, err = cli('--mode=evaluate', f'--workdir={run[0]}',
                       f'--metrics=fd,ais:num_test=2,{wrong},ais:num_test=3')
  assert status == 2 and err == (f"gan_jax: --metrics={wrong}: chains = 'many':"
                                 ' must be an int\n')


def test_data_that_are_gone_are_told_beside_a_wrong_metric(copy, cli):
  path = os.path.join(copy, 'config.json')
  with open(path) as file:
    config = json.load(file)
  config['data']['path'] = os.path.join(copy, 'gone.npz')
  with open(path, 'w') as file:
    json.dump(config, file)
  status, _, err = cli('--mode=evaluate', f'--workdir={copy}',
                       '--metrics=ais:num_test=2:chains=many')
  assert status == 2 and f"\n'{copy}/gone.npz': no such file" in err
  status, _, err = cli('--mode=evaluate', f'--workdir={copy}')
  assert status == 3 and f"gan_jax: '{copy}/gone.npz': no such file" in err
  assert f'These are the data of {copy}, as its config.json names' in err


@pytest.mark.parametrize('arguments,message', [
    (['--workdir={run}', '--metrics=ais'], ', and one is needed to find sigma'),
    ([], 'give the --workdir'),
    (['--workdir=nowhere'], 'is not the working directory'),
    (['--workdir={run}', '--metrics=fid'], 'no such metric'),
    (['--workdir={run}', '--extractor=inceptoin'],
     '--extractor=inceptoin: no such name in gan_jax.extractors; did you mean'),
    (['--workdir={run}', '--extractor=random', '--num_samples=90'],
     'num_samples of 2 to 40'),
    (['--workdir={run}', '--extractor=random', '--num_samples=12',
      '--metrics=fd,prdc', '--best=fid'], 'there are coverage_random_12_train'),
    (['--workdir={run}', '--extractor=random', '--num_samples=12',
      '--metrics=class_accuracy'], 'none of these scores: they need class')])
def test_mistakes_are_told(run, capsys, arguments, message):
  arguments = [argument.format(run=run[0]) for argument in arguments]
  assert main.main(['', '--mode=evaluate', *arguments]) in (2, 3, 4)
  assert message in capsys.readouterr().err
