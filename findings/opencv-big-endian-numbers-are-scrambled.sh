#!/usr/bin/env bash
# One would guess: OpenCV takes a numpy array by its values, as numpy, SciPy, Pillow
# and JAX do; or refuses one whose bytes are in the other order, as torch does.
# What happens: it looks at the kind and the size of the dtype alone, and reads the
# bytes in the order of the machine: 1 becomes 256, and a float of 1 becomes 4.6e-41.
# resize, blur, a filter and imwrite all do so, without a warning.
# Who is hurt: whoever hands on what a file keeps in big-endian order: FITS images
# (astropy gives '>i2' and '>f4'), 16-bit PGM and IDX files read by numpy. A picture
# of 16 bits becomes noise, one of floats becomes black, and both have a valid range.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 numpy==2.4.6 \
  astropy==7.1.1
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import cv2
import numpy as np
from astropy.io import fits

path = os.path.join(os.environ['FOLDER'], 'image')


def written(image):
  cv2.imwrite(path + '.tiff', image)
  return cv2.imread(path + '.tiff', cv2.IMREAD_UNCHANGED)


calls = {'resize': lambda x: cv2.resize(x, (8, 8), interpolation=cv2.INTER_NEAREST),
         'blur of one pixel': lambda x: cv2.blur(x, (1, 1)), 'imwrite': written}
ramp = np.arange(64).reshape(8, 8) * 100
print('OpenCV', cv2.__version__)
for dtype in ('int16', 'float32'):
  fits.writeto(path + '.fits', ramp.astype(dtype), overwrite=True)
  image = np.array(fits.getdata(path + '.fits'))
  assert image.dtype.byteorder == '>' and (image == ramp).all()
  for name, call in calls.items():
    found, right = call(image), call(image.astype(dtype))
    print(f'{dtype} of a FITS file, {name}: {found[0, :4].tolist()},',
          f'in native order {right[0, :4].tolist()}')
    assert (right == ramp).all()
    assert (found.view('u1') == image.view('u1')).all() and (found != ramp).any()
PY
