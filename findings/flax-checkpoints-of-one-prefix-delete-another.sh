#!/usr/bin/env bash
# One would guess: flax's save_checkpoint with prefix='generator_' and with
# prefix='generator_ema_' keep two series of files in one folder.
# What happens: a series is every file whose name begins with its prefix, and
# generator_ema_1 begins with generator_. With keep=1, the default, saving
# generator_2 deletes it at once, and generator_1, and keeps generator_ema_1 as the
# newest; restoring the generator gives the average.
# Who is hurt: whoever keeps the average beside the weights, and resumes training:
# from the average, with the optimiser of the weights, without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 \
  orbax-checkpoint==0.12.8
FOLDER="$folder/run" "$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import os

import flax
import numpy as np
from flax.training import checkpoints

folder = os.environ['FOLDER']
print('flax', flax.__version__)
for step in (1, 2):
  for prefix, sign in (('generator_', 1.0), ('generator_ema_', -1.0)):
    checkpoints.save_checkpoint(folder, {'w': np.array([sign * step])}, step,
                                prefix=prefix)
    print('after saving', prefix, step, 'there are', sorted(os.listdir(folder)))
found = {prefix: float(checkpoints.restore_checkpoint(
    folder, None, prefix=prefix)['w'][0])
    for prefix in ('generator_', 'generator_ema_')}
print('the weights were 2, their average -2; restored:', found)
assert found == {'generator_': -2.0, 'generator_ema_': -2.0}
assert os.listdir(folder) == ['generator_ema_2']
PY
