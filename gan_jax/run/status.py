"""Progress of a run, read from its files (no JAX).

  python -m gan_jax.run.status FOLDER --config=configs/dcgan.py --workdir=FOLDER

exits with 0 if this command line has finished the run, or all members of the
population, else with 1.
"""

import json
import os
import sys
from typing import NamedTuple

from gan_jax.run import lock

POPULATION = 'population.json'  # in the folder of one: {member: its values}


class Progress(NamedTuple):
  """Progress of a run.

  step: of the newest checkpoint, 0 without one.
  train_steps: of the last launch, 0 without one.
  arguments: of the last launch, without the program.
  """

  step: int
  train_steps: int
  arguments: list

  @property
  def finished(self) -> bool:
    """Whether the last step is saved."""
    return 0 < self.train_steps <= self.step


def read(folder: str) -> Progress:
  """Reads the progress of a run, whatever the state of its folder."""
  step = 0
  try:
    step = max((int(name) for name in os.listdir(os.path.join(
        folder, 'checkpoints')) if name.isdecimal()), default=0)
    with open(os.path.join(folder, 'launches.jsonl')) as file:
      launch = json.loads(file.readlines()[-1])
    return Progress(step, launch['train_steps'], launch['argv'][1:])
  except (OSError, ValueError, LookupError):
    return Progress(step, 0, [])


def state(folder: str, progress: Progress) -> str:
  """'running', if a process holds the folder now, else as `ended`."""
  return 'running' if lock.is_held(folder) else ended(folder, progress)


def ended(folder: str, progress: Progress) -> str:
  """How a run that is not running stands, in words.

  'finished', 'not finite', 'never started', 'stopped at step 300 of 1000'.
  """
  if progress.finished:  # nonfinite.json may be left from before.
    return 'finished'
  if os.path.exists(os.path.join(folder, 'nonfinite.json')):
    return 'not finite'
  if not progress.train_steps:
    return 'never started'
  return f'stopped at step {progress.step} of {progress.train_steps}'


def is_finished(folder: str, arguments: list) -> bool:
  """Whether a launch with these arguments has saved the last step of all."""
  try:
    with open(os.path.join(folder, POPULATION)) as file:
      runs = [os.path.join(folder, member) for member in json.load(file)]
  except FileNotFoundError:
    runs = [folder]
  except ValueError:  # Damaged, which the launch says.
    return False
  return all(run.finished and run.arguments == arguments
             for run in map(read, runs))


if __name__ == '__main__':
  sys.exit(not is_finished(sys.argv[1], sys.argv[2:]))
