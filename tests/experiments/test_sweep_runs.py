"""experiments/sweep.sh: crashes, signals, death and another start."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
import tiny
from sweeps import CONFIG, events, finish, wait_for

from gan_jax.run.status import is_finished
from gan_jax.views.leaderboard import compare


def test_a_crash_is_listed_and_only_what_is_not_finished_runs_again(
    sweep, tmp_path):
  args = CONFIG, '--jobs=2', 'disc_steps=1,9,2,3,4', 'seed=0'
  status, printed, said = finish(sweep(*args, nap=1))  # So that two overlap.
  assert status == 1
  lines = printed.splitlines()
  assert lines[-1] == '5 points, 1 of them failed'
  for i, n in enumerate((1, 9, 2, 3, 4), 1):  # Each, when it starts and ends.
    end = 'exit status 5' if n == 9 else 'finished'
    point = f'[{i} of 5] {tmp_path}/out/disc_steps={n}-seed=0'
    assert lines.index(f'{point}: starts') < lines.index(f'{point}: {end}')
  assert said == f'* {tmp_path}/out/disc_steps=9-seed=0: exit status 5: boom\n'
  log = events(tmp_path)
  running = [log[:i].count('end') for i in range(len(log) + 1)]
  running = [i - 2 * ended for i, ended in enumerate(running)]
  assert len(log) == 8 and max(running) == 2
  assert finish(sweep(*args))[0] == 1
  assert events(tmp_path) == log  # Nothing but the crash was run.
  # Another command in the same folders is not finished.
  assert finish(sweep(*args, '--config.train_steps=20'))[0] == 1
  assert len(events(tmp_path)) == 2 * len(log)


def test_a_wrong_key_starts_nothing_and_a_wrong_value_only_its_point(
    sweep, tmp_path):
  status, _, said = finish(sweep(CONFIG, 'discriminator.nrom=none,layer'))
  assert status == 2 and said == (
      'gan_jax: cannot be: --config.discriminator.nrom=layer\n'
      'sweep.sh: nothing was started: neither the first nor the last point '
      'would run\n')
  assert not (tmp_path / 'out').exists()
  status, _, said = finish(sweep(CONFIG, 'disc_steps=0,1'))
  assert status == 1 and 'disc_steps=0: exit status 2: gan_jax: cannot' in said
  assert events(tmp_path) == ['start disc_steps=1', 'end']


def test_a_log_that_cannot_be_written_is_the_reason(sweep, tmp_path):
  """A full disk, which is where the run's own message would go."""
  first, second = (tmp_path / 'out' / f'disc_steps={n}' for n in (1, 2))
  first.mkdir(parents=True)
  (first / 'log.txt').symlink_to('/dev/full')
  second.write_text('')
  status, printed, said = finish(sweep(CONFIG, 'disc_steps=1,2'))
  assert status == 1 and printed.endswith('2 points, 2 of them failed\n')
  assert said == (
      f'* {first}: exit status 4: cannot write log.txt: No space left on device'
      f'\n* {second}: exit status 4: cannot write log.txt: File exists\n')
  assert not events(tmp_path)  # No run whose words would be lost.


@pytest.mark.parametrize('signum, status', [(signal.SIGTERM, 143),
                                            (signal.SIGINT, 130)])
def test_a_signal_stops_the_points_and_the_same_command_goes_on(
    sweep, tmp_path, signum, status):
  args = CONFIG, '--jobs=2', 'disc_steps=1,2,3'
  process = sweep(*args, nap=50)
  wait_for(lambda: len(events(tmp_path)) == 2)
  process.send_signal(signum)
  assert finish(process)[0] == status
  assert events(tmp_path)[2:] == ['end', 'end']
  assert finish(sweep(*args))[0] == 0
  assert len(events(tmp_path)) == 10


def test_ctrl_c_on_a_terminal_reaches_the_points_once(sweep, tmp_path):
  """Twice would be to quit at once, without a checkpoint."""
  process = sweep(CONFIG, 'disc_steps=1', nap=50)
  wait_for(lambda: events(tmp_path))
  children = subprocess.run(
      ['ps', '-o', 'pgid=', '--ppid', str(process.pid)], text=True,
      capture_output=True, check=True).stdout.split()
  assert children and str(os.getpgid(process.pid)) not in children


def test_kill_9_and_the_same_command(sweep, tmp_path):
  """What the killed sweep left running is waited for, not run twice."""
  args = CONFIG, '--jobs=2', 'disc_steps=1,2,3'
  process = sweep(*args, nap=1)
  wait_for(lambda: len(events(tmp_path)) == 2)
  process.kill()
  process.wait()
  status, printed, said = finish(sweep(*args))
  assert status == 0, said
  assert printed.count('waiting for the run that holds') == 2
  assert sorted(line for line in events(tmp_path) if line != 'end') == [
      f'start disc_steps={n}' for n in (1, 2, 3)]


def test_two_sweeps_at_once_share_the_points(sweep, tmp_path):
  """A run takes its lock seconds after its start: until then its output is."""
  both = [sweep(CONFIG, 'disc_steps=1,2', imports=1) for _ in range(2)]
  for process in both:
    status, printed, said = finish(process)
    assert (status, said) == (0, '')
    assert printed.endswith('2 points, 0 of them failed\n')
  assert events(tmp_path) == ['start disc_steps=1', 'end',
                              'start disc_steps=2', 'end']


def finished(folder, *args):
  return subprocess.run([sys.executable, '-m', 'gan_jax.run.status', folder,
                         *args], cwd=tiny.ROOT).returncode == 0


def test_status_of_a_population(tmp_path):
  """Its members are run folders; all are finished, or some are frozen."""
  for i, step in enumerate((10, 8)):
    (tmp_path / f'member_{i}' / 'checkpoints' / str(step)).mkdir(parents=True)
    (tmp_path / f'member_{i}' / 'launches.jsonl').write_text(
        json.dumps({'train_steps': 10, 'argv': ['main', '--a']}) + '\n')
  both = json.dumps({'member_0': {'seed': 0}, 'member_1': {'seed': 1}})
  (tmp_path / 'population.json').write_text(both)
  assert not finished(tmp_path, '--a')
  bad = tmp_path / 'member_1' / 'nonfinite.json'
  for step, frozen in ((7, False), (8, True)):  # The older one is of before.
    bad.write_text(json.dumps({'step': step}))
    assert is_finished(str(tmp_path), ['--a']) is frozen
  bad.replace(tmp_path / 'member_0' / 'nonfinite.json')  # Of before, too.
  assert not is_finished(str(tmp_path), ['--a'])
  (tmp_path / 'member_1' / 'checkpoints' / '10').mkdir()
  assert finished(tmp_path, '--a') and not finished(tmp_path, '--b')
  (tmp_path / 'population.json').write_text(both[:-1])
  assert not finished(tmp_path, '--a')


def test_status_of_a_folder(tmp_path):
  folder = tmp_path / 'run'
  assert not finished(folder, '--a')
  (folder / 'checkpoints' / '8').mkdir(parents=True)
  (folder / 'checkpoints' / '10.orbax-checkpoint-tmp').mkdir()
  with open(folder / 'launches.jsonl', 'w') as file:
    file.write(json.dumps({'train_steps': 10, 'argv': ['main', '--a']}) + '\n')
  assert not finished(folder, '--a')
  (folder / 'checkpoints' / '10').mkdir()
  assert finished(folder, '--a')
  assert not finished(folder, '--a', '--b')
  with open(folder / 'launches.jsonl', 'a') as file:
    file.write('{"train_st')
  assert not finished(folder, '--a')


# The program itself.


@pytest.mark.slow
def test_a_point_that_is_killed_is_resumed_by_the_same_command(
    images, tmp_path):
  (tmp_path / 'bin').mkdir()
  (tmp_path / 'bin' / 'python').write_text(
      f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
  (tmp_path / 'bin' / 'python').chmod(0o755)
  env = {**tiny.environment(), 'JAX_NUM_CPU_DEVICES': '1',
         'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}'}
  command = ['experiments/sweep.sh', f'--out={tmp_path}/out',
             '--config=configs/keras_mlp.py:data=npz,quick',
             f'--config.data.path={images}', '--config.train_steps=40',
             '--config.checkpoint_every=10', '--config.log_every=20',
             '--config.sample_every=0', '--config.eval_every=0',
             'generator.widths=(8,)', 'discriminator.widths=(8,)', 'seed=1']
  name = 'generator.widths=8,-discriminator.widths=8,-seed=1'
  victim = tmp_path / 'out' / name
  process = subprocess.Popen(command, cwd=tiny.ROOT, env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  try:
    wait_for(lambda: tiny.finished(victim))
    with open(victim / 'lock') as file:
      os.kill(json.load(file)['pid'], signal.SIGKILL)
    status, _, said = finish(process)
  finally:
    process.terminate()  # And the points with it.
  assert status == 1
  assert f'{victim}: exit status 137: ' in said
  text = compare([f'{tmp_path}/out/*'])
  assert re.search(rf'{re.escape(name)}: stopped at step [1-3]0 of 40', text
                   ), text
  again = subprocess.run(command, cwd=tiny.ROOT, env=env, text=True,
                         capture_output=True, timeout=200)
  assert again.returncode == 0, again.stderr
  assert 'resuming' in (victim / 'log.txt').read_text()
  assert len((victim / 'launches.jsonl').read_text().splitlines()) == 2
  assert '1 run, 0 of them not finished' in compare(
      [f'{tmp_path}/out/*'])
