#!/usr/bin/env bash
# One would guess: jnp.bincount(labels, weights=pixels), the sum of the pixels of each
# label, is numpy's; jnp.sum of uint8 pixels is right, and jnp.histogram with the same
# weights gives floats.
# What happens: the sums have the type of the weights. Those of uint8 pixels are taken
# modulo 256, and those of int8 may be negative where all weights are positive. The
# documentation does not say so, and there is no warning. Weights of float32 are right.
# Who is hurt: whoever takes the mean colour of each region, each class or each ring
# around the centre of the images, before they are scaled to floats.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" -W error - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np

labels = np.repeat([0, 1], 5000)
values = np.repeat([90, 25], 5000)
counts = np.bincount(labels)
print('jax', jax.__version__, '- 5,000 pixels of 90, 5,000 of 25, means by label')
found = {}
for dtype in (np.uint8, np.int8, np.float32):
  pixels = values.astype(dtype)
  right = np.bincount(labels, weights=pixels) / counts
  sums = jnp.bincount(jnp.asarray(labels, np.int32), weights=jnp.asarray(pixels))
  found[dtype] = np.asarray(sums, np.float64) / counts
  print(f'{dtype.__name__}: numpy {right}, jax {found[dtype]} (sums {sums.dtype})')
  assert right.tolist() == [90, 25]
total = int(jnp.sum(jnp.asarray(values, jnp.uint8)))
print('jnp.sum of the bytes:', total)
assert total == values.sum() and found[np.float32].tolist() == [90, 25]
modulo = np.array([90, 25]) * 5000 % 256
assert np.allclose(found[np.uint8] * counts, modulo)
assert np.allclose(found[np.int8] * counts, (modulo + 128) % 256 - 128)
PY
