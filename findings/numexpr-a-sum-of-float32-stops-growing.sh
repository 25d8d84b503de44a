#!/usr/bin/env bash
# One would guess: sum(x) in numexpr is about as exact as numpy's sum of the same
# array; and a sum of int32, which numpy takes in int64, is as large as it is.
# What happens: it adds one number after the other in the dtype of x. In float32 the
# sum of positive numbers stops where one more is below half of its last digit: 0.1
# summed gives 2,097,152 and no more, of 30 million as of 300. int32 wraps around:
# a sum of squares can be negative. No warning is given.
# Who is hurt: whoever computes the mean square of pixels of a set of images by it, as
# 'sum((a - b) ** 2)': the larger the set, the better the score.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numexpr==2.14.2 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numexpr
import numpy as np

print('numexpr', numexpr.__version__)
numexpr.set_num_threads(1)
rng = np.random.default_rng(0)
for millions in (1, 10, 40):
  a = rng.random(millions * 10 ** 6, np.float32)
  b = a + np.float32(0.3)
  found = float(numexpr.evaluate('sum((a - b) ** 2)')) / a.size
  right = float(np.mean((a - b) ** 2, dtype=np.float64))
  print(f'mean square of {millions} million errors of 0.3:',
        f'{found:.4f}, right {right:.4f}')
  assert abs(right - 0.09) < 1e-4
assert found < 0.06
a, b = np.full((2, 50_000), 255, np.int32) * np.array([[1], [0]], np.int32)
found = int(numexpr.evaluate('sum((a - b) ** 2)'))
print('50,000 squares of 255 in int32:', found, 'right:', 50_000 * 255 ** 2)
assert found == 50_000 * 255 ** 2 - 2 ** 32 and found < 0
assert np.sum((a - b) ** 2) == 50_000 * 255 ** 2
PY
