"""experiments/sweep.sh: its points, their quoting, what is shown of it."""

import hashlib
import math
import os
import re
import shlex
import subprocess

import pytest
import tiny
from recipes import parsed
from sweeps import CONFIG, finish, points

from gan_jax.config import experiment


def test_a_grid_times_seeds(sweep, tmp_path):
  found = points(sweep, 'seed=0,1', '--config.train_steps=2 epochs',
                 'penalties[0].weight=1,1e-3', 'generator.widths=(8,4),(16,)')
  out = tmp_path / 'out'
  assert found == [
      ['--config.train_steps=2 epochs', f'--config.penalties[0].weight={w}',
       f'--config.generator.widths={widths}', f'--config.seed={seed}',
       f'--workdir={out}/penalties0.weight={w}-generator.widths={name}'
       f'-seed={seed}']
      for w in ('1', '1e-3') for widths, name in (('(8,4)', '8,4'),
                                                  ('(16,)', '16,'))
      for seed in (0, 1)]


def test_arguments_behind_the_colon(sweep):
  args = '--dry_run', ':loss=hinge,minimax'
  for config, joined in (('dcgan.py:quick', ','), ('dcgan.py', ':')):
    _, printed, _ = finish(sweep(f'--config=configs/{config}', *args))
    assert [shlex.split(line)[3] for line in printed.splitlines()] == [
        f'--config=configs/{config}{joined}loss={name}'
        for name in ('hinge', 'minimax')]


def test_what_stands_behind_the_colon_is_seen_in_the_folder(sweep, tmp_path):
  config = '--config=configs/dcgan.py'
  args = config, '--dry_run', ':loss=hinge', 'loss.name=lab:mine', 'seed=0'

  def folder():
    return shlex.split(finish(sweep(*args))[1])[-1]

  out = f'--workdir={tmp_path}/out'
  assert folder() == f'{out}/+loss=hinge-loss.name=lab_mine-seed=0'
  # An older sweep goes on where it is.
  old = tmp_path / 'out' / 'loss=hinge-loss.name=lab_mine-seed=0'
  old.mkdir(parents=True)
  (old / 'config.json').write_text('{}')
  assert folder() == f'--workdir={old}'


AXES = ('gen_optimizer.learning_rate=1e-5..1e-3:log', 'ema_decay=0.9..0.99',
        'disc_steps=1..3', 'loss.name=hinge,minimax', 'batch_size=8..64:log')


def test_a_random_search_is_the_hash_of_key_and_number(sweep):
  found = points(sweep, '--random=12', '--random_seed=7', *AXES)
  assert len(found) == 12

  def unit(key, n):
    digest = hashlib.sha256(f'7 {key} {n}\n'.encode()).hexdigest()
    return int(digest[:13], 16) / 2**52

  for n, line in enumerate(found):
    got = dict(arg.removeprefix('--config.').split('=', 1) for arg in line)
    keys = [axis.split('=')[0] for axis in AXES]
    rate, decay, steps, loss, batch = (unit(key, n) for key in keys)
    assert float(got[keys[0]]) == pytest.approx(
        math.exp(math.log(1e-5) + rate * math.log(100)), rel=1e-5)
    assert float(got[keys[1]]) == pytest.approx(0.9 + 0.09 * decay, rel=1e-5)
    assert got[keys[2]] == str(1 + int(3 * steps))
    assert got[keys[3]] == ('hinge', 'minimax')[int(2 * loss)]
    assert got[keys[4]] == str(int(8 * (65 / 8) ** batch))
  assert {line[2] for line in found} == {
      f'--config.disc_steps={n}' for n in (1, 2, 3)}


def test_more_points_keys_and_seeds_leave_the_drawn_ones(sweep):
  few = points(sweep, '--random=3', *AXES[:2])
  assert [line[:2] for line in points(sweep, '--random=5', *AXES)][:3] == [
      line[:2] for line in few]
  assert [line[:3] for line in points(
      sweep, '--random=3', *AXES[:2], 'seed=4,5')] == [
          [*line[:2], f'--config.seed={seed}'] for line in few
          for seed in (4, 5)]
  other = points(sweep, '--random=3', '--random_seed=1', *AXES[:2])
  assert not {line[0] for line in other} & {line[0] for line in few}


def test_a_point_drawn_twice_is_one(sweep):
  assert len(points(sweep, '--random=20', 'disc_steps=1..2')) == 2


@pytest.mark.parametrize('args, words', [
    ((CONFIG,), 'give key=values'),
    (('disc_steps=1,2',), 'give --config='),
    ((CONFIG, 'disc_steps=1..3'), 'needs --random=N'),
    ((CONFIG, '--random=2', 'x=3..1'), 'x=3..1: the range is empty'),
    ((CONFIG, '--random=2', 'x=0..1:log'), 'begins below 0 or at it'),
    ((CONFIG, 'x=(1,2'), 'brackets do not match'),
    ((CONFIG, 'disc_steps'), 'neither --flag=value nor key=values'),
    ((CONFIG, 'x=1,2', '--workdir=a'), 'its own folder'),
    ((CONFIG, 'x=a/b,a?b'), 'two points would share the folder'),
    ((CONFIG, 'x=1', '--jobs=0'), '--jobs=0')])
def test_mistakes_are_named_before_anything_runs(sweep, tmp_path, args, words):
  status, _, said = finish(sweep(*args))
  assert status == 2 and words in said, said
  assert not (tmp_path / 'out').exists()


def test_lines_for_an_array_run_as_they_stand(sweep, tmp_path):
  args = CONFIG, "data.path=it's here,$HOME *", 'x=(1, 2)', 'y='
  lines = tmp_path / 'points'
  status, printed, _ = finish(sweep(*args, f'--points={lines}'))
  assert (status, printed) == (0, '') and not (tmp_path / 'out').exists()
  for line, path in zip(lines.read_text().splitlines(),
                        ("it's here", '$HOME *'), strict=True):
    got = subprocess.run(
        ['bash', '-c', f'python() {{ printf "%s\\n" "$@"; }}; {line}'],
        text=True, capture_output=True, check=True).stdout.splitlines()
    assert got[2:6] == [CONFIG, f'--config.data.path={path}',
                        '--config.x=(1, 2)', '--config.y=']
  # As the job array of Slurm does,
  srun = tmp_path / 'slurm' / 'srun'
  srun.parent.mkdir()
  srun.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
  srun.chmod(0o755)
  got = subprocess.run(
      ['bash', 'experiments/cluster/slurm.sbatch', f'@{lines}'], text=True,
      cwd=tiny.ROOT, capture_output=True, check=True, env={
          'PATH': f'{srun.parent}:{os.environ["PATH"]}',
          'SLURM_ARRAY_TASK_ID': '1'}).stdout.splitlines()
  assert got[:4] == ['python', '-u', '-m', 'gan_jax.main']
  assert got[4:] == shlex.split(lines.read_text().splitlines()[0])[3:]
  # And as the script runs them itself.
  assert finish(sweep(*args))[0] == 0
  for folder in (tmp_path / 'out').iterdir():
    got = (folder / 'arguments').read_text().splitlines()
    assert shlex.join(['python', *got]) in {
        shlex.join(shlex.split(line))
        for line in lines.read_text().splitlines()}


def _shown():
  """The sweeps in the README and at the head of the script."""
  found = []
  for name in ('README.md', 'experiments/sweep.sh'):
    with open(os.path.join(tiny.ROOT, name)) as file:
      text = re.sub(r'\\\n(# )?', ' ', file.read())
    found += re.findall(r'^(?:#  )? ?(experiments/sweep.sh --(?!help).*)', text,
                        re.M)
  return found


def test_sweeps_are_shown():
  assert len(_shown()) >= 3


@pytest.mark.filterwarnings('ignore:the load_module')
@pytest.mark.parametrize('line', _shown())
def test_what_is_shown_makes_commands_that_can_be_run(line, sweep, monkeypatch):
  monkeypatch.chdir(tiny.ROOT)
  # Takes seconds, and is done for each recipe in tests/config.
  monkeypatch.setattr('gan_jax.config.tracing.trace', lambda *_: None)
  status, printed, said = finish(sweep(*shlex.split(line)[1:], '--dry_run'))
  assert status == 0, said
  lines = printed.splitlines()
  for line in lines:
    config = parsed(*shlex.split(line)[3:])
  experiment.load(config)
