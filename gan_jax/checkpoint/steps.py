"""The numbered folders of a run: published whole, verified, never half gone."""

import contextlib
import itertools
import logging
import os
import re
import shutil

from gan_jax.checkpoint import manifest

_LOG = logging.getLogger(__name__)


class CheckpointError(RuntimeError):
  """A checkpoint that cannot be written, read or believed."""


class Steps:
  """The folder `checkpoints`, where a folder for each step lies.

  What is saved is written to `.saving-STEP`, gets its manifest, and is renamed
  to STEP; only then older ones go, which are renamed first. So whatever has a
  number for its name was whole, and a kill at any moment leaves a valid one,
  with keep=1 too. No time of a file or clock decides anything.
  """

  def __init__(self, folder: str, *, keep: int, strict: bool):
    """Opens the folder, and with `keep` removes what a kill left half done."""
    self.folder, self._keep, self._strict = folder, keep, strict
    if keep:
      with self.writing():
        os.makedirs(folder, exist_ok=True)
        self._sweep()

  def all(self) -> list[int]:
    """The numbers, ascending; not all of them need be valid."""
    if not os.path.isdir(self.folder):
      return []
    return sorted(int(name) for name in os.listdir(self.folder)
                  if re.fullmatch('[1-9][0-9]*', name))

  def path(self, name) -> str:
    """Of a step, or of another name in the folder."""
    return os.path.join(self.folder, str(name))

  def verify(self, step: int) -> str:
    """The digest of a step, which stands for each of its bytes.

    Raises:
      CheckpointError: with the files that are damaged.
    """
    try:
      return self._verify(step)
    except manifest.Damage as e:
      if not os.path.isdir(self.path(step)):
        raise CheckpointError(f'{self.path(step)} was deleted by the run '
                              'meanwhile; try again') from e
      raise CheckpointError(
          f'the checkpoint {self.path(step)} is damaged: {e}') from e

  def newest(self) -> int:
    """The newest valid step, 0 where there is none at all.

    A warning names what is wrong with newer ones, and who may write moves them
    aside, so that the run can save these steps again.

    Raises:
      CheckpointError: all are damaged, or the newest is and `strict` is set.
    """
    damaged, valid = {}, 0
    for step in reversed(self.all()):
      try:
        self._verify(step)
      except manifest.Damage as e:
        if not os.path.lexists(self.path(step)):  # A living run deletes it.
          return self.newest()
        damaged[step] = e
      else:
        valid = step
        break
    if not damaged:
      return valid
    said = '; '.join(f'{self.path(step)}: {e}' for step, e in damaged.items())
    if not valid:
      raise CheckpointError(
          f'damaged checkpoint {said}. No older one is valid: bring the files '
          'back from a copy, or begin anew in another --workdir')
    if self._strict:
      raise CheckpointError(f'damaged checkpoint {said}. Without --strict, '
                            f'step {valid} would take its place')
    _LOG.warning('DAMAGED CHECKPOINT %s; step %d takes its place', said, valid)
    for step in damaged if self._keep else ():
      self._move_aside(step)
    return valid

  def publish(self, step: int) -> None:
    """From `.saving-STEP`, whole, to a checkpoint; then the old ones go.

    Raises:
      OSError: it is no checkpoint; the older ones are as they were.
      CheckpointError: the disk did not keep what was written.
    """
    manifest.write(self.path(f'.saving-{step}'), step)
    os.rename(self.path(f'.saving-{step}'), self.path(step))
    manifest.sync_folder(self.folder)
    self.verify(step)
    for old in self.all()[:-self._keep]:
      os.rename(self.path(old), self.path(f'.deleting-{old}'))
    self._sweep()

  @contextlib.contextmanager
  def writing(self):
    """Turns what a full disk raises into one error, and makes room again."""
    try:
      yield
    except (OSError, ValueError) as e:  # ValueError: tensorstore's.
      if os.path.isdir(self.folder):
        self._sweep()
      raise self._full(e) from e

  def _verify(self, step):
    # Each time: what was whole when it was published may not be so any more.
    try:
      return manifest.verify(self.path(step), step)
    except manifest.FormatError as e:
      raise CheckpointError(str(e)) from e

  def _move_aside(self, step):
    name = next(n for i in itertools.count() if not os.path.lexists(self.path(
        n := f'damaged-{step}' + (f'.{i}' if i else ''))))
    with self.writing():
      os.rename(self.path(step), self.path(name))
    _LOG.warning('moved %s to %s', self.path(step), name)

  def _sweep(self):
    for name in os.listdir(self.folder):
      if name.startswith(('.saving-', '.deleting-')):
        shutil.rmtree(self.path(name), ignore_errors=True)

  def _full(self, error):
    folder = self.folder
    while not os.path.isdir(folder):
      folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    return CheckpointError(
        f'cannot write to {self.folder} ({free} bytes free): '
        f'{first_line(error)}; the last finished checkpoint is intact')


def first_line(error) -> str:
  """An exception in one line."""
  first = str(error).partition('\n')[0]
  return f'{type(error).__name__}: {first[:300]}'
