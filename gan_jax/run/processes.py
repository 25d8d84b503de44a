"""Multi-process coordination (leader/followers).

They use the key-value store of JAX's coordinator: a collective would need all
processes at once, and cannot tell why one is missing.
"""

import contextlib
import json
import logging
import os
import re
import socket
import sys
import time
import traceback

import jax
from jax.experimental import multihost_utils

from gan_jax.base.errors import ProcessGroupError, first_line

_LOG = logging.getLogger(__name__)
_CONNECT = 300  # seconds in which all processes must have started
# Seconds without a heartbeat after which a process counts as dead; all others
# end within HEARTBEAT + GRACE.
HEARTBEAT, GRACE = 10, 5
_BLOCK = 64  # orders that are deleted together


def join(coordinator: str = '', count: int = 0,
         index: int = -1) -> 'ProcessGroup':
  """Connects to the other processes of the run, before JAX finds devices.

  Args:
    coordinator: HOST:PORT of process 0; 'auto' for JAX's auto-detection; '' for
      auto-detection if Slurm, Open MPI or a TPU pod has started more than one
      process, else a single process.
    count: of processes, 0 to detect.
    index: of this one, -1 to detect.

  Raises:
    ProcessGroupError: missing arguments, or no connection.
  """
  address = '' if coordinator == 'auto' else coordinator
  given = [bool(coordinator), count > 0, index >= 0]
  if count == 1 and index <= 0 or not any(given) and not several(os.environ):
    return ProcessGroup()
  if address and not all(given):
    raise ProcessGroupError('--coordinator=HOST:PORT needs --num_processes=N '
                            'and --process_id=I too')
  if not address and any(given[1:]):
    raise ProcessGroupError('--num_processes and --process_id need '
                            '--coordinator=HOST:PORT')
  if count and index >= count:
    raise ProcessGroupError(f'--process_id={index} is not below '
                            f'--num_processes={count}')
  # This service would swallow SIGTERM, which `signals` handles.
  jax.config.update('jax_enable_preemption_service', False)
  jax.config.update('jax_cpu_collectives_implementation', 'gloo')
  try:
    jax.distributed.initialize(
        address or None, count or None, index if index >= 0 else None,
        heartbeat_timeout_seconds=HEARTBEAT, initialization_timeout=_CONNECT,
        shutdown_timeout_seconds=30)
  except (ValueError, RuntimeError) as e:
    raise ProcessGroupError('cannot connect to the other processes of the run: '
                            f'{first_line(e)}') from e
  group = ProcessGroup(jax.process_index(), jax.process_count())
  _LOG.info('process %d of %d', group.index, group.count)
  return group


def several(environ) -> bool:
  """Whether a cluster has started several processes for one run.

  Not detected in Kubernetes, where the pods of an indexed Job may be the runs
  of a sweep: use --coordinator=auto there.
  """
  if 'SLURM_STEP_NODELIST' in environ:  # Not in a batch script itself.
    return int(environ.get('SLURM_NTASKS', 1)) > 1
  if 'OMPI_COMM_WORLD_SIZE' in environ:
    return int(environ['OMPI_COMM_WORLD_SIZE']) > 1
  return ',' in environ.get('TPU_WORKER_HOSTNAMES', '')


class LostProcessError(ProcessGroupError):
  """Another process of the run has failed."""


class ProcessGroup:
  """The processes of a run: this one is `index` of `count`; 0 leads."""

  def __init__(self, index: int = 0, count: int = 1):
    self.index, self.count = index, count
    self._orders, self._signum, self._ready, self._ended = 0, 0, False, False
    self._looked = 0.0

  # Called by the leader.

  def wait_for_all(self, fingerprint: str) -> None:
    """Waits until all followers are ready.

    Raises:
      ProcessGroupError: one has failed, or has another config or other data.
    """
    for index in range(1, self.count):
      found = json.loads(_get(f'ready/{index}'))
      if 'failed' in found:
        raise ProcessGroupError(_failure(index, found))
      if found['fingerprint'] != fingerprint:
        raise ProcessGroupError(
            f'process {index} on {found["host"]} has another config or other '
            'data than process 0: start all with one command line, and let '
            'them read the same files')

  def order(self, what: str, **details) -> None:
    """Sends the next order to all followers."""
    if self.count == 1 or self._ended:
      return
    # Serialised first: an error must not leave a gap in the numbering.
    text = json.dumps({'what': what, **details})
    self._ended = what == 'end'
    block, place = divmod(self._orders, _BLOCK)
    self._orders += 1
    _client().key_value_set(f'order/{block}/{place}', text)
    if place == 0 and block > 1:  # Old orders.
      _client().key_value_delete(f'order/{block - 2}/')

  def signal(self) -> int:
    """Returns the signal that a follower received, 0 for none.

    Raises:
      LostProcessError: one of them has failed.
    """
    now = time.monotonic()
    if self.count == 1 or now < self._looked + 0.1:  # It costs 1 ms.
      return 0
    self._looked = now
    return max((found.get('signal', 0) for found in self._said()), default=0)

  # Called by the followers.

  def ready(self, fingerprint: str) -> None:
    """Answers `wait_for_all`."""
    self._ready = True
    self._say('ready', fingerprint=fingerprint)

  def next_order(self, stop) -> dict:
    """Waits for an order {'what': ..., ...}; reports signals of `stop`."""
    def tell():
      if stop.signum and not self._signum:
        self._signum = stop.signum
        self._say('said', signal=stop.signum)

    block, place = divmod(self._orders, _BLOCK)
    self._orders += 1
    order = json.loads(_get(f'order/{block}/{place}', tell))
    self._ended = order['what'] == 'end'
    return order

  # Called by all.

  def leave(self, status: int, *, lost: bool = False) -> None:
    """Leaves the group with an exit status.

    Waits for the others, unless one of them is lost or the run continues
    without this one.
    """
    if self.count == 1:
      return
    if not self.index:
      self.order('end', status=status)
    elif not self._ended:
      for key in ('ready', 'said'):
        self._say(key, failed=f'status {status}, see its log')
      if self._ready:  # The others may be in a call, without this one.
        quit_now(status)
    if lost:
      time.sleep(2)  # So that the others receive the order.
      quit_now(status)
    try:
      jax.distributed.shutdown()
    except jax.errors.JaxRuntimeError as e:
      quit_now(status or 1, f'not all processes have ended: {first_line(e)}')

  def abort(self, error: Exception) -> None:
    """Ends this process after an error, and with it all others.

    The others cannot finish a call that one has left. If a process has died,
    the heartbeats name it within seconds and end this one.
    """
    if self.count == 1:
      return
    if not _is_of_a_peer(error):
      traceback.print_exception(error)
      with contextlib.suppress(jax.errors.JaxRuntimeError):
        self._say('said', failed=first_line(error))
      quit_now(1)
    _print(f'process {self.index} of {self.count}: {first_line(error)}\n'
           'A process of this run has died or does not answer; all others end '
           f'within {HEARTBEAT + GRACE} s, and the heartbeats say which tasks '
           'are unhealthy. Rerun the command to resume from the newest '
           'checkpoint')
    try:
      self._said()
    except LostProcessError as e:
      quit_now(4, str(e))
    except jax.errors.JaxRuntimeError:
      pass
    time.sleep(HEARTBEAT + GRACE)  # Until the heartbeats name it.
    quit_now(4)

  def _said(self):
    """Messages of the others; raises the first failure among them."""
    found = {int(key.rpartition('/')[2]): json.loads(value) for key, value
             in _client().key_value_dir_get('said/')}
    found.pop(self.index, None)
    for index, answer in found.items():
      if 'failed' in answer:
        raise LostProcessError(_failure(index, answer))
    return list(found.values())

  def _say(self, key, **what):
    host = f'{socket.gethostname()} (pid {os.getpid()})'
    _client().key_value_set(f'{key}/{self.index}', json.dumps(
        {'host': host, **what}), allow_overwrite=True)


ALONE = ProcessGroup()  # one process


def _failure(index, answer):
  return f'process {index} on {answer["host"]} has failed: {answer["failed"]}'


def quit_now(status: int, why: str = '') -> None:
  """Exits without waiting for other processes."""
  if why:
    _print(why)
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(status)


def _print(text):
  print(f'gan_jax: {text}', file=sys.stderr, flush=True)


# Private parts of JAX: key-value store and errors caused by other processes.
# To be checked with each new version of JAX.


def _client():
  return multihost_utils.distributed.global_state.client


def _get(key, meanwhile=lambda: None):
  while True:
    meanwhile()
    try:
      return _client().blocking_key_value_get(key, 1000)  # milliseconds
    except jax.errors.JaxRuntimeError as e:
      if 'DEADLINE_EXCEEDED' not in str(e):
        raise


def _is_of_a_peer(error):
  """Whether an error may be due to the death of another process."""
  # Small programs raise a ValueError where others raise a JaxRuntimeError.
  return isinstance(error, jax.errors.JaxRuntimeError) or re.match(
      r'[A-Z_]+: .*\b(Gloo|NCCL)\b'
      '|(UNAVAILABLE|ABORTED|CANCELLED|DEADLINE_EXCEEDED): ', str(error))
