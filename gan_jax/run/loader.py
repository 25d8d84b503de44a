"""Plans chunks (calls of the compiled runner) and loads their batches."""

import collections
import concurrent.futures
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from gan_jax import parallel
from gan_jax.config.experiment import Experiment

_LOG = logging.getLogger(__name__)
_AHEAD = 2**26  # bytes of examples
_FIRST = 8  # steps of a call whose seconds are not known
_SHORT, _SECONDS, _LONG = 0.1, 0.5, 3.0  # of a call


class Pace:
  """How many steps a call has: config.steps_per_call, or chosen for 'auto'.

  'auto' starts with 8. The first call compiles, the second is timed: if it
  lasts from 0.1 to 3 s, 8 stay (each other length compiles anew); else calls
  shall last 0.5 s. Lengths that divide the intervals of rows, pictures, scores
  and checkpoints are preferred, as calls end there. Every choice gives the same
  bits.

  length: steps of a call, now.
  """

  def __init__(self, experiment: Experiment, members: int = 1):
    """Of a run, or of so many members."""
    given, self._most = experiment.config['steps_per_call'], 2**31
    self._every, self._auto = _intervals(experiment), given == 'auto'
    if self._auto and not experiment.resident:
      self._most = max(1, _AHEAD // (members * _step_bytes(
          experiment, experiment.config['batch_size'])))
    self.length = self._near(_FIRST) if self._auto else given

  def look(self, steps: int, seconds: float) -> None:
    """Chooses by the seconds of a call; 0 if they are not known."""
    if not (self._auto and seconds and steps == self.length):
      return
    self._auto, before = False, self.length
    if not _SHORT <= seconds <= _LONG:
      self.length = self._near(_SECONDS * steps / seconds)
    _LOG.info('steps_per_call: %d, as %d took %.3g s', self.length, before,
              seconds)

  def _near(self, ideal):
    ideal = min(self._most, max(1, round(ideal)))
    shared = math.gcd(*self._every)
    near = min((n for n in range(1, shared + 1) if shared % n == 0),
               key=lambda n: abs(math.log(n / ideal)))
    return near if near <= self._most and 0.5 <= near / ideal <= 2 else min(
        ideal, *self._every)


def _intervals(experiment):
  return [n for n in (experiment.log_every, experiment.sample_every,
                      experiment.eval_every, experiment.checkpoint_every) if n]


def _step_bytes(experiment, batch):
  """Of the examples of a step, `batch` in each of its `indices`' batches."""
  images = experiment.source.images
  return (batch * experiment.config['disc_steps']
          * (2 if experiment.labelled else 1)
          * max(1, images.nbytes // max(1, len(images))))


def plan(experiment: Experiment, step: int, length: int,
         end: int = 0) -> Iterator[tuple[int, int]]:
  """Yields (first step, number of steps) of each call, from `step` to `end`.

  `end`: 0 for the end of the run. A call has `length` steps, or fewer if a row,
  a picture, a score, a checkpoint or the end is due before. Each length of a
  call compiles: where the intervals share no divisor, shorter calls have powers
  of two.
  """
  every, end = _intervals(experiment), end or experiment.train_steps
  many = 8 * math.gcd(*every) < length
  while step < end:
    count = min(length, end - step, *(n - step % n for n in every))
    if many and count < length:
      count = 1 << count.bit_length() - 1
    yield step, count
    step += count


def indices(experiment: Experiment, step: int, count: int) -> np.ndarray:
  """Indices of the examples of `count` steps: int32 [K, S, B].

  S is disc_steps; where a term asks for labelled examples twice as many, their
  batches after the others.
  """
  updates = experiment.config['disc_steps']
  parts = [batches(step * updates, count * updates).reshape(count, updates, -1)
           for batches in (experiment.batches, experiment.labelled) if batches]
  return np.concatenate(parts, axis=1) if parts[1:] else parts[0]


def reseeded(experiment: Experiment, seed: int) -> Experiment:
  """The experiment with the batches of another seed, after a rollback."""
  few = experiment.labelled
  return experiment if seed == experiment.config['seed'] else (
      experiment._replace(batches=experiment.batches.reseeded(seed),
                          labelled=few and few.reseeded(seed)))


class Calls:
  """Calls from `step` to `end`, with their examples: resident, or streamed.

  step: first step of the next call.
  data: of the whole set, on the devices; None if examples stream.
  """

  def __init__(self, members: Sequence[Experiment], mesh, step: int,
               end: int = 0, *, stacked: bool = False):
    """Moves data that are resident to the devices of the runner's mesh.

    `members`: the run, or those of a population, which share their data; then
    calls are `stacked`, with a first axis of members. `end`: 0 for the end of
    the run.
    """
    self._members, self._mesh, self._stacked = members, mesh, stacked
    self.step, self._end = step, end or members[0].train_steps
    process, count = parallel.processes()
    size = members[0].config['batch_size'] // count
    self._part = slice(process * size, (process + 1) * size)  # of each batch
    self._length, self._calls, self.data = 0, None, None
    if members[0].resident:
      source = members[0].source
      images = np.ascontiguousarray(source.images[:])
      self.data = parallel.replicate(parallel.Data(images, source.labels), mesh)

  def close(self) -> None:
    """Gives up the data; the iterator would keep them a while."""
    self.data = self._calls = None

  def __bool__(self):
    """Whether there is a next one."""
    return self.step < self._end

  def next(self, length: int):
    """The next call of `plan`, of at most `length` steps.

    Returns:
      (its number of steps, its examples), the latter an argument of a
      `parallel.Runner`.
    """
    if length != self._length:
      self._length, self._calls = length, self._from(self.step, length)
    count, call = next(self._calls)
    self.step += count
    return count, call

  def _from(self, step, length):
    run = self._members[0]
    calls = plan(run, step, length, self._end)

    def rows(start, count):
      found = [indices(each, start, count)[..., self._part]
               for each in self._members]
      return np.stack(found) if self._stacked else found[0]

    if self.data is not None:
      for start, count in calls:
        yield count, rows(start, count)
      return

    def read(start, count):
      return count, examples(run.source, rows(start, count))

    call_bytes = len(self._members) * length * _step_bytes(
        run, self._part.stop - self._part.start)
    moved = ((count, parallel.put_call(call, self._mesh))
             for count, call in read_ahead(
                 read, calls, ahead=calls_ahead(call_bytes)))
    # Transfers a call's examples while the previous call runs.
    for call, _ in itertools.pairwise(itertools.chain(moved, [None])):
      yield call


def examples(source, index: np.ndarray) -> parallel.Data:
  """Reads the examples [K, disc_steps, B, ...] of a call; ~i is i mirrored.

  The same as those gathered on the device from resident data.
  """
  mirrored = index.ravel() < 0
  index = np.where(index < 0, ~index, index)
  image = source.images[index.ravel()]
  if mirrored.any():
    image[mirrored] = image[mirrored][:, :, ::-1]
  return parallel.Data(image.reshape(*index.shape, *image.shape[1:]),
                       source.labels[index])


def calls_ahead(call_bytes: int) -> int:
  """How many calls of that size are read before they are needed: 1 to 4."""
  return max(1, min(4, _AHEAD // max(1, call_bytes)))


def read_ahead(read: Callable, jobs: Iterable[tuple], *,
               ahead: int = 4) -> Iterator:
  """Yields read(*job) of each job in order, reading `ahead` more in threads.

  Threads suffice: numpy releases the GIL while it gathers. An error is raised
  at the place of its result.
  """
  waiting = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    try:
      for job in jobs:
        waiting.append(pool.submit(read, *job))
        if len(waiting) > ahead:
          yield waiting.popleft().result()
      while waiting:
        yield waiting.popleft().result()
    finally:
      for future in waiting:
        future.cancel()
