#!/usr/bin/env bash
# One would guess: two checkpointers, each with a folder of its own, may save at
# the same time from two threads of one process.
# What happens: the number of the running save is one for the whole process; the
# savers wait for each other's signals, and some saves fail ("File exists", "No
# ArrayMetadata found") though no other process touches their folders.
# Who is hurt: whoever trains several models in one process, or keeps the best
# state beside the newest one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 orbax-checkpoint==0.12.8
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import logging
import os
import tempfile
import threading

import jax.numpy as jnp
import orbax.checkpoint as ocp

logging.disable(logging.CRITICAL)


def save(folder, failed):
  handler = ocp.StandardCheckpointHandler()
  try:
    with ocp.AsyncCheckpointer(handler) as checkpointer:
      for step in range(5):
        checkpointer.save(os.path.join(folder, str(step)),
                          args=ocp.args.StandardSave({'w': jnp.zeros(1000)}))
        checkpointer.wait_until_finished()
  except Exception as e:
    failed.append(f'{type(e).__name__}: {str(e)[:60]}')


def three(at_once):
  failed = []
  threads = [threading.Thread(target=save, args=(
      tempfile.mkdtemp(dir=os.environ['FOLDER']), failed)) for _ in range(3)]
  for thread in threads:
    thread.start()
    if not at_once:
      thread.join()
  for thread in threads:
    thread.join()
  return failed


print('orbax-checkpoint', importlib.metadata.version('orbax-checkpoint'))
in_turn = three(at_once=False)
print('three savers, one after the other: failed', in_turn or 'none')
assert not in_turn
# A matter of timing: in each of a dozen tries some failed.
together = next(filter(None, (three(at_once=True) for _ in range(10))), [])
print('three savers at once: failed', together or 'none')
assert together
PY
