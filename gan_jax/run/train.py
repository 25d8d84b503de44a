"""The loop: batches -> steps -> scalars, pictures, scores, checkpoints.

The first process leads: it decides, and it alone writes the folder of the run.
Others follow: they play the calls that it orders.
"""

import contextlib
import errno
import logging
import os
import shutil
import time
from functools import partial

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import NonFiniteError, StoppedError, WorkdirError
from gan_jax.base.files import remove_torn
from gan_jax.config.experiment import Experiment
from gan_jax.evaluators.score import short_hash
from gan_jax.run import files, init_from
from gan_jax.run.checkpoint import Checkpoints, NonFiniteStateError
from gan_jax.run.evaluator import Evaluator, SamplesError
from gan_jax.run.health import Diagnoser, Guard, RollBack
from gan_jax.run.loader import feed
from gan_jax.run.processes import Team
from gan_jax.run.results import Diary
from gan_jax.run.signals import StopRequest


class Clock:
  """Images per second, and the share of time that no call was in flight.

  The share is an upper bound: where a call was found finished before the next
  was given out, all the time since the one before it counts.
  """

  def __init__(self, images_per_step: int):
    self._images_per_step = images_per_step
    self._in_flight = 0
    self._warm = False
    self._start = self._last = time.perf_counter()
    self._idle, self._calls = 0.0, 0

  def dispatched(self, late: bool = False) -> None:
    """A call was given to the device; late: it had none left to do."""
    now = time.perf_counter()
    if late or not self._in_flight:
      self._idle += now - self._last
    self._in_flight += 1

  def finished(self) -> None:
    """A call has been waited for."""
    self._in_flight -= 1
    self._calls += 1
    self._last = time.perf_counter()
    if not self._warm:  # The first call compiled.
      self._warm = True
      self._restart()

  def read(self, steps_per_call: int) -> dict[str, float]:
    """Scalars since the last reading; {} before there are any."""
    seconds = time.perf_counter() - self._start
    if not self._calls or seconds <= 0:
      return {}
    images = self._calls * steps_per_call * self._images_per_step
    out = {'perf/images_per_second': images / seconds,
           'perf/seconds_per_1000_images': 1000 * seconds / images,
           'perf/host_share': min(1.0, self._idle / seconds)}
    self._restart()
    return out

  def _restart(self):
    self._start = self._last = time.perf_counter()
    self._idle, self._calls = 0.0, 0


def identity(experiment: Experiment) -> str:
  """What must be the same in all processes: the config and the data."""
  info = experiment.info._asdict()
  del info['manifest']  # It names a folder of one machine.
  return short_hash({'config': experiment.config, 'info': info})


class Drawing:
  """The leader's side of the order 'draw': all processes draw for a score."""

  def __init__(self, evaluator: Evaluator, team: Team):
    """A leader's evaluator and its team."""
    self._evaluator, self._team, self._lost = evaluator, team, None

  def __call__(self, average, start: int, stop: int):
    """What `Evaluator.draw` gives, of an average that lies on all devices."""
    start, stop = int(start), int(stop)
    self.check()
    if not 0 <= start < stop:
      raise ValueError(f'sample({start}, {stop}): no examples')
    self._team.order('draw', start=start, stop=stop)
    try:
      return self._evaluator.draw(average, start, stop)
    except SamplesError:  # All processes have found the same.
      raise
    except Exception as e:
      self._lost = e if self._team.count > 1 else None
      raise

  def check(self) -> None:
    """Raises what a draw has failed by, though the score has forgiven it.

    The others may still wait in it: such a run cannot go on.
    """
    if self._lost:
      raise self._lost


def follow(experiment: Experiment, team: Team) -> int:
  """Carries out the leader's orders, to the end.

  Returns:
    The exit status, which is the leader's.
  """
  mesh = parallel.make_mesh()
  config = experiment.config
  runner = parallel.make_runner(experiment.step, mesh, seed=config['seed'],
                                image_range=config['image_range'],
                                deterministic=config['deterministic'])
  evaluator = Evaluator(experiment)
  state, shapes = None, jax.eval_shape(experiment.init)
  team.ready(identity(experiment))
  with StopRequest() as stop:
    while True:
      order = team.next(stop)
      match order['what']:
        case 'start':
          state = parallel.share(jax.tree.map(
              lambda x: np.zeros(x.shape, x.dtype), shapes), mesh)
          seed, run = order['seed'], experiment
          if seed != config['seed']:  # After a rollback.
            run = run._replace(batches=run.batches.reseeded(seed))
          data, calls = feed(run, mesh, order['step'])
        case 'call':
          state, _ = runner(state, data, next(calls), seed)
        case 'draw':
          with contextlib.suppress(SamplesError):  # The leader says so.
            evaluator.draw(state.ema, order['start'], order['stop'])
        case 'end':
          jax.block_until_ready(state)
          return order['status']


_LOG = logging.getLogger(__name__)
_ALONE = Team()  # one process

__all__ = ['NonFiniteError', 'StoppedError', 'train']


def train(experiment: Experiment, folder: str, *,
          allow_changed_data: bool = False, strict: bool = False,
          team: Team = _ALONE) -> int:
  """Trains, or goes on, until train_steps, a signal or the watchdog.

  Args:
    experiment: of `experiment.load`.
    folder: the working directory; checkpoints in it are resumed.
    allow_changed_data: resume on other examples than before, with a warning.
    strict: refuse to go on from an older checkpoint where the newest is
      damaged.
    team: the processes that share the run.

  Returns:
    The exit status: 0, or 143 / 130 / 85 after SIGTERM / SIGINT / SIGUSR1.

  Raises:
    WorkdirError, CheckpointError, NonFiniteError, StoppedError: with what to
      do.
  """
  if not team.leads:
    return follow(experiment, team)
  team.muster(identity(experiment))
  try:
    return _lead(experiment, folder, allow_changed_data, strict, team)
  except OSError as e:
    if e.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
      raise
    raise WorkdirError(
        f'cannot write to {e.filename or folder} ({e.strerror}, '
        f'{shutil.disk_usage(folder).free:,} bytes free): free some room; the '
        'same command goes on from the newest checkpoint') from e


def _lead(experiment, folder, allow_changed_data, strict, team) -> int:
  """The one process of a run that writes."""
  with files.hold(folder):
    files.check_same_run(folder, experiment,
                          allow_changed_data=allow_changed_data)
    for each in (folder, os.path.join(folder, 'samples')):
      remove_torn(each)
    checkpoints = Checkpoints(
        folder, keep=experiment.config['keep_checkpoints'], strict=strict)
    start = checkpoints.latest()
    per_call = experiment.config['steps_per_call']
    if start > experiment.train_steps:
      raise WorkdirError(f'{folder} is at step {start}, beyond train_steps = '
                         f'{experiment.train_steps}; raise train_steps, with '
                         f'--workdir={folder}')
    if start == experiment.train_steps:
      _LOG.info('%s is finished, at step %d: raise train_steps with --workdir'
                '=%s to go on', folder, start, folder)
    if start % per_call:  # Intervals and the end would be stepped over.
      raise WorkdirError(
          f'{folder} is at step {start}, which is not a multiple of '
          f'steps_per_call={per_call}; resume with a divisor of {start} '
          f'and --workdir={folder}')
    experiment, origin = init_from.begin(experiment, start, strict=strict)
    files.write_launch(folder, experiment, start, origin)
    with StopRequest() as stop, Diary(experiment, folder, start) as diary:
      loop = _Loop(experiment, folder, checkpoints, diary, team)
      try:
        loop.run(stop)
      finally:
        loop.draw()
        checkpoints.close()
    return stop.exit_status


class _Loop:
  """One stretch of a run, from a checkpoint or from the start to its end."""

  def __init__(self, experiment, folder, checkpoints, diary, team):
    self.experiment, self.checkpoints = experiment, checkpoints
    self.diary, self.team = diary, team
    self.config = config = experiment.config
    self.mesh = parallel.make_mesh()
    self.runner = parallel.make_runner(
        experiment.step, self.mesh, seed=config['seed'],
        image_range=config['image_range'],
        deterministic=config['deterministic'])
    self.evaluator = diary.evaluator
    self.drawing = Drawing(self.evaluator, team)
    self.diagnoser = Diagnoser(experiment, parallel.own_mesh())
    self.guard = Guard(experiment, folder, diary.levels, diary.rows(),
                       checkpoints.latest())

  def run(self, stop):
    """To the end; from the newest checkpoint again where the guard says so."""
    while True:
      try:
        return self._play(stop)
      except RollBack as fault:
        step = self.checkpoints.latest(anew=True)
        self.guard.roll_back(fault, step)
        self.diary.rewind(step)

  def _play(self, stop):
    experiment, per_call = self.guard.experiment, self.config['steps_per_call']
    seed = self.guard.seed
    self.clock = Clock(self.config['batch_size'] * self.config['disc_steps'])
    state, step = self._first_state()
    data, calls = feed(experiment, self.mesh, step)
    if step == 0:
      self.diary.sample(0, self.evaluator.start_grid(parallel.own(state)))
    pending = None
    while (step < experiment.train_steps and not self._asked(stop)
           and not self.guard.verdict):
      call = next(calls)
      self.team.order('call')
      late = pending and all(x.is_ready() for x in pending[1].values())
      state, scalars = self.runner(state, data, call, seed)
      self.clock.dispatched(bool(late))
      if pending:
        self._write(*pending)
      step += per_call
      due = self._due(step)
      # Drawn, diagnosed and written while the next call runs.
      mine = parallel.own(state)
      look = None if step % experiment.log_every else self.diagnoser.start(
          mine, step, seed)
      grid = self.evaluator.start_grid(mine) if 'sample' in due else None
      pending = step, scalars, look, grid
      if 'eval' in due or 'checkpoint' in due:  # They need the state itself.
        self._write(*pending, state)
        pending = None
    if pending:
      self._write(*pending)
    self._finish(parallel.own(state), step)
    if self.guard.verdict:
      raise StoppedError(self.guard.verdict)

  def draw(self):
    """Curves and GIF of all that the folder holds; never the end of a run."""
    try:
      self.guard.write_report()
      self.diary.draw()
    except Exception as e:  # A picture must not hide how the run ended.
      _LOG.warning('no curves or GIF: %s: %s', type(e).__name__, e)

  def _first_state(self):
    """(state, its step), restored or fresh, on the mesh."""
    init = self.experiment.init
    step = self.checkpoints.latest()
    if step:
      state = self.checkpoints.restore(parallel.abstract(
          jax.eval_shape(init), parallel.own_mesh()), step)
    else:
      state = init()
    self.team.order('start', step=step, seed=self.guard.seed)
    # Orbax's arrays alias its buffers: donation wants arrays of our own.
    return parallel.copy(parallel.share(state, self.mesh)), step

  def _asked(self, stop):
    """The signal that some process of the run has received, 0 for none."""
    if not stop.signum and (signum := self.team.asked()):
      stop.signum = signum  # Only then: its own thread may write meanwhile.
    return stop.signum

  def _due(self, step):
    every = self.experiment
    return [name for name in ('sample', 'eval', 'checkpoint')
            if (n := getattr(every, f'{name}_every')) and step % n == 0]

  def _write(self, step, scalars, look, grid, state=None):
    """A row of scalars and a picture; with the state, all that is due."""
    row = self._read(step, scalars, look)
    if grid is not None:
      self.diary.sample(step, grid)
    due = () if state is None else self._due(step)
    if 'eval' in due:
      row |= self.diary.score(step, parallel.own(state),
                              partial(self.drawing, state.ema))
      self.drawing.check()
    if row:
      self.diary.write(step, row)
      self.guard.look(step, row)
    # Last: a run that is killed here and resumed does not come back for them.
    if 'checkpoint' in due:
      self._save(step, parallel.own(state))

  def _read(self, step, scalars, look) -> dict[str, float]:
    """Waits for a call; its row if one is due, {} otherwise."""
    scalars = {k: np.asarray(v) for k, v in scalars.items()}
    self.clock.finished()
    bad = {k: v for k, v in scalars.items() if not np.isfinite(v).all()}
    if bad:
      self.guard.refuse(step, bad, self.checkpoints.latest())
    if look is None:
      return {}
    # The mean over one call: the same number whether or not a run was cut.
    row = {k: float(v.mean(dtype=np.float64)) for k, v in scalars.items()}
    return (row | self.diagnoser.finish(look)
            | self.clock.read(self.config['steps_per_call']))

  def _save(self, step, state):
    self.diary.flush()
    try:
      self.checkpoints.save(step, state)
    except NonFiniteStateError as e:
      self.guard.refuse_state(step, e)

  def _finish(self, state, step):
    if step > self.checkpoints.latest():
      self._save(step, state)
      self.checkpoints.wait()
    if step == self.experiment.train_steps:
      self.diary.sample(step, self.evaluator.start_grid(state))
