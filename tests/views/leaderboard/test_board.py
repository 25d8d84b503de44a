"""The leaderboard: points, seeds, intervals, runs that failed."""

import csv
import math

import numpy as np
import pytest
from finished import fd, write

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.run import lock
from gan_jax.views.leaderboard import compare, load


def table(text):
  """The heads of the Markdown, and {point: cells}."""
  lines = [[cell.strip() for cell in line[1:-1].split('|')]
           for line in text.splitlines() if line.startswith('| ')]
  return lines[0], {line[0]: line[1:] for line in lines[1:]}


def prc(value, step=100):
  return ((step, 'precision_random_2k_train', value, 'x'),)


def test_seeds_of_a_point_are_one_line(tmp_path):
  values = {1.0: (0.3, 0.4, 0.8), 10.0: (0.2, 0.1)}
  for weight, found in values.items():
    for seed, value in enumerate(found):
      write(tmp_path / f'w{weight}-s{seed}', seed=seed, weight=weight,
            scores=fd(value))
  text = compare([str(tmp_path / '*')])
  head, points = table(text)
  assert head == ['point', 'seeds', 'step', 'fd_random_2k_train']
  # The better one first; means and Student's t by hand.
  assert list(points) == ['penalties[0].weight=10.0',
                          'penalties[0].weight=1.0']
  # 12.706 and 4.303 are t(0.975) of 1 and 2 degrees of freedom.
  half = {2: 12.706 * np.std([0.2, 0.1], ddof=1) / math.sqrt(2),
          3: 4.3027 * np.std([0.3, 0.4, 0.8], ddof=1) / math.sqrt(3)}
  assert points['penalties[0].weight=10.0'] == [
      '2', '100', f'0.15 +- {half[2]:.2g}']
  # 0.5 - 0.15 is less than the two halves: they are not told apart.
  assert points['penalties[0].weight=1.0'] == [
      '3', '100', f'0.5 +- {half[3]:.2g} ~']
  assert '~ its 95 % interval overlaps that of the best' in text
  assert 'Sorted by fd_random_2k_train (lower is better)\n' in text
  assert '5 runs, 0 of them not finished' in text


def test_what_has_no_scores_is_counted_and_told_how(tmp_path):
  write(tmp_path / 'a', weight=1.0, scores=((100, 'fd', 0.5, 'x'),
                                            (100, 'kd', None, 'x')))
  assert 'no scores' not in (text := compare([str(tmp_path / '*')]))
  assert f'* {tmp_path}/a: kd could not be had; its scores.jsonl' in text
  write(tmp_path / 'b b', weight=2.0)
  text = compare([str(tmp_path / '*')])
  assert ("1 finished run has no scores: --mode=evaluate --workdir='"
          f"{tmp_path}/b b' makes those of it\n") in text
  write(tmp_path / 'c', weight=3.0)
  assert ("2 finished runs have no scores: --mode=evaluate --workdir='"
          f"{tmp_path}/b b' makes those of the first") in compare(
              [str(tmp_path / '*')])


def test_points_that_differ_are_not_marked_nor_those_of_one_seed(tmp_path):
  for weight, found in {1.0: (0.30, 0.31), 2.0: (0.90, 0.91),
                        3.0: (0.50,)}.items():
    for seed, value in enumerate(found):
      write(tmp_path / f'w{weight}-s{seed}', seed=seed, weight=weight,
            scores=fd(value))
  text = compare([str(tmp_path / '*')])
  cells = [line[2] for line in table(text)[1].values()]
  # 12.706 x 0.01 / sqrt(2) / sqrt(2)
  assert cells == ['0.305 +- 0.064', '0.5', '0.905 +- 0.064']
  assert 'overlaps' not in text
  assert 'A point of one seed has no interval' in text
  # With that point out, all have one.
  assert 'one seed' not in compare([str(tmp_path / 'w[12]*')])


def test_ties_are_broken_by_the_next_score_in_its_own_direction(tmp_path):
  for weight, modes, quality, distance in (
      (1.0, 8, 0.38, 0.1), (2.0, 8, 0.53, 0.3), (3.0, 7, 0.9, 0.0),
      (4.0, 8, 0.53, 0.2)):
    write(tmp_path / str(weight), weight=weight, scores=tuple(
        (100, name, value, 'x') for name, value in (
            ('modes_2500', modes), ('high_quality_2500', quality),
            ('kd_2500', distance))))
  text = compare([str(tmp_path / '*')])
  order = [line.rpartition('=')[2] for line in table(text)[1]]
  assert order == ['4.0', '2.0', '1.0', '3.0']
  assert ('Sorted by modes_2500 (higher is better), then by high_quality_2500 '
          '(higher is better), kd_2500 (lower is better)\n') in text
  text = compare([str(tmp_path / '*')], sort='kd_2500')
  head, points = table(text)
  assert [line.rpartition('=')[2] for line in points] == [
      '3.0', '1.0', '4.0', '2.0']
  assert head[3:] == ['kd_2500', 'modes_2500', 'high_quality_2500']
  assert 'Sorted by kd_2500 (lower is better), then by modes_2500' in text


def test_what_was_not_scored_at_its_end_is_seen(tmp_path):
  write(tmp_path / 'a', seed=0, scores=fd(0.3, step=1000), step=1500,
        total=1500)
  write(tmp_path / 'b', seed=1, scores=fd(0.4, step=1500), step=1500,
        total=1500)
  write(tmp_path / 'c', weight=2.0, scores=fd(0.5, step=1500), step=1500,
        total=1500)
  write(tmp_path / 'd', weight=3.0, step=1500, total=1500)
  text = compare([str(tmp_path / '*')])
  assert [line[1] for line in table(text)[1].values()] == [
      '1,000 to 1,500 of 1,500', '1,500', '-']
  assert (f'* {tmp_path}/a: scored at step 1,000 of 1,500; --mode=evaluate '
          f'--workdir={tmp_path}/a') in text
  assert text.count('scored at step') == 1


def test_a_bar_in_a_value_does_not_end_a_column(tmp_path):
  write(tmp_path / 'a', weight='x|y', scores=fd(0.3))
  write(tmp_path / 'b', weight=2.0, scores=fd(0.4))
  text = compare([str(tmp_path / '*')])
  assert r'| penalties[0].weight=x\|y | 1 |' in text


def test_load_has_a_row_for_each_run_and_score(tmp_path):
  folder = write(tmp_path / 'a', scores=fd(0.3) + prc(0.9), floor=0.1)
  write(tmp_path / 'b', weight=2.0)
  frame = load([str(tmp_path / '*')])
  assert frame.score[0].startswith('fd_random_2k_train (')
  assert frame[frame.folder == folder].drop(columns='score').values.tolist(
      ) == [['penalties[0].weight=1.0', folder, 0, 'finished', 100, 100,
             value, 0.1, False] for value in (0.3, 0.9)]
  assert frame.score.isna().tolist() == [False, False, True]


def test_failures_are_counted_and_named(tmp_path):
  write(tmp_path / 'a', seed=0, scores=fd(0.3))
  cut = write(tmp_path / 'b', seed=1, step=30, scores=fd(0.5, step=20))
  bad = write(tmp_path / 'c', seed=2, step=30, scores=fd(None))
  (tmp_path / 'c' / 'nonfinite.json').write_text('{"step": 30}')
  # It went on from there.
  (tmp_path / 'b' / 'nonfinite.json').write_text('{"step": 29}')
  held = write(tmp_path / 'd', seed=3, step=30)
  with lock.hold(held):
    text = compare([str(tmp_path / '*')])
  assert '4 runs, 3 of them not finished:' in text
  assert f'* {cut}: stopped at step 30 of 100' in text
  assert f'* {bad}: not finite' in text
  assert f'* {held}: running' in text
  (cells,) = table(text)[1].values()
  assert cells == ['4', '100', '0.3 (1 runs)']


def test_the_floor_is_a_line_of_its_own(tmp_path):
  write(tmp_path / 'a', seed=0, scores=fd(0.3), floor=0.1)
  write(tmp_path / 'b', seed=1, scores=fd(0.5), floor=0.2)
  head, points = table(compare([str(tmp_path / '*')]))
  assert head[3:] == ['fd_random_2k_train']  # No digest: there is only one.
  assert points['real examples'] == ['', '', '0.15']


def test_recipes_are_named_by_their_folders(tmp_path):
  for name in ('first', 'second'):
    for seed in (0, 1):
      write(tmp_path / name / f'seed={seed}', seed=seed, scores=fd(0.3),
            **{f'key{i}': f'a value of {name}' for i in range(9)})
  _, points = table(compare([str(tmp_path / '*' / '*')]))
  assert list(points) == ['first', 'second']
  # Of one alone no value of the config tells it from others.
  _, points = table(compare([str(tmp_path / 'first' / 'seed=0'),
                             str(tmp_path / 'first' / 'seed=1')]))
  assert list(points) == ['first']


def test_a_run_twice_is_not_another_seed(tmp_path):
  for name, seed, value in (('a', 0, 0.3), ('b', 0, 0.3), ('c', 1, 0.5)):
    write(tmp_path / name, seed=seed, scores=fd(value))
  text = compare([str(tmp_path / '*')], sort='fd_random_2k_train')
  (cells,) = table(text)[1].values()
  half = 12.706 * np.std([0.3, 0.5], ddof=1) / math.sqrt(2)
  assert cells == ['2', '100', f'0.4 +- {half:.2g}']
  assert f'* {tmp_path / "b"}: left out, its seed 0 is there already' in text


def test_what_may_change_the_game_is_another_point(tmp_path):
  """A rollback plays other batches; evaluators only look."""
  for policy, value in (('warn', 0.3), ('rollback', 0.5)):
    write(tmp_path / policy, watchdog={'policy': policy}, scores=fd(value))
  write(tmp_path / 'seen', seed=1, watchdog={'policy': 'warn'},
        evaluators=[{'name': 'scores'}], scores=fd(0.5))
  text = compare([str(tmp_path / '*')])
  half = 12.706 * np.std([0.3, 0.5], ddof=1) / math.sqrt(2)
  assert table(text)[1] == {
      'watchdog.policy=warn': ['2', '100', f'0.4 +- {half:.2g}'],
      'watchdog.policy=rollback': ['1', '100', '0.5 ~']}
  assert 'left out' not in text


def test_the_last_scored_step_counts(tmp_path):
  write(tmp_path / 'a', scores=fd(0.9, step=50) + fd(0.2, step=100))
  _, points = table(compare([str(tmp_path / 'a')]))
  assert [cells[1:] for cells in points.values()] == [['100', '0.2']]


def test_precision_is_better_when_high(tmp_path):
  for weight, value in ((1.0, 0.2), (2.0, 0.9)):
    write(tmp_path / str(weight), weight=weight, scores=prc(value))
  _, points = table(compare([str(tmp_path / '*')]))
  assert list(points)[0] == 'penalties[0].weight=2.0'


def test_files_are_written(tmp_path):
  write(tmp_path / 'runs' / 'a', seed=0, scores=fd(0.3))
  write(tmp_path / 'runs' / 'b', seed=1, scores=fd(0.5))
  text = compare([str(tmp_path / 'runs' / '*')],
                         out=str(tmp_path / 'o.md'))
  assert (tmp_path / 'o.md').read_text() == text
  compare([str(tmp_path / 'runs' / '*')], out=str(tmp_path / 'o.csv'))
  with open(tmp_path / 'o.csv', newline='') as file:
    (row,) = csv.DictReader(file)
  assert row['score'].startswith('fd_random_2k_train')
  assert float(row['mean']) == pytest.approx(0.4)
  assert row['seeds'] == '2' and row['values'] == '0.3 0.5'
  assert row['failed'] == '0' and row['failures'] == ''
  assert row['steps'] == '100 100'


def test_the_latex_by_hand(tmp_path):
  for weight, found in {1.0: (0.3, 0.4), 2.0: (7.1, 7.3), 3.0: ()}.items():
    for seed, value in enumerate(found or (None,)):
      write(tmp_path / f'w{weight}-s{seed}', seed=seed, weight=weight,
            floor=0.05 if value else None, scores=(
                (100, 'fd_x', value, 'x'), (100, 'recall_x', 0.5, 'x')))
  write(tmp_path / 'w1-dead', seed=2, weight=1.0, step=30)  # Not in the mean.
  compare([str(tmp_path / '*')], out=str(tmp_path / 'o.tex'))
  lines = (tmp_path / 'o.tex').read_text().splitlines()[4:]
  # 12.706 x 0.1 / 2 and x 0.2 / 2; the intervals do not meet.
  assert lines == [
      r'\begin{tabular}{lrrr}',
      r'  \toprule',
      r'  & seeds & fd\_x $\downarrow$ & recall\_x $\uparrow$ \\',
      r'  \midrule',
      r'  penalties[0].weight=1.0 & 2/3 & $\mathbf{0.35} \pm 0.64$ & '
      r'$\mathbf{0.5} \pm 0$ \\',
      r'  penalties[0].weight=2.0 & 2 & $7.2 \pm 1.3$ & '
      r'$\mathbf{0.5} \pm 0$ \\',
      r'  penalties[0].weight=3.0 & 1 & -- & $\mathbf{0.5}$ \\',
      r'  \midrule',
      r'  real examples & & 0.05 & 0.05 \\',
      r'  \bottomrule',
      r'\end{tabular}']


def test_a_score_without_a_value_in_any_run_is_named_and_no_column(tmp_path):
  for seed in range(2):
    write(tmp_path / f's{seed}', seed=seed, scores=(
        (100, 'none_x', None, 'x'), (100, 'fd_x', 0.3, 'x')))
  made = {suffix: tmp_path / f'o.{suffix}' for suffix in (
      'md', 'tex', 'html', 'csv')}
  for path in made.values():
    compare([str(tmp_path / 's?')], out=str(path))
  text = {suffix: path.read_text() for suffix, path in made.items()}
  assert '| point | seeds | step | fd_x |\n' in text['md']
  assert text['md'].count('none_x could not be had') == 2
  assert 'none\\_x' not in text['tex'] and r'{lrr}' in text['tex']
  assert text['html'].count('none_x') == 1
  assert 'No run has a value of none_x' in text['html']
  assert [row['score'].partition(' ')[0] for row in csv.DictReader(
      text['csv'].splitlines())] == ['fd_x', 'none_x']


def test_the_csv_names_who_failed_and_points_without_values(tmp_path):
  good = write(tmp_path / 'a', seed=0, scores=fd(0.3))
  cut = write(tmp_path / 'b', seed=1, step=30, scores=fd(0.5, step=20))
  dead = write(tmp_path / 'c', seed=0, weight=2.0, step=40)
  (tmp_path / 'd').mkdir()
  (tmp_path / 'd' / 'log.txt').write_text('no such loss')
  compare([str(tmp_path / '?')], out=str(tmp_path / 'o.csv'))
  with open(tmp_path / 'o.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  names = ('point', 'values', 'folders', 'failed', 'failures')
  assert [tuple(row[name] for name in names) for row in rows] == [
      ('penalties[0].weight=1.0', '0.3', good, '1',
       f'{cut}: stopped at step 30 of 100'),
      ('penalties[0].weight=2.0', '', '', '1',
       f'{dead}: stopped at step 40 of 100'),
      ('', '', '', '1', f'{tmp_path / "d"}: never started')]
  assert [(row['mean'], row['seeds']) for row in rows] == [
      ('0.3', '1'), ('', '0'), ('', '0')]
  compare([dead], out=str(tmp_path / 'o.csv'))  # No score at all.
  with open(tmp_path / 'o.csv', newline='') as file:
    (row,) = csv.DictReader(file)
  assert (row['score'], row['failed']) == ('', '1')


def test_mistakes_are_named(tmp_path):
  with pytest.raises(WorkdirError, match='no run in'):
    compare([str(tmp_path / '*')])
  write(tmp_path / 'a', scores=fd(0.3))
  with pytest.raises(RequestError, match='no such score; there are fd_random'):
    compare([str(tmp_path / 'a')], sort='fid')
  with pytest.raises(RequestError, match='end in .md, .csv, .tex, .html or'):
    compare([str(tmp_path / 'a')], out='a.txt')


def test_damaged_files_do_not_end_it(tmp_path):
  folder = write(tmp_path / 'a', scores=fd(0.3))
  with open(tmp_path / 'a' / 'scores.jsonl', 'a') as file:
    file.write('{"step": 200, "na')
  (tmp_path / 'a' / 'launches.jsonl').write_text('')
  text = compare([folder])
  assert f'{folder}: never started' in text and '| - |' in text
