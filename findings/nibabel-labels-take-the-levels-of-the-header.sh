#!/usr/bin/env bash
# One would guess: nibabel stores a label map as it is, or raises where the dtype of
# the header cannot hold it.
# What happens: a header of uint8 and labels up to 1,035 make it scale the labels to
# 256 levels, without a word: 17 is read back as 16.2, 53 as 52.8. An image in
# [-1, 1] keeps 256 levels too. Passing dtype= to Nifti1Image is right.
# Who is hurt: whoever saves what a network made with the header of the image or the
# mask that it was made from, to keep its geometry: structures get other labels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q nibabel==5.4.2 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import nibabel
import numpy as np

path = os.path.join(os.environ['FOLDER'], 'made.nii')
mask = nibabel.Nifti1Image(np.ones((2, 1, 1), np.uint8), np.eye(4))


def kept(values, **kwargs):
  values = np.reshape(values, (-1, 1, 1))
  nibabel.save(nibabel.Nifti1Image(values, mask.affine, mask.header, **kwargs),
               path)
  return nibabel.load(path).get_fdata().ravel()


labels = np.array([0, 17, 53, 1035], np.int16)
found, right = kept(labels), kept(labels, dtype=np.int16)
levels = len(np.unique(kept(np.linspace(-1, 1, 10_000, dtype=np.float32))))
print('nibabel', nibabel.__version__)
print('labels', labels.tolist(), 'with the header of a mask:', found.round(2))
print('with dtype=int16:', right)
print(f'10,000 levels of an image in [-1, 1] become {levels}')
scale = 1035 / 255
assert np.allclose(found, np.round(labels / scale) * scale, atol=1e-3)
assert not np.allclose(found, labels, atol=0.2)
assert np.array_equal(right, labels) and levels == 256
PY
