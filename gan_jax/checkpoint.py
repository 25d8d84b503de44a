"""Checkpoints of a run: Orbax, asynchronous, the newest N kept."""

import hashlib
import os

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp


class CheckpointError(RuntimeError):
  """A checkpoint that cannot be written, read or believed."""


class NonFiniteStateError(CheckpointError):
  """A state with a value that is infinite or not a number."""


class Checkpoints:
  """The checkpoints of a working directory, in its folder `checkpoints`."""

  def __init__(self, workdir, *, keep: int = 0):
    """Opens the folder; `keep` is how many of the newest stay, 0 to read only.

    A reader leaves alone what it finds half written: the run may be alive.
    """
    self._folder = os.path.abspath(os.path.join(workdir, 'checkpoints'))
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep or None, enable_async_checkpointing=True,
        create=bool(keep), cleanup_tmp_directories=bool(keep))
    self._manager = ocp.CheckpointManager(
        self._folder, item_handlers=ocp.StandardCheckpointHandler(),
        options=options)

  def latest(self) -> int:
    """Step of the newest finished checkpoint, 0 if there is none."""
    return self._manager.latest_step() or 0

  def steps(self) -> list[int]:
    """Steps of all finished checkpoints, ascending."""
    return sorted(self._manager.all_steps())

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
    if step == self._manager.latest_step():
      return
    saved = self._guard(lambda: self._manager.save(
        step, args=ocp.args.StandardSave(state)))
    if not saved:
      raise CheckpointError(f'{self._folder}: step {step} was not saved; '
                            'another program may be writing there')

  def wait(self) -> None:
    """Waits until what was begun is on disk.

    Raises:
      CheckpointError: it could not be written.
    """
    self._guard(self._manager.wait_until_finished)

  def restore(self, abstract, step: int = 0):
    """The state of a step (0: the newest) in the form of an abstract tree.

    Raises:
      CheckpointError: none there, unreadable, or of other arrays than those of
        `abstract` (names, shapes or dtypes).
    """
    step = step or self.latest()
    if not step or step not in self._manager.all_steps():
      raise CheckpointError(f'no checkpoint of step {step or "any"} in '
                            f'{self._folder}; there are {self.steps()}')
    self._compare(abstract, step)
    try:
      return self._manager.restore(
          step, args=ocp.args.StandardRestore(abstract))
    except Exception as e:  # Orbax raises a dozen kinds for damaged files.
      raise CheckpointError(
          f'cannot read {self._folder}/{step}: {_first_line(e)}; move the '
          'folder away to go on from the checkpoint before it') from e

  def close(self) -> None:
    """Waits and releases the folder."""
    self._guard(self._manager.close)

  def _compare(self, abstract, step):
    """Orbax casts a wrong dtype silently: compare before restoring."""
    try:
      found = self._manager.item_metadata(step)
      found = getattr(found, 'tree', found)
    except Exception as e:
      raise self._damaged(step, e) from e
    if found is None:
      raise self._damaged(step, ValueError('it lacks its description'))
    found, wanted = _leaves(found), _leaves(abstract)
    lines = [f'{name}: {found.get(name, "absent")} (checkpoint) -> '
             f'{wanted.get(name, "absent")} (config)'
             for name in sorted(found | wanted)
             if found.get(name) != wanted.get(name)]
    if lines:
      more = f'\n  and {len(lines) - 10} more' if len(lines) > 10 else ''
      raise CheckpointError(
          f'the checkpoint {self._folder}/{step} is of another model:\n  '
          + '\n  '.join(lines[:10]) + more)

  def _damaged(self, step, error):
    return CheckpointError(
        f'cannot read {self._folder}/{step}: {_first_line(error)}; move the '
        'folder away to go on from the checkpoint before it')

  def _guard(self, action):
    try:
      return action()
    except OSError as e:
      raise self._full(e) from e
    except ValueError as e:  # How tensorstore reports a full disk.
      raise self._full(e) from e

  def _full(self, error):
    stat = os.statvfs(self._folder if os.path.isdir(self._folder) else '/')
    free = stat.f_bavail * stat.f_frsize
    return CheckpointError(
        f'cannot write to {self._folder} ({free} bytes free): '
        f'{_first_line(error)}; the last finished checkpoint is intact')


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


def _leaves(tree) -> dict[str, str]:
  def name(path):
    return '/'.join(str(getattr(k, 'key', getattr(k, 'name', getattr(
        k, 'idx', k)))) for k in path)

  return {name(path): f'{np.dtype(leaf.dtype).name}{list(leaf.shape)}'
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
          if hasattr(leaf, 'shape')}


def _first_line(error) -> str:
  first = str(error).partition('\n')[0]
  return f'{type(error).__name__}: {first[:300]}'
