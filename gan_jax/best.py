"""The best state of a run by a chosen score, kept beside the newest ones."""

import json
import os
import shutil

from gan_jax.checkpoint import Checkpoints
from gan_jax.writers import write_file

# Scores whose names begin so are better when low; all others when high.
_LOW = ('fd', 'kd', 'class_kl', 'divergence', 'ms_ssim')


class Best:
  """WORKDIR/best, itself a working directory to sample from."""

  def __init__(self, folder: str, name: str):
    """Name: of the score; '' keeps nothing."""
    self._from, self._name = folder, name
    self._folder = os.path.join(folder, 'best')
    self._path = os.path.join(self._folder, 'best.json')
    old = f'{self._folder}.old'
    if os.path.isdir(old) and not os.path.isdir(self._folder):
      os.rename(old, self._folder)  # Killed between two renames.

  def read(self) -> dict:
    """{'name', 'step', 'value'} of what is kept; {} for nothing."""
    try:
      with open(self._path) as file:
        found = json.load(file)
      return found if found['name'] == self._name else {}
    except (OSError, ValueError, KeyError, TypeError):
      return {}

  def offer(self, step: int, scores, state) -> bool:
    """Keeps the state if its score is better than that of the one there.

    Args:
      step: of the state.
      scores: `Score`s of it; without the chosen one, or with None for its
        value, nothing is kept.
      state: to be saved.

    Returns:
      Whether it is the best now.

    Raises:
      CheckpointError: it could not be written.
    """
    value = next((s.value for s in scores if s.name == self._name), None)
    before = self.read()
    if not self._name or value is None or (
        before and not _better(self._name, value, before['value'])):
      return False
    # The old one stays until the new one is whole.
    aside = f'{self._folder}.new'
    shutil.rmtree(aside, ignore_errors=True)
    checkpoints = Checkpoints(aside, keep=1)
    checkpoints.save(step, state)
    checkpoints.close()
    for name in ('config.json', 'data.json'):
      shutil.copy(os.path.join(self._from, name), aside)
    write_file(os.path.join(aside, 'best.json'), (json.dumps(
        {'name': self._name, 'step': step, 'value': value}) + '\n').encode())
    old = f'{self._folder}.old'
    shutil.rmtree(old, ignore_errors=True)
    if os.path.isdir(self._folder):
      os.rename(self._folder, old)
    os.rename(aside, self._folder)
    shutil.rmtree(old, ignore_errors=True)
    return True


def low_is_better(name: str) -> bool:
  """Whether a score of this name is better when it is low."""
  return name.startswith(_LOW)


def _better(name, value, than) -> bool:
  return value < than if low_is_better(name) else value > than
