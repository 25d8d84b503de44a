#!/usr/bin/env bash
# One would guess: PCA of float32 features is as exact for many rows as for few.
# What happens: with ten times as many rows as columns and more (and at most 1,000
# columns), svd_solver='auto' takes the covariance as X'X - n * mean * mean', which
# in float32 is rounding where the mean is large against the deviation. At a mean of
# 1,000 and a deviation of 0.1 the 199 rows of 20 columns are right; one row more
# gives a variance hundreds of times too large, and others of 0. svd_solver='full',
# or centring first, is right.
# Who is hurt: whoever looks for directions in a network's activations, or in
# kelvins or 16-bit pixels: directions and shares of variance are noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import sklearn
from sklearn.decomposition import PCA

noise = np.random.default_rng(0).normal(size=(400, 20))
x = (1000 + 0.1 * noise).astype(np.float32)


def variances(rows, **kwargs):
  return PCA(**kwargs).fit(rows).explained_variance_


print('scikit-learn', sklearn.__version__)
ratios = {}
for name, rows, kwargs in (
    ('199 rows', x[:199], {}), ('200 rows', x[:200], {}), ('400 rows', x, {}),
    ('400 rows, full', x, {'svd_solver': 'full'}),
    ('400 rows, centred', x - x.mean(0, dtype=float).astype('f'), {})):
  found = variances(rows, **kwargs)
  exact = variances(rows.astype(float), svd_solver='full')
  ratios[name] = found / exact
  print(f'{name}: variances from {found[0]:.4f} to {found[-1]:.4f}, in float64 '
        f'from {exact[0]:.4f} to {exact[-1]:.4f}')
for name in ('199 rows', '400 rows, full', '400 rows, centred'):
  assert np.allclose(ratios[name], 1, atol=0.02), name
for name in ('200 rows', '400 rows'):
  assert ratios[name][0] > 2 and ratios[name][-1] == 0, name
PY
