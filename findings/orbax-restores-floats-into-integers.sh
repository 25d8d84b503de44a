#!/usr/bin/env bash
# One would guess: restoring a checkpoint into a template of another dtype is an
# error, or at least a warning; other shapes and other names are refused.
# What happens: float32 weights are cast to int32, cut off at the point, without
# a word.
# Who is hurt: whoever changes the dtype of a state between two versions of a
# program: training goes on with zeros in place of weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 orbax-checkpoint==0.12.8
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import os
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

path = os.path.join(os.environ['FOLDER'], 'state')
weights = np.array([0.25, -0.75, 1.5], np.float32)
with ocp.StandardCheckpointer() as checkpointer:
  checkpointer.save(path, {'w': jnp.asarray(weights)})
  checkpointer.wait_until_finished()
  template = {'w': jax.ShapeDtypeStruct(
      (3,), jnp.int32, sharding=jax.sharding.SingleDeviceSharding(
          jax.devices()[0]))}
  with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    restored = np.asarray(checkpointer.restore(path, template)['w'])
about = [str(w.message) for w in said if 'dtype' in str(w.message).lower()]
print('orbax-checkpoint', importlib.metadata.version('orbax-checkpoint'))
print('saved   ', weights, weights.dtype)
print('restored', restored, restored.dtype)
print('warnings about it:', about or 'none')
assert restored.tolist() == [0, 0, 1] and not about
PY
