#!/usr/bin/env bash
# One would guess: optax.centralize takes from the gradient of an output's weights
# its mean over the inputs, as the paper that it cites does (Yong et al. 2020).
# What happens: it averages over all axes but the first, as if that were the
# outputs'. In flax they come last, so that it averages over the outputs; where
# there is one, the gradient minus its mean is 0.
# Who is hurt: whoever trains a critic, or a regression: its last kernel keeps the
# values that it began with, and the other layers are centred along a wrong axis.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 \
  optax==0.2.8
"$folder/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

critic = nn.Sequential([nn.Dense(8), nn.tanh, nn.Dense(1)])
x = jax.random.normal(jax.random.key(0), (64, 4))
params = critic.init(jax.random.key(1), x)['params']


@jax.grad
def gradient(params):
  return jnp.mean((critic.apply({'params': params}, x) - x[:, :1]) ** 2)


def moved(optimizer):
  now, state = params, optimizer.init(params)
  for _ in range(100):
    updates, state = optimizer.update(gradient(now), state, now)
    now = optax.apply_updates(now, updates)
  return [float(np.abs(now[name]['kernel'] - params[name]['kernel']).max())
          for name in ('layers_0', 'layers_2')]


centralize = optax.centralize()
centred = centralize.update(gradient(params), centralize.init(params))[0]
kernel = np.asarray(centred['layers_0']['kernel'])  # [inputs, outputs]
over = [float(np.abs(kernel.mean(axis)).max()) for axis in (0, 1)]
plain, found = (moved(o) for o in (
    optax.sgd(0.1), optax.chain(centralize, optax.sgd(0.1))))
print('optax', optax.__version__)
print(f'the largest mean of the first gradient over inputs: {over[0]:.4f}, over '
      f'outputs: {over[1]:.4f}')
print(f'the last kernel moves by {plain[1]:.3f} in 100 steps, with centralize by '
      f'{found[1]}; the first one by {plain[0]:.3f} and {found[0]:.3f}')
assert over[0] > 0.01 and over[1] < 1e-6
assert plain[1] > 0.1 and found[0] > 0.1 and found[1] == 0.0
PY
