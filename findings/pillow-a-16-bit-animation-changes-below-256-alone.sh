#!/usr/bin/env bash
# One would guess: Pillow writes frames of 16 bits to an animated PNG as it writes one
# to a PNG: without loss. What does not change between frames it may leave out.
# What happens: the frames are compared as 8 bits, where each level from 255 on is
# white. A frame is cut to the rectangle of what changes below; the rest remains as it
# was in the frame before. Where nothing changes below, the frame is whole, but with
# a duration it is left out: ten frames that grow brighter are one. No warning is
# given, each frame that is there is of 16 bits, and the first is right.
# Who is hurt: whoever writes a stack of 16-bit slices or frames to one PNG, with
# Pillow or by imwrite of imageio: almost all of it is the first slice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==13.0.0 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import numpy as np
import PIL
from PIL import Image

path = os.path.join(os.environ['FOLDER'], 'stack.png')


def kept(stack, **kwargs):
  """(number of frames that are read, levels of pixel (5, 5) in each)."""
  first, *rest = [Image.fromarray(frame) for frame in stack]
  first.save(path, save_all=True, append_images=rest, **kwargs)
  with Image.open(path) as file:
    levels = []
    for i in range(getattr(file, 'n_frames', 1)):
      file.seek(i)
      levels.append(int(np.asarray(file)[5, 5]))
  return len(levels), levels


steps = np.arange(6000, 60001, 6000, dtype='uint16')
bright = np.tile(steps[:, None, None], (1, 8, 8))
dark = bright.copy()
dark[:, 0, 0] = np.arange(10)  # One pixel of the background counts to 9.
bytes_ = (dark // 300).astype('uint8')
bytes_[:, 0, 0] = np.arange(10)
print('Pillow', PIL.__version__)
print('written:', bright[:, 5, 5].tolist())
found = {'all bright': kept(bright),
         'all bright, with a duration': kept(bright, duration=100),
         'a dark pixel that changes': kept(dark),
         'the same in 8 bits': kept(bytes_)}
for name, (count, levels) in found.items():
  print(f'{name}: {count} frames, {levels}')
assert found['all bright'] == (10, bright[:, 5, 5].tolist())
assert found['all bright, with a duration'] == (1, [6000])
assert found['a dark pixel that changes'] == (10, [6000] * 10)
assert found['the same in 8 bits'] == (10, bytes_[:, 5, 5].tolist())
PY
