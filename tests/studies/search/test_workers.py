"""Real searches by several workers, one of which is killed on purpose."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest
import tiny

pytestmark = pytest.mark.slow
ARGS = ('--mode=search', '--config=configs/ring.py',
        '--config.train_steps=3000', '--config.steps_per_call=50',
        '--config.batch_size=64',
        '--config.generator.widths=(16,)',
        '--config.discriminator.widths=(16,)',
        '--config.evaluators[0].num_samples=200', '--config.sample_every=0',
        '--config.eval_every=300', '--config.checkpoint_every=300',
        '--config.best_metric=high_quality_200', '--config.population=2',
        'gen_optimizer.learning_rate=1e-4..1e-2:log', '--noprune')


def start(folder, *more):
  """The process, which prints to `its.said`."""
  said = tempfile.TemporaryFile('w+')
  made = subprocess.Popen(
      [sys.executable, '-m', 'gan_jax.main', *ARGS, f'--workdir={folder}',
       *more], cwd=tiny.ROOT, text=True, stdout=said, stderr=said,
      # Ray's sockets need a short path.
      env=os.environ | {'JAX_PLATFORMS': 'cpu', 'TMPDIR': '/tmp'})
  made.said = said
  return made


def ended(process, seconds=400):
  """(status, what it said)."""
  status = process.wait(seconds)
  process.said.seek(0)
  with process.said as file:
    return status, file.read()


def wait_for(condition, process, seconds=240):
  limit = time.time() + seconds
  while not (found := condition()):
    assert process.poll() is None, ended(process)[1]
    assert time.time() < limit
    time.sleep(0.2)
  return found


def half_done(folder):
  """{pid: trial} of trials with a checkpoint that are not at their end."""
  found = {}
  for home in folder.glob('trial_*'):
    steps = [int(p.name) for p in (home / 'checkpoints').glob('[0-9]*')
             if p.name.isdecimal()]
    holder = (home / 'lock').read_text() if (home / 'lock').exists() else ''
    if steps and max(steps) < 3000 and holder:
      found[json.loads(holder)['pid']] = home.name
  return found


def checked(folder, printed, trials=6):
  """All were played to their end; how many of them went on."""
  assert f'{trials} trials: {trials} played to the end' in printed, printed
  again = 0
  for home in folder.glob('trial_*'):
    launches = [json.loads(line)['step'] for line in
                (home / 'launches.jsonl').read_text().splitlines()]
    assert (home / 'checkpoints' / '3000').exists()
    assert launches[0] == 0
    again += any(launches[1:])  # A second one begins at a checkpoint.
    steps = [json.loads(line)['step'] for line in
             (home / 'scores.jsonl').read_text().splitlines()
             if 'high_quality' in line]
    assert steps == list(range(300, 3001, 300))
  assert len(list(folder.glob('trial_*'))) == trials
  assert (folder / 'report' / 'index.html').exists()
  return again


def test_two_workers_and_one_is_killed(tmp_path):
  workers = [start(tmp_path, '--trials=6') for _ in range(2)]
  wait_for(lambda: workers[0].pid in half_done(tmp_path), workers[0])
  workers[0].kill()
  ended(workers[0])
  status, printed = ended(workers[1])
  assert status == 0, printed
  assert 1 <= checked(tmp_path, printed) <= 2


def test_a_search_that_is_stopped_goes_on(tmp_path):
  one = start(tmp_path, '--trials=2')
  wait_for(lambda: half_done(tmp_path), one)
  one.send_signal(signal.SIGTERM)
  assert ended(one)[0] == 143
  status, printed = ended(start(tmp_path, '--trials=2'))
  assert status == 0 and 'goes on: it was stopped' in printed, printed
  assert checked(tmp_path, printed, trials=2) == 2


def test_ray_and_a_worker_is_killed(tmp_path):
  pytest.importorskip('ray')
  one = start(tmp_path, '--trials=6', '--ray=local')
  pid = next(iter(wait_for(lambda: half_done(tmp_path), one)))
  assert pid != one.pid
  os.kill(pid, signal.SIGKILL)
  status, printed = ended(one)
  assert status == 0, printed
  assert re.search('its worker .* is gone', printed), printed
  assert 1 <= checked(tmp_path, printed) <= 2


def test_a_signal_stops_the_workers_of_ray(tmp_path):
  pytest.importorskip('ray')
  one = start(tmp_path, '--trials=4', '--ray=local')
  wait_for(lambda: half_done(tmp_path), one)
  one.send_signal(signal.SIGTERM)
  status, printed = ended(one)
  assert status == 143, printed
  assert not list((tmp_path / 'workers').iterdir())
  status, printed = ended(start(tmp_path, '--trials=4'))
  assert status == 0 and 'goes on: it was stopped' in printed, printed
