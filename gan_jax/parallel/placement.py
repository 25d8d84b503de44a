"""Where arrays lie: replicated, a part per member, or split."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.parallel.devices import AXIS, MEMBERS, own_mesh


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


def one_replica(tree):
  """A tree that several devices replicate on one of them; others as is."""
  arrays = jax.tree.leaves(tree)
  if copies(tree) == 1 or not all(x.is_fully_replicated for x in arrays):
    return tree
  return jax.tree.map(lambda x: x.addressable_data(0), tree)


def copies(tree) -> int:
  """Number of devices holding a full replica; 1 of a tree without arrays."""
  return max((len(x.sharding.device_set) for x in jax.tree.leaves(tree)),
             default=1)


def specs_of(axes):
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


def fetched(tree, index: int):
  """A member's own part of stacked arrays [M, ...], on the host."""
  return jax.tree.map(np.asarray, _taken(tree, index))


def abstract(tree, mesh, *, sharded: bool = False, axes=None):
  """Shapes and dtypes of a tree, as a target to restore into.

  Replicated; or `sharded`: each array split over the devices of the mesh; or of
  a stacked state with these `axes`, on the mesh of a population.
  """
  if axes:
    where = jax.tree.broadcast(jax.tree.map(
        lambda spec: NamedSharding(mesh, spec), specs_of(axes)), tree)
  else:
    where = jax.tree.map(lambda x: (
        split_over(x, mesh) if sharded else NamedSharding(mesh, P())), tree)
  return jax.tree.map(lambda x, where: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=where), tree, where)


def bytes_of(tree) -> int:
  """Bytes on each device of a tree of arrays, or of `abstract`."""
  return sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
             for x in jax.tree.leaves(tree))


def split_over(x, mesh):
  """Splits an array along its longest axis that the devices divide, if any."""
  count = mesh.shape[AXIS]
  axes = [i for i, n in enumerate(x.shape) if n % count == 0]
  if not axes:
    return NamedSharding(mesh, P())
  axis = max(axes, key=lambda i: x.shape[i])
  return NamedSharding(mesh, P(*[None] * axis, AXIS))


def gathering(apply: Callable) -> Callable:
  """A network's apply that gathers its sharded parameters where it uses them.

  Without it XLA may split activations as the parameters are, by channel, and
  exchange those instead.
  """
  def gathered(params, *args, **kwargs):
    if not jax.sharding.get_abstract_mesh().manual_axes:
      params = lax.with_sharding_constraint(
          params, NamedSharding(own_mesh(), P()))
    return apply(params, *args, **kwargs)

  return gathered


def made(init: Callable, mesh, *args, **how):
  """The tree that init(*args) returns, made where it is to lie.

  `how`: as of `abstract`. With `copy` for `init` it places a tree.
  """
  target = abstract(jax.eval_shape(init, *args), mesh, **how)
  where = jax.tree.map(lambda x: x.sharding, target)
  return jax.jit(init, out_shardings=where)(*args)
