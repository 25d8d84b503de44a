#!/usr/bin/env bash
# One would guess: pyramid_laplacian, which names Burt and Adelson's paper, gives their
# pyramid: each level is what the next smaller one, enlarged, lacks, the smallest is
# the image itself in a few pixels, and the sum of all is the image.
# What happens: each level, the smallest too, lacks its own blurred copy, and that copy
# is nowhere. A grey image of any level has a pyramid of zeros, an image has the
# pyramid of its brighter copy, and the enlarged levels, summed, differ from the image
# by more than its mean.
# Who is hurt: whoever trains a generator of such levels (LAPGAN), or compares images by
# them: the brightness is in no level, so that no image can be rebuilt or told by it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-image==0.26.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import skimage
from skimage.transform import pyramid_laplacian, resize

image = np.random.default_rng(0).random((32, 32))
levels = list(pyramid_laplacian(image))
brighter = list(pyramid_laplacian(image + 0.5))
grey = list(pyramid_laplacian(np.full((32, 32), 0.7)))
rebuilt = levels[-1]
for level in levels[-2::-1]:
  rebuilt = level + resize(rebuilt, level.shape, order=1)
apart = max(np.abs(a - b).max() for a, b in zip(levels, brighter, strict=True))
error = image - rebuilt
print('skimage', skimage.__version__)
print('levels of', [len(level) for level in levels], 'pixels a side')
print(f'an image and itself, 0.5 brighter: levels differ by at most {apart:.1e}')
largest = max(np.abs(level).max() for level in grey)
print(f'grey 0.7: the largest number of all levels is {largest:.1e}')
print(f'mean of the image {image.mean():.3f}, of the sum {rebuilt.mean():.3f};',
      f'deviation of the image {image.std():.3f}, of what is lost {error.std():.3f}')
assert [len(level) for level in levels] == [32, 16, 8, 4, 2, 1]
assert apart < 1e-12 and largest < 1e-12
assert abs(rebuilt.mean()) < 0.01 and error.std() > 0.05
PY
