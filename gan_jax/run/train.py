"""Training loop: runs compiled chunks; logs, evaluates and saves between them.

A chunk is one call of the compiled runner. With several processes the first one
leads and alone writes the run folder; the others follow its orders.
"""

import contextlib
import logging
import signal
from collections.abc import Callable, Mapping
from functools import partial

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import NonFiniteError, StoppedError
from gan_jax.base.files import short_hash
from gan_jax.config.experiment import Experiment
from gan_jax.run import changes, lock
from gan_jax.run.checkpoint import NonFiniteStateError
from gan_jax.run.clock import Clock
from gan_jax.run.evaluator import Evaluator, SamplesError
from gan_jax.run.health import RollBack
from gan_jax.run.loader import Calls, reseeded
from gan_jax.run.member import Member
from gan_jax.run.processes import ALONE, ProcessGroup
from gan_jax.run.signals import StopRequest
from gan_jax.run.start import starting
from gan_jax.run.states import LoneState, StackedState, runner_of
from gan_jax.run.writers import ProgressBar

_LOG = logging.getLogger(__name__)
# (step, {run folder: row with its scores}) -> {run folder: why it stops here}
Stopping = Callable[[int, Mapping[str, dict]], Mapping[str, str]]


def train(experiment: Experiment, folder: str, *,
          allow_changed_data: bool = False, allow_changed=(),
          strict: bool = False, group: ProcessGroup = ALONE,
          argv: list[str] | None = None,
          stopping: Stopping | None = None) -> int:
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
    stopping: asked after each score but the last which runs stop there, with a
      checkpoint; a lone run then raises StoppedError.

  Returns:
    The exit status: 0, or 143 / 130 / 85 after SIGTERM / SIGINT / SIGUSR1.

  Raises:
    WorkdirError, CheckpointError, NonFiniteError, StoppedError: with a fix.
  """
  if group.index:
    return _follow(experiment, group)
  group.wait_for_all(_fingerprint(experiment))
  with lock.writing(folder), starting(folder) as begun:
    changed = changes.check_same_run(
        folder, experiment, allow_changed_data=allow_changed_data,
        allow_changed=allow_changed)
    member = Member(experiment, folder, strict=strict, changed=changed,
                    argv=argv, begun=begun)
    # The other way round, a signal while the member draws would kill it.
    with StopRequest() as stop, member:
      Loop(LoneState(member, group), stopping).run(stop)
      how = how_it_ended(stop)
      if member.guard.verdict:
        raise StoppedError(member.guard.verdict)
    if not member.finished:  # It has been said.
      _LOG.info('%s', member.summary(how))
    return stop.exit_status


def _fingerprint(experiment):
  info = experiment.info._asdict()
  del info['manifest']  # A path of one machine.
  return short_hash({'config': experiment.config, 'info': info})


def _follow(experiment, group):
  """Training on the other processes; returns the leader's exit status."""
  mesh = parallel.make_mesh()
  runner, evaluator = runner_of(experiment, mesh), Evaluator(experiment)
  shapes, state = jax.eval_shape(experiment.init), None
  group.ready(_fingerprint(experiment))
  with StopRequest() as stop:
    while True:
      order = group.next_order(stop)
      match order['what']:
        case 'start':
          state = parallel.share(jax.tree.map(
              lambda x: np.zeros(x.shape, x.dtype), shapes), mesh)
          seed = order['seed']
          calls = Calls([reseeded(experiment, seed)], mesh, order['step'])
        case 'call':
          _, call = calls.next(order['length'])
          state, _ = runner(state, calls.data, call, seed)
        case 'draw':
          with contextlib.suppress(SamplesError):  # The leader reports it.
            evaluator.draw(state.ema, order['start'], order['stop'])
        case 'end':
          jax.block_until_ready(state)
          return order['status']


def how_it_ended(stop: StopRequest) -> str:
  """In words: by a signal, or at its end."""
  return (f'stopped by {signal.Signals(stop.signum).name}, the same command '
          'resumes' if stop.signum else 'finished')


class Loop:
  """The loop over compiled chunks, of one run or of a population."""

  def __init__(self, states: LoneState | StackedState,
               stopping: Stopping | None = None):
    """Takes what trains, and the rule by which it stops early."""
    self.states, self.stopping, self.draw_error = states, stopping, None
    self.members, self.group = states.members, states.group
    self.experiment = states.experiment
    self.bar = ProgressBar(self.experiment.train_steps,
                           initial=self.members[0].checkpoints.latest())

  def run(self, stop, end: int = 0):
    """Trains to step `end`, 0 for all, restarting after rollbacks."""
    config = self.experiment.config
    try:
      while True:
        self.clock = Clock(config['batch_size'] * config['disc_steps'])
        try:
          return self._play(stop, end)
        except RollBack as fault:  # Of a lone run.
          self.members[0].rewind(fault)
        finally:
          self.clock.close()
    finally:
      self.bar.close()

  def _play(self, stop, end):
    states, pace, numbers = self.states, self.states.pace, self.states.numbers()
    step = self.members[0].checkpoints.latest()
    state = states.first(step)
    calls = states.calls(step, end)
    # Drawn while the first call runs, which may not wait for its program.
    first = (parallel.copy(state.ema)
             if step == 0 and self.members[0].pictures else None)
    last = None
    while calls:
      if not stop.signum and (signum := self.group.signal()):
        stop.signum = signum  # Its own thread may set it, too.
      if stop.signum or not any(m.plays for m in self.members):
        break
      start, (count, call) = step, calls.next(pace.length)
      self.group.order('call', length=pace.length)
      state, scalars = self.clock.dispatch(
          count, states.runner, state, calls.data, call, *numbers)
      if first is not None:
        for member, grid in zip(self.members, self._grids(first), strict=True):
          member.results.sample(0, grid)
        first = None
      if last:
        self._write(*last)
      step = start + count
      due = self._due(step)
      # Written while the next call runs.
      last = (start, step, scalars, self._measured(state, step),
              self._grids(state.ema) if 'sample' in due else None)
      if due & {'eval', 'checkpoint'}:  # These need the state.
        rows = self._write(*last, state)
        last = None
        if 'eval' in due and self._leave(step, rows):
          break
    if last:
      self._write(*last)
    for index, member in enumerate(self.members):
      if not member.frozen and step > member.saved:
        with self._freezing(member):
          member.save(step, states.own_state(state, index))
      member.results.drain()

  def _leave(self, step, rows):
    """Whether a member stops here by the rule; the caller then saves all."""
    if self.stopping is None or step == self.experiment.train_steps:
      return False
    leaving = self.stopping(step, rows)
    for member in self.members:
      member.guard.verdict = member.guard.verdict or leaving.get(
          member.folder, '')
    return bool(leaving)

  def _grids(self, average):
    return [None if m.frozen else m.evaluator.start_grid(
        self.states.own_average(average, i))
            for i, m in enumerate(self.members)]

  def _measured(self, state, step):
    """Diagnostics of a state; None if no row is due."""
    return (None if step % self.experiment.log_every
            else self.states.measured(state, step))

  def _due(self, step):
    run, end = self.experiment, step == self.experiment.train_steps
    due = {name for name in ('sample', 'eval', 'checkpoint')
           if (every := getattr(run, f'{name}_every'))
           and (end or step % every == 0)}
    return due | {'sample', 'checkpoint'} if end else due

  def _write(self, start, step, scalars, measured, grids, state=None):
    """Waits for a chunk; writes the outputs of each member.

    Returns {folder: row} of those that are not frozen.
    """
    scalars = {k: np.asarray(v) for k, v in scalars.items()}
    self.states.pace.look(step - start, self.clock.finished())
    if measured is not None:
      measured = {k: np.asarray(v) for k, v in measured.items()}
      speed = self.clock.read()
    due, rows = () if state is None else self._due(step), {}
    for index, member in enumerate(self.members):
      if member.frozen:
        continue
      own = partial(self.states.own_value, index=index)
      with self._freezing(member):
        row = member.write(
            start, step, {k: own(v) for k, v in scalars.items()},
            None if measured is None else {
                k: float(own(v)) for k, v in measured.items()} | speed,
            grids and grids[index],
            partial(self._score, member, step, state, index)
            if 'eval' in due else None)
        # Last: a resumed run does not repeat outputs before its checkpoint.
        if 'checkpoint' in due:
          member.save(step, self.states.own_state(state, index))
        rows[member.folder] = row
      if member.guard.verdict and self.states.freezes and not member.frozen:
        member.freeze(member.guard.verdict)
    known = list(rows.values())
    if known and known[0]:
      self.bar.update(step, {
          k: np.mean([row[k] for row in known]) for k in known[0]
          if all(row.get(k) is not None for row in known)})
    return rows

  @contextlib.contextmanager
  def _freezing(self, member):
    """Freezes a member of a population that becomes non-finite."""
    try:
      yield
    except (NonFiniteError, NonFiniteStateError) as e:
      if not self.states.freezes:
        raise
      member.freeze(str(e))

  def _score(self, member, step, state, index):
    states = self.states
    scores = member.results.score(step, states.own_state(state, index), partial(
        self._draw, member.evaluator, states.average(state, index)))
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
