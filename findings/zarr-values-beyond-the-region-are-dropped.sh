#!/usr/bin/env bash
# One would guess: an array assigned to a region of a zarr array must have its shape,
# or broadcast to it. numpy raises ValueError, and so did zarr 2.
# What happens: zarr 3 raises only where there are too few values. What is too much, in
# any axis, is dropped: a batch of 4 written to the last 2 rows keeps 2, one written
# beyond the end keeps none, and of rows twice as wide the left half is kept.
# Who is hurt: whoever writes samples or features batch by batch: an array that was
# made too small, or for another size of image, fills without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q zarr==3.1.6 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import zarr


def kept(target, rows, values):
  try:
    target[rows] = values
  except ValueError:
    return 'ValueError'
  return target[:][:, 0].tolist()


narrow = np.arange(1, 5)[:, None] * np.ones((1, 2), int)  # Rows 1 to 4.
cases = {'4 rows from row 4': (slice(4, 8), narrow),
         '4 rows from row 6': (slice(6, 10), narrow),
         '4 rows, twice as wide': (slice(0, 4), np.hstack([narrow, -narrow])),
         '2 rows into 4': (slice(0, 4), narrow[:2])}
print('zarr', zarr.__version__)
found = {}
for name, (rows, values) in cases.items():
  array = zarr.create_array({}, shape=(6, 2), chunks=(6, 2), dtype='i4')
  found[name] = kept(array, rows, values)
  print(f'{name}: zarr {found[name]},',
        'numpy', kept(np.zeros((6, 2), 'i4'), rows, values))
assert found['4 rows from row 4'] == [0, 0, 0, 0, 1, 2]
assert found['4 rows from row 6'] == [0] * 6
assert found['4 rows, twice as wide'] == [1, 2, 3, 4, 0, 0]
assert found['2 rows into 4'] == 'ValueError'
PY
