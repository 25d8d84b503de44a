#!/usr/bin/env bash
# One would guess: ReadImage('scan.nii.gz') of SimpleITK reads the file scan.nii.gz.
# What happens: where a scan.nii lies beside it, only the header is read from
# scan.nii.gz. The voxels are those of scan.nii, without a word. The compressed file
# is written right: gzip and numpy see what is in it.
# Who is hurt: whoever keeps raw scans as .nii and writes what a network made as .nii.gz
# into the same folder: the scores compare each scan with itself, and are perfect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q SimpleITK==2.5.7 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import gzip
import os

import numpy as np
import SimpleITK as sitk

plain, packed = (os.path.join(os.environ['FOLDER'], 'scan' + end)
                 for end in ('.nii', '.nii.gz'))
scan, made = (np.full((5, 6, 7), value, np.float32) for value in (7, 0.5))


def read(path):
  return sitk.GetArrayFromImage(sitk.ReadImage(path))


print('SimpleITK', sitk.Version_VersionString())
sitk.WriteImage(sitk.GetImageFromArray(made), packed)
alone = read(packed)
sitk.WriteImage(sitk.GetImageFromArray(scan), plain)
beside = read(packed)
with gzip.open(packed) as file:  # A header of 352 bytes, then the voxels.
  inside = np.frombuffer(file.read()[352:], np.float32)
for name, array in (('alone', alone), ('beside scan.nii', beside)):
  print(f'scan.nii.gz {name}: all voxels are', np.unique(array))
assert np.array_equal(alone, made) and np.array_equal(inside, made.ravel())
assert np.array_equal(beside, scan)
PY
