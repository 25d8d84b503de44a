"""experiments/sweep.sh: its points, their quoting, death and another start."""

import hashlib
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
import tiny

from gan_jax import compare, experiment, main

CONFIG = '--config=configs/keras_mlp.py:quick'
# In place of the program: notes its start, end and arguments; crashes where it
# is told to; holds its lock, saves when asked to end, finishes after a while.
STUB = '''#!/bin/bash
if [ "$2" != gan_jax.main ]; then exec "$PYTHON" "$@"; fi
for arg; do case $arg in
  --workdir=*) folder=${arg#*=} ;;
  --config.disc_steps=9) printf 'first\\nboom\\n'; exit 5 ;;
esac; done
exec 9>>"$folder/lock"
flock -n 9 || { echo held; exit 4; }
trap 'echo end >>"$EVENTS"; exit 143' TERM
printf '%s\\n' "$@" >"$folder/arguments"
echo "start ${folder##*/}" >>"$EVENTS"
sleep "$NAP" 9>&- & wait $!
mkdir -p "$folder/checkpoints/10"
"$PYTHON" -c 'import json, sys
print(json.dumps(dict(train_steps=10, argv=sys.argv[2:])))' "$@" \\
  >"$folder/launches.jsonl"
echo end >>"$EVENTS"
'''


@pytest.fixture
def sweep(tmp_path):
  """Starts the script on the stub: sweep(*args, nap=0.1) -> Popen."""
  (tmp_path / 'bin').mkdir()
  (tmp_path / 'bin' / 'python').write_text(STUB)
  (tmp_path / 'bin' / 'python').chmod(0o755)
  started = []

  def start(*args, nap=0.1):
    env = {**os.environ, 'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}',
           'PYTHON': sys.executable, 'EVENTS': str(tmp_path / 'events'),
           'NAP': str(nap)}
    started.append(subprocess.Popen(
        # What a shell starts in the background ignores SIGINT, and bash cannot
        # trap what it ignored from the start.
        ['env', '--default-signal=INT', 'experiments/sweep.sh',
         f'--out={tmp_path}/out', *args], env=env,
        cwd=tiny.ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True))
    return started[-1]

  yield start
  for process in started:
    process.terminate()
    process.communicate()


def finish(process):
  """(status, stdout, stderr)."""
  printed, said = process.communicate(timeout=200)
  return process.returncode, printed, said


def points(sweep, *args):
  """The overrides of each command that --dry_run prints, workdirs last."""
  status, printed, said = finish(sweep(CONFIG, '--dry_run', *args))
  assert status == 0, said
  found = [shlex.split(line) for line in printed.splitlines()]
  assert all(line[:4] == ['python', '-m', 'gan_jax.main', CONFIG]
             for line in found)
  return [line[4:] for line in found]


def events(tmp_path):
  path = tmp_path / 'events'
  return path.read_text().split('\n')[:-1] if path.exists() else []


def wait_for(condition):
  limit = time.time() + 200
  while not condition():
    assert time.time() < limit
    time.sleep(0.01)


# Which points.


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


AXES = ('gen_optimizer.learning_rate=1e-5..1e-3:log', 'ema_decay=0.9..0.99',
        'disc_steps=1..3', 'loss.name=hinge,minimax', 'batch_size=8..64:log')


def test_a_random_search_is_the_hash_of_key_and_number(sweep):
  found = points(sweep, '--random=30', '--random_seed=7', *AXES)
  assert len(found) == 30

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
  status, printed, said = finish(sweep(*shlex.split(line)[1:], '--dry_run'))
  assert status == 0, said
  lines = printed.splitlines()
  for line in lines:
    assert not main.parse(shlex.split(line)[2:])[1]
  experiment.load(main.parse(shlex.split(lines[-1])[2:])[0].config)


# Life and death.


def test_a_crash_is_listed_and_only_what_is_not_finished_runs_again(
    sweep, tmp_path):
  args = CONFIG, '--jobs=2', 'disc_steps=1,9,2,3,4', 'seed=0'
  status, printed, said = finish(sweep(*args))
  assert status == 1
  assert printed.splitlines()[-1] == '5 points, 1 of them failed'
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
  process = sweep(*args, nap=2)
  wait_for(lambda: len(events(tmp_path)) == 2)
  process.kill()
  process.wait()
  status, printed, said = finish(sweep(*args))
  assert status == 0, said
  assert printed.count('waiting for the run that holds') == 2
  assert sorted(line for line in events(tmp_path) if line != 'end') == [
      f'start disc_steps={n}' for n in (1, 2, 3)]


def test_status_of_a_folder(tmp_path):
  folder = tmp_path / 'run'

  def finished(*args):
    return subprocess.run([sys.executable, '-m', 'gan_jax.status', folder,
                           *args], cwd=tiny.ROOT).returncode == 0

  assert not finished('--a')
  (folder / 'checkpoints' / '8').mkdir(parents=True)
  (folder / 'checkpoints' / '10.orbax-checkpoint-tmp').mkdir()
  with open(folder / 'launches.jsonl', 'w') as file:
    file.write(json.dumps({'train_steps': 10, 'argv': ['main', '--a']}) + '\n')
  assert not finished('--a')
  (folder / 'checkpoints' / '10').mkdir()
  assert finished('--a')
  assert not finished('--a', '--b')
  with open(folder / 'launches.jsonl', 'a') as file:
    file.write('{"train_st')
  assert not finished('--a')


# The program itself.


def test_a_point_that_is_killed_is_resumed_by_the_same_command(
    images, tmp_path):
  (tmp_path / 'bin').mkdir()
  (tmp_path / 'bin' / 'python').write_text(
      f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
  (tmp_path / 'bin' / 'python').chmod(0o755)
  env = {**tiny.environment(), 'JAX_NUM_CPU_DEVICES': '1',
         'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}'}
  command = ['experiments/sweep.sh', f'--out={tmp_path}/out', '--jobs=2',
             '--config=configs/keras_mlp.py:data=npz,quick',
             f'--config.data.path={images}', '--config.train_steps=100',
             '--config.checkpoint_every=10', '--config.log_every=10',
             '--config.sample_every=0', '--config.eval_every=0',
             'generator.widths=(8,)', 'discriminator.widths=(8,)', 'seed=0,1']
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
  text = compare.compare([f'{tmp_path}/out/*'])
  assert re.search(rf'{re.escape(name)}: stopped at step [1-9]0 of 100', text
                   ), text
  again = subprocess.run(command, cwd=tiny.ROOT, env=env, text=True,
                         capture_output=True, timeout=200)
  assert again.returncode == 0, again.stderr
  assert 'resuming' in (victim / 'log.txt').read_text()
  launches = [len((path / 'launches.jsonl').read_text().splitlines())
              for path in sorted((tmp_path / 'out').iterdir())]
  assert launches == [1, 2]
  assert '2 runs, 0 of them not finished' in compare.compare(
      [f'{tmp_path}/out/*'])
