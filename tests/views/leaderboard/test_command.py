"""--mode=compare on the command line."""

import subprocess
import sys

import pytest
import tiny
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
  assert printed.strip() == f'{out.read_text()}\nwritten to {out}'


@pytest.mark.parametrize('args, status, words', [
    (('--mode=compare',), 2, "give folders of runs, for example 'runs/sweep/*'"
     ),
    (('--mode=compare', 'nothing/*'), 4, 'no run in nothing/*'),
    (('--mode=compare', '.', 'nothing'), 4, 'no run in nothing: give'),
    (('--mode=compare', 'nothing', '--srt=fd'), 2, '--srt=fd'),
    (('--mode=compare', 'nothing', '--out=a.txt'), 2, '.html or .bib'),
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
  assert command_line.parse(argv).folders == ['a', 'b', 'c']


def test_where_selects(cli, runs):
  status, printed, _ = cli('--mode=compare', runs,
                           '--where=penalties[0].weight=1,seed=0')
  assert status == 0 and '1 run, 0 of them not finished' in printed
  status, printed, said = cli('--mode=compare', runs, '--where=seed=7')
  assert (status, printed) == (4, '')
  assert said == ('gan_jax: --where=seed=7: none of the 3 runs there is such a '
                  'run\n')
  status, _, said = cli('--mode=compare', runs, '--where', 'sed=7,los.name=x')
  assert status == 2 and 'the key sed; did you mean "seed"?' in said
  assert 'the key los.name; did you mean "loss.name"?' in said
  status, _, said = cli('--mode=compare', runs, '--where=seed')
  assert status == 2 and "'seed' is not KEY=VALUE" in said


@pytest.mark.parametrize('args, words', [
    (('--cost=money',), '--cost=money: must be seconds or images'),
    (('--out=o.xlsx',),
     '--out=o.xlsx: must end in .md, .csv, .tex, .html or .bib'),
    (('--out=o',), '--out=o: must end in')])
def test_more_mistakes(cli, runs, args, words):
  status, printed, said = cli('--mode=compare', runs, *args)
  assert (status, printed) == (2, '') and words in said


@pytest.mark.parametrize('name', ['o.md', 'o.csv', 'o.html', 'o.bib'])
def test_a_file_that_cannot_be_written(cli, runs, tmp_path, name):
  (tmp_path / 'file').write_text('')
  out = tmp_path / 'file' / name
  status, _, said = cli('--mode=compare', runs, f'--out={out}')
  assert status == 2
  assert f'--out={out}: cannot write it: ' in said
  assert 'Traceback' not in said


def test_it_needs_no_jax_and_no_pandas(runs):
  """They take longer to import than ten thousand runs to list."""
  code = ('import sys; from gan_jax import main; '
          'assert main.main(sys.argv) == 0; '
          'print(*sorted({"jax", "pandas", "scipy", "numpy", "matplotlib"} '
          '& {*sys.modules}), "none", file=sys.stderr)')
  done = subprocess.run(
      [sys.executable, '-c', code, '--mode=compare', str(runs)],
      capture_output=True, text=True, check=True,
      cwd=tiny.ROOT)
  assert done.stderr == 'none\n' and points(done.stdout) == BEST
