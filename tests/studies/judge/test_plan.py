"""What fits into a budget."""

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
  """Two games of each task, of 1 s without its steps."""
  return {name: dict.fromkeys(('idea', 'b'), {
      'overhead': 1.0, 'per_step': seconds})
          for name, seconds in per_step.items()}


def test_the_seconds_are_those_of_two_stages_of_each_game():
  found = plan.choose_steps(measured(ring=0.01), 1e9)
  assert found['steps'] == {'ring': TASKS['ring'].most}
  assert found['seconds'] == 2 * 2 * (1 + 0.01 * TASKS['ring'].most)


@pytest.mark.parametrize('left', [100, 200, 400, 800])
def test_a_budget_is_used_up(left):
  found = plan.choose_steps(measured(ring=0.005, digits=0.02), left)
  assert 0.85 * left < found['seconds'] <= left and not found['cut']


def test_all_tasks_go_the_same_share_of_the_way():
  steps = plan.choose_steps(measured(digits=0.04, clothes=0.04), 300)[
      'steps']
  assert abs(steps['digits'] - steps['clothes']) <= 50


def test_the_last_tasks_are_cut():
  found = plan.choose_steps(measured(ring=0.005, digits=1.0), 60)
  assert list(found['steps']) == ['ring']
  assert found['cut'] == {
      'digits': 'cut: its fewest steps did not fit into the budget'}
  # The first is played whatever it takes.
  assert plan.choose_steps(measured(ring=1.0), 60)['steps'] == {
      'ring': TASKS['ring'].least}


def test_tasks_that_fit():
  names = list(TASKS)
  assert plan.fitting(names, 1e6) == (names, {})
  kept, cut = plan.fitting(names, 60)
  assert kept == ['ring'] and list(cut) == names[1:]
  assert cut['digits'] == round((TASKS['ring'].seconds
                                 + TASKS['digits'].seconds) / 0.9 / 60)
