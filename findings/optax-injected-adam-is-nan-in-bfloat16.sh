#!/usr/bin/env bash
# One would guess: inject_hyperparams(adam)(1e-2) does what adam(1e-2) does, and
# lets the learning rate be read and changed.
# What happens: it casts every hyperparameter to the dtype of the first gradient.
# In bfloat16 Adam's b2 of 0.999 is 1, its correction divides 0 by 0, and the
# first update is NaN. b1 becomes 0.8984. hyperparam_dtype=jnp.float32 avoids it.
# Who is hurt: whoever logs or changes the learning rate of bfloat16 parameters; a
# wrong b1 or b2 that is not 1 goes unseen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 optax==0.2.8
"$folder/venv/bin/python" - <<'PY'
import jax.numpy as jnp
import numpy as np
import optax

params, grads = (jnp.full(1, x, jnp.bfloat16) for x in (1.0, 0.1))


def first(optimizer):
  update, state = optimizer.update(grads, optimizer.init(params), params)
  return float(update[0]), {k: float(v) for k, v in getattr(
      state, 'hyperparams', {}).items()}


plain, _ = first(optax.adam(1e-2))
injected, used = first(optax.inject_hyperparams(optax.adam)(1e-2))
wide, _ = first(optax.inject_hyperparams(
    optax.adam, hyperparam_dtype=jnp.float32)(1e-2))
print('optax', optax.__version__)
print(f'first update of adam: {plain:.5f}, injected: {injected}, with '
      f'hyperparam_dtype=float32: {wide:.5f}')
print('hyperparameters that were used:', used)
assert abs(plain + 0.01) < 1e-4 and abs(wide + 0.01) < 1e-4
assert np.isnan(injected) and used['b2'] == 1.0 and used['b1'] == 0.8984375
PY
