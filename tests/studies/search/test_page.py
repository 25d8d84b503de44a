"""What a search says it found."""

import re
import shlex
import subprocess

import numpy as np
import optuna
import pytest
import tiny

from gan_jax.config import command_line
from gan_jax.studies.search import page
from gan_jax.studies.search.plan import Plan
from gan_jax.studies.search.space import parse

GIVEN = ['--config=configs/ring.py', '--config.train_steps=90']
KEYS = ['gen_optimizer.learning_rate=1e-5..1e-1:log', 'disc_steps=1..3',
        ':loss=hinge,minimax']


def made(score='fd', seeds=(), count=16):
  """A study of made-up trials: log10 of the rate is all that matters."""
  space = parse([*KEYS, *(['seed=' + ','.join(map(str, seeds))] * bool(seeds))])
  plan = Plan(GIVEN, space, {'seed': 3}, score, 90)
  study = optuna.create_study(
      direction='minimize', sampler=optuna.samplers.RandomSampler(seed=0))
  for n in range(count):
    trial = study.ask()
    for axis in space.axes.values():
      axis.suggest(trial)
    loss = abs(np.log10(trial.params['gen_optimizer.learning_rate']) + 3)
    trial.set_user_attr('train_steps', 90)
    trial.set_user_attr('program', 'a')
    for step in (30, 60):
      trial.report(loss + 1, step)
    if n == count - 2:
      study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    elif n == count - 1:
      trial.set_user_attr('reason', 'step 61 is not finite')
      study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
      trial.report(loss, 90)
      values = [loss, loss + 1] if seeds else [loss]
      trial.set_user_attr('values', values)
      study.tell(trial, float(np.mean(values)))
  return study, plan


@pytest.fixture
def written(tmp_path, monkeypatch):
  """write(**how) -> (text, HTML, study), without the page of the runs."""
  optuna.logging.set_verbosity(optuna.logging.ERROR)
  monkeypatch.setattr(page.report, 'overlay', lambda *_, **__: None)
  monkeypatch.setattr(page, '_RESAMPLED', 2)

  def write(**how):
    study, plan = made(**how)
    text = page.write(study, plan, str(tmp_path / 'my search'))
    return text, (tmp_path / 'my search' / 'report' / 'index.html'
                  ).read_text(), study

  return write


def test_what_is_said(written):
  text, html, study = written()
  assert '16 trials: 14 played to the end, 1 stopped early, 1 failed' in text
  # One of 16 trials at step 60 of 90; the failed one is not saved.
  assert 'Stopping saved 30 of 1,410 steps' in text
  assert 'order the trials as the last ones do by 1.00' in text
  best = study.best_trial
  assert re.search(rf'trial {best.number} +{best.value:.4g} ', text)
  order = re.findall(r'^ *trial (\d+) ', text, re.M)
  assert order == [str(t.number) for t in sorted(
      (t for t in study.trials if t.value is not None),
      key=lambda t: t.value)[:5]]
  assert 'stopped at step 60' in html and 'step 61 is not finite' in html
  assert 'looks better than it is' in html
  for name in ('history', 'importances', 'slices', 'pair', 'foresight'):
    assert f'src="{name}.png"' in html


def test_the_commands_can_be_run(written):
  text, _, study = written()
  train = re.search('^train with: (.*)', text, re.M)[1]
  line = command_line.parse(shlex.split(train)[2:])
  best = study.best_trial.params
  assert not line.problems
  assert line.config.loss.name == best[':loss']
  assert line.config.gen_optimizer.learning_rate == pytest.approx(
      best['gen_optimizer.learning_rate'], rel=1e-5)
  again = re.findall('^experiments/sweep.sh .*', text, re.M)
  assert len(again) == 3
  done = subprocess.run([*shlex.split(again[0]), '--dry_run'], text=True,
                        cwd=tiny.ROOT, capture_output=True)
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert len(lines) == 3  # Seeds that the search has not seen, 3.
  for seed, line in zip((4, 5, 6), lines, strict=True):
    found = command_line.parse(shlex.split(line)[2:])
    assert (found.config.seed, found.config.loss.name) == (
        seed, best[':loss'])


def test_what_matters_is_found(monkeypatch):
  monkeypatch.setattr(page, '_RESAMPLED', 5)
  study, _ = made(count=30)
  found = page.importances(study)
  assert next(iter(found)) == 'gen_optimizer.learning_rate'
  value, low, high = found['gen_optimizer.learning_rate']
  assert value > 0.7 and 0 <= low <= high <= 1
  assert sum(v for v, *_ in found.values()) == pytest.approx(1)


def test_equal_scores_have_no_importances():
  study = optuna.create_study()
  for _ in range(9):
    trial = study.ask()
    trial.suggest_float('x', 0, 1)
    study.tell(trial, 1.0)
  assert page.importances(study) == {}


def test_intervals_over_seeds(written):
  """Of v and v + 1: t(0.975, 1) times sqrt(0.5) / sqrt(2) = 12.706 / 2."""
  study, plan = made(seeds=(0, 7))
  row = page.rows_of(study, plan, 'x')[0]
  assert row.half == pytest.approx(12.706 / 2, rel=1e-4)
  assert row.folders == ['x/trial_0000-seed=0', 'x/trial_0000-seed=7']
  text, html, _ = written(seeds=(0, 7))
  assert 'means of 2 seeds' in text and '+- 6.4' in text
  assert 'seed=8,9,10' in text and '&plusmn; 6.4' in html


def test_a_search_without_a_score_says_why(written):
  text, html, _ = written(count=2)
  assert 'No trial has a score' in text and 'step 61 is not finite' in text
  assert 'history.png' not in html


def test_a_trial_whose_worker_died_as_it_drew_the_values():
  study, plan = made()
  trial = study.ask()  # What comes between is a crash.
  [axis, *_] = plan.space.axes.values()
  axis.suggest(trial)
  row = page.rows_of(study, plan, 'x')[-1]
  assert (row.state, [*row.texts]) == ('running', [axis.key])
