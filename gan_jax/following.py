"""What the processes of a run do that do not lead it: play the calls."""

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.evaluation.score import digest
from gan_jax.evaluators import Evaluator
from gan_jax.experiment import Experiment
from gan_jax.feed import feed
from gan_jax.signals import StopRequest
from gan_jax.team import Team


def identity(experiment: Experiment) -> str:
  """What must be the same in all processes: the config and the data."""
  facts = experiment.facts._asdict()
  del facts['manifest']  # It names a folder of one machine.
  return digest({'config': experiment.config, 'facts': facts})


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
          evaluator.draw(state.ema, order['start'], order['stop'])
        case 'end':
          jax.block_until_ready(state)
          return order['status']
