#!/usr/bin/env bash
# One would guess: RandomErasing(value='random') of torchvision fills the rectangle of
# an image of bytes with random pixels, of all levels.
# What happens: it draws from a normal distribution of mean 0 and deviation 1, as for
# normalised floats, and casts it to bytes: what is cut off at the point is 0, 1, 2 or
# 3, and what is negative wraps around to 253 to 255 (on x86). Two thirds are 0, and no
# level in between occurs. A float fill, value=0.5, is 0. The same in v1 and v2.
# Who is hurt: whoever augments bytes before they are scaled, as v2 recommends for
# speed: black rectangles with white dots, which a discriminator sees at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 pillow==13.0.0
"$folder/venv/bin/pip" install -q --no-deps torchvision==0.28.0
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import sys
import types
import warnings

import torch

# The wheel's own operators want CUDA's libraries; none of them is used here.
sys.modules['torchvision._meta_registrations'] = types.ModuleType('none')
from torchvision.transforms import RandomErasing, v2  # noqa: E402

warnings.simplefilter('error')
torch.manual_seed(0)
print('torchvision', importlib.metadata.version('torchvision'))
kwargs = dict(p=1., scale=(0.5, 0.5), ratio=(1., 1.))
image = torch.full((3, 128, 128), 128, dtype=torch.uint8)
for name, kind in (('v1', RandomErasing), ('v2', v2.RandomErasing)):
  noise = kind(value='random', **kwargs)(image)
  levels, count = noise[noise != 128].unique(return_counts=True)
  print(name, dict(zip(levels.tolist(), count.tolist())))
  assert ((levels < 8) | (levels > 248)).all()
  assert count[0] / count.sum() > 0.6
  filled = kind(value=0.5, **kwargs)(image)
  assert filled.unique().tolist() == [0, 128]
floats = v2.RandomErasing(value='random', **kwargs)(torch.full((3, 128, 128), 9.))
floats = floats[floats != 9]
assert abs(floats.mean()) < 0.05 and abs(floats.std() - 1) < 0.05
PY
