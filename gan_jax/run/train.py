"""Training loop: runs compiled chunks; logs, evaluates and saves between them.

A chunk is one call of the compiled runner. With several processes the first one
leads and alone writes the run folder; the others follow its orders.
"""

import contextlib
import errno
import logging
import os
import signal
from functools import partial

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import StoppedError, WorkdirError
from gan_jax.base.files import free_space, remove_torn
from gan_jax.config.experiment import Experiment
from gan_jax.evaluators.score import short_hash
from gan_jax.run import drawn_labels, files, init_from
from gan_jax.run.checkpoint import Checkpoints, NonFiniteStateError
from gan_jax.run.clock import Clock
from gan_jax.run.evaluator import Evaluator, SamplesError
from gan_jax.run.health import Diagnoser, Guard, RollBack
from gan_jax.run.loader import load, plan, reseeded
from gan_jax.run.processes import ProcessGroup
from gan_jax.run.results import Results
from gan_jax.run.signals import StopRequest

_LOG = logging.getLogger(__name__)
_ALONE = ProcessGroup()  # one process


def train(experiment: Experiment, folder: str, *,
          allow_changed_data: bool = False, allow_changed=(),
          strict: bool = False, group: ProcessGroup = _ALONE,
          argv: list[str] | None = None) -> int:
  """Trains or resumes a run until train_steps, a signal or the watchdog.

  Args:
    experiment: of `experiment.load`.
    folder: the run folder.
    allow_changed_data: resume on other examples, with a warning.
    allow_changed: config fields that may differ from those of the resumed run,
      such as 'gen_optimizer.learning_rate'.
    strict: fail instead of using an older checkpoint if the newest is damaged.
    group: the processes that share the run.
    argv: the command line to record, by default that of this process.

  Returns:
    The exit status: 0, or 143 / 130 / 85 after SIGTERM / SIGINT / SIGUSR1.

  Raises:
    WorkdirError, CheckpointError, NonFiniteError, StoppedError: with a fix.
  """
  if group.index:
    return _follow(experiment, group)
  group.wait_for_all(_fingerprint(experiment))
  try:
    with files.hold(folder):
      changed = files.check_same_run(
          folder, experiment, allow_changed_data=allow_changed_data,
          allow_changed=allow_changed)
      return _lead(experiment, folder, group, strict, changed, argv)
  except OSError as e:
    if e.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
      raise
    raise WorkdirError(
        f'cannot write to {e.filename or folder}: {e.strerror}'
        f'{free_space(folder, e)}: free some space, then rerun the command to '
        'resume from the newest checkpoint') from e


def _fingerprint(experiment):
  info = experiment.info._asdict()
  del info['manifest']  # A path of one machine.
  return short_hash({'config': experiment.config, 'info': info})


def _runner(experiment, mesh):
  config = experiment.config
  return parallel.make_runner(
      experiment.step, mesh, seed=config['seed'],
      image_range=config['image_range'], deterministic=config['deterministic'])


def _follow(experiment, group):
  """Training on the other processes; returns the leader's exit status."""
  mesh = parallel.make_mesh()
  runner, evaluator = _runner(experiment, mesh), Evaluator(experiment)
  shapes = jax.eval_shape(experiment.init)
  group.ready(_fingerprint(experiment))
  with StopRequest() as stop:
    while True:
      order = group.next_order(stop)
      match order['what']:
        case 'start':
          state = parallel.share(jax.tree.map(
              lambda x: np.zeros(x.shape, x.dtype), shapes), mesh)
          seed = order['seed']
          data, calls = load(reseeded(experiment, seed), mesh, order['step'])
        case 'call':
          state, _ = runner(state, data, next(calls), seed)
        case 'draw':
          with contextlib.suppress(SamplesError):  # The leader reports it.
            evaluator.draw(state.ema, order['start'], order['stop'])
        case 'end':
          jax.block_until_ready(state)
          return order['status']


def _lead(experiment, folder, group, strict, changed, argv):
  """Training on process 0."""
  for each in (folder, os.path.join(folder, 'samples')):
    remove_torn(each)
  checkpoints = Checkpoints(
      folder, keep=experiment.config['keep_checkpoints'], strict=strict)
  start, origin = checkpoints.latest(), {}
  if start > experiment.train_steps:
    raise WorkdirError(f'{folder} is at step {start}, beyond train_steps = '
                       f'{experiment.train_steps}; raise train_steps, with '
                       f'--workdir={folder}')
  if start == experiment.train_steps:
    _LOG.info('%s is finished, at step %d: to train longer, raise '
              'train_steps, with --workdir=%s', folder, start, folder)
  if not start and experiment.config['init_from']:
    init, origin = init_from.start_from(experiment, strict=strict)
    experiment = experiment._replace(init=init)
  files.write_launch(folder, experiment, start, init_from=origin,
                     changed=changed, argv=argv)
  drawn_labels.write(folder, experiment)
  with StopRequest() as stop, Results(experiment, folder, start) as results:
    loop = _Loop(experiment, folder, checkpoints, results, group)
    try:
      loop.run(stop)
    finally:
      loop.draw()
      checkpoints.close()
    _LOG.info('%s', results.summary(
        checkpoints.latest(), loop.guard.findings,
        f'stopped by {signal.Signals(stop.signum).name}, the same command '
        'resumes' if stop.signum else 'finished'))
  return stop.exit_status


class _Loop:
  """The loop over compiled chunks."""

  def __init__(self, experiment, folder, checkpoints, results, group):
    self.experiment, self.checkpoints = experiment, checkpoints
    self.results, self.group, self.draw_error = results, group, None
    self.evaluator, self.mesh = results.evaluator, parallel.make_mesh()
    self.runner = _runner(experiment, self.mesh)
    self.diagnoser = Diagnoser(experiment, parallel.own_mesh())
    self.guard = Guard(experiment, folder, results.levels, results.rows(),
                       checkpoints.latest())

  def run(self, stop):
    """Trains to the end, restarting after rollbacks."""
    while True:
      try:
        return self._play(stop)
      except RollBack as fault:
        step = self.checkpoints.latest(anew=True)
        self.guard.roll_back(fault.args[0], step)
        self.results.rewind(step)

  def _play(self, stop):
    config, seed = self.experiment.config, self.guard.seed
    run = reseeded(self.experiment, seed)
    self.clock = Clock(config['batch_size'] * config['disc_steps'])
    state, step = self._first_state(seed)
    data, calls = load(run, self.mesh, step)
    if step == 0:
      self.results.sample(0, self.evaluator.start_grid(parallel.own(state)))
    last = None
    for start, count in plan(run, step):
      if not stop.signum and (signum := self.group.signal()):
        stop.signum = signum  # Its own thread may set it, too.
      if stop.signum or self.guard.verdict:
        break
      call = next(calls)
      self.group.order('call')
      idle = not last or all(x.is_ready() for x in last[2].values())
      with self.clock.dispatching(count, idle):
        state, scalars = self.runner(state, data, call, seed)
      if last:
        self._write(*last)
      step, mine = start + count, parallel.own(state)
      due = self._due(step)
      # Written while the next call runs.
      last = (start, step, scalars, self.diagnoser.start(mine, step, seed)
              if step % run.log_every == 0 else None,
              self.evaluator.start_grid(mine) if 'sample' in due else None)
      if due & {'eval', 'checkpoint'}:  # These need the state.
        self._write(*last, state)
        last = None
    if last:
      self._write(*last)
    if step > self.checkpoints.latest():
      self._save(step, parallel.own(state))
    self.checkpoints.wait()
    if self.guard.verdict:
      raise StoppedError(self.guard.verdict)

  def draw(self):
    """Writes report, curves and GIF."""
    try:
      self.guard.write_report()
      self.results.draw()
    except Exception as e:  # Must not hide the cause of the end.
      _LOG.warning('no curves or GIF: %s: %s', type(e).__name__, e)

  def _first_state(self, seed):
    """(state, its step), restored or fresh, on the mesh."""
    init, step = self.experiment.init, self.checkpoints.latest()
    state = self.checkpoints.restore(parallel.abstract(
        jax.eval_shape(init), parallel.own_mesh()), step,
        verified=True) if step else init()
    self.group.order('start', step=step, seed=seed)
    # Orbax's arrays alias its buffers; donation needs copies.
    return parallel.copy(parallel.share(state, self.mesh)), step

  def _due(self, step):
    run, end = self.experiment, step == self.experiment.train_steps
    due = {name for name in ('sample', 'eval', 'checkpoint')
           if (every := getattr(run, f'{name}_every'))
           and (end or step % every == 0)}
    return due | {'sample', 'checkpoint'} if end else due

  def _write(self, start, step, scalars, measured, grid, state=None):
    """Waits for a chunk; writes its outputs."""
    scalars = {k: np.asarray(v) for k, v in scalars.items()}
    self.clock.finished(step - start)
    if bad := {k: v for k, v in scalars.items() if not np.isfinite(v).all()}:
      self.guard.refuse(start, bad, self.checkpoints.latest())
    row = {}
    if measured is not None:
      # Over one call: independent of where a run was resumed.
      row = {k: float(v.mean(dtype=np.float64)) for k, v in scalars.items()}
      row |= {k: float(v) for k, v in measured.items()} | self.clock.read()
    if grid is not None:
      self.results.sample(step, grid)
    due = () if state is None else self._due(step)
    if 'eval' in due:
      row |= self.results.score(step, parallel.own(state),
                                partial(self._draw, state.ema))
      self._check_draw()
    if row:
      self.results.write(step, row)
      self.guard.look(step, row)
    # Last: a resumed run does not repeat outputs before its checkpoint.
    if 'checkpoint' in due:
      self._save(step, parallel.own(state))

  def _draw(self, average, start: int, stop: int):
    """`Evaluator.draw` in all processes, with a replicated average."""
    start, stop = int(start), int(stop)
    self._check_draw()
    if not 0 <= start < stop:
      raise ValueError(f'sample({start}, {stop}): no examples')
    self.group.order('draw', start=start, stop=stop)
    try:
      return self.evaluator.draw(average, start, stop)
    except SamplesError:  # Raised in all processes.
      raise
    except Exception as e:
      self.draw_error = e if self.group.count > 1 else None
      raise

  def _check_draw(self):
    """Re-raises an error from distributed sampling.

    The scores tolerate it, but other processes may still wait in the
    collective.
    """
    if self.draw_error:
      raise self.draw_error

  def _save(self, step, state):
    self.results.flush()
    try:
      self.checkpoints.save(step, state)
    except NonFiniteStateError as e:
      self.guard.refuse_state(step, e)
