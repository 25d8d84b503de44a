"""Devices: the only file that names one.

The step runs under `jit(shard_map(scan(step)))`, on a mesh of one device too:
state replicated and donated, the batch split over the axis 'data'.
`check_vma=False` is what `jax.pmap` used: `pmean(grad(local loss))` is the
gradient of the global loss, and a pmean inside the forward pass (synchronised
batch norm) transposes to a pmean. With the default, `pmean(grad)` of replicated
parameters would be the SUM over devices, silently.
"""

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

AXIS = 'data'


class Data(NamedTuple):
  """Examples: image uint8 [..., H, W, C] or float32 [..., D], label [...].

  The whole data set [N] on every device, or the examples [K, disc_steps, B] of
  a call where they stream.
  """

  image: Any
  label: Any


class Batch(NamedTuple):
  """image [S, B, H, W, C], label [S, B] int32, position [B] int32.

  S is disc_steps. The position is that of an example in the global batch: all
  that is random for an example derives from it, so that N devices play the
  same game as one.
  """

  image: Any
  label: Any
  position: Any


def use_compilation_cache() -> None:
  """Keeps compiled programs across runs, in ~/.cache/gan_jax/xla.

  JAX_COMPILATION_CACHE_DIR names another folder, and
  JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS what is kept instead of all that
  takes 0.5 s.
  """
  if not jax.config.jax_compilation_cache_dir:
    jax.config.update('jax_compilation_cache_dir',
                      os.path.expanduser('~/.cache/gan_jax/xla'))
  if 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS' not in os.environ:
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def make_mesh(count: int = 0):
  """A mesh of the first `count` devices, of all of them for 0.

  In the order of the processes, as each feeds its slice of a batch.
  """
  devices = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
  return _mesh(devices[:count or None])


def own_mesh():
  """A mesh of the devices of this process."""
  return _mesh(jax.local_devices())


def _mesh(devices):
  return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def device_count() -> int:
  """Devices that a batch is divided by."""
  return jax.device_count()


def on_cpu():
  """A context in which a CPU computes, whatever else there is."""
  return jax.default_device(jax.local_devices(backend='cpu')[0])


def processes() -> tuple[int, int]:
  """(index of this process, their number)."""
  return jax.process_index(), jax.process_count()


def device_names() -> list[str]:
  """The devices of a run, for its record."""
  return [str(device) for device in jax.devices()]


def cores() -> int:
  """Among how many threads a CPU shares its sums, 0 on accelerators.

  Another number is another order of the sums. XLA reads NPROC as here.
  """
  if jax.default_backend() != 'cpu':
    return 0
  if 'NPROC' in os.environ:
    return int(os.environ['NPROC'])
  if hasattr(os, 'sched_getaffinity'):  # Not on macOS.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 0


def pmean(tree):
  """Average over the devices of the mesh."""
  return lax.pmean(tree, AXIS)


def batch_mean(x):
  """Mean over the examples of all devices, for losses that ask for it."""
  return lax.pmean(jnp.mean(x), AXIS)


def batch_all(x):
  """The examples of all devices: [b, ...] -> [B, ...]."""
  return lax.all_gather(x, AXIS, tiled=True)


def replicate(tree, mesh):
  """Puts a tree, the same in all processes, on every device of the mesh."""
  sharding = NamedSharding(mesh, P())
  if jax.process_count() == 1:
    return jax.device_put(tree, sharding)
  # device_put would gather what all processes have, and compare.
  return jax.tree.map(lambda x: jax.make_array_from_callback(
      x.shape, sharding, np.asarray(x).__getitem__), tree)


def share(tree, mesh):
  """Puts the first process's tree on every device of the mesh.

  Of the tree in another process only the shapes and dtypes count.
  """
  if jax.process_count() == 1:
    return replicate(tree, mesh)
  # As integers: a sum of floats with zeros would lose the sign of -0.
  bits = jax.tree.map(lambda x: np.asarray(x).view(f'u{x.dtype.itemsize}'),
                      tree)
  bits = multihost_utils.broadcast_one_to_all(bits)
  return replicate(jax.tree.map(
      lambda x, like: np.asarray(x).view(like.dtype), bits, tree), mesh)


def copy(tree):
  """Arrays of our own, which may be donated."""
  return jax.jit(lambda t: jax.tree.map(jnp.copy, t))(tree)


def own(tree):
  """This process's view of what is replicated, on its own devices alone."""
  if jax.process_count() == 1:
    return tree
  sharding = NamedSharding(own_mesh(), P())
  return jax.tree.map(lambda x: jax.make_array_from_single_device_arrays(
      x.shape, sharding, [part.data for part in x.addressable_shards]), tree)


def abstract(tree, mesh):
  """The tree's shapes and dtypes, replicated: what to restore into."""
  sharding = NamedSharding(mesh, P())
  return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def make_runner(train_step: Callable, mesh, *, seed: int, image_range,
                deterministic: bool = False):
  """Compiles K steps of a game into one call.

  Args:
    train_step: (state, batch, key, *, pmean) -> (state, scalars).
    mesh: of `make_mesh`.
    seed: of the run; all randomness inside derives from it and state.step.
    image_range: (lo, hi) that the pixels 0 and 255 are scaled to; vectors are
      left as they are.
    deterministic: the same bits from each start of the program on one kind of
      GPU, by kernels without atomic sums and no timed choice among kernels;
      CPUs need none of it.

  Returns:
    (state, data, call) -> (state, scalars {name: [K]}), where the data are a
    `Data` of the whole set and the call int32 indices [K, disc_steps, B] into
    it, ~i for the mirrored example i; or the data are None and the call is a
    `Data` of its examples. The state is donated. The axis B is split over the
    devices, so it must be divisible by their number. A fourth argument is
    another seed from that call on.
  """
  # XLA:CPU copies what a single device all-reduces: 10 % of an MLP's step.
  average = pmean if mesh.size > 1 else lambda tree: tree

  def run(state, data, call, seed):
    local = jax.tree.leaves(call)[0].shape[2]
    position = lax.axis_index(AXIS) * local + jnp.arange(local)
    key = jax.random.key(seed)
    read = _gather(data) if data is not None else lambda examples: examples

    def body(state, item):
      image, label = read(item)
      batch = Batch(scale(image, image_range), label, position)
      return train_step(state, batch, key, pmean=average)

    return lax.scan(body, state, call)

  split = P(None, None, AXIS)
  sharded = jax.shard_map(run, mesh=mesh, in_specs=(P(), P(), split, P()),
                          out_specs=P(), check_vma=False)
  compiled = jax.jit(sharded, donate_argnums=0, compiler_options={
      'xla_gpu_deterministic_ops': True} if deterministic else None)
  sharding = NamedSharding(mesh, split)

  def runner(state, data, call, seed=seed):
    # The seed is an argument: runs that differ in it share one compilation.
    return compiled(state, data, _put(call, sharding), np.uint32(seed))

  return runner


def everywhere(function: Callable, mesh):
  """Compiles a function of whole arrays that every device computes alike.

  Averages over the devices inside, as of batch norm, are those of equals.
  """
  return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=P(),
                               out_specs=P(), check_vma=False))


def copies(tree) -> int:
  """On how many devices a tree lies, whole."""
  return len(jax.tree.leaves(tree)[0].sharding.device_set)


def spread(function: Callable) -> Callable:
  """Compiles (tree, *arrays [B, ...]) -> arrays [B, ...], example by example.

  The devices on which the tree lies replicated share the examples, and those
  of all processes where it lies on all: then every process must call it, with
  the same arrays, and each is given the whole.
  """
  alone = jax.jit(function)

  @functools.cache
  def shared(mesh, count):
    def part(tree, *arrays):
      return lax.all_gather(function(tree, *arrays), AXIS, tiled=True)

    return jax.jit(jax.shard_map(
        part, mesh=mesh, in_specs=(P(), *[P(AXIS)] * count), out_specs=P(),
        check_vma=False))

  def run(tree, *arrays):
    sharding = next((x.sharding for x in jax.tree.leaves(tree)), None)
    if not isinstance(sharding, NamedSharding) or sharding.mesh.size == 1:
      return jax.tree.map(np.asarray, alone(tree, *arrays))
    size, count = sharding.mesh.size, len(arrays[0])
    parts = NamedSharding(sharding.mesh, P(AXIS))

    def put(x):  # Filled up to what divides; all processes have all of it.
      x = np.asarray(x)
      x = x[np.minimum(np.arange(count + -count % size), count - 1)]
      return jax.make_array_from_callback(x.shape, parts, x.__getitem__)

    whole = shared(sharding.mesh, len(arrays))(tree, *map(put, arrays))
    return jax.tree.map(lambda x: np.asarray(x)[:count], whole)

  return run


def put_call(call, mesh):
  """Starts to move a call's examples to the devices they are split over."""
  return _put(call, NamedSharding(mesh, P(None, None, AXIS)))


def _put(call, sharding):
  """This process's part [K, disc_steps, B / processes] of a call."""
  def put(part):
    if isinstance(part, jax.Array):
      return part
    return jax.make_array_from_process_local_data(sharding, part)

  return jax.tree.map(put, call)


def _gather(data: Data) -> Callable:
  """Reads examples by index from the whole set."""
  count, *shape = data.image.shape
  rows = data.image.reshape(count, -1)

  def read(index):
    mirrored = index < 0
    index = jnp.where(mirrored, ~index, index)
    # Gathered as rows: six times as fast on CPU as [H, W, C] blocks.
    image = rows[index].reshape(*index.shape, *shape)
    if len(shape) == 3:
      image = jnp.where(mirrored[..., None, None, None], image[..., ::-1, :],
                        image)
    return Data(image, data.label[index])

  return read


def scale(image, image_range):
  """Bytes to [lo, hi]; floats are what they are."""
  if image.dtype != jnp.uint8:
    return image
  low, high = image_range
  return image.astype(jnp.float32) * ((high - low) / 255.0) + low
