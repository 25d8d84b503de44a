#!/usr/bin/env bash
# One would guess: a virtual data set, which shows many HDF5 files as one array, raises
# an error when one of these files is not there.
# What happens: the rows of a file that was moved, renamed or not yet copied are zeros,
# without a warning, and all rows are when the view alone is copied to another folder.
# (A file that is there but too short does raise an error.) fillvalue=... chooses
# another number than 0: for floats NaN, which shows.
# Who is hurt: whoever trains on shards through one such view: a part of the data, or
# all, is black, and a generator learns to draw that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PY'
import os
import shutil

import h5py
import numpy as np

rng = np.random.default_rng(0)
layout = h5py.VirtualLayout((30, 8, 8), 'uint8')
for shard in range(3):
  with h5py.File(f'{shard}.h5', 'w') as file:
    file['images'] = rng.integers(1, 256, (10, 8, 8), dtype='uint8')
  layout[10 * shard:10 * shard + 10] = h5py.VirtualSource(
      f'{shard}.h5', 'images', (10, 8, 8))
with h5py.File('view.h5', 'w') as file:
  file.create_virtual_dataset('images', layout)


def black():
  with h5py.File('view.h5') as file:
    images = file['images'][:]
  assert images.shape == (30, 8, 8)
  return [int((part == 0).all((1, 2)).sum()) for part in images.reshape(3, 10, 8, 8)]


print('h5py', h5py.__version__, 'HDF5', h5py.version.hdf5_version)
found = {'all shards are there': black()}
os.rename('1.h5', 'moved.h5')
found['the second was moved'] = black()
os.mkdir('elsewhere')
shutil.copy('view.h5', 'elsewhere')
os.chdir('elsewhere')
found['the view alone was copied'] = black()
for name, counts in found.items():
  print(f'{name}: black images in each ten: {counts}')
assert list(found.values()) == [[0, 0, 0], [0, 10, 0], [10, 10, 10]]
PY
