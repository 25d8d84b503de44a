"""An idea judged: from the command to the verdict."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny

from gan_jax.base.errors import ConfigError, Problem
from gan_jax.studies import trials
from gan_jax.studies.judge import checks, launch, tasks, verdict, workers
from gan_jax.studies.judge import study as studies
from gan_jax.studies.judge.study import Study
from gan_jax.studies.judge.tasks import ROWS, TASKS

IDEAS = '''
import jax.numpy as jnp
from jax import nn
from gan_jax.losses import Loss


def disc(real, fake):
  return nn.softplus(-real) + nn.softplus(fake)


def gen(real, fake):
  return nn.softplus(-fake)


def copy():
  return Loss(disc, gen)


def flipped():
  return Loss(lambda real, fake: -disc(real, fake), gen)


def shapeless():
  return Loss(lambda real, fake: jnp.mean(disc(real, fake)), gen)


def rooted():
  return Loss(disc, lambda real, fake: jnp.sqrt(-1.0 - fake ** 2))


def keyless():
  return Loss(disc, lambda real, fake: {}['ouch'])
'''


KEYS = set(re.findall(r'\w+', studies.__doc__ + studies.facts.__doc__))


@pytest.fixture
def lab(tmp_path, monkeypatch):
  """A folder with ideas.py, to start from."""
  (tmp_path / 'tried_ideas.py').write_text(IDEAS)
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', list(sys.path))
  yield tmp_path
  sys.modules.pop('tried_ideas', None)


@pytest.fixture
def alone(monkeypatch):
  """All is played in this process."""
  monkeypatch.setattr(workers, 'count', lambda: 1)


@pytest.mark.parametrize('flags,words', [
    ([], 'give --idea=my_lab/ideas.py:my_loss'),
    (['--idea=loss=hinge', '--tasks=ring,rong'], 'rong: no such task'),
    (['--idea=loss=hinge', '--seeds=2'], '3 or more'),
    (['--idea=loss=hinge', '--config=ring'], 'judge does not read it')])
def test_mistakes_of_the_command_line(cli, flags, words):
  status, _, said = cli('--mode=judge', *flags)
  assert status == 2 and words in said


@pytest.mark.usefixtures('alone')
@pytest.mark.parametrize('name,words', [
    ('shapeless', ['and are of shape ()', 'tried_ideas.py, line 23']),
    ('keyless', ["together: KeyError: 'ouch'", 'tried_ideas.py, line 32']),
    pytest.param('rooted', ['grad_norm/gen', 'tried_ideas.py, line 28, in '
                            '<lambda>'], marks=pytest.mark.slow)])
def test_an_idea_that_cannot_be_played(lab, cli, name, words):
  status, _, said = cli('--mode=judge', f'--idea=tried_ideas.py:{name}',
                        '--tasks=ring', '--workdir=study')
  assert status == 2 and said.count(f'{name}: fits no task:\n  ring: ') == 1
  assert [word for word in words if word not in said] == [], said
  assert not (lab / 'study').exists()


def test_a_list_of_values_is_no_idea():
  with pytest.raises(ConfigError, match='a list makes a population'):
    checks.check(TASKS['ring'], 'penalty=r1,penalties[0].weight=[1,2]')


@pytest.mark.usefixtures('alone')
def test_a_wrong_argument_of_an_idea_is_one_message(lab, cli):
  (lab / 'study' / 'plan').mkdir(parents=True)
  (lab / 'study' / 'plan' / 'notes.txt').write_text('mine')
  status, _, said = cli('--mode=judge', '--idea=generator.widht=3',
                        '--tasks=ring', '--workdir=study')
  assert status == 2
  assert said == (
      'checking the idea on ring\ngan_jax: --idea=generator.widht=3: fits no '
      'task:\n  ring: generator.widht = 3: mlp.Generator takes no such '
      'argument; did you mean "widths"? Known: activation, conditioning, '
      'embed_dim, first_std, leak, norm, norm_momentum, weight_norm, widths\n')
  assert [path.name for path in (lab / 'study').rglob('*')] == [
      'plan', 'notes.txt']


@pytest.mark.usefixtures('alone')
def test_a_task_that_fails_leaves_the_others(cli, monkeypatch, lab):
  def check(task, arguments):
    assert arguments == 'loss=tried_ideas:copy'
    if task is TASKS['ring']:
      raise ConfigError([Problem('', None, 'it needs images')])

  played = {}
  monkeypatch.setattr(checks, 'check', check)
  monkeypatch.setattr(checks, 'load', lambda task, arguments: None)
  monkeypatch.setattr(checks, 'prepare', lambda task: 40.0)
  monkeypatch.setattr(launch, '_follow', lambda study, *_: played.update(
      study.plan))
  status, text, said = cli('--mode=judge', '--idea=tried_ideas.py:copy',
                           '--budget=20m', '--workdir=study')
  assert status == 0 and 'it needs images' in said
  # 20 minutes of one process are too short for all five.
  assert played['played'] == ['digits', 'grid', 'clothes']
  assert played.keys() <= KEYS
  assert played['left_out']['ring'].endswith(
      'tried_ideas.py, line 15: copy is defined here')
  assert 'the budget is short' in played['left_out']['stacked']
  assert played['prepared'] == 120 and len(played['seeds']) == 8
  assert not {*played['seeds']} & {*played['tuning_seeds']}
  assert 'digits is left out: the time was over' in text


@pytest.mark.usefixtures('alone')
def test_another_study_is_not_overwritten(lab, cli):
  (lab / 'study').mkdir()
  (lab / 'study' / 'plan.json').write_text(json.dumps({
      'idea': 'x', 'arguments': 'loss=x', 'budget': 900.0, 'tasks': ['ring'],
      'seeds': [0, 1, 2], 'prepared': 0.0, 'sources': {}}))
  status, _, said = cli('--mode=judge', '--idea=loss=hinge', '--workdir=study')
  assert status == 2 and 'study holds the study loss=x' in said


@pytest.mark.usefixtures('alone')
@pytest.mark.parametrize('changed', [
    pytest.param('tried_ideas', marks=pytest.mark.slow), 'tried_parts'])
def test_an_idea_that_was_edited_is_another_one(lab, cli, monkeypatch, changed):
  (lab / 'tried_parts.py').write_text('SCALE = 1.0')
  (lab / 'tried_ideas.py').write_text(IDEAS + '\nimport tried_parts')
  for name in ('check', 'load'):
    monkeypatch.setattr(checks, name, lambda *_: None)
  monkeypatch.setattr(checks, 'prepare', lambda task: 0.0)
  monkeypatch.setattr(launch, '_follow', lambda *_: None)
  flags = ('--mode=judge', '--idea=tried_ideas.py:copy', '--workdir=study')
  try:
    assert cli(*flags)[0] == 0
    assert cli(*flags)[0] == 0
    with open(lab / f'{changed}.py', 'a') as file:
      file.write('\n# edited')
    status, _, said = cli(*flags)
    assert status == 2 and f'begun with another {changed}, ' in said, said
  finally:
    sys.modules.pop('tried_parts', None)


# Played. A smaller ring: 400 steps of 64 points.

SMALL = TASKS['ring']._replace(
    changes=('batch_size=64', 'gen_optimizer.learning_rate=2e-3',
             'disc_optimizer.learning_rate=2e-3'), least=400, most=400)


@pytest.fixture
def small(monkeypatch, lab, alone):
  monkeypatch.setitem(TASKS, 'ring', SMALL)
  return lab


def judged(cli, folder, idea, *flags):
  status, text, _ = cli('--mode=judge', f'--idea=tried_ideas.py:{idea}' if (
      '=' not in idea) else f'--idea={idea}', '--tasks=ring', '--budget=2h',
      f'--workdir={folder}', *flags)
  assert status == 0
  with open(os.path.join(folder, 'verdict.json')) as file:
    found = json.load(file)
  return text, {d['baseline']: d for d in found['differences']}


@pytest.mark.slow
@pytest.mark.usefixtures('small')
def test_a_copy_cannot_be_told_and_the_same_command_goes_on(cli, monkeypatch):
  """With the same seeds it is bitwise the baseline."""
  text, found = judged(cli, 'study', 'copy')
  one = found['non_saturating']
  assert (one['mean'], one['low'], one['high'], one['p']) == (0, 0, 0, 1)
  assert one['said'] == 'cannot tell' and one['seeds'] is None
  assert text.startswith('Against non-saturating: cannot tell')
  # The files have the keys that the module lists.
  files = [pathlib.Path('study/steps.json'),
           *pathlib.Path('study/ring').glob('*/*.json')]
  assert len(files) == 1 + 4 * 3
  for file in files:
    assert json.loads(file.read_text()).keys() <= KEYS
  # Again: nothing is played. After a lost result: one stage.
  played = []
  play = Study.play
  monkeypatch.setattr(Study, 'play', lambda self, item: (
      played.append(item), play(self, item))[1])
  judged(cli, 'study', 'copy')
  assert played == []
  os.remove('study/ring/idea/test.json')
  assert judged(cli, 'study', 'copy')[1] == found
  assert played == [('ring', 'idea', 'test')]


@pytest.mark.slow
@pytest.mark.usefixtures('small')
def test_a_flipped_sign_is_worse(cli):
  _, found = judged(cli, 'study', 'flipped')
  assert found['non_saturating']['said'] == 'worse'
  assert found['rpgan_r1_r2']['said'] == 'worse'


@pytest.mark.slow
@pytest.mark.usefixtures('small')
def test_a_known_better_game_is_better(cli):
  """R1 beside hinge and spectral norm, under which D is too smooth here."""
  _, found = judged(cli, 'study', 'penalty=r1')
  assert found['hinge_spectral']['said'] == 'better'


@pytest.mark.slow
@pytest.mark.usefixtures('small')
def test_copies_with_other_seeds_are_called_different_once_in_twenty(tmp_path):
  """Twenty pairs of copies, each tuned and tested with seeds of its own."""
  config = tasks.game(SMALL, 'loss=non_saturating')
  points = tasks.points(config)
  copies, seeds, tuning = 2 * 20, 8, 2

  def losses(runs, folder):
    status, records = trials.train(config, runs, SMALL.least,
                                   str(tmp_path / folder), rows=ROWS)
    assert status == 0
    values = [trials.last(record.scores(), SMALL.score) for record in records]
    return trials.losses_of(SMALL.score, np.array(values)).reshape(copies, -1)

  tuned = losses([(point, 10_000 + copy * tuning + i) for copy in range(copies)
                  for point in points for i in range(tuning)], 'tune')
  chosen = [verdict.choose(row.reshape(len(points), tuning)) for row in tuned]
  tested = losses([(points[chosen[copy]], copy * seeds + i)
                   for copy in range(copies) for i in range(seeds)], 'test')
  said = [verdict.differences({'ring': {
      'idea': tested[copy], 'copy': tested[copy + 1]}})[0]
          for copy in range(0, copies, 2)]
  print(chosen, [(round(d.p, 3), d.said) for d in said])
  assert np.isfinite(tested).all()
  assert sum(d.said != 'cannot tell' for d in said) <= 1


COMMAND = [sys.executable, '-m', 'gan_jax.main', '--mode=judge',
           '--idea=tried_ideas.py:copy', '--tasks=ring', '--budget=10m',
           '--seeds=3', '--workdir=study']


def env():
  return os.environ | {'PYTHONPATH': tiny.ROOT, 'NPROC': '2'}


@pytest.mark.slow
def test_a_kill_loses_the_stages_in_flight_alone(lab):
  """Two processes, kill -9, and the same command."""
  done = lab / 'study' / 'ring'

  def results():
    return {path: path.stat().st_mtime_ns
            for path in done.glob('*/*.json')}

  with subprocess.Popen(COMMAND, env=env(), start_new_session=True) as process:
    end = time.monotonic() + 600
    while len(results()) < 5 and time.monotonic() < end:
      time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
  time.sleep(2)  # Its workers see that it is gone.
  before = results()
  assert 5 <= len(before) < 12
  assert subprocess.run(COMMAND, env=env(), check=False).returncode == 0
  after = results()
  assert len(after) == 12 and before.items() <= after.items()
  assert (lab / 'study' / 'verdict.html').exists()


@pytest.mark.slow
def test_ctrl_c_saves_what_is_in_flight(lab):
  """A terminal sends it to all processes; a second signal would not save."""
  with subprocess.Popen(COMMAND, env=env(), start_new_session=True) as process:
    end = time.monotonic() + 300
    while not any('step 20/100' in path.read_text() for path in lab.glob(
        'study/worker*.log')) and time.monotonic() < end:
      time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
  assert [*lab.glob('study/ring/*/measure/member_7/checkpoints/*')]
