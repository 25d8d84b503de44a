"""`Member`: the folder of one run while it trains.

A lone run has one member, a population several. All that is written for a run
is written here; `run.train` drives the device.
"""

import contextlib
import logging
import os
import shlex
from collections.abc import Callable

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import CheckpointError, WorkdirError
from gan_jax.base.files import remove_torn
from gan_jax.config.experiment import Experiment
from gan_jax.run import (
  changes,
  drawn_labels,
  files,
  init_from,
  lock,
  status,
)
from gan_jax.run.checkpoint import Checkpoints, NonFiniteStateError
from gan_jax.run.health import Guard
from gan_jax.run.means import Means
from gan_jax.run.results import Results

_LOG = logging.getLogger(__name__)


def begin(experiment: Experiment, folder: str, checkpoints: Checkpoints, *,
          strict: bool = False, checked: bool = False
          ) -> tuple[Experiment, int, dict]:
  """Where a run begins, before anything is written.

  Args:
    experiment: what runs there.
    folder: the run folder.
    checkpoints: of the folder.
    strict: as of `Member`.
    checked: whether the weights there are known to fit.

  Returns:
    The experiment, whose `init` takes the weights of `init_from` if it is
    fresh; the step; and the record of those weights, {} for none.

  Raises:
    WorkdirError, CheckpointError: it cannot go on from there.
  """
  start, quoted = checkpoints.latest(), shlex.quote(str(folder))
  if start > experiment.train_steps:
    raise WorkdirError(f'{folder} is at step {start}, beyond train_steps = '
                       f'{experiment.train_steps}; raise train_steps, with '
                       f'--workdir={quoted}')
  if not start and experiment.config['init_from']:
    init, origin = init_from.start_from(experiment, strict=strict)
    return experiment._replace(init=init), start, origin
  if start and not checked:
    try:
      checkpoints.check(jax.eval_shape(experiment.init), start, verified=True)
    except CheckpointError as e:
      raise CheckpointError(
          f'{e}\n  it cannot go on so: give another --workdir; there '
          f'--config.init_from={quoted} takes the weights that fit') from e
  return experiment, start, {}


class Member(contextlib.AbstractContextManager):
  """Checkpoints, rows, pictures, scores and findings of one run.

  finished: whether it was at its last step when it was opened.
  frozen: why it takes no part any more, '' if it does; of a population only.
  pictures: whether it draws more than the samples at its intervals.
  saved: step of the newest checkpoint, which may still be written.
  """

  def __init__(self, experiment: Experiment, folder: str, *,
               strict: bool = False, changed=(), argv=None,
               like: 'Member | None' = None, heading: str = '',
               pictures: bool = True, begun: Callable[[], None] = lambda: None):
    """Opens the folder and records the launch.

    Args:
      experiment: what runs there.
      folder: the run folder, held by this process.
      strict: fail instead of using an older checkpoint if the newest is
        damaged.
      changed: lines of `changes.check_same_run`, for the record.
      argv: the command line to record, by default that of this process.
      like: another member, with which it shares what is compiled.
      heading: of its scores on the screen.
      pictures: whether it draws samples at the start, curves and a GIF.
      begun: called after each call of the runner, see `start.starting`.

    Raises:
      WorkdirError, CheckpointError: with a fix.
    """
    for each in (folder, os.path.join(folder, 'samples')):
      remove_torn(each)
    self.folder, self.frozen, self.pictures = folder, '', pictures
    self._begun, self._played = begun, False
    self.checkpoints = Checkpoints(
        folder, keep=experiment.config['keep_checkpoints'], strict=strict)
    # Members share their networks.
    experiment, start, origin = begin(
        experiment, folder, self.checkpoints, strict=strict,
        checked=bool(like))
    self.saved = start
    self.finished = start == experiment.train_steps
    if self.finished:
      _LOG.info('%s is finished, at step %d: to train longer, raise '
                'train_steps, with --workdir=%s%s', folder, start,
                shlex.quote(str(folder)),
                '' if changes.may_change('train_steps', experiment.config)
                else ' --allow_changed=train_steps')
      experiment = experiment._replace(loggers=())  # There is no more to log.
    self.experiment = experiment
    files.write_launch(folder, experiment, start, init_from=origin,
                       changed=changed, argv=argv)
    drawn_labels.write(folder, experiment)
    self.means = Means(os.path.join(folder, 'means.json'),
                       experiment.config['keep_checkpoints'])
    self.means.load(start)
    self.results = Results(experiment, folder, start, self.checkpoints,
                           like and like.results, heading)
    self.evaluator = self.results.evaluator
    self.guard = Guard(experiment, folder, self.results.levels,
                       self.results.rows(), start)

  def __exit__(self, kind, *_):
    with self.results:
      # A start that fails has nothing to draw, a folder that is gone no place.
      if (self._played or not kind) and lock.is_ours(self.folder):
        self.draw()  # While the last checkpoint is written.
      self.checkpoints.close()
      self.results.settle()

  @property
  def plays(self) -> bool:
    """Whether it goes on: not frozen, and not stopped by the watchdog."""
    return not (self.frozen or self.guard.verdict)

  def first_state(self, step: int):
    """The state of its checkpoint of that step, fresh for 0."""
    init, mesh = self.experiment.init, parallel.own_mesh()
    sharded = self.experiment.config['shard'] == 'state'
    if not step:
      # Constants of the program would be whole on each device.
      return (parallel.made(init.func, mesh, *init.args, sharded=True)
              if sharded else init())
    return self.checkpoints.restore(parallel.abstract(
        jax.eval_shape(init), mesh, sharded=sharded), step, verified=True)

  def freeze_again(self) -> None:
    """Freezes it if it was when the run ended, by its rows and files."""
    step = status.nonfinite(self.folder, self.checkpoints.latest())
    if self.guard.verdict:
      self.freeze(self.guard.verdict)
    elif step is not None:
      self.freeze(
          f'step {step} was not finite; remove '
          f'{os.path.join(self.folder, status.NONFINITE)} to try again')

  def freeze(self, why: str) -> None:
    """Takes it out of its population; the other members go on."""
    self.frozen = why
    _LOG.warning('%s is frozen, the other members go on: %s', self.folder, why)

  def write(self, start: int, step: int, scalars, measured, grid,
            score: Callable | None) -> dict:
    """Writes what is due after a call.

    Args:
      start: first step of the call.
      step: steps done after it.
      scalars: {name: [K]} of its steps.
      measured: {name: number} for a row, None if none is due.
      grid: of `evaluator.start_grid`, or None.
      score: () -> {name: number}, None if no score is due.

    Returns:
      The row, {} if there is none.

    Raises:
      NonFiniteError, RollBack: by the policy of the watchdog.
      WorkdirError: the folder was removed.
    """
    self._check_folder()
    self._begun()
    self._played = True
    if bad := {k: v for k, v in scalars.items() if not np.isfinite(v).all()}:
      self.guard.refuse(start, bad, self.checkpoints.latest())
    self.means.add(scalars, step - start)
    row = {}
    if measured is not None:
      row = self.means.take() | measured
    if grid is not None:
      self.results.sample(step, grid)
    if score is not None:
      row |= score()
    if row:
      self.results.write(step, row)
      self.guard.look(step, row)
    return row

  def save(self, step: int, state) -> None:
    """Starts to save a state, after what was written before.

    Raises:
      CheckpointError, RollBack, WorkdirError.
    """
    self._check_folder()  # Scores may have taken minutes.
    self.means.save(step)
    try:
      self.checkpoints.save(step, state, after=self.results.flush())
    except NonFiniteStateError as e:
      self.guard.refuse_state(step, e)
    self.saved = step

  def _check_folder(self):
    if not lock.is_ours(self.folder):
      raise WorkdirError(
          f'{self.folder} was removed or replaced while this run was going on; '
          'what it had trained is lost: to start anew, rerun the command')

  def rewind(self, fault) -> None:
    """Goes back to the newest checkpoint after a `RollBack`."""
    self.saved = step = self.checkpoints.latest(anew=True)
    self.means.load(step)
    self.guard.roll_back(fault.args[0], step, [
        row for row in self.results.rows() if row['step'] <= step])
    self.results.rewind(step)

  def summary(self, how: str) -> str:
    """The last log lines of the run; `how` it ended."""
    return self.results.summary(self.checkpoints.latest(), self.guard.findings,
                                how)

  def draw(self) -> None:
    """Writes report, curves and GIF."""
    try:
      self.guard.write_report()
      if self.pictures:
        self.results.draw()
    except Exception as e:  # Must not hide the cause of the end.
      _LOG.warning('no curves or GIF: %s: %s', type(e).__name__, e)
