"""--mode=compare on the command line: folders, patterns, mistakes."""

import pytest
from finished import fd, write

from gan_jax.config import command_line


@pytest.fixture
def runs(tmp_path):
  """Three finished runs, two of them of one point."""
  for weight, seed, value in ((1.0, 0, 0.3), (1.0, 1, 0.5), (10.0, 0, 0.1)):
    write(tmp_path / 'runs' / f'penalties[0].weight={weight:g}-seed={seed}',
          seed=seed, weight=weight, scores=fd(value) + (
              (100, 'precision_random_2k_train', value, 'x'),))
  return tmp_path / 'runs'


def points(printed):
  return [line.split(' | ')[0].strip('| ') for line in printed.splitlines()
          if line.startswith('| penalties')]


BEST = ['penalties[0].weight=10.0', 'penalties[0].weight=1.0']


def test_a_pattern_or_what_the_shell_makes_of_it(cli, runs):
  status, printed, _ = cli('--mode=compare', runs / '*')
  assert status == 0 and points(printed) == BEST
  assert '3 runs, 0 of them not finished' in printed
  # These names have brackets, as names that runs get by themselves have.
  assert cli('--mode', 'compare', *sorted(runs.iterdir())) == (0, printed, '')


def test_sort_and_out(cli, runs, tmp_path):
  out = tmp_path / 'board.md'
  status, printed, said = cli('--mode=compare', runs / '*',
                              '--sort', 'fid', f'--out={out}')
  assert status == 2 and '--sort=fid: no such score; there are' in said
  assert not out.exists()
  precision = said.split(', ')[-1].strip()
  assert precision.startswith('precision_random_2k_train')
  status, printed, _ = cli('--mode=compare', runs / '*', '--sort', precision,
                           f'--out={out}')
  assert status == 0 and points(printed) == BEST[::-1]
  assert out.read_text().strip() == printed.strip()


@pytest.mark.parametrize('args, status, words', [
    (('--mode=compare',), 2, "give folders of runs, for example 'runs/sweep/*'"
     ),
    (('--mode=compare', 'nothing/*'), 4, 'no run in nothing/*'),
    (('--mode=compare', 'nothing', '--srt=fd'), 2, '--srt=fd'),
    (('--mode=compare', 'nothing', '--out=a.txt'), 2, '.md or .csv'),
    (('--mode=evaluate', 'runs/a'), 2, 'runs/a: not a flag')])
def test_mistakes(cli, args, status, words):
  got, printed, said = cli(*args)
  assert (got, printed) == (status, '') and words in said, said
  assert 'Traceback' not in said


def test_a_run_that_never_began_is_counted(cli, runs):
  """Its config was refused: there is the log of the sweep and no more."""
  (runs / 'bad').mkdir()
  (runs / 'bad' / 'log.txt').write_text('gan_jax: no such loss\n')
  status, printed, _ = cli('--mode=compare', runs / '*')
  assert status == 0
  assert '4 runs, 1 of them not finished' in printed
  assert f'* {runs}/bad: never started' in printed


def test_only_arguments_that_are_no_flags_are_folders():
  argv = ['main', '--mode', 'compare', 'a', '--follow', 'b', '--sort=x', 'c']
  assert command_line.folders(argv) == ['a', 'b', 'c']
