"""Steps that fit into a budget."""

import pytest

from gan_jax.studies import schedule
from gan_jax.studies.tasks import TASKS


def measured(**per_step):
  """Two games of each task, of 1 s without its steps."""
  return {name: dict.fromkeys(('idea', 'b'), {
      'overhead': 1.0, 'per_step': seconds})
          for name, seconds in per_step.items()}


def test_the_seconds_are_those_of_two_stages_of_each_game():
  found = schedule.choose_steps(measured(ring=0.01), 1e9)
  assert found['steps'] == {'ring': TASKS['ring'].most}
  assert found['seconds'] == 2 * 2 * (1 + 0.01 * TASKS['ring'].most)


@pytest.mark.parametrize('left', [100, 200, 400, 800])
def test_a_budget_is_used_up(left):
  found = schedule.choose_steps(measured(ring=0.005, digits=0.02), left)
  assert 0.85 * left < found['seconds'] <= left and not found['cut']


def test_all_tasks_go_the_same_share_of_the_way():
  steps = schedule.choose_steps(measured(digits=0.04, clothes=0.04), 300)[
      'steps']
  assert abs(steps['digits'] - steps['clothes']) <= 50


def test_the_last_tasks_are_cut():
  found = schedule.choose_steps(measured(ring=0.005, digits=1.0), 60)
  assert list(found['steps']) == ['ring']
  assert found['cut'] == {
      'digits': 'cut: its fewest steps did not fit into the budget'}
  # The first is played whatever it takes.
  assert schedule.choose_steps(measured(ring=1.0), 60)['steps'] == {
      'ring': TASKS['ring'].least}


def test_tasks_that_fit():
  names = list(TASKS)
  assert schedule.fitting(names, 1e6) == (names, {})
  kept, cut = schedule.fitting(names, 60)
  assert kept == ['ring'] and list(cut) == names[1:]
  assert cut['digits'] == round((TASKS['ring'].seconds
                                 + TASKS['digits'].seconds) / 0.9 / 60)
