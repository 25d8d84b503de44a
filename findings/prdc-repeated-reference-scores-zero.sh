#!/usr/bin/env bash
# One would guess: precision, recall, density and coverage of a set against
# itself are 1, also where each image occurs several times, as in a data set with
# duplicates.
# What happens: with every point six times and nearest_k=5 all four are 0: the
# five nearest neighbours of a point are its own copies, so each ball has the
# radius 0, and a point at distance 0 is not inside it.
# Who is hurt: whoever scores samples against data with duplicates: the numbers
# fall without a reason that can be seen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q prdc==0.2 numpy==2.2.6 scikit-learn==1.7.2
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import numpy as np
from prdc import compute_prdc

# Whole numbers, so that no distance is rounded.
once = np.random.default_rng(0).integers(-9, 10, (100, 8)).astype(float)
six = np.repeat(once, 6, axis=0)
found = {name: compute_prdc(real_features=x, fake_features=x, nearest_k=5)
         for name, x in (('each once', once), ('each six times', six))}
print('prdc', importlib.metadata.version('prdc'))
for name, scores in found.items():
  print(name, {k: round(float(v), 3) for k, v in scores.items()})
assert found['each once']['precision'] == 1.0
assert all(v == 0.0 for v in found['each six times'].values())
PY
