#!/usr/bin/env bash
# One would guess: plt.imsave of floats in [0, 1] writes the nearest of the 256 levels,
# and an image in [-1, 1] that was made of bytes gives the bytes back by (x + 1) / 2.
# What happens: floats of colours are multiplied by 255 and cut off at the point. What
# is saved is half a level darker on average, and never brighter. Of bytes that went
# through x / 127.5 - 1 in float32 a quarter come back one level lower.
# np.rint(255 * x) as bytes is right.
# Who is hurt: whoever saves samples, or real images beside them, by it and by
# another program: the two sets differ in brightness before any network does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q matplotlib==3.11.2 numpy==2.4.6 pillow==13.0.0
cd "$folder"
MPLBACKEND=agg "$folder/venv/bin/python" -W error - <<'PY'
import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image


def saved(image):
  plt.imsave('image.png', image)
  return np.asarray(Image.open('image.png').convert('RGB')).astype(int)


print('matplotlib', matplotlib.__version__)
levels = np.repeat(np.arange(256).reshape(16, 16, 1), 3, -1).astype('uint8')
network = (levels.astype('float32') / np.float32(127.5) - 1 + 1) / 2
lower = saved(network) - levels
floats = np.random.default_rng(0).random((256, 256, 3), 'float32')
darker = {'floats': saved(floats).mean() - 255 * floats.mean(dtype=float),
          'bytes': saved(np.rint(255 * floats).astype('uint8')).mean()
          - 255 * floats.mean(dtype=float)}
print(f'of the 256 levels {(lower[..., 0] == -1).sum()} come back one lower')
print('mean level less the mean of the floats:',
      {k: round(v, 3) for k, v in darker.items()})
assert set(np.unique(lower)) == {-1, 0} and (lower == -1).mean() > 0.2
assert np.abs(network * 255 - levels).max() < 1e-4
assert -0.52 < darker['floats'] < -0.48 and abs(darker['bytes']) < 0.01
PY
