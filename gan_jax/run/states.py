"""What trains on the devices: the state of one run, or of several at once.

`LoneState` lies on all devices, which share the batch; `StackedState` has a
first axis of members, who are spread over the devices. `run.train.Loop` drives
either, and hands each member what is its own.
"""

from typing import Any

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.config.experiment import Experiment
from gan_jax.config.population import Population
from gan_jax.game.state import MEMBERS, stack
from gan_jax.run.health import Diagnoser
from gan_jax.run.loader import Calls, Pace, reseeded
from gan_jax.run.member import Member
from gan_jax.run.processes import ALONE, ProcessGroup


def runner_of(experiment: Experiment, mesh,
              population: Population | None = None) -> parallel.Runner:
  """The compiled step of a run, or of the members of a population."""
  config = experiment.config
  extra = {} if population is None else {'axes': MEMBERS}
  if config['shard'] == 'state':
    extra['sharded'] = True
  return parallel.make_runner(
      (population or experiment).step, mesh, seed=config['seed'],
      image_range=config['image_range'], deterministic=config['deterministic'],
      **extra)


class LoneState:
  """The state of one run, whose member is the only one."""

  freezes = False  # a member that fails: it ends the run

  def __init__(self, member: Member, group: ProcessGroup = ALONE):
    """Takes the member, and the processes that share its run."""
    self.members, self.group = [member], group
    self.experiment, self._member = member.experiment, member
    self._sharded = self.experiment.config['shard'] == 'state'
    self.mesh = parallel.make_mesh()
    self.runner = runner_of(self.experiment, self.mesh)
    self.pace = Pace(self.experiment)
    self._diagnoser = Diagnoser(
        self.experiment, None if self._sharded else parallel.own_mesh())

  def numbers(self) -> tuple[Any, dict]:
    """(seed, {}), as the runner takes them."""
    return self._member.guard.seed, {}

  def calls(self, step: int, end: int) -> Calls:
    """The calls from a step to `end`, 0 for the end of the run."""
    return Calls([reseeded(self.experiment, self._member.guard.seed)],
                 self.mesh, step, end)

  def first(self, step: int):
    """The state of that step, restored or fresh."""
    state = self._member.first_state(step)
    self.group.order('start', step=step, seed=self._member.guard.seed)
    # Orbax's arrays alias its buffers; donation needs copies.
    return parallel.copy(state if self._sharded else parallel.share(
        state, self.mesh))

  def average(self, state, index: int):
    """The average that all processes draw from together."""
    del index
    return state.ema

  def own_average(self, average, index: int):
    """The average, for this process alone."""
    del index
    return parallel.own(average)

  def own_state(self, state, index: int):
    """The state, for this process alone."""
    del index
    return parallel.own(state)

  def own_value(self, values, index: int):
    """Values of the runner and of diagnostics, which are all its own."""
    del index
    return values

  def measured(self, state, step: int) -> dict:
    """Starts the diagnostics of a state: {name: float32 []}."""
    return self._diagnoser.start(parallel.own(state), step, self.numbers()[0])


class StackedState:
  """The states of several members of a population, [M, ...]."""

  freezes = True  # a member that fails: the others go on

  def __init__(self, members, population: Population):
    """Takes the `Member`s, and the population that holds these alone."""
    self.members, self.group, self._population = members, ALONE, population
    self.experiment = members[0].experiment
    self.mesh = parallel.member_mesh(len(members), population.devices)
    self.runner = runner_of(self.experiment, self.mesh, population)
    self.pace = Pace(self.experiment, len(members))
    self._diagnoser = Diagnoser(self.experiment, self.mesh, population)

  def prepare(self) -> tuple[int, int]:
    """Compiles the first call, without a state, which may be more than fits.

    Returns:
      Bytes on a device: those that the call needs, and those of the data.
    """
    calls = self.calls(self.members[0].checkpoints.latest(), 0)
    own = self.numbers()
    state = parallel.abstract(jax.eval_shape(self._population.init, *own),
                              self.mesh, axes=MEMBERS)
    _, call = calls.next(self.pace.length)
    needed = self.runner.prepare(state, calls.data, call, *own)
    data = sum(x.nbytes for x in jax.tree.leaves(calls.data))
    calls.close()
    return needed, data

  def numbers(self) -> tuple[Any, dict]:
    """(seeds [M], {path: numbers [M]}), as the runner takes them."""
    seeds = np.array([m.guard.seed for m in self.members], np.uint32)
    return seeds, self._population.numbers

  def calls(self, step: int, end: int) -> Calls:
    """The calls from a step to `end`, 0 for the end of the run."""
    return Calls([reseeded(m.experiment, m.guard.seed) for m in self.members],
                 self.mesh, step, end, stacked=True)

  def first(self, step: int):
    """The states of that step, restored or fresh."""
    if not step and not self.experiment.config['init_from']:
      return parallel.made(self._population.init, self.mesh, *self.numbers(),
                           axes=MEMBERS)
    # On the host, where all of them fit.
    state = stack([jax.tree.map(np.asarray, m.first_state(step))
                   for m in self.members])
    return parallel.made(parallel.copy, self.mesh, state, axes=MEMBERS)

  def average(self, state, index: int):
    """The average of a member, to draw from."""
    return self.own_average(state.ema, index)

  def own_average(self, average, index: int):
    """The average of a member, as if it ran alone."""
    return parallel.taken(average, index)

  def own_state(self, state, index: int):
    """The state of a member, as if it ran alone, on the host.

    Copies of all members would not fit on a device that their states fill.
    """
    own = parallel.fetched(state.replace(step=None), index)
    return own.replace(step=np.asarray(state.step))

  def own_value(self, values, index: int):
    """A member's part of values [M, ...]."""
    return values[index]

  def measured(self, state, step: int) -> dict:
    """Starts the diagnostics of all states: {name: float32 [M]}."""
    return self._diagnoser.start(state, step, self.numbers()[0])
