#!/usr/bin/env bash
# One would guess: mode-specific normalisation, as CTGAN prepares its columns,
# finds the two modes of a column whatever its unit, metres or millimetres.
# What happens: scikit-learn's mixture adds 1e-6 to every variance (reg_covar),
# an absolute number, and RDT fits the column as it is. Of two modes at 20 and 80
# micrometres, in metres, it finds seven, each as wide as that added variance,
# and all rows are normalised to nearly one value.
# Who is hurt: whoever trains CTGAN or TVAE on columns of small numbers, such as
# thicknesses in metres or rates per second: their structure is lost unseen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q rdt==2.0.0 scikit-learn==1.7.2
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import warnings

import numpy as np
import pandas as pd
from rdt.transformers.numerical import ClusterBasedNormalizer

warnings.simplefilter('ignore')
rng = np.random.default_rng(0)
millimetres = np.where(rng.random(2000) < 0.5, rng.normal(0.02, 0.001, 2000),
                       rng.normal(0.08, 0.002, 2000))
spread = {}
for unit, x in (('mm', millimetres), ('m', millimetres / 1000)):
  frame = pd.DataFrame({'x': x})
  normalizer = ClusterBasedNormalizer()
  done = normalizer.fit_transform(frame, 'x')
  spread[unit] = done['x.normalized'].std(), done['x.component'].nunique()
for name in ('rdt', 'scikit-learn'):
  print(name, importlib.metadata.version(name))
for unit, (std, modes) in spread.items():
  print(f'in {unit}: {modes} modes, normalised values with std {std:.4f}')
assert spread['mm'][1] >= 2 and spread['mm'][0] > 0.15
assert spread['m'][0] < 0.02
PY
