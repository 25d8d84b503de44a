#!/usr/bin/env bash
# One would guess: MMD of frouros, unbiased after Gretton et al., takes any kernel, as
# kernel=... is a function of two sets: with the cubic one of KID it is KID.
# What happens: to leave each row's comparison with itself out, it subtracts 1 a row, as
# the default kernel has there. With another kernel k the distance is too large by
# (mean of k(x, x) - 1) / (n - 1) for each set of n rows. Two draws of one distribution
# of 64 numbers are 0.3 apart with 50 rows each, and 0.07 with 200, instead of about 0.
# Who is hurt: whoever computes KID by it, or an MMD of a linear or a summed kernel: the
# score is of the number of samples more than of the generator.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.1.3 scipy==1.14.1 tqdm==4.67.1
"$folder/venv/bin/pip" install -q --no-deps frouros==0.9.0
"$folder/venv/bin/python" -W error - <<'PY'
import importlib.metadata

import numpy as np
from frouros.detectors.data_drift import MMD
from frouros.utils.kernels import rbf_kernel


def cubic(a, b):
  return (a @ b.T / a.shape[1] + 1) ** 3


def wide(a, b):
  return rbf_kernel(a, b, sigma=8)


def unbiased(x, y, kernel):
  n = len(x)
  other = 1 - np.eye(n)
  within = ((kernel(a, a) * other).sum() / (n * (n - 1)) for a in (x, y))
  return sum(within) - 2 * kernel(x, y).mean()


print('frouros', importlib.metadata.version('frouros'))
for n in (50, 200):
  draws = np.random.default_rng(0).normal(size=(20, 2, n, 64))
  for kernel in (wide, cubic):
    found, right = [], []
    for x, y in draws:
      detector = MMD(kernel=kernel)
      detector.fit(X=x)
      found.append(detector.compare(X=y)[0].distance)
      right.append(unbiased(x, y, kernel))
      excess = sum((kernel(a, a).diagonal().mean() - 1) / (n - 1) for a in (x, y))
      assert np.isclose(found[-1], right[-1] + excess, atol=1e-9)
    found, right = np.mean(found), np.mean(right)
    print(f'{kernel.__name__} kernel, {n} rows, mean of 20 pairs of draws:',
          f'{found:.4f}, without the diagonal {right:.4f}')
    assert abs(right) < 0.01 and (found > 0.05) == (kernel is cubic)
PY
