#!/usr/bin/env bash
# One would guess: OpenEXR.File of the Python package stores the pixels that an array
# shows, or refuses one that it cannot store, as it refuses float64.
# What happens: it takes the numbers as they lie in memory from the first one on, as if
# the array were contiguous. Of a transposed, cropped or thinned out image, of one with
# its channels moved to the end, and of a single channel, other pixels are written.
# There is no warning, and the file is valid. numpy.ascontiguousarray first is right.
# Who is hurt: whoever stores renderings or depth maps as they come out of a network,
# [C, H, W] moved to [H, W, C], image[..., 0] as depth, or crops: scrambled data.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q OpenEXR==3.5.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PY'
import importlib.metadata

import numpy as np
import OpenEXR


def stored(name, image):
  OpenEXR.File({'type': OpenEXR.scanlineimage}, {name: image}).write('image.exr')
  return OpenEXR.File('image.exr').channels()[name].pixels


print('OpenEXR', importlib.metadata.version('OpenEXR'))
rng = np.random.default_rng(0)
image = rng.random((24, 32, 3), np.float32)
planes = rng.random((3, 24, 32), np.float32)
views = {
    'as it is': ('RGB', image),
    'channels moved to the end': ('RGB', planes.transpose(1, 2, 0)),
    'a crop': ('RGB', image[:16, :16]),
    'one channel': ('Z', image[..., 0]),
    'every second pixel': ('RGB', image[::2, ::2]),
}
for title, (name, view) in views.items():
  wrong, right = (stored(name, x) for x in (view, np.ascontiguousarray(view)))
  assert wrong.shape == right.shape == view.shape and wrong.dtype == view.dtype
  assert np.array_equal(right, view)
  part = np.mean(wrong == view)
  print(f'{title}: {part:.0%} of the numbers are as they were')
  assert part == 1 if title == 'as it is' else part < 0.1
wrong = stored('Z', image[..., 0])
assert np.array_equal(wrong, image.ravel()[:wrong.size].reshape(wrong.shape))
PY
