"""The way of examples to the step: from the device, or from the host."""

import itertools

import numpy as np

from gan_jax import parallel
from gan_jax.config.experiment import Experiment
from gan_jax.data.stream import Reader, stream


def indices(experiment: Experiment, step: int) -> np.ndarray:
  """Of the examples of the call after `step`: int32 [K, disc_steps, B]."""
  config = experiment.config
  count = config['steps_per_call'], config['disc_steps']
  flat = experiment.batches(step * count[1], count[0] * count[1])
  return flat.reshape(*count, config['batch_size'])


def feed(experiment: Experiment, mesh, step: int):
  """Where examples come from: the device, or the host if they do not fit.

  Returns:
    (data, iterator of calls), both as a runner takes them, from `step` on.
  """
  source, config = experiment.source, experiment.config
  per_call = config['steps_per_call']
  if experiment.resident:
    images = np.ascontiguousarray(source.images[:])
    data = parallel.replicate(parallel.Data(images, source.labels), mesh)
    part = _part(config['batch_size'])
    return data, (indices(experiment, at)[..., part]
                  for at in itertools.count(step, per_call))
  reader = Reader(source, experiment.batches, (per_call, config['disc_steps']),
                  parallel.processes())
  return None, _ahead(stream(reader, step // per_call), mesh)


def _part(batch_size):
  """This process's slice of a batch."""
  index, count = parallel.processes()
  size = batch_size // count
  return slice(index * size, (index + 1) * size)


def _ahead(calls, mesh):
  """Moves each call to the device while the one before it is being played."""
  waiting = None
  for call in calls:
    moved = parallel.put_call(parallel.Data(*call), mesh)
    if waiting is not None:
      yield waiting
    waiting = moved
