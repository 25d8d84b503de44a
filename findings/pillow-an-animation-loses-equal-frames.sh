#!/usr/bin/env bash
# One would guess: an animated GIF, PNG or WebP to which ten frames are saved has
# ten frames, as a TIFF has.
# What happens: equal frames in a row become one, and their times are added. What
# is played is the same; but ten frames with three changes are read back as four,
# by imageio too, which writes GIFs through Pillow. The fifth frame is none of
# them.
# Who is hurt: whoever reads frames by number: step 5 of a training, point 5 of an
# interpolation. A network that stands still makes fewer frames, and every later
# one is taken for another step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==13.0.0 imageio==2.38.1 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import os

import imageio.v3
import numpy as np
import PIL
from PIL import Image

levels = [0, 0, 0, 50, 50, 100, 100, 100, 100, 0]
frames = [np.full((8, 8, 3), level, np.uint8) for level in levels]
found = {}
for kind in ('gif', 'png', 'webp', 'tiff'):
  path = os.path.join(os.environ['FOLDER'], f'steps.{kind}')
  first, *rest = (Image.fromarray(frame) for frame in frames)
  first.save(path, save_all=True, append_images=rest, duration=100)
  found[kind] = Image.open(path).n_frames
path = os.path.join(os.environ['FOLDER'], 'imageio.gif')
imageio.v3.imwrite(path, np.stack(frames), duration=100)
found['gif by imageio'] = len(imageio.v3.imread(path))
with Image.open(os.path.join(os.environ['FOLDER'], 'steps.gif')) as gif:
  times = []
  for i in range(gif.n_frames):
    gif.seek(i)
    times.append(gif.info['duration'])
print('pillow', PIL.__version__, 'imageio', imageio.__version__)
print(f'{len(frames)} frames are saved; frames in the file:', found)
print('milliseconds of each in the GIF:', times)
assert found == {'gif': 4, 'png': 4, 'webp': 4, 'tiff': 10, 'gif by imageio': 4}
assert times == [300, 200, 400, 100]
PY
