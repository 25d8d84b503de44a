#!/usr/bin/env bash
# One would guess: warpAffine and remap of OpenCV move an image of float64 at least
# as exactly as one of float32.
# What happens: for float64 the place of a pixel is rounded to a 32nd, for float32 it
# is not. A shift by 0.3 is one by 0.3125, and one by 0.015 none at all; in float32
# each is right to six digits.
# Who is hurt: whoever measures equivariance to small shifts, or moves a point in
# small steps, in numpy's own dtype: the image stands still and then jumps, as if the
# network did.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import cv2
import numpy as np

# Each pixel is its own column, so that the values tell by how much it was moved.
columns = np.tile(np.arange(64.0), (64, 1))
print('OpenCV', cv2.__version__)
for dtype in ('float32', 'float64'):
  for shift in (0.3, 0.26, 0.015):
    image = columns.astype(dtype)
    by_affine = cv2.warpAffine(image, np.array([[1, 0, shift], [0, 1, 0]]), (64, 64))
    by_map = cv2.remap(image, (columns - shift).astype('float32'),
                       columns.T.astype('float32'), cv2.INTER_LINEAR)
    moved = [32 - float(x[32, 32]) for x in (by_affine, by_map)]
    print(f'{dtype}, a shift by {shift}: warpAffine {moved[0]:.5f},',
          f'remap {moved[1]:.5f}')
    expected = shift if dtype == 'float32' else round(shift * 32) / 32
    assert np.allclose(moved, expected, rtol=0, atol=1e-5), (dtype, shift)
PY
