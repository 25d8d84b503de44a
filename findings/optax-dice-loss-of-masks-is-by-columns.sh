#!/usr/bin/env bash
# One would guess: optax.losses.dice_loss takes masks [batch, height, width] for two
# classes, as its documentation says ("[..., 1] or [...] for binary segmentation").
# What happens: the last axis is taken for the classes, here the columns: softmax goes
# over each row, and each column is scored as a class of its own. A perfect prediction
# of a square in the middle costs 0.54, its opposite 0.69; where all is foreground, the
# prediction of all costs what that of nothing costs. With a last axis of 1, or by
# binary_dice_loss, it is right.
# Who is hurt: whoever trains or scores masks by it: what is made from edges to images,
# a translation of scans, a segmentation against a critic.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 optax==0.2.8
"$folder/venv/bin/python" - <<'PY'
import jax.numpy as jnp
import numpy as np
import optax

square = np.zeros((1, 64, 64), np.float32)
square[:, 16:48, 16:48] = 1
full = np.ones_like(square)
print('optax', optax.__version__, '- masks of 64 x 64, two classes')
found = []
for name, truth, made in [
    ('a square, predicted perfectly', square, square),
    ('a square, predicted inverted', square, 1 - square),
    ('all foreground, predicted perfectly', full, full),
    ('all foreground, nothing predicted', full, 1 - full)]:
  right = 1 - (2 * (made * truth).sum() + 2) / (made.sum() + truth.sum() + 2)
  logits, truth = jnp.asarray(40 * made - 20), jnp.asarray(truth)
  loss, column, binary = (float(loss[0]) for loss in (
      optax.losses.dice_loss(logits, truth),
      optax.losses.dice_loss(logits[..., None], truth[..., None]),
      optax.losses.binary_dice_loss(logits, truth)))
  print(f'{name}: [1, 64, 64] {loss:.3f}, [1, 64, 64, 1] {column:.3f}, '
        f'binary_dice_loss {binary:.3f}, by hand {right:.3f}')
  assert abs(column - right) < 1e-3 and abs(binary - right) < 1e-3
  found.append(loss)
assert np.allclose(found[:2], [0.544, 0.685], atol=2e-3)
assert found[2] > 0.9 and abs(found[2] - found[3]) < 1e-5
PY
