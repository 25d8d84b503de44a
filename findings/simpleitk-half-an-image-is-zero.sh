#!/usr/bin/env bash
# One would guess: image * 0.5 in SimpleITK is half the image, as image / 2 is, which
# gives floats; and a comparison with a number that no pixel reaches is false.
# What happens: the number is first cast to the type of the pixels, without a warning.
# 0.5 is 0 for integers, and so is the image. For uint8, -1 is 255: image > -1 is
# false everywhere; 300 is 44: image < 300 holds where a pixel is below 44.
# Who is hurt: whoever scales, blends or thresholds scans or masks: (a + b) * 0.5 is
# black, and a mask is empty or holds the wrong pixels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q SimpleITK==2.5.7 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import SimpleITK as sitk

pixels = np.array([[0, 40, 100, 255]])
cases = {'image * 0.5': lambda x: x * 0.5, 'image / 2': lambda x: x / 2,
         'image + 0.9': lambda x: x + 0.9, 'image * 1.5': lambda x: x * 1.5,
         'image > -1': lambda x: x > -1, 'image < 300': lambda x: x < 300,
         'image > 99.5': lambda x: x > 99.5}
print('SimpleITK', sitk.Version_VersionString())
found = {}
for name, function in cases.items():
  image = sitk.GetImageFromArray(pixels.astype(np.uint8))
  found[name] = sitk.GetArrayFromImage(function(image)).ravel().tolist()
  print(f'{name}: {found[name]}, numpy of floats',
        (function(pixels.ravel() * 1.0) * 1.0).tolist())
assert found['image * 0.5'] == [0, 0, 0, 0]
assert found['image / 2'] == [0, 20, 50, 127.5]
assert found['image + 0.9'] == found['image * 1.5'] == [0, 40, 100, 255]
assert found['image > -1'] == [0, 0, 0, 0] and found['image < 300'] == [1, 1, 0, 0]
PY
