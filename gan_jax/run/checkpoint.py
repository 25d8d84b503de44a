"""The checkpoints of a run: published whole, verified, never half gone.

Orbax writes the arrays; a manifest beside them (`run.manifest`) finds damage.
"""

import concurrent.futures
import contextlib
import hashlib
import itertools
import logging
import os
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from gan_jax import parallel
from gan_jax.base.errors import CheckpointError
from gan_jax.run import manifest

_LOG = logging.getLogger(__name__)



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


class NonFiniteStateError(CheckpointError):
  """A state with a value that is infinite or not a number."""


class Checkpoints:
  """The checkpoints of a working directory, in its folder `checkpoints`."""

  def __init__(self, workdir, *, keep: int = 0, strict: bool = False):
    """Opens the folder.

    Args:
      workdir: of the run.
      keep: how many of the newest stay; 0 to read only. A reader leaves alone
        what it finds half written: the run may be alive.
      strict: a damaged checkpoint is an error, and is not passed over.
    """
    self._steps = Steps(os.path.abspath(os.path.join(workdir, 'checkpoints')),
                        keep=keep, strict=strict)
    # Where several share a run, one reads and writes: none waits for another.
    index, count = parallel.processes()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=index, active_processes={index} if count > 1 else None)
    self._orbax = ocp.AsyncCheckpointer(
        ocp.StandardCheckpointHandler(multiprocessing_options=alone),
        multiprocessing_options=alone)
    self._thread = concurrent.futures.ThreadPoolExecutor(1)
    self._saving = None  # (step, future)
    self._newest = None  # once it has been looked for

  def latest(self, *, anew: bool = False) -> int:
    """Step of the newest valid checkpoint, 0 if there is none.

    Waits for a save in flight. Damaged ones are passed over with a warning.

    Args:
      anew: look again at what was valid before, as who is to restore it must.

    Raises:
      CheckpointError: none is valid; or `strict` and the newest is damaged; or
        the save in flight could not be written.
    """
    self.wait()
    if self._newest is None or anew:
      self._newest = self._steps.newest()
    return self._newest

  def steps(self) -> list[int]:
    """Steps of all finished checkpoints, ascending."""
    return self._steps.all()

  def digest(self, step: int) -> str:
    """sha256 that stands for every byte of a checkpoint.

    Raises:
      CheckpointError: it is damaged.
    """
    return self._steps.verify(step)

  def save(self, step: int, state) -> None:
    """Starts to save; the previous save has ended when this returns.

    Raises:
      CheckpointError: the state is not finite (the last good one stays the
        newest), or the folder cannot be written.
    """
    if not bool(_all_finite(state)):
      raise NonFiniteStateError(
          f'the state after step {step} has values that are not finite; it was '
          'not saved, the previous checkpoint stays the newest. Try a lower '
          'learning rate, max_grad_norm=1 or a penalty')
    newest = self.latest()
    if step < newest:
      raise CheckpointError(f'{self._steps.folder}: step {step} was not saved, '
                            f'there is step {newest} already')
    if step == newest:
      return
    with self._steps.writing():
      self._orbax.save(self._steps.path(f'.saving-{step}'),
                       args=ocp.args.StandardSave(_of_one_process(state)))
    self._saving = step, self._thread.submit(self._publish, step)

  def wait(self) -> None:
    """Waits until what was begun is on disk.

    Raises:
      CheckpointError: it could not be written.
    """
    if self._saving:
      (step, future), self._saving = self._saving, None
      with self._steps.writing():
        future.result()
      self._newest = step

  def shapes(self, step: int):
    """The tree {name: {name: ...}} of a step; leaves have shape and dtype.

    Raises:
      CheckpointError: none there, damaged or unreadable.
    """
    if not step or step not in self.steps():
      raise CheckpointError(f'no checkpoint of step {step or "any"} in '
                            f'{self._steps.folder}; there are {self.steps()}')
    self._steps.verify(step)
    try:
      return self._orbax.metadata(self._steps.path(step)).item_metadata.tree
    except Exception as e:
      raise self._unreadable(step, e) from e

  def restore(self, abstract, step: int = 0):
    """The state of a step (0: the newest) in the form of an abstract tree.

    Its files are verified first, whatever was known of them.

    Raises:
      CheckpointError: none there, damaged, unreadable, or of other arrays than
        those of `abstract` (names, shapes or dtypes).
    """
    step = step or self.latest(anew=True)
    self._compare(abstract, step)
    try:
      return self._orbax.restore(self._steps.path(step),
                                 args=ocp.args.StandardRestore(
                                     _of_one_process(abstract)))
    except Exception as e:  # Orbax raises a dozen kinds for damaged files.
      raise self._unreadable(step, e) from e

  def close(self) -> None:
    """Waits and releases the folder."""
    try:
      self.wait()
    finally:
      self._thread.shutdown()
      self._orbax.close()

  def _publish(self, step):
    self._orbax.wait_until_finished()
    self._steps.publish(step)

  def _compare(self, abstract, step):
    """Orbax casts a wrong dtype silently: compare before restoring."""
    found, wanted = arrays(self.shapes(step)), arrays(abstract)
    lines = [f'{name}: {found.get(name, "absent")} (checkpoint) -> '
             f'{wanted.get(name, "absent")} (config)'
             for name in sorted(found | wanted)
             if found.get(name) != wanted.get(name)]
    if lines:
      more = f'\n  and {len(lines) - 10} more' if len(lines) > 10 else ''
      raise CheckpointError(
          f'the checkpoint {self._steps.path(step)} is of another model:\n  '
          + '\n  '.join(lines[:10]) + more)

  def _unreadable(self, step, error):
    return CheckpointError(
        f'cannot read {self._steps.path(step)}, though its files are as they '
        f'were saved: {first_line(error)}; move the folder away to go on from '
        'the checkpoint before it')


def digest(state) -> str:
  """sha256 over names, dtypes, shapes and bytes of all arrays of a state."""
  sha = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    array = np.asarray(leaf)
    head = f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape};'
    sha.update(head.encode() + array.tobytes())
  return sha.hexdigest()


@jax.jit
def _all_finite(state):
  floats = [x for x in jax.tree.leaves(state)
            if jnp.issubdtype(x.dtype, jnp.inexact)]
  return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats]))


def _of_one_process(tree):
  """Without devices, which Orbax takes for those of all processes."""
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
  """'gen/params/...', the same for a state and for the dicts that Orbax has."""
  return '/'.join(str(getattr(k, 'key', getattr(k, 'name', getattr(
      k, 'idx', k)))) for k in path)
