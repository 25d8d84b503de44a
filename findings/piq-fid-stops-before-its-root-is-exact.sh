#!/usr/bin/env bash
# One would guess: FID of piq, computed in float64, is the Frechet distance to many
# digits: 0 between a set and itself, and of two draws of one distribution little.
# What happens: the matrix root is iterated, and ends as soon as the square of the root
# is right to 1e-5 of its norm. The norm knows the largest variances alone: the roots
# of the small ones are still far too small, and FID too large. Of features whose
# variances fall as 1 / k^2 the distance between two draws is twenty times too large,
# and all but the same for a set and itself: it is the error of the root. Of features
# of equal variances it is exact, as is the sum of the eigenvalues' roots of all.
# Who is hurt: whoever publishes it: nothing scores below the error, and two models
# whose FID is small are not told apart. Numbers of other programs do not compare.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q --no-deps piq==0.8.0
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import sys
from unittest.mock import MagicMock

import numpy as np
import torch

# torchvision gives piq its Inception network alone, which this does not use.
sys.modules['torchvision'] = sys.modules['torchvision.models'] = MagicMock()
from piq import FID  # noqa: E402


def exact(x, y):
  a, b = np.cov(x.numpy().T), np.cov(y.numpy().T)
  roots = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0))
  mean = ((x.mean(0) - y.mean(0)) ** 2).sum().item()
  return mean + np.trace(a) + np.trace(b) - 2 * roots.sum()


torch.manual_seed(0)
print('piq', importlib.metadata.version('piq'))
found = {}
for power in (0, 1, 2):
  size = torch.arange(1, 257, dtype=torch.float64) ** (-power / 2)
  x, y = torch.randn(2, 5000, 256, dtype=torch.float64) * size
  found[power] = [(FID()(x, other).item(), exact(x, other)) for other in (x, y)]
  for name, (fid, right) in zip(('itself', 'another draw'), found[power]):
    print(f'variances 1 / k^{power}, a set and {name}: {fid:.5f},',
          f'exactly {right:.5f}')
for fid, right in found[0]:
  assert abs(fid - right) < 1e-3
(alone, zero), (fid, right) = found[2]
assert abs(zero) < 1e-9 and alone > 0.05
assert fid > 20 * right and abs(fid - right - alone) < 0.1 * alone
PY
