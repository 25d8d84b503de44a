"""Starts of runs: one that fails before its first step leaves nothing."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from gan_jax.base.errors import RequestError
from gan_jax.base.files import within, write_file
from gan_jax.run import drawn_labels, lock, status

# What a start writes anew of a run that is there already.
_RECORD = ('config.json', 'data.json', 'launches.jsonl', status.POPULATION,
           drawn_labels.NAME)
_EVENTS = 'tensorboard/*'
_OF_A_RUN = {'config.json', status.POPULATION, 'checkpoints'}


def check_apart(flag: str, place: str, spec: Mapping) -> None:
  """Raises RequestError for pictures among the images of a folder.

  The next start would take them for images of the data.

  Args:
    flag: that gives the place.
    place: where pictures are to be written.
    spec: of the data.
  """
  path = spec.get('path')
  if spec['name'] in ('auto', 'folder') and isinstance(path, str) and (
      os.path.isdir(path := os.path.expanduser(path))) and within(place, path):
    raise RequestError(
        f'--{flag}={place}: lies in data.path={path}, whose images its '
        f'pictures would be among; give a --{flag} elsewhere')


@contextlib.contextmanager
def starting(*folders) -> Iterator[Callable[[], None]]:
  """Creates and locks run folders; undoes a start that fails.

  Where there was no run, all that the start has made goes, and the folder too
  if it is new. A run that was there gets its record back: else a config that
  could not start would be the one that the next start is compared with.

  Yields:
    () -> None, to be called when a step is done: from then on all is kept.

  Raises:
    WorkdirError, LockedError: as `lock.hold`.
  """
  begun = []

  def leaving(undo, kind, *_):
    if kind and not begun:
      undo()

  with contextlib.ExitStack() as stack:
    for folder in map(pathlib.Path, folders):
      new = [each for each in (folder, *folder.parents) if not each.exists()]
      own_lock = not (folder / 'lock').exists()
      try:
        stack.enter_context(lock.hold(folder))
      except Exception:
        _remove_empty(new)
        raise
      # Read while it is held: another start may have been at work until now.
      names = set(os.listdir(folder)) - ({'lock'} if own_lock else set())
      stack.push(partial(leaving, _undoing(folder, names, new)))
    yield lambda: begun.append(True)


def _undoing(folder, names, new) -> Callable[[], None]:
  """Makes a function that restores a folder to what it is now.

  names: of the files that it has; new: the folder and those around it that the
    start has made.
  """
  events = {*folder.glob(_EVENTS)}
  record = {name: (folder / name).read_bytes() for name in _RECORD
            if name in names}

  def undo():
    if names & _OF_A_RUN:
      with contextlib.suppress(OSError):  # Must not hide why it failed.
        for name in _RECORD:
          if name in record:
            write_file(folder / name, record[name])
          else:
            (folder / name).unlink(missing_ok=True)
        for path in {*folder.glob(_EVENTS)} - events:
          path.unlink()
      return
    for name in set(os.listdir(folder)) - names:
      path = folder / name
      if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
      else:
        path.unlink(missing_ok=True)
    _remove_empty(new)

  return undo


def _remove_empty(folders):
  with contextlib.suppress(OSError):  # Something of another process is there.
    for folder in folders:
      folder.rmdir()
