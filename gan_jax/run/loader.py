"""Plans chunks (calls of the compiled runner) and loads their batches."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from gan_jax import parallel
from gan_jax.config.experiment import Experiment

_AHEAD = 2**26  # bytes of examples


def plan(experiment: Experiment, step: int,
         end: int = 0) -> Iterator[tuple[int, int]]:
  """Yields (first step, number of steps) of each call, from `step` to `end`.

  `end`: 0 for the end of the run. A call has steps_per_call steps, or fewer if
  a row, a picture, a score, a checkpoint or the end is due before.
  """
  every = [n for n in (experiment.log_every, experiment.sample_every,
                       experiment.eval_every, experiment.checkpoint_every) if n]
  end = end or experiment.train_steps
  while step < end:
    count = min(experiment.config['steps_per_call'],
                end - step, *(n - step % n for n in every))
    yield step, count
    step += count


def indices(experiment: Experiment, step: int, count: int) -> np.ndarray:
  """Indices of the examples of `count` steps: int32 [K, disc_steps, B]."""
  updates = experiment.config['disc_steps']
  flat = experiment.batches(step * updates, count * updates)
  return flat.reshape(count, updates, experiment.config['batch_size'])


def reseeded(experiment: Experiment, seed: int) -> Experiment:
  """The experiment with the batches of another seed, after a rollback."""
  return experiment if seed == experiment.config['seed'] else (
      experiment._replace(batches=experiment.batches.reseeded(seed)))


def load(members: Sequence[Experiment], mesh, step: int, end: int = 0, *,
         stacked: bool = False):
  """Loads examples from `step` to `end`: resident on the devices, or streamed.

  Args:
    members: the run, or those of a population, which share their data.
    mesh: of the runner.
    step: the first one.
    end: 0 for the end of the run.
    stacked: whether calls have a first axis of members.

  Returns:
    (data, iterator over the examples of each call of `plan`), as arguments of
    a `parallel.Runner`.
  """
  experiment = members[0]
  source, calls = experiment.source, plan(experiment, step, end)
  process, count = parallel.processes()
  size = experiment.config['batch_size'] // count
  part = slice(process * size, (process + 1) * size)  # of each batch

  def rows(step, count):
    found = [indices(each, step, count)[..., part] for each in members]
    return np.stack(found) if stacked else found[0]

  if experiment.resident:
    images = np.ascontiguousarray(source.images[:])
    data = parallel.replicate(parallel.Data(images, source.labels), mesh)
    return data, (rows(*call) for call in calls)

  def read(step, count):
    return examples(source, rows(step, count))

  call_bytes = (len(members) * experiment.config['steps_per_call'] * size
                * experiment.config['disc_steps']
                * source.images.nbytes // max(1, len(source.images)))
  moved = (parallel.put_call(call, mesh) for call in read_ahead(
      read, calls, ahead=calls_ahead(call_bytes)))
  # Transfers a call's examples while the previous call runs.
  pairs = itertools.pairwise(itertools.chain(moved, [None]))
  return None, (call for call, _ in pairs)


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


def read_ahead(read: Callable, jobs: Iterable[tuple], *, threads: int = 4,
               ahead: int = 4) -> Iterator:
  """Yields read(*job) of each job in order, reading `ahead` more in threads.

  Threads suffice: numpy releases the GIL while it gathers. An error is raised
  at the place of its result.
  """
  waiting = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(threads) as pool:
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
