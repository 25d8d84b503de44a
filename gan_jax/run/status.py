"""Progress of a run, read from its files (no JAX).

  python -m gan_jax.run.status FOLDER --config=configs/dcgan.py --workdir=FOLDER

exits with 0 if this command line has finished the run, else with 1. Of a
population, at least one member is finished, and the others are or are frozen.
"""

import json
import os
import sys
from typing import NamedTuple

from gan_jax.run import lock

POPULATION = 'population.json'  # in the folder of one: {member: its values}
NONFINITE = 'nonfinite.json'  # step and batch, in the run folder


class Progress(NamedTuple):
  """Progress of a run.

  step: of the newest checkpoint, 0 without one.
  train_steps: of the last launch, 0 without one.
  arguments: of the last launch, without the program.
  first: step of the first checkpoint, 0 if it is not known.
  """

  step: int
  train_steps: int
  arguments: list
  first: int = 0

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
    return Progress(step, launch['train_steps'], launch['argv'][1:],
                    launch.get('first_checkpoint', 0))  # Not of older runs.
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
  if nonfinite(folder, progress.step) is not None:
    return 'not finite'
  if not progress.train_steps:
    return 'never started'
  return f'stopped at step {progress.step} of {progress.train_steps}'


def nonfinite(folder: str, saved: int) -> int | None:
  """The step that was not finite, None if none was since the step `saved`."""
  try:
    with open(os.path.join(folder, NONFINITE)) as file:
      step = json.load(file)['step']
    return step if step >= saved else None
  except (OSError, ValueError, LookupError, TypeError):
    return None


def awaited(folder: str) -> str:
  """What to say of a run without a checkpoint: when it will have one."""
  first = read(folder).first
  return 'has no checkpoint yet' + (
      f': the first is due at step {first:,}' if first else '') + (
          '' if lock.is_held(folder) else '; no process trains it now')


def is_finished(folder: str, arguments: list) -> bool:
  """Whether a launch with these arguments has left nothing to do."""
  try:
    with open(os.path.join(folder, POPULATION)) as file:
      runs = [os.path.join(folder, member) for member in json.load(file)]
  except FileNotFoundError:
    runs = [folder]
  except (OSError, ValueError):  # In the way, or damaged: the launch says so.
    return False
  found = {run: read(run) for run in runs}
  # One that is not finite starts again alone, but not in a population.
  return any(one.finished for one in found.values()) and all(
      one.arguments == arguments and (
          one.finished or nonfinite(run, one.step) is not None)
      for run, one in found.items())


if __name__ == '__main__':
  sys.exit(not is_finished(sys.argv[1], sys.argv[2:]))
