#!/usr/bin/env bash
# One would guess: norm_degree=1 in optax.losses.triplet_margin_loss measures by the
# sum of absolute differences, as PyTorch's loss of the same paper does with p=1.
# What happens: the differences are raised to the power of the degree with their
# signs. Of degree 1 their sum remains: a negative example that is far away but
# larger by as much as smaller is at distance 0, and one that is larger everywhere
# is at a negative distance. Of degree 3 the root of a negative sum is NaN. Degree
# 2, the default, is right.
# Who is hurt: whoever trains an embedding by it, to compare generated images with:
# the loss pulls the negatives to one side instead of away.
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

anchor = np.zeros((4, 2), np.float32)
positive = np.full((4, 2), 0.25, np.float32)
negative = np.float32([[3, 3], [-3, -3], [3, -3], [3, 0]])


def right(degree):
  def far(x):
    return (np.abs(anchor - x) ** degree).sum(-1) ** (1 / degree)
  return np.maximum(far(positive) - far(negative) + 1, 0)


def found(degree):
  return np.asarray(optax.losses.triplet_margin_loss(
      jnp.asarray(anchor), jnp.asarray(positive), jnp.asarray(negative),
      norm_degree=degree))


print('optax', optax.__version__, 'jax', jax.__version__)
print('negatives at', negative.tolist(), 'positives at 0.25, anchors at 0')
for degree in (1, 2, 3):
  print(f'degree {degree}: loss {found(degree)}, of the norm {right(degree)}')
assert np.allclose(found(2), right(2), atol=1e-3)
assert np.allclose(right(1), 0)
assert np.allclose(found(1), [6.5, 0.0, 0.5, 3.5], atol=1e-3)
assert np.isnan(found(3)).sum() > 0
PY
