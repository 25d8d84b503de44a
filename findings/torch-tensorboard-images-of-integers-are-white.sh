#!/usr/bin/env bash
# One would guess: SummaryWriter.add_image of PyTorch shows levels from 0 to 255 alike,
# whether they are uint8 or int32, or refuses the latter.
# What happens: whatever is not uint8 is taken to be in [0, 1], integers too: it is
# multiplied by 255 and cut at 255. Each level from 1 on is white, and there is no
# warning.
# Who is hurt: whoever logs label maps, or images that arithmetic has made int32 or
# int64: they are black and white, which looks like a broken network or data set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 tensorboard==2.21.0 numpy==2.4.6 \
  pillow==13.0.0
"$folder/venv/bin/python" - "$folder" <<'PY'
import importlib.metadata
import io
import sys
import warnings

import numpy as np
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

levels = np.array([[0, 1, 2, 10, 128, 255]])
dtypes = ('uint8', 'int16', 'int32', 'int64')
with warnings.catch_warnings(), SummaryWriter(sys.argv[1]) as writer:
  warnings.simplefilter('error')
  for dtype in dtypes:
    writer.add_image(dtype, torch.tensor(levels.astype(dtype)), dataformats='HW')
events = EventAccumulator(sys.argv[1]).Reload()
print('torch', torch.__version__.split('+')[0],
      'tensorboard', importlib.metadata.version('tensorboard'))
print('logged', levels[0])
shown = {}
for dtype in dtypes:
  png = events.Images(dtype)[0].encoded_image_string
  shown[dtype] = np.asarray(Image.open(io.BytesIO(png)))[..., 0]
  print(f'as {dtype}: shown {shown[dtype][0]}')
assert (shown['uint8'] == levels).all()
assert all((shown[dtype] == 255 * (levels > 0)).all() for dtype in dtypes[1:])
PY
