"""The best state of a run by a score."""

import glob
import json
import logging
import os
import pathlib
import shutil

from gan_jax.base.files import short_hash, write_json
from gan_jax.metrics import low_is_better
from gan_jax.run import drawn_labels
from gan_jax.run.checkpoint import Checkpoints

_LOG = logging.getLogger(__name__)
# Of a score's protocol, what does not change its value for a given state: the
# run's training, its other evaluators, how the floor came about.
_BESIDE = ('step', 'config', 'evaluators', 'floor')


class Best:
  """The best state by a score, in WORKDIR/best, itself a run folder.

  A run may go on from a checkpoint before its best state. So the best one
  before stays in WORKDIR/best.old until a checkpoint follows; for good, in
  WORKDIR/best-NAME-STEP, where the new one is by a score that does not compare.
  """

  def __init__(self, folder: str, name: str, *, own: bool = False):
    """Takes the name of the score; '' keeps nothing.

    own: in WORKDIR/best-NAME, for a process beside the run.
    """
    self._from, self._name = folder, name
    self._folder = os.path.join(folder, f'best-{name}' if own else 'best')
    self._old = f'{self._folder}.old'
    self._restore()  # Killed between two renames.
    if not own:  # Left by a killed run.
      for left in self._all('.*.new') + self._all('*.gone'):
        shutil.rmtree(left, ignore_errors=True)

  def read(self, protocol: str = '') -> dict:
    """Reads {'name', 'step', 'value', 'protocol'} of the best state.

    {} if there is none, or of another score or protocol.
    """
    found = _record(self._folder)
    return found if found.get('name') == self._name and protocol in (
        '', found['protocol']) else {}

  def wants(self, score) -> bool:
    """Whether a score improves on the best."""
    if not self._name or score.name != self._name or score.value is None:
      return False
    before = self.read(_protocol(score))
    sign = -1 if low_is_better(self._name) else 1
    return not before or sign * score.value > sign * before['value']

  def offer(self, step: int, scores, state, saved: int) -> bool:
    """Saves the state if its score improves on the best; returns whether so.

    saved: step of the newest checkpoint of the run.

    Raises:
      CheckpointError: it could not be written.
    """
    score = next((s for s in scores if s.name == self._name), None)
    if self._name and score is None:
      _LOG.warning('best_metric: no score %s; there are %s',
                   self._name, ', '.join(s.name for s in scores) or 'none')
    if score is None or not self.wants(score):
      return False
    # The old one stays until the new one is whole.
    new = f'{self._folder}.{os.getpid()}.new'
    try:
      shutil.rmtree(new, ignore_errors=True)
      with Checkpoints(new, keep=1) as checkpoints:
        checkpoints.save(step, state)
      for name in ('config.json', 'data.json', drawn_labels.NAME):
        path = os.path.join(self._from, name)
        if os.path.exists(path):  # An older run has no labels.
          shutil.copy(path, new)
      write_json(os.path.join(new, 'best.json'), {
          'name': self._name, 'step': step, 'value': score.value,
          'protocol': _protocol(score)})
      self.settle(saved)
      if os.path.isdir(self._old):  # Then no checkpoint follows the newer one.
        _remove(self._folder)
      elif os.path.isdir(self._folder):
        os.rename(self._folder, self._old)
      os.rename(new, self._folder)
      self.settle(saved)
    finally:
      shutil.rmtree(new, ignore_errors=True)
    return True

  def settle(self, saved: int) -> None:
    """Gives up best.old once `saved`, a checkpoint's step, reaches the best."""
    best, old = _record(self._folder), _record(self._old)
    if best and best['step'] > saved or not os.path.isdir(self._old):
      return
    if not old or _kind(old) == _kind(best):
      _remove(self._old)
      return
    aside = os.path.join(self._from, f'best-{old["name"]}-{old["step"]}')
    _remove(aside)
    os.rename(self._old, aside)
    _LOG.warning('%s is by another score or evaluation protocol than the best '
                 'before, of step %d, which stays in %s', self._folder,
                 old['step'], aside)

  def rewind(self, step: int) -> None:
    """Goes back to the best of a checkpoint's step, from which the run goes on.

    What is later is of a branch that is given up: those of other scores too.
    """
    for path in self._all('*'):
      if not path.endswith('.new') and _record(path).get('step', 0) > step:
        _LOG.info('%s, of step %d, is removed: the run goes on from step %d',
                  path, _record(path)['step'], step)
        _remove(path)
    self._restore()
    self.settle(step)

  def _restore(self):
    if os.path.isdir(self._old) and not os.path.isdir(self._folder):
      os.rename(self._old, self._folder)

  def _all(self, pattern):
    return glob.glob(glob.escape(os.path.join(self._from, 'best')) + pattern)


def _record(folder) -> dict:
  """best.json, {} if there is none that can be read."""
  try:
    found = json.loads(pathlib.Path(folder, 'best.json').read_bytes())
    return {key: found[key] for key in ('name', 'step', 'value', 'protocol')}
  except (OSError, ValueError, KeyError, TypeError):
    return {}


def _kind(record):
  """(name, protocol), which are equal if two scores can be compared."""
  return record.get('name'), record.get('protocol')


def _remove(folder) -> None:
  """Removes a folder; a kill meanwhile leaves only FOLDER.PID.gone."""
  if os.path.isdir(folder):
    gone = f'{folder}.{os.getpid()}.gone'
    os.rename(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _protocol(score) -> str:
  """Hash of what settles whether two scores of one name compare."""
  return short_hash({key: value for key, value in score.protocol.items()
                     if key not in _BESIDE})
