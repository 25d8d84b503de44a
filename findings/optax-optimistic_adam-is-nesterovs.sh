#!/usr/bin/env bash
# One would guess: optax.optimistic_adam makes the updates of its docstring, those
# of Daskalakis et al. 2018 ("Training GANs with optimism"): Adam's direction r_t,
# and r_t - r_t-1 once more.
# What happens: the direction is that of Nesterov's Adam, by nesterov=True, which is
# not in the equations: for gradients 1, -1 and b1=0.5 the second update is 1.8 times
# as large. Without optimism that default would be seen; optax.adam's is False.
# nesterov=False makes the updates of the paper.
# Who is hurt: whoever compares optimism with Adam in a game: two things changed, and
# the game of the products x y ends nearer to its solution by the one not named.
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

rate, b1, b2 = 0.1, 0.5, 0.999
slopes = [1.0, -1.0, 1.0, -1.0]


def equations():
  m = v = 0.0
  before, updates = None, []
  for t, g in enumerate(slopes, 1):
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    r = (m / (1 - b1 ** t)) / (np.sqrt(v / (1 - b2 ** t)) + 1e-8)
    updates.append(-rate * r - rate * (r - (r if before is None else before)))
    before = r
  return updates


def found(**how):
  optimizer = optax.optimistic_adam(rate, b1=b1, b2=b2, **how)
  state, updates = optimizer.init(jnp.array(0.0)), []
  for g in slopes:
    update, state = optimizer.update(jnp.array(g), state)
    updates.append(float(update))
  return updates


def end(**how):
  """Distance from (0, 0) of the game x y after 5,000 steps, from (1, 1)."""
  optimizer = optax.optimistic_adam(0.01, 0.1, **how)

  def step(carry, _):
    p, state = carry
    updates, state = optimizer.update(jnp.stack([p[1], -p[0]]), state, p)
    return (optax.apply_updates(p, updates), state), None

  start = jnp.ones(2)
  (p, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), None, 5000)
  return float(jnp.linalg.norm(p))


print('optax', optax.__version__)
for name, each in (('equations', equations()), ('as it is', found()),
                   ('nesterov=False', found(nesterov=False))):
  print(f'{name:15}', ' '.join(f'{x:+.4f}' for x in each))
games = end(), end(nesterov=False)
print(f'the game x y ends at {games[0]:.4f}, with nesterov=False at {games[1]:.4f}')
assert np.allclose(found(nesterov=False), equations(), atol=1e-5)
assert abs(found()[1]) > 1.5 * abs(equations()[1])
assert games[0] < 0.1 < games[1]
PY
