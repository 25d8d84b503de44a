#!/usr/bin/env bash
# One would guess: dython's associations leaves out a missing value, as the
# correlations of pandas and of other programs do.
# What happens: nan_strategy='replace' is the default, and nan_replace_value=0.0: a
# missing year is the year 0. Two columns without any relation that are missing in
# the same rows then correlate by 0.99. nan_strategy='drop_sample_pairs' is right.
# Who is hurt: whoever judges a synthetic table by the difference of two such
# matrices: it measures where values are missing, not the values.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q dython==0.7.12 pandas==2.3.3 numpy==2.4.6
MPLBACKEND=Agg "$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import importlib.metadata

import numpy as np
import pandas as pd
from dython.nominal import associations

rng = np.random.default_rng(0)
table = pd.DataFrame({'year': 2000 + 5 * rng.normal(size=500),
                      'height': 170 + 9 * rng.normal(size=500)})
table[::10] = np.nan


def correlation(**kwargs):
  found = associations(table, compute_only=True, **kwargs)['corr']
  return float(found.loc['year', 'height'])


found = correlation(), correlation(nan_strategy='drop_sample_pairs')
exact = float(table.corr().loc['year', 'height'])
print('dython', importlib.metadata.version('dython'))
print(f'two independent columns, one row in ten missing: pandas {exact:.3f}, '
      f'associations {found[0]:.3f}, with drop_sample_pairs {found[1]:.3f}')
assert found[0] > 0.98 and abs(exact) < 0.1
assert np.isclose(found[1], exact)
PY
