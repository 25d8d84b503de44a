#!/usr/bin/env bash
# One would guess: the Image feature of Hugging Face datasets keeps 16-bit arrays
# of three channels, as it keeps those of one; or scales them; or refuses them, as
# it refuses floats.
# What happens: it keeps the low byte: 300 becomes 44, and -1000 becomes 24. It
# warns of "Downcasting ... to be compatible with 'Pillow'", not of what is lost.
# Who is hurt: whoever stores three slices of a CT, or 16-bit colour: pictures of
# contour lines, from which nothing can be restored.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
HF_HOME="$folder" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import warnings

import datasets
import numpy as np


features = datasets.Features({'image': datasets.Image()})


def kept(array):
  with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    made = datasets.Dataset.from_dict({'image': [array]}, features=features)
    found = np.asarray(made[0]['image'])
  return np.atleast_3d(found)[0, :, 0].tolist(), {
      str(w.message) for w in said if 'array' in str(w.message)}


row = [0, 255, 256, 300, 65535]
grey = np.array([row], np.uint16)
colour = np.stack([grey] * 3, -1)
slices = np.stack([np.array([[-1000, 0, 1000]], np.int16)] * 3, -1)
print('datasets', datasets.__version__)
found = [kept(x) for x in (grey, colour, slices)]
for array, (values, said) in zip((grey, colour, slices), found):
  print(array.dtype, array.shape, np.unique(array).tolist(), 'becomes', values,
        *said)
assert [values for values, _ in found] == [
    row, [0, 255, 0, 44, 255], [24, 0, 232]]
PY
