"""The best state of a run by a chosen score, kept beside the newest ones."""

import glob
import json
import logging
import os
import shutil

from gan_jax.checkpoint import Checkpoints
from gan_jax.evaluation.score import digest
from gan_jax.metrics.direction import low_is_better
from gan_jax.writers import write_file

_LOG = logging.getLogger(__name__)


class Best:
  """WORKDIR/best, itself a working directory to sample from."""

  def __init__(self, folder: str, name: str, *, own: bool = False):
    """The best by a score.

    Args:
      folder: the working directory.
      name: of the score; '' keeps nothing.
      own: in WORKDIR/best-NAME, beside that of a run that may be going on.
    """
    self._from, self._name = folder, name
    self._folder = os.path.join(folder, f'best-{name}' if own else 'best')
    self._path = os.path.join(self._folder, 'best.json')
    old = f'{self._folder}.old'
    if name and os.path.isdir(old) and not os.path.isdir(self._folder):
      os.rename(old, self._folder)  # Killed between two renames.
    if name and not own:  # Killed while it saved; nobody else does here.
      for left in glob.glob(f'{glob.escape(self._folder)}.*.new'):
        shutil.rmtree(left, ignore_errors=True)

  def read(self, protocol: str = '') -> dict:
    """{'name', 'step', 'value', 'protocol'} of what is kept; {} for nothing.

    Of another score, or by another protocol, is nothing.
    """
    try:
      with open(self._path) as file:
        found = json.load(file)
      return found if found['name'] == self._name and protocol in (
          '', found['protocol']) else {}
    except (OSError, ValueError, KeyError, TypeError):
      return {}

  def wants(self, score) -> bool:
    """Whether a `Score` is the chosen one, and better than what is kept."""
    if not self._name or score.name != self._name or score.value is None:
      return False
    before = self.read(_protocol(score))
    return not before or _better(self._name, score.value, before['value'])

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
    score = next((s for s in scores if s.name == self._name), None)
    if self._name and score is None:
      _LOG.warning('no best state is kept: no score %s, there are %s',
                   self._name, ', '.join(s.name for s in scores) or 'none')
    if score is None or not self.wants(score):
      return False
    # The old one stays until the new one is whole.
    aside = f'{self._folder}.{os.getpid()}.new'
    try:
      self._save(aside, step, score, state)
    finally:
      shutil.rmtree(aside, ignore_errors=True)
    return True

  def _save(self, aside, step, score, state):
    shutil.rmtree(aside, ignore_errors=True)
    checkpoints = Checkpoints(aside, keep=1)
    checkpoints.save(step, state)
    checkpoints.close()
    for name in ('config.json', 'data.json'):
      shutil.copy(os.path.join(self._from, name), aside)
    write_file(os.path.join(aside, 'best.json'), (json.dumps(
        {'name': self._name, 'step': step, 'value': score.value,
         'protocol': _protocol(score)}) + '\n').encode())
    old = f'{self._folder}.old'
    shutil.rmtree(old, ignore_errors=True)
    if os.path.isdir(self._folder):
      os.rename(self._folder, old)
    os.rename(aside, self._folder)
    shutil.rmtree(old, ignore_errors=True)


def _protocol(score) -> str:
  return digest({k: v for k, v in score.protocol.items() if k != 'step'})


def _better(name, value, than) -> bool:
  return value < than if low_is_better(name) else value > than
