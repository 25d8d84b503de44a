#!/usr/bin/env bash
# One would guess: reduce_on_plateau lowers the learning rate once a loss stands
# still, whatever its sign.
# What happens: better is what lies below best * (1 - rtol). Of a negative best
# that is above it, so that a loss of -1 which stands still improves at each step.
# So does one that rises by less than a ten-thousandth a step, and the best value
# rises with it. rtol=0 with an atol is right.
# Who is hurt: whoever watches a critic's loss, a log-likelihood or a score to
# maximise with its sign turned: the learning rate is never reduced.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 optax==0.2.8
"$folder/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax import contrib


def after(losses, **tolerance):
  """The scale of the learning rate and the best loss after these losses."""
  plateau = contrib.reduce_on_plateau(factor=0.5, patience=5, **tolerance)
  one = jnp.ones(1)

  def step(state, loss):
    return plateau.update(one, state, value=loss)[1], None

  state, _ = jax.lax.scan(step, plateau.init(one), jnp.asarray(losses, 'f'))
  return float(state.scale), float(state.best_value)


still, rising = np.zeros(100), 5e-5 * np.arange(100)
print('optax', optax.__version__)
given = {'stands at +1': 1 + still, 'stands at -1': still - 1,
         'rises from +1': 1 + rising, 'rises from -1': rising - 1}
found = {name: (*after(losses), after(losses, rtol=0.0, atol=1e-4)[0])
         for name, losses in given.items()}
for name, (scale, best, absolute) in found.items():
  print(f'a loss that {name}, 100 steps: scale {scale:.2g}, best {best:.4f}; '
        f'with rtol=0, atol=1e-4: scale {absolute:.2g}')
for name, (scale, best, absolute) in found.items():
  assert (scale == 1.0) == ('-1' in name) and absolute < 1e-5
assert found['rises from -1'][1] > -0.996
PY
