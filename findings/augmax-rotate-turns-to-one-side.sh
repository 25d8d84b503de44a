#!/usr/bin/env bash
# One would guess: augmax.Rotate((-30, 30), p=0.5) leaves half of the images as they
# are, and turns the others to the left as often as to the right.
# What happens: one key decides whether to turn and by how much, so that both come
# from the same random number: what is turned is turned by the lower half of the
# range, -30 to 0 degrees, and never to the other side. With p=1, the default, both
# sides occur.
# Who is hurt: whoever augments for a discriminator: the augmented images lean to
# one side on average, and a generator learns to lean as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 augmax==0.4.1
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import augmax
import jax
import jax.numpy as jnp
import numpy as np

image = jnp.zeros((33, 33, 1)).at[:16, 16].set(1.0)  # a hand, pointing up
keys = jax.random.split(jax.random.key(0), 1000)
columns = np.arange(33) - 16


def sides(p):
  """Shares of images whose hand points to the left, up and to the right."""
  turn = augmax.Chain(augmax.Rotate((-30, 30), p=p))
  turned = np.asarray(jax.jit(jax.vmap(turn, (0, None)))(keys, image))[..., 0]
  centre = (turned * columns).sum((1, 2)) / turned.sum((1, 2))
  still = (turned == np.asarray(image)[..., 0]).all((1, 2))
  return [float(x.mean()) for x in (
      (centre < 0) & ~still, still, (centre > 0) & ~still)]


print('augmax', importlib.metadata.version('augmax'))
found = {p: sides(p) for p in (1.0, 0.5)}
for p, shares in found.items():
  print(f'p={p}: {shares[0]:.1%} to the left, {shares[1]:.1%} not turned, '
        f'{shares[2]:.1%} to the right')
assert min(found[1.0][0], found[1.0][2]) > 0.4
assert 0.4 < found[0.5][1] < 0.6
assert min(found[0.5][0], found[0.5][2]) == 0.0
assert max(found[0.5][0], found[0.5][2]) > 0.4
PY
