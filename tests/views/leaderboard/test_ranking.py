"""Names, costs, the Pareto front and the quantiles of the leaderboard."""

import json

import numpy as np
import pytest
from finished import fd, write

from gan_jax.views.leaderboard import ranking, store


def costly(root, made):
  """Runs {name: (score, images per second)} of 100 steps by 64 images."""
  for i, (name, (value, speed)) in enumerate(made.items()):
    write(root / name, weight=float(i), batch_size=64, scores=fd(value))
    (root / name / 'scalars.jsonl').write_text(
        json.dumps({'step': 100, 'perf/images_per_second': speed}) + '\n')
  return ranking.ranked(store.read([str(root)]))


@pytest.mark.parametrize('folders,names', [
    (['r1/w=1-seed=0', 'r1/w=1-seed=1', 'r1/w=2-seed=0', 'r1/w=2-seed=1'],
     ['w=1', 'w=2']),
    (['seed=0-w=1', 'seed=1-w=1', 'seed=0-w=2', 'seed=1-w=2'], ['w=1', 'w=2']),
    (['a/w=1/seed=0', 'a/w=1/seed=1', 'b/w=1/seed=0', 'b/w=1/seed=1'],
     ['a/w=1', 'b/w=1']),
    # What they share is one folder: the first of each.
    (['a', 'b', 'c', 'd'], ['a', 'c'])])
def test_many_differences_of_a_sweep_are_its_folders(tmp_path, folders, names):
  for i, folder in enumerate(folders):
    write(tmp_path / folder, seed=i % 2, scores=fd(0.3),
          **{f'key{j}': f'a value of {i // 2}' for j in range(9)})
  board = ranking.ranked(store.read([str(tmp_path)]))
  assert {point: len(runs) for point, runs in board.points.items()} == (
      dict.fromkeys(names, 2))


@pytest.mark.parametrize('metrics,first', [
    (('kd_9', 'kd_9'), 'kd_9'), (('kd_9', 'fd_9'), 'fd_9'), (('', ''), 'fd_9'),
    (('is_9', 'is_9'), 'fd_9')])  # One that was not computed.
def test_the_best_metric_of_all_runs_comes_first(tmp_path, metrics, first):
  for i, metric in enumerate(metrics):
    write(tmp_path / str(i), weight=float(i), best_metric=metric, scores=(
        (100, 'fd_9', 1.0 + i, 'x'), (100, 'kd_9', 2.0 - i, 'x')))
  board = ranking.ranked(store.read([str(tmp_path)]))
  assert board.columns[0].partition(' ')[0] == first
  assert [*board.points][0].endswith('1.0' if first == 'kd_9' else '0.0')


def test_the_front_by_hand(tmp_path):
  # Seconds: 64, 32, 16, 16, 8, 64; only b, d and e are worth their time.
  found = costly(tmp_path, {
      'a': (0.3, 100), 'b': (0.3, 200), 'c': (0.6, 400), 'd': (0.5, 400),
      'e': (0.7, 800), 'f': (0.9, 100)})
  spent = ranking.costs(found, 'seconds')
  assert [point[-3:] for point in found.points] == [
      '0.0', '1.0', '3.0', '2.0', '4.0', '5.0']
  assert list(spent.values()) == [64, 32, 16, 16, 8, 64]
  assert [point[-3:] for point in ranking.pareto(found, spent)] == [
      '4.0', '3.0', '1.0']
  # All cost the same number of images.
  spent = ranking.costs(found, 'images')
  assert {*spent.values()} == {6400}
  assert [point[-3:] for point in ranking.pareto(found, spent)] == [
      '0.0', '1.0']  # Equal in both: neither beats the other.


def test_the_front_is_no_other_than_by_trying_all_pairs(tmp_path):
  rng = np.random.default_rng(0)
  names = [f'p{i}' for i in range(60)]
  for name in ('fd_x', 'precision_x'):
    cost, value = rng.integers(0, 12, (2, 60)).astype(float)
    means = {(point, name): ranking.Mean(v, None, [v], [1], ['x'])
             for point, v in zip(names, value, strict=True)}
    found = ranking.Board([], set(), [name], {}, means)
    good = -value if name == 'fd_x' else value
    beaten = [any(cost[j] <= cost[i] and good[j] >= good[i]
                  and (cost[j] < cost[i] or good[j] > good[i])
                  for j in range(60)) for i in range(60)]
    assert {*ranking.pareto(found, dict(zip(names, cost, strict=True)))} == {
        point for point, lost in zip(names, beaten, strict=True) if not lost}


@pytest.mark.parametrize('name, want', [
    ('fd_x', {'a', 'b'}), ('precision_x', {'c', 'b'})])
def test_alike_is_what_the_interval_of_the_best_one_meets(name, want):
  """Points at 1/4, 1/2 and 3/4, each +- 1/8, and one of a single seed."""
  means = {(point, name): ranking.Mean(mean, half, [mean], [1], ['x'])
           for point, mean, half in (('a', 0.25, 0.125), ('b', 0.5, 0.125),
                                     ('c', 0.75, 0.125), ('d', 0.5, None))}
  found = ranking.Board([], set(), [name], dict.fromkeys('abcde', []), means)
  assert ranking.alike(found, name) == want
  assert ranking.alike(found, 'kd_x') == set()


@pytest.mark.parametrize('means, want', [
    # The best is of one seed, and the interval of b holds it; c is none.
    ({'a': (0.25, None), 'b': (0.5, 0.25), 'c': (0.5, 0.125)}, 'ab'),
    # The interval of the best holds b, of one seed, and not c.
    ({'a': (0.25, 0.25), 'b': (0.5, None), 'c': (0.75, None)}, 'ab'),
    # No intervals: nothing but a tie in what is shown.
    ({'a': (0.25, None), 'b': (0.2500001, None), 'c': (0.26, None)}, 'ab')])
def test_what_a_mean_of_one_seed_is_not_told_from(means, want):
  found = ranking.Board([], set(), ['fd_x'], dict.fromkeys('abc', []), {
      (point, 'fd_x'): ranking.Mean(mean, half, [mean], [1], ['x'])
      for point, (mean, half) in means.items()})
  assert ranking.alike(found, 'fd_x') == set(want)


def test_a_cost_is_the_mean_of_finished_runs_that_all_know_it(tmp_path):
  for seed, speed in ((0, 100), (1, 400)):
    write(tmp_path / f'{seed}', seed=seed, batch_size=64, scores=fd(0.3))
    (tmp_path / f'{seed}' / 'scalars.jsonl').write_text(
        json.dumps({'step': 100, 'perf/images_per_second': speed}) + '\n')
  write(tmp_path / '2', seed=2, batch_size=64, step=50)
  found = ranking.ranked(store.read([str(tmp_path)]))
  (cost,) = ranking.costs(found, 'seconds').values()
  assert cost == (64 + 16) / 2
  (tmp_path / '1' / 'scalars.jsonl').unlink()
  found = ranking.ranked(store.read([str(tmp_path)]))
  assert ranking.costs(found, 'seconds') == {}


def test_cost_names_the_front(cli, tmp_path):
  costly(tmp_path, {'a': (0.3, 100), 'b': (0.4, 50), 'c': (0.6, 400)})
  status, printed, _ = cli('--mode=compare', tmp_path, '--cost=seconds')
  assert status == 0
  assert ('By seconds of training, no other point is as good for less, or '
          'better for as much as:\n* penalties[0].weight=2.0: 0.6 for 16\n'
          '* penalties[0].weight=0.0: 0.3 for 64\n\n3 runs') in printed
  assert 'By seconds' not in cli('--mode=compare', tmp_path)[1]
  write(tmp_path / 'only' / 'd', weight=7.0)
  printed = cli('--mode=compare', tmp_path / 'only', '--cost=images')[1]
  assert '* none: no finished run has both' in printed


def test_a_name_is_without_arguments_that_its_components_tell(tmp_path):
  soft = dict(name='least_squares', gen_target=1.0)
  for folder, loss, penalties in (
      ('a', dict(name='hinge'), []), ('b', soft, []),
      ('c', soft, [dict(name='r1', weight=1.0, every=2)]),
      ('d', soft, [dict(name='r1', weight=5.0, every=2)]),
      # Of an older run, which may have had another margin.
      ('e', dict(name='margin', margin=2.0), []), ('f', dict(name='margin'), [])
  ):
    write(tmp_path / folder)
    path = tmp_path / folder / 'config.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(
        loss=loss, penalties=penalties)))
  runs = store.read([str(tmp_path)])
  r1 = 'penalties[0].name=r1, penalties[0].weight'
  assert list(map(ranking.point_name, runs)) == [
      'loss.name=hinge, penalties=[]', 'loss.name=least_squares, penalties=[]',
      f'loss.name=least_squares, {r1}=1.0',
      f'loss.name=least_squares, {r1}=5.0',
      'loss.margin=2.0, loss.name=margin, penalties=[]',
      'loss.name=margin, penalties=[]']
