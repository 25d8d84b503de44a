"""The compiled calls: K steps of training, sampling, diagnostics."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.parallel.devices import AXIS, MEMBERS, mean_over
from gan_jax.parallel.placement import bytes_of, specs_of, split_over


class Data(NamedTuple):
  """Examples: image uint8 [..., H, W, C] or float32 [..., D], label [...].

  The whole data set [N] on every device, or the examples [K, disc_steps, B] of
  a call if they stream.
  """

  image: Any
  label: Any


class Batch(NamedTuple):
  """Examples of a step: image [S, B, H, W, C], label [S, B], position [B].

  S is disc_steps, or twice as many with batches of labelled examples after the
  others; label and position are int32. Positions are those in the global batch:
  all randomness of an example derives from it: N devices train as one.
  """

  image: Any
  label: Any
  position: Any


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
            state, jax.tree.map(lambda x: split_over(x, mesh), state))
      return state, scalars

    return lax.scan(body, state, call)

  whole = own = P()
  split = _split(mesh)
  per_batch = Batch(*(NamedSharding(mesh, spec) for spec in (
      P(None, AXIS), P(None, AXIS), P(AXIS))))
  if axes is not None:
    run = jax.vmap(run, (axes, None, 0, 0, 0), (axes, 0))
    whole, own = specs_of(axes), P(MEMBERS)
  if not sharded:
    run = jax.shard_map(run, mesh=mesh, check_vma=False, in_specs=(
        whole, P(), split.spec, own, own), out_specs=(whole, own))
  compiled = jax.jit(run, donate_argnums=0, compiler_options={
      'xla_gpu_deterministic_ops': True} if deterministic else None)
  return Runner(compiled, split, seed)


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
    """Compiles a call, whose state may be of `abstract`.

    Returns:
      Bytes that it needs on each device besides its data: the state, which is
      updated in place, and what lives during a step; or twice the state, as
      when it is resumed.
    """
    run = self.lower(state, data, call, seed, numbers).compile()
    self._prepared[_shapes_of(call)] = run
    found = run.memory_analysis()
    kept = bytes_of(state)
    return kept + max(kept, found.temp_size_in_bytes)

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
  def run(state, *rest):
    mapped, first, others = function, P(), P()
    if axes is not None:
      mapped = jax.vmap(function, (axes, *[0] * len(rest)))
      first, others = specs_of(axes), P(MEMBERS)
    return jax.shard_map(
        mapped, mesh=mesh, in_specs=(first, *[others] * len(rest)),
        out_specs=others, check_vma=False)(state, *rest)

  return jax.jit(run)


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
  return _put(call, _split(mesh))


def _split(mesh):
  """Where the examples [K, disc_steps, B] of a call lie: batches are split."""
  members = [MEMBERS] if MEMBERS in mesh.axis_names else []
  return NamedSharding(mesh, P(*members, None, None, AXIS))


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
