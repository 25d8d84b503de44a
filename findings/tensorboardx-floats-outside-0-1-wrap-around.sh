#!/usr/bin/env bash
# One would guess: an image of floats that goes a little below 0 or above 1 is cut
# there, as in PyTorch's writer of the same name and arguments.
# What happens: tensorboardX multiplies by 255 and takes the number modulo 256: -0.1
# is nearly white, 1.1 nearly black, and a tanh network's -1 is black by luck alone.
# Who is hurt: whoever logs what a generator draws: noise where it is darkest and
# brightest, that looks like a fault of the network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorboardX==2.6.5 numpy==2.4.2 pillow==12.1.1
"$folder/venv/bin/python" - <<'PY'
import io

import numpy as np
import tensorboardX
from PIL import Image
from tensorboardX import summary


def shown(value):
  image = np.full((8, 8, 3), value, np.float32)
  found = summary.image('samples', image, dataformats='HWC').value[0].image
  return int(np.asarray(Image.open(io.BytesIO(found.encoded_image_string)))[4, 4, 0])


values = (-1.0, -0.5, -0.1, 0.0, 0.5, 1.0, 1.1)
found = [shown(value) for value in values]
print('tensorboardX', tensorboardX.__version__)
for value, byte in zip(values, found):
  print(f'{value:+.1f} is shown as {byte}')
assert found[2] > 200 and found[3] == 0 and found[5] == 255 and found[6] < 50
PY
