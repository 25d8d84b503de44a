"""How far a run has come, by the files of its folder: reading it takes no JAX.

  python -m gan_jax.run.status FOLDER --config=configs/dcgan.py --workdir=FOLDER

exits with 0 if this very command line has finished the run, with 1 if not.
"""

import json
import os
import sys
from typing import NamedTuple


class Progress(NamedTuple):
  """What the last launch of a run was asked for, and how far it came.

  step: of the newest checkpoint, 0 without one.
  train_steps: of the last launch; 0 if there was none.
  arguments: its command line, without the program.
  """

  step: int
  train_steps: int
  arguments: list

  @property
  def finished(self) -> bool:
    """Whether the last step that was asked for is saved.

    Scalars would not do: a run may end between two rows of them.
    """
    return 0 < self.train_steps <= self.step


def read(folder: str) -> Progress:
  """The progress of a run, whatever state its folder is in."""
  try:
    steps = [int(name) for name in os.listdir(
        os.path.join(folder, 'checkpoints')) if name.isdecimal()]
  except OSError:
    steps = []
  try:
    with open(os.path.join(folder, 'launches.jsonl')) as file:
      launch = json.loads(file.readlines()[-1])
    return Progress(max(steps, default=0), launch['train_steps'],
                    launch['argv'][1:])
  except (OSError, ValueError, LookupError):
    return Progress(max(steps, default=0), 0, [])


if __name__ == '__main__':
  progress = read(sys.argv[1])
  sys.exit(not (progress.finished and progress.arguments == sys.argv[2:]))
