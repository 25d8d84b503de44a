#!/usr/bin/env bash
# One would guess: a key that was split and a key that was folded are different,
# as are all keys that come from one key by different functions.
# What happens: fold_in(key, i) is split(key, n)[i], bit by bit, for every i < n.
# The checker for keys used twice, jax_debug_key_reuse, lets it pass: folding does
# not count as use.
# Who is hurt: whoever splits a key for the start and folds the step into the same
# one later: the noise of step 1 is the noise that initialised the network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" - <<'PY'
import jax
import numpy as np

jax.config.update('jax_debug_key_reuse', True)
key = jax.random.key(0)
start = jax.random.split(key, 3)
steps = [jax.random.fold_in(key, step) for step in range(3)]
print('jax', jax.__version__, 'with jax_debug_key_reuse')
for i in range(3):
  one, two = (np.asarray(jax.random.normal(k, (3,)))
              for k in (start[i], steps[i]))
  print(f'normal of split(key, 3)[{i}]: {one}, of fold_in(key, {i}): {two}')
  assert (one == two).all()
try:
  jax.random.split(key)
except jax.errors.KeyReuseError:
  print('the checker is on: a second split of the key is refused')
else:
  raise SystemExit('the checker is off')
PY
