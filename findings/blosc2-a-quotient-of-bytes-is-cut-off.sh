#!/usr/bin/env bash
# One would guess: a / b of two arrays of integers in blosc2 is what it is in numpy, as
# the dtype of the expression, a float, says, and as a / 255 is.
# What happens: two arrays of integers are divided as integers, and the result is cast
# to floats: 3 / 4 is 0.0, 7 / 4 is 1.0. a / 255 is right, and so is the quotient of
# two arrays of floats.
# Who is hurt: whoever divides images by masks or flat fields, sums by counts or one
# exposure by another, out of memory: floats without what is behind the point.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q blosc2==4.14.1 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import blosc2
import numpy as np

rng = np.random.default_rng(0)
a, b = rng.integers(1, 100, (2, 300, 300))
print('blosc2', blosc2.__version__)
for dtype in ('uint8', 'int16', 'int32', 'int64', 'float32'):
  x, y = a.astype(dtype), b.astype(dtype)
  found = (blosc2.asarray(x) / blosc2.asarray(y))[:]
  print(dtype, found.dtype, f'mean of a / b {found.mean():.4f},',
        f'right {(x / y).mean():.4f}')
  assert found.dtype.kind == 'f'
  if dtype == 'float32':
    assert np.allclose(found, x / y)
  else:
    assert np.array_equal(found, x // y) and not np.allclose(found, x / y)
  assert np.allclose((blosc2.asarray(x) / 255)[:], x / 255)
PY
