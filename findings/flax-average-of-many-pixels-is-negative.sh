#!/usr/bin/env bash
# One would guess: nnx.metrics.Average, and metrics.Average of clu, give the mean of
# the values that they were updated with, however many: their sum is float32.
# What happens: the values are counted in int32. Beyond 2^31 - 1 of them the count
# wraps around, and nothing is said: the mean of ones is -1. After 2^32 values the
# count is positive again, and small: the mean has the right sign, and is many times
# too large.
# Who is hurt: whoever averages an error over pixels: 10,923 images of 256 x 256 x 3
# are enough. A mean for each image, and the average of those, is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 \
  clu==0.0.12
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import jax
import jax.numpy as jnp
from clu import metrics
from flax import nnx

batch = jnp.ones((64, 256, 256, 3))
by_flax = nnx.metrics.Average()
by_clu = metrics.Average.empty()
one = metrics.Average.from_model_output(values=batch)
merge = jax.jit(lambda a, b: a.merge(b))
for name in ('flax', 'clu'):
  print(name, importlib.metadata.version(name))
means = {}
for number in range(1, 361):
  by_flax.update(values=batch)
  by_clu = merge(by_clu, one)
  if number in (170, 171, 360):
    means[number] = float(by_flax.compute()), float(by_clu.compute())
    print(f'{64 * number:,} images of ones: the mean is {means[number][0]:.4f}, '
          f'by clu {means[number][1]:.4f}')
assert all(abs(x - 1) < 1e-3 for x in means[170])
assert all(-1.1 < x < -0.9 for x in means[171])
assert all(x > 10 for x in means[360])
PY
