"""Devices, their meshes, and means over them."""

import contextlib
import math
import os
import sys
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh

from gan_jax.base.errors import ConfigError

AXIS = 'data'
MEMBERS = 'members'


def use_compilation_cache() -> None:
  """Caches compiled programs in ~/.cache/gan_jax/xla.

  Environment: JAX_COMPILATION_CACHE_DIR changes the folder,
  JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS the threshold of 0 s: a start
  compiles dozens of small programs, which together take seconds.
  """
  if not jax.config.jax_compilation_cache_dir:
    jax.config.update('jax_compilation_cache_dir',
                      os.path.expanduser('~/.cache/gan_jax/xla'))
  if 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS' not in os.environ:
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)


def make_mesh(count: int = 0):
  """Mesh of the first `count` devices, 0 for all, in the order of processes."""
  devices = sorted(_devices(), key=lambda d: (d.process_index, d.id))
  return _mesh(devices[:count or None])


def check_devices() -> None:
  """ConfigError where there are no devices, as JAX_PLATFORMS may ask for."""
  _devices()


def _devices():
  try:
    return jax.devices()
  except (RuntimeError, AssertionError) as e:  # the latter without a word
    asked, said = os.environ.get('JAX_PLATFORMS'), f': {e}' if str(e) else ''
    raise ConfigError.saying((
        f'JAX finds no device by JAX_PLATFORMS={asked}{said}; unset it, or '
        'install what it asks for: for NVIDIA GPUs requirements-cuda12.txt and '
        'a driver that nvidia-smi shows') if asked else (
            f'JAX finds no device{said}; JAX_PLATFORMS=cpu does without')
    ) from e


def member_mesh(members: int, sharing: int):
  """Mesh for members that train together.

  Its rows have a part of the members each; the `sharing` devices of a row share
  their batches, in which layers may compare examples. Some devices are idle
  where the members do not divide among all rows.
  """
  devices = _devices()
  rows = member_rows(members, len(devices) // sharing)
  devices = np.array(devices[:rows * sharing]).reshape(rows, sharing)
  return Mesh(devices, (MEMBERS, AXIS), axis_types=(AxisType.Auto,) * 2)


def member_rows(members: int, most: int) -> int:
  """The largest number of rows, at most `most`, that divides the members."""
  return next(rows for rows in range(most, 0, -1) if members % rows == 0)


def own_mesh():
  """Mesh of this process's devices."""
  return _mesh(jax.local_devices())


def _mesh(devices):
  return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def device_count(members: int = 1) -> int:
  """Number of devices that share a batch: of a run, or of one member."""
  count = len(_devices())
  return count // math.gcd(members, count)


def free_bytes() -> int:
  """Free memory of a device; of the machine where devices are CPUs."""
  stats = jax.local_devices()[0].memory_stats()
  if stats and 'bytes_limit' in stats:
    return stats['bytes_limit'] - stats['bytes_in_use']
  with contextlib.suppress(OSError):  # Linux only.
    with open('/proc/meminfo') as file:
      for line in file:
        if line.startswith('MemAvailable:'):
          return int(line.split()[1]) * 1024 // jax.local_device_count()
  return sys.maxsize


def on_cpu():
  """Context in which computations run on a CPU; ConfigError without any."""
  try:
    device = jax.local_devices(backend='cpu')[0]
  except RuntimeError as e:
    asked = os.environ.get('JAX_PLATFORMS')
    raise ConfigError.saying(
        f'JAX_PLATFORMS={asked} leaves out the CPU, on which the classifier of '
        f'scores is trained: unset it, or JAX_PLATFORMS={asked},cpu') from e
  return jax.default_device(device)


def processes() -> tuple[int, int]:
  """(index of this process, number of processes)."""
  return jax.process_index(), jax.process_count()


def device_names() -> list[str]:
  """Names of all devices."""
  return [str(device) for device in _devices()]


def cores() -> int:
  """Number of CPU threads XLA uses; 0 on accelerators.

  It determines the summation order. XLA reads NPROC in the same way.
  """
  if jax.default_backend() != 'cpu':
    return 0
  if 'NPROC' in os.environ:
    return int(os.environ['NPROC'])
  if hasattr(os, 'sched_getaffinity'):  # Not on macOS.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 0


def pmean(tree):
  """Mean over the devices of the mesh."""
  return lax.pmean(tree, AXIS)


def mean_over(mesh) -> Callable:
  """`pmean`, or the identity where each device has whole batches.

  An all-reduce of one device is a copy on XLA:CPU: 10 % of an MLP's step.
  """
  return pmean if mesh.shape[AXIS] > 1 else _same


def along(axis: str | None) -> tuple[Callable, int]:
  """(mean over a device axis, its devices); the identity and 1 for None."""
  if axis is None:
    return _same, 1
  return partial(lax.pmean, axis_name=axis), lax.psum(1, axis)


def _same(tree):
  return tree


def batch_mean(x):
  """Mean over the examples of all devices."""
  return lax.pmean(jnp.mean(x), AXIS)


def batch_all(x):
  """Gathers the examples of all devices: [b, ...] -> [B, ...]."""
  return lax.all_gather(x, AXIS, tiled=True)
