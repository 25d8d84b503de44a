#!/usr/bin/env bash
# One would guess: score_X(features, q=2) of vendi-score is the Vendi score of order 2
# (Pasarkar and Dieng 2023), as score_K and score_dual of the same features are.
# What happens: score_X hands on q=1, whatever it was given. All orders have the same
# score, from those that count rare samples to q='inf', which counts the commonest
# alone: 4.5 for each, where they are from 8.8 to 1.8. No warning is given.
# Who is hurt: whoever reports several orders to tell rare modes from common ones: they
# agree, which looks like a result. Half of these features are one repeated sample.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q vendi-score==0.0.3 numpy==2.4.6 scipy==1.17.1 \
  scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import numpy as np
from vendi_score import vendi

features = np.random.default_rng(0).normal(size=(100, 8))
features[:50] = features[0]
unit = features / np.linalg.norm(features, axis=1, keepdims=True)
shares = np.linalg.eigvalsh(unit.T @ unit / len(unit))


def by_formula(q):
  if q == 'inf':
    return 1 / shares.max()
  if q == 1:
    return np.exp(-(shares * np.log(shares)).sum())
  return (shares ** q).sum() ** (1 / (1 - q))


print('vendi-score', importlib.metadata.version('vendi-score'))
found = {}
for q in (0.5, 1, 2, 'inf'):
  found[q] = vendi.score_X(features, q=q), vendi.score_dual(features, q=q)
  print(f'q={q}: score_X {found[q][0]:.3f}, score_dual {found[q][1]:.3f},',
        f'by the formula {by_formula(q):.3f}')
  assert np.isclose(found[q][1], by_formula(q))
  assert np.isclose(found[q][0], by_formula(1))
assert found['inf'][1] < found[1][1] / 2
PY
