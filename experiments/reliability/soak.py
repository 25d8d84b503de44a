"""Kills a tiny run again and again; it must end as if nothing had happened.

  python experiments/reliability/soak.py --kills=50 > soak.jsonl

One run is left alone. Another, of the same command, is killed at random moments
of its start, training, saving, deleting and evaluating, by SIGKILL, SIGTERM,
SIGINT, SIGUSR1 or two of the latter in a row, and started again. After each
death there is a valid checkpoint, if there ever was one, and it is not older
than the one before; in the end weights, optimisers, rows and pictures are those
of the run that was left alone. A line of JSON per death, one for the end.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

import jax  # noqa: E402  (after the line above)
import numpy as np  # noqa: E402

from gan_jax import parallel  # noqa: E402
from gan_jax.config import command_line, experiment  # noqa: E402
from gan_jax.run.checkpoint import Checkpoints  # noqa: E402

STATUS = {'KILL': -9, 'TERM': 143, 'INT': 130, 'USR1': 85}
# What is waited for before the signal, beside some milliseconds.
MOMENTS = ('start', 'train', 'save', 'publish', 'delete', 'evaluate')
LIMIT = 300  # seconds that anything may take


def arguments(steps: int) -> list[str]:
  """The command line of the run, without its folder."""
  return ['--config=configs/keras_mlp.py:quick,evaluator=scores',
          f'--config.train_steps={steps}', '--config.steps_per_call=5',
          '--config.log_every=10', '--config.checkpoint_every=20',
          '--config.keep_checkpoints=1', '--config.sample_every=60',
          '--config.eval_every=60']


def start(steps, folder):
  """The run as a process; what it says goes to a file beside its folder."""
  with open(f'{folder}.log', 'ab') as log:
    return subprocess.Popen(
        [sys.executable, '-m', 'gan_jax.main', *arguments(steps),
         f'--workdir={folder}'], cwd=ROOT, stdout=log, stderr=log,
        env={**os.environ, 'JAX_PLATFORMS': 'cpu'})


def finish(process) -> int:
  """Waits for the end and returns the exit status."""
  try:
    return process.wait(LIMIT)
  finally:
    process.kill()


def names(folder, sub) -> set[str]:
  """What lies in a folder of the run."""
  try:
    return set(os.listdir(os.path.join(folder, sub)))
  except FileNotFoundError:
    return set()


def wait_for(moment, folder, process, rng):
  """Returns at a moment of a run, or when the run has ended."""
  before = names(folder, 'checkpoints'), names(folder, 'samples')

  def seen(prefix):
    return any(name.startswith(prefix)
               for name in names(folder, 'checkpoints') - before[0])

  digits = tuple('123456789')
  happened = {
      'start': lambda: True,
      'train': lambda: seen(digits),
      'save': lambda: seen('.saving'),
      'publish': lambda: seen(digits),
      'delete': lambda: seen('.deleting'),
      # A picture is written just before the scores of its step are computed.
      'evaluate': lambda: names(folder, 'samples') - before[1]}[moment]
  limit = time.time() + LIMIT
  while not happened() and process.poll() is None:
    assert time.time() < limit, f'no {moment} within {LIMIT} s'
    time.sleep(0.0005)
  time.sleep({'start': rng.uniform(0, 8), 'train': rng.uniform(0, 1),
              'save': rng.uniform(0, 0.2)}.get(moment, rng.uniform(0, 0.02)))


def digest(state) -> str:
  """sha256 over names, dtypes, shapes and bytes of all arrays of a state."""
  sha = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    array = np.asarray(leaf)
    head = f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape};'
    sha.update(head.encode() + array.tobytes())
  return sha.hexdigest()


def valid(folder) -> int:
  """The newest valid step, by a reader who accepts no damage; 0 for none."""
  checkpoints = Checkpoints(folder, strict=True)
  try:
    return checkpoints.latest()
  finally:
    checkpoints.close()


def strike(i, steps, folder, rng) -> dict:
  """Starts the run, ends it and says what was found; {} if it was done."""
  moment, first = rng.choice(MOMENTS), rng.choice(
      ['KILL', 'KILL', *STATUS])
  sent = [first]
  if first != 'KILL' and rng.random() < 0.3:
    sent.append(rng.choice(list(STATUS)))
  before = valid(folder)
  process = start(steps, folder)
  try:
    wait_for(moment, folder, process, rng)
    if process.poll() == 0:
      return {}
    assert process.poll() is None, tail(folder)
    for name in sent:
      process.send_signal(getattr(signal, f'SIG{name}'))
      if name != sent[-1]:
        time.sleep(rng.uniform(0, 0.1))
    begin = time.time()
  finally:
    status = finish(process)
  after = valid(folder)
  row = {'death': i, 'moment': moment, 'sent': sent, 'status': status,
         'seconds': round(time.time() - begin, 2), 'before': before,
         'after': after, 'left': sorted(
             name for name in names(folder, 'checkpoints') if name[0] == '.')}
  # Before its handlers stand, a process ends by the signal itself.
  expected = {s for name in sent
              for s in (STATUS[name], -getattr(signal, f'SIG{name}'))}
  assert status in expected, (row, tail(folder))
  assert after >= before, row
  if status in (143, 130, 85) and len(sent) == 1:  # It says that it has saved.
    assert not row['left'] and after > 0, row
  return row


def tail(folder) -> str:
  """The end of what the run said."""
  with open(f'{folder}.log', errors='replace') as log:
    return log.read()[-2000:]


def state(steps, folder) -> str:
  """sha256 of all arrays of the newest checkpoint."""
  line = command_line.parse(['main', *arguments(steps)])
  assert not line.problems
  run = experiment.load(line.config)
  checkpoints = Checkpoints(folder, strict=True)
  abstract = parallel.abstract(jax.eval_shape(run.init), parallel.make_mesh(1))
  found = digest(checkpoints.restore(abstract, steps))
  checkpoints.close()
  return found


def rows(folder) -> list[dict]:
  """scalars.jsonl without what depends on the clock."""
  with open(os.path.join(folder, 'scalars.jsonl')) as file:
    return [{k: v for k, v in json.loads(line).items()
             if not k.startswith('perf/')} for line in file]


def pictures(folder) -> dict[str, bytes]:
  """Of the samples."""
  found = {}
  for name in sorted(names(folder, 'samples')):
    with open(os.path.join(folder, 'samples', name), 'rb') as file:
      found[name] = file.read()
  return found


def soak(folder, *, kills: int, steps: int, seed: int = 0, say=print) -> dict:
  """Runs it all; an AssertionError says what was not as it should be."""
  # A shell's background jobs ignore it, and so would their children.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  rng = random.Random(seed)
  cut, whole = os.path.join(folder, 'cut'), os.path.join(folder, 'whole')
  done = 0
  while done < kills and (row := strike(done, steps, cut, rng)):
    say(json.dumps(row))
    done += 1
  for each in (cut, whole):
    assert finish(start(steps, each)) == 0, tail(each)
  assert state(steps, cut) == state(steps, whole)
  assert rows(cut) == rows(whole)
  assert [row['step'] for row in rows(cut)] == list(range(10, steps + 1, 10))
  assert pictures(cut) == pictures(whole)
  assert names(cut, 'checkpoints') == {str(steps)}
  end = {'kills': done, 'steps': steps, 'seed': seed,
         'state': state(steps, cut), 'rows': len(rows(cut)),
         'pictures': len(pictures(cut)), 'equal': True}
  say(json.dumps(end))
  return end


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--kills', type=int, default=50)
  parser.add_argument('--steps', type=int, default=1800)
  parser.add_argument('--seed', type=int, default=0)
  options = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')
  with tempfile.TemporaryDirectory() as where:
    soak(where, kills=options.kills, steps=options.steps, seed=options.seed,
         say=lambda line: print(line, flush=True))
