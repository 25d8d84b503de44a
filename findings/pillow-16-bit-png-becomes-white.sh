#!/usr/bin/env bash
# One would guess: Image.open(16-bit grey PNG).convert('RGB') scales 0..65535 to
# 0..255, or refuses.
# What happens: values are clipped at 255, so that all but the darkest 0.4 % of
# the range is white.
# Who is hurt: whoever feeds X-rays, depth maps or microscopy to a loader that
# calls convert('RGB'), as the usual image-folder loaders do: the network sees
# white squares.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==11.3.0 numpy==2.2.6
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import os

import numpy as np
import PIL
from PIL import Image

path = os.path.join(os.environ['FOLDER'], 'ramp.png')
ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
Image.fromarray(ramp).save(path)
found = np.asarray(Image.open(path).convert('RGB'))
print('pillow', PIL.__version__)
print(f'a ramp of 256 values from 0 to 65535 becomes '
      f'{len(np.unique(found))} values; {np.mean(found == 255):.3f} of the '
      'pixels are white')
assert np.mean(found == 255) > 0.99
PY
