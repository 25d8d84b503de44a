"""What the processes of a run do that do not lead it: play the calls."""

import contextlib

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.evaluation.score import digest
from gan_jax.evaluators import Evaluator, SamplesError
from gan_jax.experiment import Experiment
from gan_jax.feed import feed
from gan_jax.signals import StopRequest
from gan_jax.team import Team


def identity(experiment: Experiment) -> str:
  """What must be the same in all processes: the config and the data."""
  facts = experiment.facts._asdict()
  del facts['manifest']  # It names a folder of one machine.
  return digest({'config': experiment.config, 'facts': facts})


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
