"""The page of a study whose results are made up."""

import json

import numpy as np
import pytest

from gan_jax import pictures
from gan_jax.studies.judge import page, tasks
from gan_jax.studies.judge.study import Study
from gan_jax.studies.judge.tasks import BASELINES, TASKS

SEEDS, SCORES = 4, {
    'ring': {'idea': [0.9, 0.91, 0.92, 0.9], 'non_saturating': [0.5, 0.52] * 2,
             'hinge_spectral': [0.9, 0.8, 1.0, 0.92],
             'rpgan_r1_r2': [0.9, 0.91, 0.92, 0.9]},
    'digits': {'idea': [None] * 4, 'non_saturating': [10.0, 10.5, 10.2, 10.1],
               'hinge_spectral': [20.0, None, 21.0, 20.5],
               'rpgan_r1_r2': [5.0, 5.1, 5.2, 5.3]}}


def result(task, values, **more):
  count = len(values)
  return {'scores': {task.score: values, 'other': [1.0] * count},
          'failed': ['non-finite' if v is None else '' for v in values],
          'findings': [['vanishing'] if v is None else [] for v in values],
          'gradients': {'gen': [0.5] * count, 'disc': [None] * count},
          'per_step': 0.004, 'seconds': 1.0} | more


@pytest.fixture
def study(tmp_path):
  plan = {'idea': 'mine', 'arguments': 'loss=my_lab.ideas:mine<x>',
          'budget': 900.0, 'played': list(SCORES), 'seeds': list(range(SEEDS)),
          'left_out': {'clothes': 'no files'}, 'tuning_seeds': [70, 71],
          'games': {'idea': 'loss=hinge'} | BASELINES}
  found = Study(str(tmp_path), plan)
  (tmp_path / 'steps.json').write_text(json.dumps({
      'steps': dict.fromkeys(SCORES, 400), 'cut': {}, 'seconds': 1.0}))
  for name, games in SCORES.items():
    for game, values in games.items():
      folder = tmp_path / name / game
      samples = folder / 'test' / 'member_0' / 'samples'
      samples.mkdir(parents=True)
      (samples / 'step_00000400.png').write_bytes(
          pictures.png(np.zeros((8, 8, 3), np.uint8)))
      config = tasks.game(TASKS[name], plan['games'][game])
      (folder / 'tune.json').write_text(json.dumps(result(
          TASKS[name], [0.1] * 7 + [30.0], points=tasks.points(config),
          words=tasks.words(config), chosen=2)))
      (folder / 'test.json').write_text(json.dumps(result(
          TASKS[name], values)))
  return found


def test_the_verdict_in_numbers(study, tmp_path):
  text = page.write(study, 12.0)
  lines = text.splitlines()
  assert lines[0] == 'Against non-saturating: better on ring; worse on digits.'
  assert lines[2] == (
      'Against RpGAN + R1 + R2: worse on digits; cannot tell on ring with '
      'these seeds (more than 1,000 would be needed).')
  assert 'more than 1,000 on ring' in lines[1]
  found = json.loads((tmp_path / 'verdict.json').read_text())
  by = {(d['task'], d['baseline']): d for d in found['differences']}
  # Of shares: score of the baseline minus that of the idea, by hand.
  assert by['ring', 'non_saturating']['mean'] == pytest.approx(0.51 - 0.9075)
  same = by['ring', 'rpgan_r1_r2']
  assert (same['mean'], same['p'], same['said']) == (0.0, 1.0, 'cannot tell')
  # The worst of the task, tuning too, in place of runs that failed; logarithms.
  assert found['losses']['digits']['idea'] == pytest.approx([np.log(30.0)] * 4)
  assert found['losses']['digits']['hinge_spectral'][1] == pytest.approx(
      np.log(30.0))


def test_the_page_and_the_markdown(study, tmp_path):
  page.write(study, 12.0)
  html = (tmp_path / 'verdict.html').read_text()
  text = (tmp_path / 'verdict.md').read_text()
  # Eight samples and the plot of differences, in the page itself.
  assert html.count('src="data:image/png;base64,') == 9
  assert 'src="' not in html.replace('src="data:', '')
  assert 'mine&lt;x&gt;' in html and 'mine<x>' in text
  for said in (html, text):
    assert 'clothes: ' in said and 'no files' in said
    assert 'non-finite 4 of 4' in said and 'vanishing 4 of 4' in said
    assert 'seeds 70 and 71' in said and 'Holm' in said
    assert 'for all 6 comparisons' in said
    assert '--config.seed=0' in said
    assert '+0.39' in said  # ring beside non_saturating
    assert 'x 2.94 [' in said  # digits, 30 / 10.2
    # 4 ms of eight runs, in the tuning.
    assert '0.50 ms, x 1.00' in said
  table = [line for line in text.splitlines() if line.startswith('| ')]
  assert len({line.count('|') for line in table}) == 1
  assert pictures.read_png((tmp_path / 'forest.png').read_bytes()).shape[1] == (
      900)


def test_no_run_of_the_test_has_a_score(study, tmp_path):
  """The tuning has some: the worst of them stands for all."""
  for game in SCORES['digits']:
    path = tmp_path / 'digits' / game / 'test.json'
    path.write_text(json.dumps(result(TASKS['digits'], [None] * SEEDS)))
  text = page.write(study, 12.0)
  assert 'cannot tell on digits' in text
  found = json.loads((tmp_path / 'verdict.json').read_text())
  assert found['losses']['digits']['idea'] == pytest.approx([np.log(30.0)] * 4)


def test_distances_of_zero_are_not_compared_by_logarithms(study, tmp_path):
  for game in SCORES['digits']:
    path = tmp_path / 'digits' / game / 'test.json'
    path.write_text(json.dumps(result(TASKS['digits'], [0.0, 1.0, 2.0, 3.0])))
  page.write(study, 12.0)
  found = json.loads((tmp_path / 'verdict.json').read_text())
  assert found['losses']['digits']['idea'] == [0.0, 1.0, 2.0, 3.0]
  assert 'x 1 [' not in (tmp_path / 'verdict.md').read_text()


def test_an_unfinished_task_and_one_where_the_idea_fails(study, tmp_path):
  (tmp_path / 'ring' / 'non_saturating' / 'test.json').unlink()
  (tmp_path / 'digits' / 'idea' / 'measure.json').write_text(
      json.dumps({'error': 'ValueError: no'}))
  text = page.write(study, 12.0)
  assert 'No verdict' in text
  assert 'digits is left out: the idea cannot be played: ValueError: no' in text
  assert 'ring is left out: the time was over before its games' in text
  assert 'No verdict' in (tmp_path / 'verdict.html').read_text()
  assert not (tmp_path / 'forest.png').exists()


def test_a_baseline_that_cannot_be_played(study, tmp_path):
  path = tmp_path / 'ring' / 'hinge_spectral' / 'tune.json'
  path.write_text(json.dumps({'error': 'no memory'}))
  (path.parent / 'test.json').write_text(json.dumps({'error': 'no memory'}))
  text = page.write(study, 12.0)
  assert 'Against hinge + spectral norm: worse on digits' not in text
  assert 'hinge + spectral norm on ring could not be played' in (
      tmp_path / 'verdict.md').read_text()
