"""The games of the tasks, and the points at which they are tried."""

import shlex

import pytest

from gan_jax.config import command_line, fields
from gan_jax.studies.judge import tasks
from gan_jax.studies.judge.tasks import BASELINES, ROWS, TASKS

OF_A_STUDY = ('sample_every', 'checkpoint_every', 'keep_checkpoints', 'loggers',
              'steps_per_call', 'best_metric')


def rounded(value):
  """Its leaves, numbers to nine digits as in a command."""
  return {path: f'{leaf:.9g}' if isinstance(leaf, int | float) else leaf
          for path, leaf in fields.flat({'': value}).items()}


@pytest.mark.parametrize('name', TASKS)
def test_baselines_share_networks_and_optimisers(name):
  games = {game: tasks.game(TASKS[name], arguments)
           for game, arguments in BASELINES.items()}
  plain = games['non_saturating']
  assert plain['loss']['name'] == 'non_saturating' and not plain['penalties']
  assert plain['discriminator']['norm'] == 'none'
  assert games['hinge_spectral']['discriminator'] == plain['discriminator'] | {
      'weight_norm': 'spectral'}
  rpgan = games['rpgan_r1_r2']
  assert [(t['name'], t['weight']) for t in rpgan['penalties']] == [
      ('r1', TASKS[name].gamma), ('r2', TASKS[name].gamma)]
  for game in games.values():
    same = {k: v for k, v in game.items()
            if k not in ('loss', 'penalties', 'discriminator')}
    assert same == {k: plain[k] for k in same}


def test_the_points_of_a_game_without_and_with_a_penalty():
  rates = 'gen_optimizer.learning_rate', 'disc_optimizer.learning_rate'
  plain = tasks.points(tasks.game(TASKS['digits'], ''))
  assert [[p[r] for r in rates] for p in plain] == [
      pytest.approx([2e-3 * f] * 2) for f in (1, 1 / 3, 3, 0.1)]
  config = tasks.game(TASKS['ring'], 'penalty=r1+drift,penalties[0].weight=5')
  weighted = tasks.points(config)
  assert [[p[f'penalties[{i}].weight'] for i in (0, 1)] for p in weighted] == [
      pytest.approx([5 * f, 0.001 * f]) for f in (1, 1, 1, 0.1)]
  assert tasks.words(config)[3] == 'weights / 10'
  assert len({frozenset(p) for p in (*plain, *weighted)}) == 2


def test_of_schedules_the_values_are_scaled_and_no_durations():
  config = tasks.game(TASKS['ring'], 'penalty=r1')
  config = fields.put(config, 'gen_optimizer.learning_rate', {
      'name': 'cosine_decay_schedule', 'init_value': 0.01, 'decay_steps': 500})
  config = fields.put(config, 'penalties[0].weight', {
      'name': 'linear', 'init_value': 2.0, 'end_value': 0.0, 'steps': 100})
  points = tasks.points(config)
  assert [p['gen_optimizer.learning_rate.init_value'] for p in points] == (
      pytest.approx([0.01, 0.01 / 3, 0.03, 0.01]))
  assert [p['penalties[0].weight.init_value'] for p in points] == (
      pytest.approx([2, 2, 2, 0.2]))
  assert not [path for path in points[0] if path.endswith('steps')]
  assert tasks.words(config)[3] == 'weights / 10'
  # A weight of 0 cannot be scaled: the fourth point is that of the rates.
  config = fields.put(config, 'penalties[0].weight', 0.0)
  assert tasks.points(config)[3]['gen_optimizer.learning_rate.init_value'] == (
      pytest.approx(0.001))
  assert tasks.words(config)[3] == 'rates / 10'


@pytest.mark.parametrize('name', TASKS)
def test_a_run_has_rows_of_whole_calls(name):
  unit = ROWS * TASKS[name].chunk
  assert TASKS[name].least % unit == TASKS[name].most % unit == 0


@pytest.mark.parametrize('name', TASKS)
@pytest.mark.parametrize('arguments', [
    *BASELINES.values(), 'penalty=lecam,disc_steps=2,loss.label_smoothing=0.1'])
def test_the_command_of_a_game_plays_it(name, arguments):
  config = tasks.game(TASKS[name], arguments)
  point = tasks.points(config)[1]
  for path, value in point.items():
    config = fields.put(config, path, value)
  line = command_line.parse(shlex.split(tasks.command(
      TASKS[name], arguments, point | {'seed': 3}))[2:])
  assert not line.problems
  found = fields.plain(line.config)
  assert found['seed'] == 3
  for key, value in found.items():
    if key not in (*OF_A_STUDY, 'seed'):
      assert rounded(value) == rounded(config[key]), key
