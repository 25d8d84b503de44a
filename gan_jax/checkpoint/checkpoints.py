"""Checkpoints of a run: Orbax, asynchronous, verified, the newest N kept."""

import concurrent.futures
import hashlib
import os

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from gan_jax import parallel
from gan_jax.checkpoint.steps import CheckpointError, Steps, first_line


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
