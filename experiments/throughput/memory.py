"""Memory of a run, phase by phase, in MiB.

  python experiments/throughput/memory.py --config=configs/dcgan.py

`held` is what the process holds after a phase, `peak` the most during it, both
of Linux (VmRSS, VmHWM). The rest says what a law would be made of: the sizes of
data and state, and what XLA says that a compiled call needs besides them.
"""

import argparse
import gc
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
MIB = 2**20


def main():
  """Prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--config', default='configs/dcgan.py')
  parser.add_argument('--steps', type=int, default=4, help='of a call')
  args = parser.parse_args()
  print('| phase | held | peak |\n|---|---|---|')
  with tempfile.TemporaryDirectory() as folder:
    play(args.config, args.steps, folder)


def report(phase):
  """Prints a row; the peak starts anew."""
  gc.collect()
  with open('/proc/self/status') as file:
    found = dict(line.split(':', 1) for line in file)
  held, peak = (int(found[key].split()[0]) / 1024
                for key in ('VmRSS', 'VmHWM'))
  print(f'| {phase} | {held:.0f} | {peak:.0f} |', flush=True)
  with open('/proc/self/clear_refs', 'w') as file:
    file.write('5')


def play(name, steps, folder):
  """Goes through the phases of a run."""
  import jax

  from gan_jax import parallel
  from gan_jax.config import experiment, recipe
  from gan_jax.run import member as members
  from gan_jax.run import states
  from gan_jax.run.health import Diagnoser
  from gan_jax.run.loader import Calls
  parallel.use_compilation_cache()
  jax.devices()
  report('imports')
  run = experiment.load(recipe.get_config(name))
  report('config, data, trace')
  mesh = parallel.make_mesh()
  with members.Member(run, folder) as member:
    report('run folder')
    state = parallel.copy(parallel.replicate(run.init(), mesh))
    calls = Calls([run], mesh, 0)
    jax.block_until_ready((state, calls.data))
    report('state and data on the device')
    size = {'state': sum(x.nbytes for x in jax.tree.leaves(state)),
            'data': sum(x.nbytes for x in jax.tree.leaves(calls.data))}
    _, call = calls.next(steps)
    runner = states.runner_of(run, mesh)
    needed = runner.prepare(state, calls.data, call)
    report(f'a call of {steps} steps compiled')
    state, scalars = runner(state, calls.data, call)
    jax.block_until_ready(scalars)
    report('and run')
    diagnoser = Diagnoser(run, parallel.own_mesh())
    jax.block_until_ready(diagnoser.start(state, steps, 0))
    report('diagnosis')
    member.results.sample(steps, member.evaluator.start_grid(state.ema))
    member.results.drain()
    report('grid')
    member.evaluator.draw(state.ema, 0, 2000)
    report('2,000 samples of a score')
    member.save(steps, state)
    member.checkpoints.wait()
    report('checkpoint')
  report('curves and GIF')
  for key, count in size.items():
    print(f'{key}: {count / MIB:.1f} MiB')
  print(f'a call besides the state: {(needed - size["state"]) / MIB:.1f} MiB')


if __name__ == '__main__':
  main()
