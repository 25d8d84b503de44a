#!/usr/bin/env bash
# One would guess: CSTest, which returns the p-value of a chi-squared test, falls
# towards 0 with the number of rows where two columns differ.
# What happens: the test is given shares instead of counts, as if there were one
# row. Half against nine tenths gives p = 0.42 for 10 rows and for 100,000; no
# difference of two categories that both occur often can be significant.
# Who is hurt: whoever reads it as a p-value: "the columns do not differ" is the
# answer for nearly every synthetic table.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sdmetrics==0.32.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import numpy as np
import pandas as pd
from scipy.stats import chi2, chi2_contingency
from sdmetrics.single_column import CSTest

print('sdmetrics', importlib.metadata.version('sdmetrics'))
found = []
for rows in (10, 1000, 100_000):
  real = pd.Series(['a', 'b'] * (rows // 2))
  fake = pd.Series((['a'] * 9 + ['b']) * (rows // 10))
  counts = [[rows // 2, rows // 2], [rows * 9 // 10, rows // 10]]
  exact = chi2_contingency(counts).pvalue
  found.append((CSTest.compute(real, fake), exact))
  print(f'{rows} rows: CSTest {found[-1][0]:.4f}, scipy of the counts {exact:.2g}')
# Of shares, the statistic is (0.9 - 0.5)^2 / 0.5 + (0.1 - 0.5)^2 / 0.5 = 0.64.
assert np.allclose([p for p, _ in found], chi2.sf(0.64, 1))
assert found[1][1] < 1e-50
PY
