#!/usr/bin/env bash
# One would guess: scipy.spatial.distance.euclidean of two images is the number that
# cdist(metric='euclidean') gives for them, and the root of sqeuclidean.
# What happens: cdist and sqeuclidean turn bytes into floats. euclidean, cityblock and
# chebyshev subtract them modulo 256, without a warning. Black is 55 from white, and
# white 14,134 from black. A copy in which half of the pixels are one level brighter is
# 9,958 away instead of 39.
# Who is hurt: whoever looks for the training image that is nearest to a sample, pair
# by pair: a near copy is among the farthest.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import scipy
from scipy.spatial import distance

rng = np.random.default_rng(0)
image = rng.integers(1, 255, 3072).astype('uint8')
black, white = np.full(3072, 0, 'uint8'), np.full(3072, 255, 'uint8')
pairs = {'an image and a near copy': (image, image + rng.integers(0, 2, 3072,
                                                                  'uint8')),
         'black and white': (black, white), 'white and black': (white, black)}
print('scipy', scipy.__version__)
found = {}
for pair, (a, b) in pairs.items():
  exact = a.astype(float) - b
  right = {'euclidean': np.sqrt((exact ** 2).sum()), 'cityblock': np.abs(exact).sum(),
           'chebyshev': np.abs(exact).max(), 'sqeuclidean': (exact ** 2).sum()}
  for name, value in right.items():
    alone = found[pair, name] = float(getattr(distance, name)(a, b))
    by_cdist = distance.cdist(a[None], b[None], name).item()
    print(f'{pair}: {name} {alone:.6g}, by cdist {by_cdist:.6g}')
    assert np.isclose(by_cdist, value), name
    same = name == 'sqeuclidean' or pair == 'white and black'
    assert np.isclose(alone, value) == same, name
near, far, back = (found[pair, 'euclidean'] for pair in pairs)
assert 60 > far > 55 and near > 9000 and back > 14000
PY
