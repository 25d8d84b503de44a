#!/usr/bin/env bash
# One would guess: a grey TIFF of PhotometricInterpretation 0 (0 is white) looks
# the same with 8 bits and with 16: Pillow inverts it, or it does not.
# What happens: Pillow inverts 8 bits and leaves 16 bits negative. It says nothing
# but tag 262, which nobody reads.
# Who is hurt: whoever trains on X-rays that a scanner wrote so: half are negative.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==12.0.0 numpy==2.3.4 tifffile==2025.10.16
cat > "$folder/white.py" <<'PY'
import io

import numpy as np
import PIL
import tifffile
from PIL import Image


def read(array):
  file = io.BytesIO()
  tifffile.imwrite(file, array, photometric='miniswhite')
  image = Image.open(io.BytesIO(file.getvalue()))
  return np.asarray(image).ravel().tolist()


eight = read(np.array([[0, 255]], np.uint8))
sixteen = read(np.array([[0, 65535]], np.uint16))
print('Pillow', PIL.__version__, 'of 0, the stored white:', eight[0], 'with 8 bits,',
      sixteen[0], 'with 16')
assert eight == [255, 0] and sixteen == [0, 65535]
PY
"$folder/venv/bin/python" "$folder/white.py"
