#!/usr/bin/env bash
# One would guess: optax.clip_by_global_norm(1.0) scales a gradient of norm 300 to the
# norm 1, in float16 as in float32: 300 is far from float16's largest number, 65,504.
# What happens: the squares are added in float16. Above a norm of 256 their sum is
# infinite, the gradient is divided by infinity, and the update is 0. Nothing is NaN,
# no warning is given, and apply_if_finite lets it pass.
# Who is hurt: whoever trains in half precision and clips because gradients are large
# now and then, or scales the loss: the steps that clipping is for are not made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 \
  numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PY'
import jax.numpy as jnp
import numpy as np
import optax

direction = np.array([[1, 2], [2, 4]]) / 5
tx = optax.apply_if_finite(optax.clip_by_global_norm(1.0), 3)
print('optax', optax.__version__)
for dtype in ('float32', 'bfloat16', 'float16'):
  for norm in (200, 300):
    gradient = {'kernel': jnp.asarray(norm * direction, dtype)}
    update, state = tx.update(gradient, tx.init(gradient), gradient)
    found = np.asarray(update['kernel'], float)
    print(f'{dtype}, a gradient of norm {norm}: the update has norm',
          f'{np.linalg.norm(found):.3f}, {state.total_notfinite} were not finite')
    right = 0 if (dtype, norm) == ('float16', 300) else direction
    assert np.allclose(found, right, atol=0.01) and state.total_notfinite == 0
PY
