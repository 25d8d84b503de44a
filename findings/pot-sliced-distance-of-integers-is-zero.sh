#!/usr/bin/env bash
# One would guess: the sliced Wasserstein distance of POT between two sets of integers,
# such as pixels, is that of the same values as floats.
# What happens: it is 0, for any two sets of the same size: the directions and the
# weights 1 / n are given the dtype of the data, where all of them are 0. So is
# max_sliced_wasserstein_distance. ot.dist of small integers is wrong too: its
# squares are taken modulo 65,536 in int16.
# Who is hurt: whoever compares images as they were read with those of a generator,
# rounded to pixels: a perfect score, of noise as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q POT==0.9.7.post1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import ot

rng = np.random.default_rng(0)
black = rng.integers(0, 10, (200, 64))
white = rng.integers(246, 256, (200, 64))
names = ('sliced_wasserstein_distance', 'max_sliced_wasserstein_distance')
print('POT', ot.__version__)
for name in names:
  function = getattr(ot, name)
  found = {dtype: float(function(black.astype(dtype), white.astype(dtype), seed=0))
           for dtype in ('int16', 'int32', 'int64', 'float32', 'float64')}
  print(name, {dtype: round(value, 2) for dtype, value in found.items()})
  assert all(v == 0 if dtype.startswith('int') else v > 100
             for dtype, v in found.items())
found = ot.dist(black[:1].astype('int16'), white[:1].astype('int16')).item()
right = int(((black[0] - white[0]) ** 2).sum())
print('ot.dist in int16:', found, 'instead of', right)
assert found != right and ot.dist(black[:1] * 1.0, white[:1] * 1.0) == right
PY
