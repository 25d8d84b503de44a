"""Where the time from the command to the end of the first call goes.

  python experiments/throughput/start.py --config=configs/dcgan.py

Starts the command in processes of its own, with an empty compilation cache and
then with the one that this leaves, and prints a Markdown table: seconds of each
phase, its inner phases not counted, the median of several starts. `CPU` is
user and system time of all threads: on a busy machine compare this row.
"""

import argparse
import collections
import contextlib
import functools
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
# Phases, in the order of the table: the functions that they are spent in.
PHASES = {
    'read the config': ['gan_jax.config.overrides:read'],
    'read the data': ['gan_jax.data.load:load'],
    'build the components': ['gan_jax.config.experiment:make_game'],
    'check by tracing': ['gan_jax.config.tracing:trace'],
    'open the run folder': [
        'gan_jax.run.files:write_launch', 'gan_jax.run.drawn_labels:write',
        'gan_jax.run.changes:check_same_run'],
    'first latents and equilibrium': [
        'gan_jax.run.evaluator:Evaluator.__init__',
        'gan_jax.run.results:equilibrium'],
    'initial state': ['gan_jax.run.states:LoneState.first'],
    'data to the device': ['gan_jax.run.loader:Calls.__init__'],
}
FIRST = 'first call: trace, compile, run'
ROWS = ('Python and imports', *PHASES, FIRST, 'all else', 'total', 'CPU')


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--config', default='configs/dcgan.py')
  parser.add_argument('--starts', type=int, default=3)
  parser.add_argument('--child', type=float, help=argparse.SUPPRESS)
  args, more = parser.parse_known_args()
  if args.child:
    return child(args.config, args.child, more)
  columns = collections.defaultdict(list)
  with tempfile.TemporaryDirectory() as folder:
    for i in range(args.starts + 1):
      columns['warm' if i else 'cold'].append(
          start(args.config, folder, i, more))
  print('| phase, seconds | cold | warm |\n|---|---|---|')
  for row in ROWS:
    print(f'| {row} | ' + ' | '.join(
        f'{statistics.median(run[row] for run in runs):.2f}'
        for runs in columns.values()) + ' |')


def start(config, folder, i, more):
  """One start in a process of its own: {row: seconds}."""
  env = os.environ | {'JAX_COMPILATION_CACHE_DIR': f'{folder}/cache'}
  done = subprocess.run(
      [sys.executable, __file__, f'--config={config}',
       f'--child={time.time()}', f'--workdir={folder}/run{i}', *more],
      cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True)
  return json.loads(done.stdout.splitlines()[-1])


def child(config, begun, more):
  """Runs the command up to the end of its first call; prints {row: seconds}."""
  sys.path.insert(0, ROOT)
  spent = collections.Counter()

  @contextlib.contextmanager
  def phase(name):
    begin, inner = time.time(), spent.total()
    yield
    spent[name] += time.time() - begin - (spent.total() - inner)

  def timed(name, function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
      with phase(name):
        return function(*args, **kwargs)
    return wrapper

  def report():
    total = time.time() - begun
    spent['all else'] = total - spent.total()
    used = resource.getrusage(resource.RUSAGE_SELF)
    rows = {row: spent[row] for row in ROWS} | {
        'total': total, 'CPU': used.ru_utime + used.ru_stime}
    print(json.dumps(rows), flush=True)
    os._exit(0)  # Nothing of the rest of the run is measured.

  from gan_jax import main as command
  with phase('imports'):
    from gan_jax import parallel
    from gan_jax.run import populations  # noqa: F401 - what it imports
  for name, places in PHASES.items():
    for place in places:
      home, _, path = place.partition(':')
      *owner, last = path.split('.')
      where = functools.reduce(getattr, owner, importlib.import_module(home))
      setattr(where, last, timed(name, getattr(where, last)))
  make = parallel.make_runner

  def make_runner(*args, **kwargs):
    runner = make(*args, **kwargs)

    def first(*args, **kwargs):
      with phase(FIRST):
        import jax
        jax.block_until_ready(runner(*args, **kwargs))
      report()
    return first

  parallel.make_runner = make_runner
  spent['Python and imports'] = time.time() - begun
  del spent['imports']
  sys.exit(command.main(['gan_jax', f'--config={config}', *more]))


if __name__ == '__main__':
  main()
