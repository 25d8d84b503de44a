"""Device placement and data parallelism (mesh, sharding, pmean).

`devices` has meshes and means, `placement` where arrays lie, `runner` the
compiled calls. No other room names a device.

The step runs under `jit(shard_map(scan(step)))`, on a mesh of one device too:
state replicated and donated, the batch split over the axis 'data'.
With `check_vma=False`, as in `jax.pmap`, `pmean(grad(local loss))` is the
gradient of the global loss, and a pmean in the forward pass (synchronised batch
norm) transposes to a pmean. With the default, `pmean(grad)` of replicated
parameters would silently be the SUM over devices.
"""

from gan_jax.parallel.devices import (
  AXIS,
  MEMBERS,
  along,
  batch_all,
  batch_mean,
  check_devices,
  cores,
  device_count,
  device_names,
  free_bytes,
  make_mesh,
  mean_over,
  member_mesh,
  member_rows,
  on_cpu,
  own_mesh,
  pmean,
  processes,
  use_compilation_cache,
)
from gan_jax.parallel.placement import (
  abstract,
  bytes_of,
  copies,
  copy,
  fetched,
  gathering,
  made,
  one_replica,
  own,
  replicate,
  share,
  taken,
)
from gan_jax.parallel.runner import (
  Batch,
  Data,
  Runner,
  everywhere,
  make_runner,
  put_call,
  scale,
  spread,
)

__all__ = ['AXIS', 'MEMBERS', 'Batch', 'Data', 'Runner', 'abstract', 'along',
           'batch_all', 'batch_mean', 'bytes_of', 'check_devices', 'copies',
           'copy', 'cores', 'device_count', 'device_names', 'everywhere',
           'fetched', 'free_bytes', 'gathering', 'made', 'make_mesh',
           'make_runner', 'mean_over', 'member_mesh', 'member_rows', 'on_cpu',
           'one_replica', 'own', 'own_mesh', 'pmean', 'processes', 'put_call',
           'replicate', 'scale', 'share', 'spread', 'taken',
           'use_compilation_cache']
