"""A new run that starts from the weights of another one."""

import logging
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax import parallel
from gan_jax.base.errors import CheckpointError
from gan_jax.run.checkpoint import Checkpoints, arrays, name_of

_LOG = logging.getLogger(__name__)
_NETS = ('gen', 'disc', 'ema')
_PARTS = ('params', 'stats')  # Not the optimiser's memory, nor the step.


def begin(experiment, start: int, *, strict: bool):
  """(experiment, record): with init_from's weights, if the run is a new one."""
  if start or not experiment.config['init_from']:
    return experiment, {}
  init, record = start_from(experiment.config['init_from'], experiment.init,
                            strict=strict)
  return experiment._replace(init=init), record


def start_from(workdir: str, init: Callable, *,
               strict: bool = False) -> tuple[Callable, dict]:
  """Puts another run's newest valid weights into a fresh state.

  Of generator, discriminator and average, each array whose path, shape and
  dtype are the same there and here is taken; a log line names each that is not.

  Args:
    workdir: of the other run.
    init: () -> TrainState before the first step.
    strict: do not fall back to an older checkpoint of that run.

  Returns:
    (init with the weights, {'workdir', 'step', 'sha256', 'taken', 'left'} for
    the record of the launch).

  Raises:
    CheckpointError: nothing there, or nothing that fits.
  """
  workdir = os.path.abspath(os.path.expanduser(workdir))
  checkpoints = Checkpoints(workdir, strict=strict)
  try:
    step = checkpoints.latest()
    there = _weights(checkpoints.shapes(step))
    here = _weights(jax.eval_shape(init))
    taken = [name for name in here if there.get(name) == here[name]]
    left = [f'{name}: {there.get(name, "absent")} (there) -> '
            f'{here.get(name, "absent")} (here)'
            for name in sorted(here | there)
            if there.get(name) != here.get(name)]
    if not taken:
      raise CheckpointError(
          f'init_from={workdir}: none of its arrays fits this run; use the '
          'same networks, or no init_from:\n  ' + '\n  '.join(left[:10]))
    values = _restore(checkpoints, step)
    digest = checkpoints.digest(step)
  finally:
    checkpoints.close()
  _LOG.info('init_from %s, step %d: took %d arrays\n  %s\nleft %d\n  %s',
            workdir, step, len(taken), '\n  '.join(taken), len(left),
            '\n  '.join(left) or 'none')

  def init_with_weights():
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: (jnp.array(values[name], copy=True) if (
            name := name_of(path)) in taken else leaf), init())

  return init_with_weights, {'workdir': workdir, 'step': step,
                             'sha256': digest, 'taken': taken, 'left': left}


def _restore(checkpoints, step):
  """{name: array} of all that a step holds."""
  abstract = parallel.abstract(checkpoints.shapes(step), parallel.make_mesh(1))
  return {name_of(path): leaf
          for path, leaf in jax.tree_util.tree_leaves_with_path(
              checkpoints.restore(abstract, step))}


def _weights(tree) -> dict[str, str]:
  """Of the arrays of a state, those that are taken where they fit."""
  return {name: kind for name, kind in arrays(tree).items()
          if name.startswith(tuple(f'{net}/{part}/' for net in _NETS
                                   for part in _PARTS))}
