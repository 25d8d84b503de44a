#!/usr/bin/env bash
# One would guess: a run that goes back to an earlier checkpoint and trains from
# there saves as before; CheckpointManager.save overwrites, or raises.
# What happens: save returns False, and writes nothing, at every step that is not
# beyond the newest one in the folder. No warning is given. Once the run passes
# that step, the folder holds two histories in one row. Deleting the later steps
# before going on is right.
# Who is hurt: whoever rewinds a GAN that has collapsed: if the run is stopped
# before it has caught up, the next restart restores the collapsed networks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 \
  orbax-checkpoint==0.12.8
FOLDER="$folder/run" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import os

import jax.numpy as jnp
import orbax.checkpoint as ocp


def save(manager, step, weight):
  return manager.save(
      step, args=ocp.args.StandardSave({'weight': jnp.full(1, weight)}))


with ocp.CheckpointManager(os.environ['FOLDER']) as manager:
  for step in (10, 20, 30):
    save(manager, step, weight=666.0)
with ocp.CheckpointManager(os.environ['FOLDER']) as manager:
  manager.restore(10, args=ocp.args.StandardRestore())
  saved = {step: save(manager, step, weight=1.0) for step in (15, 20, 25, 30)}
with ocp.CheckpointManager(os.environ['FOLDER']) as manager:
  steps = list(manager.all_steps())
  newest = manager.restore(None, args=ocp.args.StandardRestore())
print('orbax-checkpoint', importlib.metadata.version('orbax-checkpoint'))
print('back at step 10, save returns', saved)
print('in the folder:', steps, 'the newest weight:', newest['weight'])
assert saved == dict.fromkeys((15, 20, 25, 30), False)
assert steps == [10, 20, 30] and newest['weight'] == 666.0
PY
