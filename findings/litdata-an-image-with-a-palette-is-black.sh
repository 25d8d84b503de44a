#!/usr/bin/env bash
# One would guess: a Pillow image that litdata.optimize stores comes back as it was,
# since it is stored without compression: its mode is written with it.
# What happens: of an image of mode P only the numbers of the colours are written,
# and not the palette. It comes back as one of mode P whose palette is empty, without
# a warning: converted to RGB it is black, whatever it showed.
# Who is hurt: whoever stores GIF files or PNG files of few colours (pixel art, icons)
# as they were opened, among others of mode RGB, and converts them when they are
# read: a part of the images is black, and nothing brings the colours back. Converted
# before they are stored, they are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q litdata==0.2.76 torch==2.13.0 numpy==2.4.6 \
  pillow==13.0.0
cat > "$folder/store.py" <<'PY'
import importlib.metadata
import os
import sys

import litdata
import numpy as np
from PIL import Image

path = os.path.join(os.path.dirname(__file__), 'image.png')


def read(convert):
  image = Image.open(path)
  return {'image': image.convert('RGB') if convert else image}


if __name__ == '__main__':
  halves = np.zeros((8, 8, 3), 'uint8')
  halves[:4], halves[4:] = (255, 0, 0), (0, 0, 255)
  Image.fromarray(halves).quantize(2).save(path)
  before = Image.open(path)
  assert before.mode == 'P' and (np.asarray(before.convert('RGB')) == halves).all()
  found = {}
  for convert in (False, True):
    out = f'{path}-{convert}'
    litdata.optimize(read, [convert], out, num_workers=1, chunk_bytes='1MB')
    after = litdata.StreamingDataset(out)[0]['image']
    found[convert] = np.asarray(after.convert('RGB'))
    print('converted before:' if convert else 'as it was opened:', after.mode,
          [tuple(found[convert][row, 0].tolist()) for row in (0, 7)], file=sys.stderr)
  print('litdata', importlib.metadata.version('litdata'), file=sys.stderr)
  assert (found[True] == halves).all()
  assert not found[False].any()
PY
HOME="$folder" "$folder/venv/bin/python" "$folder/store.py" > "$folder/log"
