"""Training of a population: members in folders of their own, in one program.

WORKDIR/member_0, member_1, ... are run folders like any other. Members that
are behind, after a kill between two of their checkpoints, catch up first. If
not all fit into memory, they train in rounds.
"""

import contextlib
import logging
import os
from collections.abc import Sequence

from gan_jax import parallel
from gan_jax.base.errors import NonFiniteError, RequestError, WorkdirError
from gan_jax.base.files import write_json
from gan_jax.config import fields
from gan_jax.config.experiment import bytes_of_state
from gan_jax.config.population import Population
from gan_jax.run import changes, lock, status
from gan_jax.run import train as lone
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.member import Member, begin
from gan_jax.run.processes import ALONE, ProcessGroup
from gan_jax.run.signals import StopRequest
from gan_jax.run.start import check_apart, starting
from gan_jax.run.states import StackedState

_LOG = logging.getLogger(__name__)
_SHARE = 0.9  # of the free memory that a round may take


def train(population: Population, folder: str, *,
          folders: Sequence[str] = (), allow_changed_data: bool = False,
          allow_changed=(), strict: bool = False, group: ProcessGroup = ALONE,
          argv: list[str] | None = None, stopping: lone.Stopping | None = None,
          pictures: bool = True) -> int:
  """Trains or resumes all members; arguments and status as `train.train`.

  The members lie in `folders`, by default in WORKDIR/member_0, ...; with
  `folders` the `folder` itself is left alone.

  A population of one is a lone run, in the folder itself. A member that becomes
  non-finite, or that the watchdog stops, is frozen at its newest checkpoint;
  the others go on. `pictures=False` draws neither curves of a population nor
  samples before its first step, which takes a second for each member.

  Raises:
    WorkdirError: several processes, or a folder as in `train.train`.
    NonFiniteError: no member is left.
    CheckpointError: as `train.train`.
    RequestError: a folder among the images that are trained on, or a state
      larger than the free memory.
  """
  if not folders:
    _check_alone(population, folder)
  for each in folders or [folder]:
    check_apart('workdir', each, population.members[0].config['data'])
  _check_memory(population.members[0])
  if len(population.members) == 1:
    return lone.train(
        population.members[0], [*folders, folder][0],
        allow_changed_data=allow_changed_data, allow_changed=allow_changed,
        strict=strict, group=group, argv=argv, stopping=stopping)
  if group.count > 1:
    raise WorkdirError(
        f'a population trains in one process, and there are {group.count}: '
        'start one population in each, with its own seeds and --workdir')
  own = [] if folders else [folder]
  folders = folders or folders_of(population, folder)
  with contextlib.ExitStack() as stack:
    stack.enter_context(lock.writing(folder))
    begun = stack.enter_context(starting(*own, *folders))
    changed = [changes.check_same_run(
        each, member, allow_changed_data=allow_changed_data,
        allow_changed=allow_changed)
        for each, member in zip(folders, population.members, strict=True)]
    for each in own:
      write_json(os.path.join(each, status.POPULATION), _own_values(population))
    stop, members = stack.enter_context(StopRequest()), []
    for each, experiment, lines in zip(folders, population.members, changed,
                                       strict=True):
      members.append(stack.enter_context(Member(
          experiment, each, strict=strict, changed=lines, argv=argv,
          begun=begun, like=members[0] if members else None, pictures=pictures,
          heading=os.path.basename(each))))
      members[-1].freeze_again()
    _play(population, members, stop, stopping)
    how = lone.how_it_ended(stop)
  for member in members:
    if not member.finished:
      _LOG.info('%s', member.summary(member.frozen and 'frozen' or how))
  if all(member.frozen for member in members):
    raise NonFiniteError('all members are frozen:\n' + '\n'.join(
        f'{member.folder}: {member.frozen}' for member in members))
  return stop.exit_status


def check(population: Population, folder: str, *,
          allow_changed_data: bool = False, allow_changed=(),
          strict: bool = False) -> None:
  """Raises what `train` would before it begins, and writes nothing.

  But for what takes too much memory, or a folder that a run holds now.
  """
  _check_alone(population, folder)
  check_apart('workdir', folder, population.members[0].config['data'])
  for each, experiment in zip(folders_of(population, folder),
                              population.members, strict=True):
    lock.check(each)
    changes.check_same_run(
        each, experiment, allow_changed_data=allow_changed_data,
        allow_changed=allow_changed)
    with Checkpoints(each, strict=strict) as checkpoints:
      begin(experiment, each, checkpoints, strict=strict)


def _check_alone(population, folder):
  if len(population.members) > 1 and os.path.exists(
      os.path.join(folder, 'config.json')):
    raise WorkdirError(f'{folder} holds a lone run, and this is a population: '
                       'give another --workdir')


def _check_memory(experiment):
  needed, free = bytes_of_state(experiment), parallel.free_bytes()
  if needed > free:
    raise RequestError(
        f'weights and optimisers need {needed / 2**30:,.1f} GiB on each device,'
        f' and {free / 2**30:,.1f} GiB are free: use smaller networks '
        '(--dry_run lists their layers), or --config.shard=state on several '
        'devices')


def folders_of(population: Population, folder: str) -> list[str]:
  """Run folders of the members; of a lone run, the folder itself."""
  count = len(population.members)
  return [folder] if count == 1 else [
      os.path.join(folder, f'member_{i}') for i in range(count)]


def _own_values(population):
  """{member: {path: value}} of what differs between members."""
  return {f'member_{i}': {path: fields.at(member.config, path)
                          for path in ('seed', *population.numbers)}
          for i, member in enumerate(population.members)}


def _play(population, members, stop, stopping):
  """Trains the members that are furthest behind, until all are done."""
  while not stop.signum:
    steps = {i: member.checkpoints.latest() for i, member in enumerate(members)
             if member.plays}
    behind = sorted({*steps.values(), members[0].experiment.train_steps})
    if len(behind) == 1:
      return
    chosen = [i for i, step in steps.items() if step == behind[0]]
    states, count = _states(population, members, chosen), len(chosen)
    free = parallel.free_bytes() * _SHARE
    needed, data = states.prepare()
    free, each = free - data, needed * states.mesh.shape[
        parallel.MEMBERS] / count
    size = round_size(count, int(free / each),
                      parallel.device_count() // population.devices)
    _LOG.info('%d members, %.1f MiB each, %.0f MiB free on a device: %s', count,
              each / 2**20, free / 2**20, 'all at once' if size == count
              else f'in {-(-count // size)} rounds')
    if size < count:
      states = _states(population, members, chosen[:size])
    lone.Loop(states, stopping).run(stop, behind[1])


def round_size(count: int, fitting: int, rows: int) -> int:
  """How many of `count` members train at once, `fitting` on a device.

  rows: of the mesh, at most. One member at least, whatever fits.
  """
  return next(size for size in range(count, 0, -1) if size == 1
              or size <= fitting * parallel.member_rows(size, rows))


def _states(population, members, chosen):
  return StackedState([members[i] for i in chosen], population.some(chosen))
