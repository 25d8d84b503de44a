#!/usr/bin/env bash
# One would guess: tree_deserialise_leaves puts each array where its name is, and
# complains of a name that the file does not have.
# What happens: the file holds arrays without names, in the order of the leaves; a
# dict's leaves are in the order of its sorted keys. After 'ema' is renamed
# 'gen_ema' in {'gen', 'ema'}, the generator gets the average and the average gets
# the generator. Only a different shape or dtype raises.
# Who is hurt: whoever renames a key, or reorders the fields of a module, where two
# networks have the same shapes: a generator and its average, two critics.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 equinox==0.13.8
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import os

import equinox as eqx
import jax.numpy as jnp

path = os.path.join(os.environ['FOLDER'], 'weights.eqx')
eqx.tree_serialise_leaves(path, {'gen': jnp.ones(2), 'ema': jnp.full(2, 0.5)})
found = eqx.tree_deserialise_leaves(
    path, {'gen': jnp.zeros(2), 'gen_ema': jnp.zeros(2)})
print('equinox', eqx.__version__)
print("saved: gen = [1, 1], ema = [0.5, 0.5]; then 'ema' is called 'gen_ema'")
print('loaded:', {name: found[name].tolist() for name in found})
assert found['gen'].tolist() == [0.5, 0.5]
assert found['gen_ema'].tolist() == [1.0, 1.0]
PY
