"""A search on a Ray cluster: a worker for each of its devices.

Every worker is an actor in a process of its own, with one GPU or, where the
cluster has none, one core. What it does is `worker.search` on the journal in
the folder, which all machines must see at the same path. Ray starts an actor
that died again; its trials go on from their checkpoints, here or elsewhere.
"""

import contextlib
import glob
import json
import logging
import os
import pathlib
import signal
import socket
from collections.abc import Sequence

from gan_jax import parallel
from gan_jax.base.errors import RequestError, UserError
from gan_jax.run import lock
from gan_jax.run.signals import StopRequest
from gan_jax.studies.search import worker

_LOG = logging.getLogger(__name__)
_RESTARTS = 10  # of an actor that dies


def search_on_ray(address: str, given: Sequence[str], keys: Sequence[str],
                  folder: str, **how) -> tuple[int, str]:
  """As `worker.search`, by all devices of a cluster.

  A signal asks all workers of the folder on the cluster to save and stop.
  `address` is 'local' for a cluster of this machine alone, which ends with the
  search; 'auto' or 'HOST:PORT' of a running one.

  Returns:
    (exit status, what was found or, if it is neither 0 nor of a signal, why
    not).

  Raises:
    RequestError: no ray, no such cluster, or no device in it.
  """
  ray = _connected(address)
  try:
    kind, count = _devices(ray)
    actor = ray.remote(max_restarts=_RESTARTS, max_task_retries=_RESTARTS,
                       num_cpus=0 if kind == 'GPU' else 1,
                       num_gpus=int(kind == 'GPU'))(_Worker)
    _LOG.info('%d workers, each with one %s', count, kind)
    folder, here = os.path.abspath(folder), os.getcwd()
    with StopRequest() as stop:
      actors = [actor.remote() for _ in range(count)]
      left = [one.play.remote(here, given, keys, folder, how) for one in actors]
      return _last(ray, left, stop, folder)
  finally:
    ray.shutdown()


def _last(ray, left, stop, folder) -> tuple[int, str]:
  """Result of the worker that ends last, or of the first that fails."""
  found, asked = (0, ''), False
  while left:
    if stop.signum and not asked:
      asked = True
      _ask_to_stop(ray, folder)
    done, left = ray.wait(left, timeout=1)
    for result in map(ray.get, done):
      if result[0] and not stop.signum:
        return result
      found = result
  return (stop.exit_status, '') if stop.signum else found


def _connected(address):
  try:
    import ray
  except ImportError as e:
    raise RequestError('--ray needs ray: pip install ray') from e
  try:
    ray.init(address=address, logging_level=logging.WARNING,
             **({'include_dashboard': False} if address == 'local' else {}))
  except (ConnectionError, ValueError, RuntimeError, OSError) as e:
    # An OSError: its sockets lie in TMPDIR, whose path must be short.
    raise RequestError(
        f'--ray={address}: {e}; start a cluster by ray start --head and give '
        'auto or HOST:PORT, or give local, with a short TMPDIR') from e
  return ray


def _devices(ray) -> tuple[str, int]:
  found = ray.cluster_resources()
  kind = 'GPU' if found.get('GPU') else 'CPU'
  count = int(found.get(kind, 0))
  if not count:
    raise RequestError('--ray: the cluster has neither GPUs nor cores')
  return kind, count


class _Worker:
  """An actor; its process has one device."""

  def play(self, here, given, keys, folder, how) -> tuple[int, str]:
    """Works for a search from the folder `here`; user errors as (status, why).

    They are not raised, as an exception in Ray must survive pickling.
    """
    os.chdir(here)
    logging.basicConfig(format='%(message)s')
    logging.getLogger('gan_jax').setLevel(logging.INFO)
    parallel.use_compilation_cache()
    try:
      return worker.search(given, keys, folder, **how)
    except UserError as e:
      return e.status, str(e)


def _ask_to_stop(ray, folder) -> None:
  """SIGTERM to the workers of a study on each machine of the cluster."""
  from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
  task = ray.remote(num_cpus=0, max_retries=0)(_stop_here)
  ray.get([task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(
      node['NodeID'], soft=False)).remote(folder)
           for node in ray.nodes() if node['Alive']])


def _stop_here(folder) -> None:
  for home in glob.glob(os.path.join(glob.escape(folder), 'workers', '*')):
    # It may have written nothing yet, or have ended since the look at its lock,
    # which may be of another program.
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
      if lock.is_held(home):
        holder = json.loads(pathlib.Path(home, 'lock').read_bytes())
        if holder['host'] == socket.gethostname():
          os.kill(holder['pid'], signal.SIGTERM)
