"""Devices: the only file that names one.

The step runs under `jit(shard_map(scan(step)))`, on a mesh of one device too:
state replicated and donated, the batch split over the axis 'data'.
`check_vma=False` is what `jax.pmap` used: `pmean(grad(local loss))` is the
gradient of the global loss, and a pmean inside the forward pass (synchronised
batch norm) transposes to a pmean. With the default, `pmean(grad)` of replicated
parameters would be the SUM over devices, silently.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.step import Batch

AXIS = 'data'


class Data(NamedTuple):
  """The whole data set on every device: image uint8 [N, H, W, C], label [N]."""

  image: Any
  label: Any


def use_compilation_cache() -> None:
  """Keeps compiled programs across runs, in ~/.cache/gan_jax/xla.

  JAX_COMPILATION_CACHE_DIR names another folder.
  """
  if not jax.config.jax_compilation_cache_dir:
    jax.config.update('jax_compilation_cache_dir',
                      os.path.expanduser('~/.cache/gan_jax/xla'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def make_mesh(count: int = 0):
  """A mesh of the first `count` devices, of all of them for 0."""
  devices = jax.devices()[:count or None]
  return jax.make_mesh((len(devices),), (AXIS,), devices=devices,
                       axis_types=(AxisType.Auto,))


def device_count() -> int:
  """Devices that a batch is divided by."""
  return jax.device_count()


def device_names() -> list[str]:
  """The devices of a run, for its record."""
  return [str(device) for device in jax.devices()]


def pmean(tree):
  """Average over the devices of the mesh."""
  return lax.pmean(tree, AXIS)


def batch_mean(x):
  """Mean over the examples of all devices, for losses that ask for it."""
  return lax.pmean(jnp.mean(x), AXIS)


def replicate(tree, mesh):
  """Puts a tree on every device of the mesh."""
  return jax.device_put(tree, NamedSharding(mesh, P()))


def abstract(tree, mesh):
  """The tree's shapes and dtypes, replicated: what to restore into."""
  sharding = NamedSharding(mesh, P())
  return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def make_runner(train_step: Callable, mesh, *, seed: int, image_range):
  """Compiles K steps of a game into one call.

  Args:
    train_step: (state, batch, key, *, pmean) -> (state, scalars).
    mesh: of `make_mesh`.
    seed: of the run; all randomness inside derives from it and state.step.
    image_range: (lo, hi) that the pixels 0 and 255 are scaled to.

  Returns:
    (state, data: Data, indices int32 [K, disc_steps, B]) -> (state, scalars
    {name: [K]}). The state is donated. The batch i of an index array is split
    over the devices, so B must be divisible by their number.
  """
  low, high = image_range
  # XLA:CPU copies what a single device all-reduces: 10 % of an MLP's step.
  average = pmean if mesh.size > 1 else lambda tree: tree

  def run(state, data, indices, seed):
    local = indices.shape[-1]
    position = lax.axis_index(AXIS) * local + jnp.arange(local)
    key = jax.random.key(seed)
    count, *shape = data.image.shape
    rows = data.image.reshape(count, -1)

    def body(state, index):
      # Gathered as rows: six times as fast on CPU as [H, W, C] blocks.
      image = rows[index].reshape(*index.shape, *shape).astype(jnp.float32)
      batch = Batch(image * ((high - low) / 255.0) + low, data.label[index],
                    position)
      return train_step(state, batch, key, pmean=average)

    return lax.scan(body, state, indices)

  sharded = jax.shard_map(
      run, mesh=mesh, in_specs=(P(), P(), P(None, None, AXIS), P()),
      out_specs=P(), check_vma=False)
  compiled = jax.jit(sharded, donate_argnums=0)
  split = NamedSharding(mesh, P(None, None, AXIS))

  def runner(state, data, indices: np.ndarray):
    # The seed is an argument: runs that differ in it share one compilation.
    return compiled(state, data, jax.device_put(indices, split),
                    np.uint32(seed))

  return runner
