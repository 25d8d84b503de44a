"""The best state of a run, by a score: kept, replaced, left by kills."""

import os

import pytest

from gan_jax.evaluators.score import Score
from gan_jax.run.results import Best


def test_the_better_score_is_kept_whichever_way_is_up(tmp_path, monkeypatch):
  saved = []

  class Fake:
    def __init__(self, folder, keep):
      os.makedirs(folder)

    def __enter__(self):
      return self

    def __exit__(self, *_):
      pass

    def save(self, step, state):
      saved.append((step, state))

  monkeypatch.setattr('gan_jax.run.results.Checkpoints', Fake)
  for name in ('config.json', 'data.json'):
    (tmp_path / name).write_text('{}')
  low = Best(str(tmp_path), 'fd_x')
  values = [(1, 3.0), (2, 4.0), (3, None), (4, 2.0), (5, 2.0)]
  kept = [low.offer(step, [Score('fd_x', value)], 's') for step, value in
          values]
  assert kept == [True, False, False, True, False]
  assert (low.read()['step'], low.read()['value']) == (4, 2.0)
  # By another protocol, no score is better than the other.
  other = Score('fd_x', 3.0, protocol={'num_real': 9})
  assert low.offer(6, [other], 's') and low.read()['value'] == 3.0
  assert low.offer(7, [Score('fd_x', 2.0)], 's')
  # A kill between the two renames leaves the old one aside.
  (tmp_path / 'best').rename(tmp_path / 'best.old')
  assert Best(str(tmp_path), 'fd_x').read()['step'] == 7
  # Another name starts anew; precision is better when high.
  high = Best(str(tmp_path), 'precision_x')
  assert high.read() == {}
  assert [high.offer(step, [Score('precision_x', value)], 's')
          for step, value in values] == [True, True, False, False, False]
  assert not Best(str(tmp_path), '').offer(9, [Score('', 1.0)], 's')


def test_what_a_killed_save_of_the_best_left_is_removed(tmp_path, monkeypatch):
  left = tmp_path / 'best.123.new'
  left.mkdir()
  Best(str(tmp_path), 'fd_x', own=True)  # Not the run: it may be at it now.
  assert left.exists()
  best = Best(str(tmp_path), 'fd_x')
  assert not left.exists()

  def full(self, step, state):
    raise OSError('No space left on device')

  monkeypatch.setattr('gan_jax.run.results.Checkpoints.save', full)
  with pytest.raises(OSError, match='No space'):
    best.offer(1, [Score('fd_x', 1.0)], {})
  assert not list(tmp_path.iterdir())


def test_a_score_that_is_not_there_is_told(tmp_path, caplog):
  assert not Best(str(tmp_path), 'fd_y').offer(9, [Score('fd_x', 1.0)], 's')
  assert 'no score fd_y; there are fd_x' in caplog.text
