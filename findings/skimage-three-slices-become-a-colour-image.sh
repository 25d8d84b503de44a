#!/usr/bin/env bash
# One would guess: skimage.io.imread of a TIFF gives the array that was written, slices
# first, whatever their number.
# What happens: where there are three or four slices, or channels second, it moves that
# axis to the end: (3, 32, 40) is read as (32, 40, 3), and (10, 4, 32, 40) as
# (10, 32, 40, 4). Two slices, or five, stay as they are. The file says minisblack,
# one sample a pixel, and tifffile.imread gives what was written.
# Who is hurt: whoever reads stacks, volumes or frames by image[0]: in a folder of stacks
# of several lengths, for some of them slice 0 is one row of all slices.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-image==0.26.0 tifffile==2026.3.3 \
  numpy==2.4.6 scipy==1.17.1
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import numpy as np
import skimage.io
import tifffile

path = os.path.join(os.environ['FOLDER'], 'stack.tif')
found = {}
for shape in [(n, 32, 40) for n in range(2, 7)] + [(10, 4, 32, 40)]:
  stack = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
  tifffile.imwrite(path, stack, photometric='minisblack')
  assert np.array_equal(tifffile.imread(path), stack)
  read = skimage.io.imread(path)
  found[shape] = np.array_equal(read, stack)
  assert found[shape] or np.array_equal(read, np.moveaxis(stack, -3, -1))
  print(f'scikit-image {skimage.__version__}: {shape} is read as {read.shape}')
assert list(found.values()) == [True, False, False, True, True, False]
PY
