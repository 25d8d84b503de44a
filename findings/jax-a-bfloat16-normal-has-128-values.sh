#!/usr/bin/env bash
# One would guess: jax.random.normal(key, shape, jnp.bfloat16) is float32 noise,
# rounded: thousands of values, with mean 0.
# What happens: it is made from 7 random bits. There are 128 values in all, the
# lowest and the highest differ in size, and the mean of a million is not 0 but
# 0.01 below: the error of a fair mean is 0.001. float16 has 1,024 values. Drawing
# float32 and casting it is right, and has thousands.
# Who is hurt: whoever draws latents, noise or first weights in the dtype of the
# network: no sample of the generator comes from beyond three deviations.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np

key, shape = jax.random.key(0), (1_000_000,)
drawn = {'float32, cast': jax.random.normal(key, shape).astype(jnp.bfloat16),
         'bfloat16': jax.random.normal(key, shape, jnp.bfloat16),
         'float16': jax.random.normal(key, shape, jnp.float16)}
print('jax', jax.__version__)
found = {}
for name, x in drawn.items():
  x = np.asarray(x, np.float32)
  found[name] = len(np.unique(x)), float(x.mean(dtype=np.float64))
  print(f'{name}: {found[name][0]} values from {x.min():.3f} to {x.max():.3f}, '
        f'mean {found[name][1]:.4f}')
assert found['bfloat16'][0] == 128 and found['float16'][0] == 1024
assert found['float32, cast'][0] > 3000 and abs(found['float32, cast'][1]) < 0.003
assert found['bfloat16'][1] < -0.009
PY
