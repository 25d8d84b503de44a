#!/usr/bin/env bash
# One would guess: NewRowSynthesis, the share of synthetic rows that are no copy
# of a real one, does not depend on the zero of a scale: Celsius or kelvin, seconds
# since noon or since 1970.
# What happens: two numbers match if they differ by at most 1 % of the number
# itself, not of the column's spread. Fresh rows with a mean of 1,000 and a
# deviation of 1 are all copies, score 0; of the same rows less 1,000, 99 % are new.
# Who is hurt: whoever tests a tabular GAN for memorising: years, pressures and
# timestamps make it look like a copier, columns around 0 hide one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sdmetrics==0.32.0
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import numpy as np
import pandas as pd
from sdmetrics.single_table import NewRowSynthesis

rng = np.random.default_rng(0)
real, fresh = (pd.DataFrame(rng.normal(size=(500, 2)), columns=['a', 'b'])
               for _ in range(2))
metadata = {'columns': {name: {'sdtype': 'numerical'} for name in real}}
# A copy, but for noise of a hundredth of the deviation.
copied = real + 0.01 * rng.normal(size=real.shape)
found = {(name, zero): float(NewRowSynthesis.compute(
    real + zero, rows + zero, metadata=metadata))
    for name, rows in (('fresh', fresh), ('copied', copied))
    for zero in (0, 1000)}
print('sdmetrics', importlib.metadata.version('sdmetrics'))
for (name, zero), score in found.items():
  print(f'{name} rows around {zero}: {score:.3f} of them are new')
assert found['fresh', 0] > 0.99 and found['fresh', 1000] == 0.0
assert found['copied', 0] > 0.5
PY
