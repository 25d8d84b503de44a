#!/usr/bin/env bash
# One would guess: inside jax.shard_map, `pmean(grad(loss))` of parameters that
# lie on every device is the mean of the devices' gradients, as under pmap.
# What happens: it is their sum. With check_vma=True, the default, the gradient
# by a replicated value is summed over the devices already, and pmean of equal
# numbers changes nothing. With check_vma=False it is the mean.
# Who is hurt: whoever moves data-parallel training from pmap to shard_map: the
# learning rate is multiplied by the number of devices. Adam hides it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
NPROC=16 "$folder/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

jax.config.update('jax_num_cpu_devices', 4)
mesh = Mesh(np.array(jax.devices()), ('data',), axis_types=(AxisType.Auto,))
x = jnp.arange(8.0)


def gradient(check_vma):
  def local(w, x):
    return jax.lax.pmean(jax.grad(lambda w: jnp.mean(w * x))(w), 'data')
  return float(jax.jit(jax.shard_map(
      local, mesh=mesh, in_specs=(P(), P('data')), out_specs=P(),
      check_vma=check_vma))(jnp.float32(1.0), x))


true = float(jax.grad(lambda w: jnp.mean(w * x))(1.0))
found = gradient(True), gradient(False)
print('jax', jax.__version__, 'on', len(jax.devices()), 'devices')
print('the gradient of the mean loss:', true)
print('pmean(grad(local loss)), check_vma=True (default):', found[0])
print('pmean(grad(local loss)), check_vma=False:', found[1])
assert found == (4 * true, true)
PY
