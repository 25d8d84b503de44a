"""How far a run has come, by the files of its folder: needs no JAX.

  python -m gan_jax.run.status FOLDER --config=configs/dcgan.py --workdir=FOLDER

exits with 0 if this very command line has finished the run, with 1 if not.
"""

import json
import os
import sys
from typing import NamedTuple


class Progress(NamedTuple):
  """The newest checkpoint of a run, and what its last launch asked for.

  step: of the newest checkpoint, 0 without one.
  train_steps: of the last launch; 0 if there was none.
  arguments: its command line, without the program.
  """

  step: int
  train_steps: int
  arguments: list

  @property
  def finished(self) -> bool:
    """Whether the last step is saved; the last row may be of a step before."""
    return 0 < self.train_steps <= self.step


def read(folder: str) -> Progress:
  """The progress of a run, whatever state its folder is in."""
  step = 0
  try:
    step = max((int(name) for name in os.listdir(os.path.join(
        folder, 'checkpoints')) if name.isdecimal()), default=0)
    with open(os.path.join(folder, 'launches.jsonl')) as file:
      launch = json.loads(file.readlines()[-1])
    return Progress(step, launch['train_steps'], launch['argv'][1:])
  except (OSError, ValueError, LookupError):
    return Progress(step, 0, [])


if __name__ == '__main__':
  progress = read(sys.argv[1])
  sys.exit(not (progress.finished and progress.arguments == sys.argv[2:]))
