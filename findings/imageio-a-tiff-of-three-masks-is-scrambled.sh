#!/usr/bin/env bash
# One would guess: imwrite of imageio, and imread of the same file, give back an array
# of truth values: TIFF keeps one bit for each, with no loss.
# What happens: three or four of them on the last axis are written as the colours of
# an image, whose bits tifffile packs along each row, one colour after the other, and
# reads pixel by pixel. The array comes back with the shape and the dtype that it had,
# as many values are true, and each stands somewhere else. Two masks, or one, are
# right, and so are three before the other axes, or as bytes.
# Who is hurt: whoever stores three masks of an image, or an image of colours that is
# compared with a threshold: labels and conditions that look like noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q imageio==2.38.1 tifffile==2026.3.3 \
  pillow==13.0.0 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import importlib.metadata
import os

import imageio.v3 as iio
import numpy as np

path = os.path.join(os.environ['FOLDER'], 'masks.tiff')
row, column = np.mgrid[:64, :64]
disc = (row - 32) ** 2 + (column - 32) ** 2 < 400
masks = np.stack([disc, row < 32, column < 32, ~disc], -1)


def wrong(array):
  """The share of values that are others after a file."""
  iio.imwrite(path, array)
  found = iio.imread(path)
  assert found.shape == array.shape and found.dtype == array.dtype
  assert found.sum() == array.sum()
  return float((found != array).mean())


for name in ('imageio', 'tifffile'):
  print(name, importlib.metadata.version(name))
cases = {'one mask': disc, 'two masks': masks[..., :2], 'three masks': masks[..., :3],
         'four masks': masks, 'three, before the others': masks[..., :3].T,
         'three, as bytes': masks[..., :3].astype('uint8')}
found = {name: wrong(array) for name, array in cases.items()}
for name, share in found.items():
  print(f'{name}: {share:.1%} of the values are wrong')
assert found.pop('three masks') > 0.2 and found.pop('four masks') > 0.2
assert not any(found.values())
PY
