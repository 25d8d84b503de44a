"""Device placement and data parallelism (mesh, sharding, pmean).

The step runs under `jit(shard_map(scan(step)))`, on a mesh of one device too:
state replicated and donated, the batch split over the axis 'data'.
With `check_vma=False`, as in `jax.pmap`, `pmean(grad(local loss))` is the
gradient of the global loss, and a pmean in the forward pass (synchronised batch
norm) transposes to a pmean. With the default, `pmean(grad)` of replicated
parameters would silently be the SUM over devices.
"""

import contextlib
import functools
import math
import os
import sys
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
MEMBERS = 'members'


class Data(NamedTuple):
  """Examples: image uint8 [..., H, W, C] or float32 [..., D], label [...].

  The whole data set [N] on every device, or the examples [K, disc_steps, B] of
  a call if they stream.
  """

  image: Any
  label: Any


class Batch(NamedTuple):
  """Examples of a step: image [S, B, H, W, C], label [S, B], position [B].

  S is disc_steps; label and position are int32. Positions are those in the
  global
  batch: all randomness of an example derives from it: N devices train as one.
  """

  image: Any
  label: Any
  position: Any


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
  devices = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
  return _mesh(devices[:count or None])


def member_mesh(members: int):
  """Mesh of all devices for a population.

  Its rows, as many as divide both, have a part of the members each; the devices
  of a row share their batches.
  """
  rows = math.gcd(members, jax.device_count())
  devices = np.array(jax.devices()).reshape(rows, -1)
  return Mesh(devices, (MEMBERS, AXIS), axis_types=(AxisType.Auto,) * 2)


def own_mesh():
  """Mesh of this process's devices."""
  return _mesh(jax.local_devices())


def _mesh(devices):
  return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def device_count(members: int = 1) -> int:
  """Number of devices that share a batch, in a population that of a member."""
  return jax.device_count() // math.gcd(members, jax.device_count())


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
  """Context in which computations run on a CPU."""
  return jax.default_device(jax.local_devices(backend='cpu')[0])


def processes() -> tuple[int, int]:
  """(index of this process, number of processes)."""
  return jax.process_index(), jax.process_count()


def device_names() -> list[str]:
  """Names of all devices."""
  return [str(device) for device in jax.devices()]


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


def _same(tree):
  return tree


def batch_mean(x):
  """Mean over the examples of all devices."""
  return lax.pmean(jnp.mean(x), AXIS)


def batch_all(x):
  """Gathers the examples of all devices: [b, ...] -> [B, ...]."""
  return lax.all_gather(x, AXIS, tiled=True)


def replicate(tree, mesh):
  """Replicates a tree, equal in all processes, on the devices of the mesh."""
  sharding = NamedSharding(mesh, P())
  if jax.process_count() == 1:
    return jax.device_put(tree, sharding)
  # device_put would compare the values of all processes.
  return jax.tree.map(lambda x: jax.make_array_from_callback(
      x.shape, sharding, np.asarray(x).__getitem__), tree)


def share(tree, mesh):
  """Replicates process 0's tree on the mesh; elsewhere only shapes are read."""
  if jax.process_count() == 1:
    return replicate(tree, mesh)
  # As integers, to keep the sign of -0 in the sum.
  bits = jax.tree.map(lambda x: np.asarray(x).view(f'u{x.dtype.itemsize}'),
                      tree)
  bits = multihost_utils.broadcast_one_to_all(bits)
  return replicate(jax.tree.map(
      lambda x, like: np.asarray(x).view(like.dtype), bits, tree), mesh)


@jax.jit
def copy(tree):
  """Copies arrays so they can be donated."""
  return jax.tree.map(jnp.copy, tree)


def own(tree):
  """This process's local replica."""
  if jax.process_count() == 1:
    return tree
  sharding = NamedSharding(own_mesh(), P())
  return jax.tree.map(lambda x: jax.make_array_from_single_device_arrays(
      x.shape, sharding, [part.data for part in x.addressable_shards]), tree)


def place(tree, mesh, axes):
  """Places the stacked state of a population on its mesh, see `make_runner`."""
  return jax.device_put(tree, _shardings(tree, mesh, axes))


def shapes(tree, mesh, axes):
  """Shapes of a state as `place` would place it."""
  return jax.tree.map(
      lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where),
      tree, _shardings(tree, mesh, axes))


def _shardings(tree, mesh, axes):
  own = jax.tree.map(lambda spec: NamedSharding(mesh, spec), _specs(axes))
  return jax.tree.broadcast(own, tree)


def _specs(axes):
  """Partition of a stacked state: None stays a leaf."""
  return jax.tree.map(lambda axis: P() if axis is None else P(MEMBERS), axes,
                      is_leaf=lambda axis: axis is None)


@jax.jit
def _taken(tree, index):
  return jax.tree.map(lambda x: lax.dynamic_index_in_dim(
      x, index, keepdims=False), tree)


def taken(tree, index: int):
  """A member's own part of stacked arrays [M, ...], on all devices."""
  found = _taken(tree, index)
  return jax.device_put(found, NamedSharding(own_mesh(), P()))


def abstract(tree, mesh, *, sharded: bool = False):
  """Shapes and dtypes of a tree, as a target to restore into.

  Replicated, or `sharded`: each array split over the devices of the mesh.
  """
  where = _split if sharded else lambda x, mesh: NamedSharding(mesh, P())
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=where(x, mesh)), tree)


def _split(x, mesh):
  """Splits an array along its longest axis that the devices divide, if any."""
  count = mesh.shape[AXIS]
  axes = [i for i, n in enumerate(x.shape) if n % count == 0]
  if not axes:
    return NamedSharding(mesh, P())
  axis = max(axes, key=lambda i: x.shape[i])
  return NamedSharding(mesh, P(*[None] * axis, AXIS))


def made_sharded(init: Callable, mesh):
  """The tree that init() returns, made split over the devices of the mesh."""
  where = jax.tree.map(lambda x: _split(x, mesh), jax.eval_shape(init))
  return jax.jit(init, out_shardings=where)()


def make_runner(train_step: Callable, mesh, *, seed: int, image_range,
                deterministic: bool = False, axes=None,
                sharded: bool = False):
  """Makes a function that runs a chunk of K steps in one compiled call.

  Args:
    train_step: (state, batch, key, *, pmean) -> (state, scalars); of a
      population it takes a member's `numbers` too.
    mesh: of `make_mesh`, or `member_mesh`.
    seed: of the run; all randomness derives from it and state.step.
    image_range: (lo, hi) that the pixels 0 and 255 are scaled to; vectors are
      not scaled.
    deterministic: same bits in each start on one kind of GPU, by kernels
      without atomic sums and without autotuning; not needed on CPUs.
    axes: the axis of the members in each part of the state of a population,
      None for one run.
    sharded: the state is split over the devices, as by `abstract`, and each
      array gathered where it is used (ZeRO: Rajbhandari et al. 2020,
      arXiv:1910.02054). XLA divides the step; train_step must know of no device
      axis.

  Returns:
    A `Runner`.
  """
  average = (lambda tree: tree) if sharded else mean_over(mesh)

  def run(state, data, call, seed, numbers):
    local = jax.tree.leaves(call)[0].shape[2]
    position = jnp.arange(local)
    if not sharded:
      position += lax.axis_index(AXIS) * local
    key = jax.random.key(seed)
    read = _gather(data) if data is not None else lambda examples: examples

    def body(state, item):
      image, label = read(item)
      batch = Batch(scale(image, image_range), label, position)
      if sharded:
        batch = lax.with_sharding_constraint(batch, per_batch)
      state, scalars = train_step(state, batch, key, pmean=average,
                                  **({'numbers': numbers} if numbers else {}))
      if sharded:
        state = lax.with_sharding_constraint(
            state, jax.tree.map(lambda x: _split(x, mesh), state))
      return state, scalars

    return lax.scan(body, state, call)

  whole = own = P()
  split = P(None, None, AXIS)
  per_batch = Batch(*(NamedSharding(mesh, spec) for spec in (
      P(None, AXIS), P(None, AXIS), P(AXIS))))
  if axes is not None:
    run = jax.vmap(run, (axes, None, 0, 0, 0), (axes, 0))
    whole, own, split = _specs(axes), P(MEMBERS), P(MEMBERS, *split)
  if not sharded:
    run = jax.shard_map(run, mesh=mesh, check_vma=False, in_specs=(
        whole, P(), split, own, own), out_specs=(whole, own))
  compiled = jax.jit(run, donate_argnums=0, compiler_options={
      'xla_gpu_deterministic_ops': True} if deterministic else None)
  return Runner(compiled, NamedSharding(mesh, split), seed)


class Runner:
  """K steps in one compiled call: (state, data, call) -> (state, scalars).

  Either data is a `Data` of the whole set and call int32 indices [K,
  disc_steps, B], ~i for the mirrored example i; or data is None and call a
  `Data` of its examples. The state is donated. B must be divisible by the
  number of devices. A fourth argument replaces the seed. Scalars are {name:
  [K]}. In a population call, seed, numbers ({path: float32 [M]}) and scalars
  have a first axis of members.
  """

  def __init__(self, compiled, sharding, seed):
    self._compiled, self._sharding, self._seed = compiled, sharding, seed
    self._prepared = {}  # by the number of steps

  def __call__(self, state, data, call, seed=None, numbers=None):
    """Runs a call; see the class."""
    arguments = self._arguments(state, data, call, seed, numbers)
    run = self._prepared.get(_shapes_of(arguments[2]), self._compiled)
    return run(*arguments)

  def lower(self, state, data, call, seed=None, numbers=None):
    """Lowers a call, as `jax.jit(...).lower`."""
    return self._compiled.lower(*self._arguments(
        state, data, call, seed, numbers))

  def prepare(self, state, data, call, seed=None, numbers=None) -> int:
    """Compiles a call, whose state may be of `shapes`.

    Returns:
      Bytes that it needs on each device besides its data: the state, which is
      updated in place, and what lives during a step.
    """
    run = self.lower(state, data, call, seed, numbers).compile()
    self._prepared[_shapes_of(call)] = run
    found = run.memory_analysis()
    kept = sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
               for x in jax.tree.leaves(state))
    return kept + found.temp_size_in_bytes

  def _arguments(self, state, data, call, seed, numbers):
    # As an argument, so that seeds share one compilation.
    seed = np.uint32(self._seed if seed is None else seed)
    return state, data, _put(call, self._sharding), seed, numbers or {}


def _shapes_of(tree):
  return tuple(x.shape for x in jax.tree.leaves(tree))


def everywhere(function: Callable, mesh, axes=None):
  """Compiles a function that runs replicated on all devices of the mesh.

  With `axes` of a stacked state it is mapped over the members: its first
  argument is that state, the others have a first axis of members, and so does
  what it returns. Without a mesh XLA divides it as its arguments are.
  """
  if mesh is None:
    return jax.jit(function)
  specs = [P()]
  if axes is not None:
    function, specs = _over_members(function, axes), [_specs(axes), P(MEMBERS)]

  def run(*args):
    parts = (specs[0], *[specs[-1]] * (len(args) - 1))
    return jax.shard_map(function, mesh=mesh, in_specs=parts,
                         out_specs=specs[-1], check_vma=False)(*args)

  return jax.jit(run)


def _over_members(function, axes):
  return lambda state, *rest: jax.vmap(
      function, (axes, *[0] * len(rest)))(state, *rest)


def copies(tree) -> int:
  """Number of devices holding a full replica."""
  return len(jax.tree.leaves(tree)[0].sharding.device_set)


def spread(function: Callable) -> Callable:
  """Compiles a per-example function, sharding examples over devices.

  (tree, *arrays [B, ...]) -> arrays [B, ...], on the devices that hold a
  replica of the tree. If those are of several processes, all must call it with
  the same arrays, and all get the whole result.
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

    def put(x):  # Padded to a multiple of the devices.
      x = np.asarray(x)
      x = x[np.minimum(np.arange(count + -count % size), count - 1)]
      return jax.make_array_from_callback(x.shape, parts, x.__getitem__)

    whole = shared(sharding.mesh, len(arrays))(tree, *map(put, arrays))
    return jax.tree.map(lambda x: np.asarray(x)[:count], whole)

  return run


def put_call(call, mesh):
  """Starts the transfer of a call's examples to the devices."""
  split = P(None, None, AXIS)
  return _put(call, NamedSharding(
      mesh, P(MEMBERS, *split) if MEMBERS in mesh.axis_names else split))


def _put(call, sharding):
  """Shards this process's part [K, disc_steps, B / processes] of a call."""
  def put(part):
    if isinstance(part, jax.Array):
      return part
    return jax.make_array_from_process_local_data(sharding, part)

  return jax.tree.map(put, call)


def _gather(data: Data) -> Callable:
  """Makes a function that gathers examples by index."""
  count, *shape = data.image.shape
  rows = data.image.reshape(count, -1)

  def read(index):
    mirrored = index < 0
    index = jnp.where(mirrored, ~index, index)
    # Gathered as rows: six times as fast on CPU as [H, W, C] blocks.
    image = rows[index].reshape(*index.shape, *shape)
    if len(shape) == 3:
      # Mirroring takes 5 % of a small MLP's step on a CPU.
      image = lax.platform_dependent(
          image, mirrored, default=_mirror, cpu=lambda *args: lax.cond(
              jnp.any(mirrored), _mirror, lambda image, _: image, *args))
    return Data(image, data.label[index])

  return read


def _mirror(image, mirrored):
  """Mirrors some images [..., H, W, C] left to right."""
  return jnp.where(mirrored[..., None, None, None], image[..., ::-1, :], image)


def scale(image, image_range):
  """Scales uint8 to [lo, hi]; floats unchanged."""
  if image.dtype != jnp.uint8:
    return image
  low, high = image_range
  return image.astype(jnp.float32) * ((high - low) / 255.0) + low
