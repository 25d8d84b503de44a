#!/usr/bin/env bash
# One would guess: scipy.ndimage.uniform_filter is the mean over a window, and a pixel
# has no effect where no window holds it, as with convolve of the same window.
# What happens: it keeps a running sum along each line, adding what enters and taking
# away what leaves. After a value as 1e20, which many files hold where there is none,
# what was in the sum is gone: all that follow on the line are off, and 0 where all
# is well right before. After one infinite value all are NaN.
# Who is hurt: whoever smooths depth or weather maps, or losses of a run with one spike,
# and masks the windows with such values afterwards: what is left is wrong as well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import scipy
from scipy.ndimage import convolve, uniform_filter

print('scipy', scipy.__version__)
image = np.random.default_rng(0).random((40, 40))
right = uniform_filter(image, 3)
for value in (1e3, 1e20, np.inf):
  holed = image.copy()
  holed[20, 10] = value
  far = np.ones(image.shape, bool)
  far[19:22, 9:12] = False  # no window elsewhere holds the pixel
  found, other = uniform_filter(holed, 3), convolve(holed, np.ones((3, 3)) / 9)
  wrong = far & ~np.isclose(found, right)
  print(f'a pixel of {value}: {wrong.sum()} others are wrong,',
        f'on the line behind it {found[20, 12:16]} instead of {right[20, 12:16]}')
  assert np.allclose(other[far], right[far])
  assert (wrong.sum() > 50) == (value > 1e3)
assert np.isnan(found[20, 30])
PY
