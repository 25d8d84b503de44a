"""The best state of a run, by a score: kept, replaced, left by kills."""

import os

import pytest
import tiny
from watched_runs import broken, watched

from gan_jax.evaluators.score import Score
from gan_jax.run import train
from gan_jax.run.best import Best


@pytest.fixture
def quick(tmp_path, monkeypatch):
  """A run folder where a best state has no checkpoint, which takes a while."""
  class Fake:
    def __init__(self, folder, keep):
      os.makedirs(folder)

    def __enter__(self):
      return self

    def __exit__(self, *_):
      pass

    def save(self, step, state):
      pass

  monkeypatch.setattr('gan_jax.run.best.Checkpoints', Fake)
  for name in ('config.json', 'data.json'):
    (tmp_path / name).write_text('{}')
  return tmp_path


def folders(home):
  return sorted(path.name for path in home.iterdir() if path.is_dir())


def test_the_better_score_is_kept_whichever_way_is_up(quick):
  low = Best(str(quick), 'fd_x')
  values = [(1, 3.0), (2, 4.0), (3, None), (4, 2.0), (5, 2.0)]
  kept = [low.offer(step, [Score('fd_x', value)], 's', step)
          for step, value in values]
  assert kept == [True, False, False, True, False]
  assert (low.read()['step'], low.read()['value']) == (4, 2.0)
  assert folders(quick) == ['best']
  # A kill between the two renames leaves the old one aside.
  (quick / 'best').rename(quick / 'best.old')
  assert Best(str(quick), 'fd_x').read()['step'] == 4
  # Another name starts anew; precision is better when high.
  high = Best(str(quick), 'precision_x')
  assert high.read() == {}
  assert [high.offer(step, [Score('precision_x', value)], 's', step)
          for step, value in values] == [True, True, False, False, False]
  assert folders(quick) == ['best', 'best-fd_x-4']
  assert not Best(str(quick), '').offer(9, [Score('', 1.0)], 's', 9)


def test_scores_compare_by_their_own_protocol_alone(quick, caplog):
  best = Best(str(quick), 'fd_x')

  def offer(step, value, **protocol):
    return best.offer(step, [Score('fd_x', value, protocol={
        'step': step, **protocol})], 's', step)

  assert offer(1, 2.0, num_real=9, weights='ema', config='a', evaluators='b')
  # Other evaluators, another learning rate, no floor: the same score.
  assert not offer(2, 3.0, num_real=9, weights='ema', config='c',
                   evaluators='d', floor='not asked for')
  assert best.read()['step'] == 1 and not caplog.text
  # By other real examples no score is better than the other: both stay.
  assert offer(3, 3.0, num_real=8, weights='ema')
  assert best.read()['step'] == 3 and folders(quick) == ['best', 'best-fd_x-1']
  assert 'than the best before, of step 1, which stays in' in caplog.text
  assert offer(4, 4.0, num_real=8, weights='last')
  assert folders(quick) == ['best', 'best-fd_x-1', 'best-fd_x-3']


def test_a_best_state_goes_back_with_its_run(quick):
  best = Best(str(quick), 'fd_x')
  for step, value, saved in ((2, 5.0, 0), (3, 4.0, 2), (5, 3.0, 4), (6, 2.0, 4),
                             (7, 1.0, 4)):
    assert best.offer(step, [Score('fd_x', value)], 's', saved)
  beside = Best(str(quick), 'fd_y', own=True)
  for step in (4, 8):
    assert beside.offer(step, [Score('fd_y', 9.0 - step)], 's', step)
  assert folders(quick) == ['best', 'best-fd_y', 'best.old']
  best.rewind(4)
  assert best.read()['step'] == 3 and folders(quick) == ['best']
  # What was best at step 2 was given up when a checkpoint followed step 3.
  best.rewind(2)
  assert best.read() == {} and folders(quick) == []
  # It stays only until a checkpoint is as late as the better one.
  for step in (3, 5):
    assert best.offer(step, [Score('fd_x', 9.0 - step)], 's', 4)
  best.settle(4)
  assert folders(quick) == ['best', 'best.old']
  best.rewind(5)  # As after a kill before the checkpoint's own `settle`.
  assert folders(quick) == ['best'] and best.read()['step'] == 5


def scored(run, values, **changes):
  """The run with a score fd_x of these values, one after each step."""
  values = iter(values)

  def evaluate(sample):
    return [Score('fd_x', next(values))]

  return run._replace(evaluators=[evaluate], eval_every=1, config=run.config | {
      'evaluators': ({'name': 'x'},), 'best_metric': 'fd_x'}, **changes)


def test_a_rollback_gives_up_the_best_state_of_its_branch(run, tmp_path):
  """Step 5 was better than step 3; from 4 on all is played again."""
  ill = broken(watched(run, 'rollback', checkpoint_every=4), 6)
  train.train(scored(ill, [9.0, 8.0, 7.0, 7.5, 1.0] + [8.0] * 6), tmp_path)
  assert Best(str(tmp_path), 'fd_x').read()['step'] == 3
  assert tiny.finished(tmp_path / 'best') == [3]
  assert not (tmp_path / 'best.old').exists()


def test_a_run_that_dies_gives_up_the_best_state_after_its_checkpoint(
    run, tmp_path):
  def values():
    yield from (9.0, 7.0, 8.0, 8.0, 1.0)
    raise KeyboardInterrupt  # As near to a kill as one process allows.

  long = run._replace(train_steps=8, checkpoint_every=4, sample_every=0)
  with pytest.raises(KeyboardInterrupt):
    train.train(scored(long, values()), tmp_path)
  best = Best(str(tmp_path), 'fd_x')
  assert best.read()['step'] == 5 and (tmp_path / 'best.old').exists()
  train.train(scored(long, [8.0] * 4), tmp_path)
  assert best.read()['step'] == 2 and tiny.finished(tmp_path / 'best') == [2]
  assert not (tmp_path / 'best.old').exists()


def test_a_resume_with_another_evaluator_keeps_the_best_state(run, tmp_path):
  first = run._replace(sample_every=0)
  train.train(scored(first, [2.0, 3.0, 4.0, 5.0]), tmp_path)
  more = scored(first, [6.0, 7.0], train_steps=6)
  train.train(more._replace(
      evaluators=[*more.evaluators, lambda sample: [Score('y', 1.0)]],
      config=more.config | {'evaluators': ({'name': 'x'}, {'name': 'y'})}),
              tmp_path)
  found = Best(str(tmp_path), 'fd_x').read()
  assert (found['step'], found['value']) == (1, 2.0)


def test_what_a_killed_save_of_the_best_left_is_removed(tmp_path, monkeypatch):
  left = tmp_path / 'best.123.new'
  left.mkdir()
  Best(str(tmp_path), 'fd_x', own=True)  # Not the run: it may be at it now.
  assert left.exists()
  best = Best(str(tmp_path), 'fd_x')
  assert not left.exists()

  def full(self, step, state):
    raise OSError('No space left on device')

  monkeypatch.setattr('gan_jax.run.best.Checkpoints.save', full)
  with pytest.raises(OSError, match='No space'):
    best.offer(1, [Score('fd_x', 1.0)], {}, 0)
  assert not list(tmp_path.iterdir())


def test_a_score_that_is_not_there_is_told(tmp_path, caplog):
  assert not Best(str(tmp_path), '').offer(9, [Score('fd_x', 1.0)], 's', 9)
  assert not caplog.text  # None is asked for.
  assert not Best(str(tmp_path), 'fd_y').offer(9, [Score('fd_x', 1.0)], 's',
                                            9)
  assert 'no score fd_y; there are fd_x' in caplog.text
