#!/usr/bin/env bash
# One would guess: a checkpoint may lie in any folder, as in
# runs/penalties[0].weight=5, and that a save which raises nothing can be read.
# What happens: Orbax globs below the path that it is given without escaping it.
# Brackets make that a pattern which matches no file: what each process has
# written is not merged. The save ends well, and every restore fails.
# Who is hurt: whoever names folders after overrides, or has a [project] folder:
# hours later nothing can be resumed or sampled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q orbax-checkpoint==0.12.8 jax==0.10.2 2>/dev/null
cat > "$folder/brackets.py" <<'PY'
import os
import tempfile

import jax.numpy as jnp
import orbax.checkpoint as ocp

with tempfile.TemporaryDirectory() as folder:
  for name in ('plain', 'weights[0]'):
    path = os.path.join(folder, name, '1')
    os.makedirs(os.path.dirname(path))
    checkpointer = ocp.StandardCheckpointer()
    checkpointer.save(path, {'w': jnp.arange(3.0)})
    checkpointer.wait_until_finished()
    try:
      said = checkpointer.restore(path)['w'].tolist()
    except Exception as e:
      said = type(e).__name__
    print('orbax', ocp.__version__, name, sorted(os.listdir(path)), said)
    assert (said == [0, 1, 2]) == (name == 'plain'), said
PY
"$folder/venv/bin/python" "$folder/brackets.py" 2>/dev/null
