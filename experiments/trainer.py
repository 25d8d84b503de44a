"""Trains many runs of one game in one process, without files.

For experiments of many short trainings: the step, the first state and the
sampler are compiled once for all of them.
"""

from functools import partial

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.run import loader
from gan_jax.run.evaluator import Evaluator

_CALL = 100  # steps of a call


class Trainer:
  """Runs whose configs differ in the seed and in which data they have.

  The games, the shapes of the data and the evaluators' settings must be those
  of the first.

  evaluator: of the first run.
  """

  def __init__(self):
    self.evaluator, self._mesh = None, parallel.make_mesh(1)

  def __call__(self, config):
    """Trains one: (the `Experiment`, its last state, its last scalars)."""
    run = experiment.load(config, devices=1)
    seed = np.uint32(run.config['seed'])
    if self.evaluator is None:
      self.evaluator = Evaluator(run)
      self._init = jax.jit(partial(experiment.first_state, run.game, run.info))
      self._step = parallel.make_runner(
          run.step, self._mesh, seed=0, image_range=run.config['image_range'])
    state = parallel.copy(parallel.replicate(self._init(seed), self._mesh))
    data = parallel.replicate(parallel.Data(
        np.ascontiguousarray(run.source.images[:]), run.source.labels),
                              self._mesh)
    for step in range(0, run.train_steps, _CALL):
      count = min(_CALL, run.train_steps - step)
      state, scalars = self._step(state, data, loader.indices(run, step, count),
                                  seed=seed)
    return run, state, {name: float(np.mean(v)) for name, v in scalars.items()}
