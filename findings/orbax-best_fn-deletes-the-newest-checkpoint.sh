#!/usr/bin/env bash
# One would guess: CheckpointManager with max_to_keep=2 and a best_fn keeps the
# newest checkpoint, from which a run resumes, and the best ones beside it.
# What happens: it keeps the two best. A newest checkpoint that is not among them
# is deleted by the very save that wrote it.
# Who is hurt: whoever resumes: a run whose score falls goes back to its best
# step at each restart, and never gets beyond it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 orbax-checkpoint==0.12.8
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import os

import jax.numpy as jnp
import orbax.checkpoint as ocp

manager = ocp.CheckpointManager(
    os.path.join(os.environ['FOLDER'], 'run'),
    options=ocp.CheckpointManagerOptions(
        max_to_keep=2, best_fn=lambda metrics: metrics['score'],
        best_mode='max'))
for step, score in ((1, 0.9), (2, 0.8), (3, 0.1)):
  manager.save(step, args=ocp.args.StandardSave({'w': jnp.ones(2) * step}),
               metrics={'score': score})
manager.wait_until_finished()
print('orbax-checkpoint', importlib.metadata.version('orbax-checkpoint'))
print('saved steps 1, 2, 3 with scores 0.9, 0.8, 0.1; kept:',
      manager.all_steps(), 'latest:', manager.latest_step())
kept = sorted(manager.all_steps())
manager.close()
assert kept == [1, 2], kept
PY
