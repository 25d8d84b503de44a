#!/usr/bin/env bash
# One would guess: to_numpy_ndarray of what FixedShapeTensorArray.from_numpy_ndarray made
# is the same array.
# What happens: an array that was transposed is stored as it lies, with a permutation of
# its axes. Reading takes the permutation the wrong way round where three axes change
# places, and has strides that fit neither way. Images [2, 3, 32, 32], transposed to
# [2, 32, 32, 3], are read as [2, 32, 3, 32], with a tenth of the values, each many
# times. Exchanging two axes of 32 is right, and so is .copy() before storing.
# Who is hurt: whoever stores PyTorch's images channels last, in Parquet too: no
# transposition of what is read gives them back; only the flat storage still does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import numpy as np
import pyarrow as pa
from pyarrow import parquet


def stored(images):
  path = os.path.join(os.environ['FOLDER'], 'images.parquet')
  array = pa.FixedShapeTensorArray.from_numpy_ndarray(images)
  parquet.write_table(pa.table({'image': array}), path)
  return parquet.read_table(path)['image'].combine_chunks()


images = np.arange(2 * 3 * 32 * 32, dtype=np.float32).reshape(2, 3, 32, 32)
last = images.transpose(0, 2, 3, 1)
print('pyarrow', pa.__version__)
for name, written, right in (('as they lie', images, True),
                             ('turned', images.transpose(0, 1, 3, 2), True),
                             ('channels last, copied', last.copy(), True),
                             ('channels last', last, False)):
  array = stored(written)
  read = array.to_numpy_ndarray()
  share = np.isin(written, read).mean()
  print(f'{name}: {written.shape} is read as {read.shape},',
        f'with {share:.0%} of the values')
  assert np.array_equal(read, written) == right
assert read.shape == (2, 32, 3, 32) and share < 0.2
assert np.array_equal(array.storage.flatten(), images.ravel())
PY
