"""How the processes of a run find each other, before JAX looks for devices."""

import logging
import os

import jax

from gan_jax.team import HEARTBEAT, Team, TeamError, first_line

_LOG = logging.getLogger(__name__)
_CONNECT = 300  # seconds in which all processes must have started
AUTO = 'auto'


def join(coordinator: str = '', count: int = 0, index: int = -1) -> Team:
  """Finds the other processes of the run, before JAX looks for devices.

  Args:
    coordinator: HOST:PORT of process 0; 'auto' for what JAX finds out by
      itself; '' for the same where Slurm, Open MPI or a TPU pod has started
      more than one process, and otherwise for a run of one.
    count: of processes, 0 to find out.
    index: of this one, -1 to find out.

  Raises:
    TeamError: they are not all given, or do not find each other.
  """
  if count == 1 and index <= 0:
    return Team()
  given = [bool(coordinator), count > 0, index >= 0]
  if not any(given) and not several(os.environ):
    return Team()
  if coordinator not in ('', AUTO) and not all(given):
    raise TeamError('--coordinator=HOST:PORT needs --num_processes=N and '
                    '--process_id=I too')
  if coordinator in ('', AUTO) and any(given[1:]):
    raise TeamError('--num_processes and --process_id need '
                    '--coordinator=HOST:PORT')
  if count and index >= count:
    raise TeamError(f'--process_id={index} is not below '
                    f'--num_processes={count}')
  # Its service would swallow SIGTERM; `signals` listens for it.
  jax.config.update('jax_enable_preemption_service', False)
  jax.config.update('jax_cpu_collectives_implementation', 'gloo')
  try:
    jax.distributed.initialize(
        coordinator if coordinator != AUTO and coordinator else None,
        count or None, index if index >= 0 else None,
        heartbeat_timeout_seconds=HEARTBEAT, initialization_timeout=_CONNECT,
        shutdown_timeout_seconds=30)
  except (ValueError, RuntimeError) as e:
    raise TeamError(f'the processes of this run do not find each other: '
                    f'{first_line(e)}') from e
  team = Team(jax.process_index(), jax.process_count())
  _LOG.info('process %d of %d', team.index, team.count)
  return team


def several(environ) -> bool:
  """Whether a cluster has started this program more than once, for one run.

  Not so in Kubernetes, where the pods of an indexed Job may as well be the
  runs of a sweep: there --coordinator=auto says that they are one.
  """
  if 'SLURM_STEP_NODELIST' in environ:  # Not in a batch script itself.
    return int(environ.get('SLURM_NTASKS', 1)) > 1
  if 'OMPI_COMM_WORLD_SIZE' in environ:
    return int(environ['OMPI_COMM_WORLD_SIZE']) > 1
  return ',' in environ.get('TPU_WORKER_HOSTNAMES', '')
