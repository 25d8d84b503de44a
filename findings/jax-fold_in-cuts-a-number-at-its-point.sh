#!/usr/bin/env bash
# One would guess: jax.random.fold_in(key, 0.3) is an error, as a list index of 0.3
# is, or differs from fold_in(key, 0.7); and two seeds that numpy can hold give two
# keys, or an error.
# What happens: data is cast to uint32. All numbers in [0, 1) give one key. An int64
# loses its upper half, in fold_in and in key: seed 2^32 + 1 is seed 1. Of Python's
# own integers fold_in refuses such a one; key takes it without jax_enable_x64.
# Who is hurt: whoever folds in a time, a noise level or a truncation: each gets
# the same noise. So do runs whose seeds are made as `name << 32`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import jax
import numpy as np

key = jax.random.key(0)
levels = [0.0, 0.25, 0.5, 0.99]
noise = [float(jax.random.normal(jax.random.fold_in(key, t))) for t in levels]
seeds = [1, 2 ** 32 + 1, np.int64(2 ** 40 + 1)]
starts = [float(jax.random.normal(jax.random.key(seed))) for seed in seeds]
folded = [float(jax.random.normal(jax.random.fold_in(key, n)))
          for n in (1, np.int64(2 ** 32 + 1))]
print('jax', jax.__version__)
print('fold_in of', levels, 'draws', noise)
print('key of', [int(s) for s in seeds], 'draws', starts)
print('fold_in of 1 and of the int64 2^32 + 1 draws', folded)
assert len(set(noise)) == len(set(starts)) == len(set(folded)) == 1
assert noise[0] != folded[0]
try:
  jax.random.fold_in(key, 2 ** 32 + 1)
  raise SystemExit('now it takes the integer')
except OverflowError:
  pass
PY
