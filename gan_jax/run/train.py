"""Training loop: runs compiled chunks; logs, evaluates and saves between them.

A chunk is one call of the compiled runner. With several processes the first one
leads and alone writes the run folder; the others follow its orders.
"""

import contextlib
import errno
import logging
import signal
from functools import partial

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import StoppedError, WorkdirError
from gan_jax.base.files import free_space
from gan_jax.config.experiment import Experiment
from gan_jax.evaluators.score import short_hash
from gan_jax.run import files
from gan_jax.run.clock import Clock
from gan_jax.run.evaluator import Evaluator, SamplesError
from gan_jax.run.health import Diagnoser, RollBack
from gan_jax.run.loader import Calls, Pace, reseeded
from gan_jax.run.member import Member
from gan_jax.run.processes import ProcessGroup
from gan_jax.run.signals import StopRequest
from gan_jax.run.writers import ProgressBar

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
          calls = Calls(reseeded(experiment, seed), mesh, order['step'])
        case 'call':
          _, call = calls.next(order['length'])
          state, _ = runner(state, calls.data, call, seed)
        case 'draw':
          with contextlib.suppress(SamplesError):  # The leader reports it.
            evaluator.draw(state.ema, order['start'], order['stop'])
        case 'end':
          jax.block_until_ready(state)
          return order['status']


def _lead(experiment, folder, group, strict, changed, argv):
  """Training on process 0."""
  member = Member(experiment, folder, strict=strict, changed=changed, argv=argv)
  with member, StopRequest() as stop:
    loop = _Loop([member], group)
    loop.run(stop)
  _LOG.info('%s', member.summary(_how(stop), loop.bar.elapsed))
  return stop.exit_status


def _how(stop):
  return (f'stopped by {signal.Signals(stop.signum).name}, the same command '
          'resumes' if stop.signum else 'finished')


class _Loop:
  """The loop over compiled chunks."""

  def __init__(self, members, group):
    self.members, self.group, self.draw_error = members, group, None
    self.experiment, self.mesh = members[0].experiment, parallel.make_mesh()
    self.runner = _runner(self.experiment, self.mesh)
    self.pace = Pace(self.experiment)
    self.diagnoser = Diagnoser(self.experiment, parallel.own_mesh())
    self.bar = ProgressBar(self.experiment.train_steps,
                           initial=members[0].checkpoints.latest())

  def run(self, stop):
    """Trains to the end, restarting after rollbacks."""
    config = self.experiment.config
    try:
      while True:
        self.clock = Clock(config['batch_size'] * config['disc_steps'])
        try:
          return self._play(stop)
        except RollBack as fault:
          self.members[0].rewind(fault)
        finally:
          self.clock.close()
    finally:
      self.bar.close()

  def _play(self, stop):
    (member,) = self.members
    seed, guard = member.guard.seed, member.guard
    run = reseeded(self.experiment, seed)
    state, step = self._first_state(seed)
    calls = Calls(run, self.mesh, step)
    # Drawn while the first call runs, which may not wait for its program.
    first = parallel.copy(parallel.own(state)) if step == 0 else None
    last = None
    while (start := calls.step) < run.train_steps:
      if not stop.signum and (signum := self.group.signal()):
        stop.signum = signum  # Its own thread may set it, too.
      if stop.signum or guard.verdict:
        break
      count, call = calls.next(self.pace.length)
      self.group.order('call', length=self.pace.length)
      state, scalars = self.clock.dispatch(
          count, self.runner, state, calls.data, call, seed)
      if first is not None:
        member.results.sample(0, member.evaluator.start_grid(first))
        first = None
      if last:
        self._write(*last)
      step, mine = start + count, parallel.own(state)
      due = self._due(step)
      # Written while the next call runs.
      last = (start, step, scalars, self.diagnoser.start(mine, step, seed)
              if step % run.log_every == 0 else None,
              member.evaluator.start_grid(mine) if 'sample' in due else None)
      if due & {'eval', 'checkpoint'}:  # These need the state.
        self._write(*last, state)
        last = None
    if last:
      self._write(*last)
    if step > member.saved:
      member.save(step, parallel.own(state))
    member.results.drain()
    if guard.verdict:
      raise StoppedError(guard.verdict)

  def _first_state(self, seed):
    """(state, its step), restored or fresh, on the mesh."""
    (member,) = self.members
    init, step = member.experiment.init, member.checkpoints.latest()
    state = member.checkpoints.restore(parallel.abstract(
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
    self.pace.look(step - start, self.clock.finished())
    if measured is not None:
      measured = {k: float(v) for k, v in measured.items()} | self.clock.read()
    due = () if state is None else self._due(step)
    for member in self.members:
      row = member.write(
          start, step, scalars, measured, grid,
          partial(self._score, member, step, state) if 'eval' in due else None)
      # Last: a resumed run does not repeat outputs before its checkpoint.
      if 'checkpoint' in due:
        member.save(step, parallel.own(state))
    if row:
      self.bar.update(step, row)

  def _score(self, member, step, state):
    draw = partial(self._draw, member.evaluator, state.ema)
    scores = member.results.score(step, parallel.own(state), draw)
    self._check_draw()
    return scores

  def _draw(self, evaluator, average, start: int, stop: int):
    """`Evaluator.draw` in all processes, with a replicated average."""
    start, stop = int(start), int(stop)
    self._check_draw()
    if not 0 <= start < stop:
      raise ValueError(f'sample({start}, {stop}): no examples')
    self.group.order('draw', start=start, stop=stop)
    try:
      return evaluator.draw(average, start, stop)
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
