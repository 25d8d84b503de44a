#!/usr/bin/env bash
# One would guess: random.shuffle(x) puts the rows of a numpy array in another order, as
# it does with the items of a list, or refuses an array.
# What happens: it exchanges x[i] and x[j] by x[i], x[j] = x[j], x[i]. Of an array of
# two and more axes x[i] is a view, overwritten before it is read: one row is doubled,
# the other lost, at each exchange. Of 1,000 images about half are left. No error, no
# warning. An array of one axis is shuffled right, and numpy's own shuffle is right for
# all.
# Who is hurt: whoever shuffles images or pairs before training, or before splitting
# them: half of the data, many twice, and the same image in training and test.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import platform
import random

import numpy as np

print('Python', platform.python_version(), 'numpy', np.__version__)
found = {}
for name, x in (
    ('list', list(range(1000))), ('array [1000]', np.arange(1000)),
    ('array [1000, 8, 8]', np.arange(1000)[:, None, None] * np.ones((8, 8), int))):
  random.Random(0).shuffle(x)
  left = {int(np.ravel(row)[0]) for row in x}
  found[name] = len(left)
  print(f'{name}: {len(left)} of 1000 rows are left')
assert found['list'] == found['array [1000]'] == 1000
assert 400 < found['array [1000, 8, 8]'] < 600
x = np.arange(1000)[:, None, None] * np.ones((8, 8), int)
np.random.default_rng(0).shuffle(x)
assert len(np.unique(x[:, 0, 0])) == 1000
PY
