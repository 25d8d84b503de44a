#!/usr/bin/env bash
# One would guess: peak_signal_noise_ratio depends on how two images differ, and the
# range that it takes for int16 on the dtype, as its documentation says.
# What happens: the range is 32,767 where the true image has no negative value, and
# 65,535 where it has one. Two scans less 1 each score 6 dB more than the same two
# as they were. 12-bit pixels score 18 or 24 dB more than with data_range=4095.
# Who is hurt: whoever compares scores of CT or MRI slices: some have a voxel below
# 0, some do not, and the mean over them says nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-image==0.26.0 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import skimage
from skimage.metrics import peak_signal_noise_ratio as psnr

true = np.arange(4096, dtype=np.int16).reshape(64, 64)
test = true + np.int16(10)
found = {'as they are': psnr(true, test),
         'each less 1': psnr(true - np.int16(1), test - np.int16(1)),
         'data_range=4095': psnr(true, test, data_range=4095)}
print('scikit-image', skimage.__version__)
for name, value in found.items():
  print(f'12-bit pixels that differ by 10, {name}: {value:.2f} dB')
for name, limit in zip(found, (32767, 65535, 4095)):
  assert np.isclose(found[name], 20 * np.log10(limit / 10))
PY
