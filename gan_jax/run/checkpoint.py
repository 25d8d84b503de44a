"""Atomic, verified checkpoints.

Orbax writes the arrays; a manifest (`run.manifest`) detects damage.
"""

import concurrent.futures
import contextlib
import functools
import itertools
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import CheckpointError, first_line
from gan_jax.base.files import disk_hint, sync_folder
from gan_jax.run import manifest, status

_LOG = logging.getLogger(__name__)
# Orbax numbers the running save for the whole process: two at once, of members
# or of the best state, take each other's signals and fail.
_SAVING = threading.Lock()


class NonFiniteStateError(CheckpointError):
  """A state with a value that is infinite or NaN."""


class Checkpoints(contextlib.AbstractContextManager):
  """The folder WORKDIR/checkpoints, with a folder for each step.

  A checkpoint is written to `.saving-STEP`, gets its manifest, and is renamed
  to STEP; after that older ones are renamed and deleted. So a kill at any
  moment leaves a valid one, with keep=1 too. File times are never used.
  """

  def __init__(self, workdir, *, keep: int = 0, strict: bool = False):
    """Opens the folder of a run.

    `keep`: how many of the newest to keep; 0 for a reader, who leaves
    unfinished checkpoints alone. `strict`: a damaged one is an error instead of
    skipped.
    """
    self._folder = os.path.abspath(os.path.join(workdir, 'checkpoints'))
    self._keep, self._strict = keep, strict
    self._thread = concurrent.futures.ThreadPoolExecutor(1)
    self._saving = self._newest = None  # (step, future); once looked for
    if keep:
      with self._writing():
        os.makedirs(self._folder, exist_ok=True)
        self._sweep()

  def steps(self) -> list[int]:
    """Steps of all finished checkpoints, ascending; some may be damaged."""
    if not os.path.isdir(self._folder):
      return []
    return sorted(int(name) for name in os.listdir(self._folder)
                  if re.fullmatch('[1-9][0-9]*', name))

  def latest(self, *, anew: bool = False) -> int:
    """Step of the newest valid checkpoint, 0 if there is none.

    Waits for a running save. Warns of damaged newer ones; the run (not a
    reader) moves them aside, so that it can save them again. `anew` verifies
    again what was valid before.

    Raises:
      CheckpointError: none is valid; or `strict` and the newest is damaged; or
        the running save failed.
    """
    self.wait()
    if self._newest is None or anew:
      self._newest = self._find_newest()
    return self._newest

  def digest(self, step: int) -> str:
    """Verifies a checkpoint; returns the manifest hash.

    Raises:
      CheckpointError: with the files that are damaged.
    """
    path = self._path(step)
    try:
      return manifest.verify(path, step)
    except manifest.Damage as e:
      if not os.path.isdir(path):
        raise CheckpointError(
            f'{path} was deleted by the run meanwhile; try again') from e
      raise CheckpointError(f'the checkpoint {path} is damaged: {e}') from e

  def save(self, step: int, state, *, after: Callable = lambda: None) -> None:
    """Starts to save, after the previous save.

    A thread does so from a copy on the device, so that training goes on and may
    donate the state. It calls `after` before anything is written, whose error
    is raised by `wait`.

    Raises:
      CheckpointError: the state is not finite (the last valid checkpoint stays
        the newest), or the folder cannot be written.
    """
    if not bool(_all_finite(state)):
      raise NonFiniteStateError(
          f'the state after step {step} has values that are not finite; it was '
          'not saved, the previous checkpoint stays the newest. Try a lower '
          'learning rate, max_grad_norm=1 or a penalty')
    newest = self.latest()
    if step < newest:
      raise CheckpointError(f'{self._folder}: step {step} was not saved, '
                            f'there is step {newest} already')
    if step == newest:
      return
    with self._writing():
      # Orbax refuses them while a thread of its own still makes the folder.
      if empty := [name_of(path) for path, leaf in
                   jax.tree_util.tree_leaves_with_path(state) if not leaf.size]:
        raise ValueError(f'{empty[0]} is of size 0, which cannot be saved')
    self._saving = step, self._thread.submit(
        self._write, step, _of_one_process(_copied(state)), after)

  def _write(self, step, state, after):
    import orbax.checkpoint as ocp
    after()
    with _SAVING, self._writing():
      self._orbax.save(os.path.join(self._alias, f'.saving-{step}'),
                       args=ocp.args.StandardSave(state))
      self._orbax.wait_until_finished()
      self.publish(step)

  def wait(self) -> None:
    """Waits until the running save is on disk; raises as `save`."""
    if self._saving:
      (step, future), self._saving = self._saving, None
      future.result()
      self._newest = step

  def shapes(self, step: int, *, verified: bool = False):
    """The tree {name: {name: ...}} of a step; leaves have shape and dtype.

    Verifies its files, unless `verified` by `latest` or `digest` just before.

    Raises:
      CheckpointError: none there, damaged or unreadable.
    """
    if not step or step not in self.steps():
      there = ', '.join(map(str, self.steps()))
      raise CheckpointError(f'{self._folder} ' + (
          f'has no checkpoint of step {step}; there are {there}'
          if step and there else status.awaited(
              os.path.dirname(self._folder))))
    if not verified:
      self.digest(step)
    with self._reading(step):
      return self._orbax.metadata(
          os.path.join(self._alias, str(step))).item_metadata.tree

  def check(self, abstract, step: int, *, verified: bool = False) -> None:
    """Raises CheckpointError as `restore`, without reading the arrays."""
    # Orbax would cast a wrong dtype silently.
    found = arrays(self.shapes(step, verified=verified))
    wanted = arrays(abstract)
    lines = [f'{name}: {found.get(name, "absent")} (checkpoint) -> '
             f'{wanted.get(name, "absent")} (config)'
             for name in sorted(found | wanted)
             if found.get(name) != wanted.get(name)]
    if lines:
      more = f'\n  and {len(lines) - 10} more' if len(lines) > 10 else ''
      raise CheckpointError(
          f'the checkpoint {self._path(step)} is of another model:\n  '
          + '\n  '.join(lines[:10]) + more)

  def restore(self, abstract, step: int = 0, *, verified: bool = False):
    """Restores a step (0: the newest) into the form of `parallel.abstract`.

    Raises:
      CheckpointError: as `shapes`, or names, shapes or dtypes that differ from
        those of `abstract`.
    """
    import orbax.checkpoint as ocp

    if not step:
      step, verified = self.latest(anew=True), True
    self.check(abstract, step, verified=verified)
    with self._reading(step):
      return self._orbax.restore(
          os.path.join(self._alias, str(step)),
          args=ocp.args.StandardRestore(_of_one_process(abstract)))

  def publish(self, step: int) -> None:
    """Renames `.saving-STEP` to STEP, then deletes the oldest checkpoints."""
    manifest.write(self._path(f'.saving-{step}'), step)
    os.rename(self._path(f'.saving-{step}'), self._path(step))
    sync_folder(self._folder)
    self.digest(step)  # Verifies what was written.
    for old in self.steps()[:-self._keep]:
      os.rename(self._path(old), self._path(f'.deleting-{old}'))
    self._sweep()

  def close(self) -> None:
    """Waits and releases the folder."""
    try:
      self.wait()
    finally:
      self._thread.shutdown()
      if '_orbax' in self.__dict__:
        self._orbax.close()
      if self.__dict__.get('_alias', self._folder) != self._folder:
        shutil.rmtree(os.path.dirname(self._alias))

  def __exit__(self, *_):
    self.close()

  @functools.cached_property
  def _orbax(self):
    import orbax.checkpoint as ocp  # 0.15 s, at the first save

    # Process 0 alone reads and writes, so that none waits for another.
    index, count = parallel.processes()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=index, active_processes={index} if count > 1 else None)
    return ocp.AsyncCheckpointer(
        ocp.StandardCheckpointHandler(multiprocessing_options=alone),
        multiprocessing_options=alone)

  @functools.cached_property
  def _alias(self):
    """The folder by a path that Orbax can read, and takes for no pattern.

    It globs below the path that it is given, unescaped: where that has brackets
    it finds none of its files, and saves what cannot be read. Tensorstore takes
    no path that is not UTF-8.
    """
    if not re.search(r'[][*?\ud800-\udfff]', self._folder):
      return self._folder
    link = os.path.join(tempfile.mkdtemp(), 'checkpoints')
    os.symlink(self._folder, link)
    return link

  def _path(self, name):
    return os.path.join(self._folder, str(name))

  def _find_newest(self):
    damaged, valid = {}, 0
    for step in reversed(self.steps()):
      try:
        manifest.verify(self._path(step), step)
        valid = step
        break
      except manifest.Damage as e:
        if not os.path.lexists(self._path(step)):  # Deleted by the run.
          return self._find_newest()
        damaged[step] = e
    if not damaged:
      return valid
    said = '; '.join(f'{self._path(step)}: {e}' for step, e in damaged.items())
    if not valid:
      raise CheckpointError(
          f'damaged checkpoint {said}. No older one is valid: bring the files '
          'back from a copy, or start in another --workdir')
    if self._strict:
      raise CheckpointError(f'damaged checkpoint {said}. Without --strict, '
                            f'step {valid} would be used instead')
    _LOG.warning('DAMAGED CHECKPOINT %s; using step %d instead', said, valid)
    for step in damaged if self._keep else ():
      names = (f'damaged-{step}' + (f'.{i}' if i else '')
               for i in itertools.count())
      name = next(n for n in names if not os.path.lexists(self._path(n)))
      with self._writing():
        os.rename(self._path(step), self._path(name))
      _LOG.warning('moved %s to %s', self._path(step), name)
    return valid

  @contextlib.contextmanager
  def _writing(self):
    """Cleans up and reports failed saves."""
    try:
      yield
    except (OSError, ValueError) as e:  # ValueError: of tensorstore
      if os.path.isdir(self._folder):
        self._sweep()
      raise CheckpointError(
          f'cannot save a checkpoint in {self._folder}'
          f'{disk_hint(self._folder, e)}: {first_line(e)}; the last finished '
          'checkpoint is intact') from e

  def _sweep(self):
    for name in os.listdir(self._folder):
      if name.startswith(('.saving-', '.deleting-')):
        shutil.rmtree(self._path(name), ignore_errors=True)

  @contextlib.contextmanager
  def _reading(self, step):
    try:
      yield
    except Exception as e:  # Orbax raises a dozen kinds for damaged files.
      raise CheckpointError(
          f'cannot read {self._path(step)}, though its files are as they were '
          f'saved: {first_line(e)}; move the folder away to resume from '
          'the checkpoint before it') from e


def _copied(state):
  """A copy where the state may be donated; on the host it is its own.

  Of one replica: of several Orbax writes a part each, which it cuts out by a
  program for each shape and device.
  """
  own = all(isinstance(x, np.ndarray) for x in jax.tree.leaves(state))
  return state if own else parallel.copy(parallel.one_replica(state))


@jax.jit
def _all_finite(state):
  floats = [x for x in jax.tree.leaves(state)
            if jnp.issubdtype(x.dtype, jnp.inexact)]
  return jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in floats]))


def _of_one_process(tree):
  """Strips sharding so Orbax treats arrays as process-local."""
  if parallel.processes()[1] == 1:
    return tree
  return jax.tree.map(
      lambda x: np.asarray(x) if isinstance(x, jax.Array)
      else np.empty(x.shape, x.dtype), tree)


def arrays(tree) -> dict[str, str]:
  """{'gen/params/Dense_0/kernel': 'float32[100, 8]'} of a tree of shapes."""
  return {name_of(path): f'{np.dtype(leaf.dtype).name}{list(leaf.shape)}'
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
          if hasattr(leaf, 'shape')}


def name_of(path) -> str:
  """'gen/params/...' of a path, the same for a state and for Orbax's dicts."""
  return jax.tree_util.keystr(path, simple=True, separator='/')
