#!/usr/bin/env bash
# One would guess: optax.MultiSteps around apply_if_finite or zero_nans loses the
# update that a NaN fell into, and starts the next sum of gradients at 0.
# What happens: the sum is emptied by a product with 0, and 0 times NaN is NaN. Each
# later sum is NaN too. apply_if_finite rejects update after update, and applies the
# NaN when it gives up; zero_nans makes all of them 0: nothing is trained any more,
# and no loss is NaN. The other way round, apply_if_finite outside, is right, and so
# is should_skip_update_fn=optax.skip_not_finite.
# Who is hurt: whoever accumulates gradients and guards against a rare NaN: one bad
# batch ends the training of a run that looks sound.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 optax==0.2.8
"$folder/venv/bin/python" - <<'PY'
import jax.numpy as jnp
import numpy as np
import optax

gradients = np.ones(40)
gradients[5] = np.nan


def trained(optimizer):
  params, path = jnp.zeros(()), []
  state = optimizer.init(params)
  for gradient in gradients:
    updates, state = optimizer.update(jnp.asarray(gradient), state, params)
    params = optax.apply_updates(params, updates)
    path.append(float(params))
  return np.array(path)


def accumulated(optimizer, **kwargs):
  return optax.MultiSteps(optimizer, 2, **kwargs).gradient_transformation()


sgd = optax.sgd(1.0)
found = {
    'apply_if_finite inside': accumulated(optax.apply_if_finite(sgd, 10)),
    'zero_nans inside': accumulated(optax.chain(optax.zero_nans(), sgd)),
    'apply_if_finite outside': optax.apply_if_finite(accumulated(sgd), 10),
    'skip_not_finite': accumulated(
        sgd, should_skip_update_fn=optax.skip_not_finite)}
found = {name: trained(optimizer) for name, optimizer in found.items()}
print('optax', optax.__version__, '- 40 gradients of 1 by twos, the sixth is NaN')
for name, path in found.items():
  print(f'{name}: after 20 of them {path[19]:g}, after 40 {path[39]:g}')
inside, zeroed, outside, skipped = found.values()
assert inside[3] == zeroed[3] == -2 and np.isnan(inside[39])
assert (inside[4:24] == -2).all() and (zeroed[4:] == -2).all()
assert outside[39] == skipped[39] == -19
PY
