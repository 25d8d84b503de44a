"""What fits into a budget."""

import json
import os

import pytest

from gan_jax.base.errors import RequestError
from gan_jax.studies.judge import plan
from gan_jax.studies.judge.tasks import TASKS


@pytest.mark.parametrize('text,seconds', [('90s', 90), ('15m', 900),
                                          ('1.5h', 5400)])
def test_budgets(text, seconds):
  assert plan.read_budget(text) == seconds


@pytest.mark.parametrize('text', ['15', 'm', '-5m', '10s', '1d', ''])
def test_what_is_no_budget(text):
  with pytest.raises(RequestError, match='90s, 15m or 2h'):
    plan.read_budget(text)


def measured(**per_step):
  """Two games of each task, of 1 s without its steps and 3 s of compiling."""
  return {name: dict.fromkeys(('idea', 'b'), {
      'seconds': 4.0 + 40 * seconds, 'compiling': 3.0, 'steps': 40,
      'members': 8, 'per_step': seconds})
          for name, seconds in per_step.items()}


def test_the_seconds_are_those_of_two_stages_of_each_game():
  found = plan.choose_steps(measured(ring=0.01), 1e9, 8)
  assert found['steps'] == {'ring': TASKS['ring'].most}
  assert found['seconds'] == pytest.approx(
      2 * 2 * (1 + 0.01 * TASKS['ring'].most))


@pytest.mark.parametrize('seeds,test', [(3, 3.0), (8, 8.0), (32, 32.0)])
def test_the_seconds_of_a_stage_go_with_its_runs(seeds, test):
  one = measured(ring=0.07)['ring']['idea']  # 1 s and 100 steps are 8 s.
  assert plan.stage_seconds(one, 100, seeds) == pytest.approx(test)
  # Measured faster than its rows say, as the clock of rows is rough.
  assert plan.stage_seconds(one | {'seconds': 1.0}, 100, 8
                            ) == pytest.approx(7.0)


@pytest.mark.parametrize('seeds', [3, 8, 32])
def test_the_stages_of_a_study_take_what_was_planned(study, seeds):
  """Many seeds once made a plan of 488 s, of which the stages took 1220."""
  study.plan['seeds'] = list(range(seeds))
  found = measured(ring=0.005, digits=0.02)
  for name, games in found.items():
    for game, result in games.items():
      os.makedirs(study.path(name, game))
      with open(study.path(name, game, 'measure.json'), 'w') as file:
        json.dump(result, file)
  steps = plan.choose_steps(found, 500.0, seeds)
  with open(study.path('steps.json'), 'w') as file:
    json.dump(steps, file)
  assert 0.85 * 500 < steps['seconds'] <= 500 and not steps['cut']
  assert sum(map(study.seconds, study.items())) == pytest.approx(
      steps['seconds'])


@pytest.mark.parametrize('left', [100, 200, 400, 800])
def test_a_budget_is_used_up(left):
  found = plan.choose_steps(measured(ring=0.005, digits=0.02), left, 8)
  assert 0.85 * left < found['seconds'] <= left and not found['cut']


def test_all_tasks_go_the_same_share_of_the_way():
  steps = plan.choose_steps(measured(digits=0.04, clothes=0.04), 300,
                            8)['steps']
  assert abs(steps['digits'] - steps['clothes']) <= 50


def test_the_last_tasks_are_cut():
  found = plan.choose_steps(measured(ring=0.005, digits=1.0), 60, 8)
  assert list(found['steps']) == ['ring']
  assert found['cut'] == {
      'digits': 'cut: its fewest steps did not fit into the budget'}
  # The first is played whatever it takes.
  assert plan.choose_steps(measured(ring=1.0), 60, 8)['steps'] == {
      'ring': TASKS['ring'].least}


def test_tasks_that_fit():
  names = list(TASKS)
  assert plan.fitting(names, 1e6, 8) == (names, {})
  kept, cut = plan.fitting(names, 60, 8)
  assert kept == ['ring'] and list(cut) == names[1:]
  assert cut['digits'] == round((TASKS['ring'].seconds
                                 + TASKS['digits'].seconds) / 0.9 / 60)
  # Four times the runs in the test: 2.5 times the time.
  _, more = plan.fitting(names, 60, 32)
  assert more['digits'] == round(2.5 * (
      TASKS['ring'].seconds + TASKS['digits'].seconds) / 0.9 / 60)
