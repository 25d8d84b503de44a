#!/usr/bin/env bash
# One would guess: to_dtype(image, torch.uint8, scale=True) of torchvision, and
# convert_image_dtype, turn 1.0 into 255 whatever floats the image has.
# What happens: they multiply by 255.999 and cut off. In float16 and bfloat16 that is
# 256, which is 0 in a byte: white is black. In bfloat16 all from 0.998 on is 1.0. What
# is darker is right, and there is no warning.
# Who is hurt: whoever draws in half precision and turns the samples into bytes, to
# store or to score them: highlights and white backgrounds get black holes. .float()
# first is right.
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

import torch

# The wheel's own operators want CUDA's libraries; none of them is used here.
sys.modules['torchvision._meta_registrations'] = types.ModuleType('none')
from torchvision.transforms.functional import convert_image_dtype
from torchvision.transforms.v2.functional import to_dtype

print('torchvision', importlib.metadata.version('torchvision'))
levels = torch.arange(256) / 255
found = {}
for dtype in (torch.float32, torch.float16, torch.bfloat16):
  image = levels.to(dtype).expand(3, 1, 256)
  old, new = (done[0, 0].int() for done in (
      convert_image_dtype(image, torch.uint8),
      to_dtype(image, torch.uint8, scale=True)))
  assert torch.equal(old, new)
  wrong = (new - torch.arange(256)).abs()
  found[dtype] = new[-1].item(), wrong[:-1].max().item()
  print(f'{dtype}: white becomes {new[-1]}, the other levels are wrong by at most',
        f'{wrong[:-1].max()}')
assert found[torch.float32] == (255, 0)
assert found[torch.float16][0] == found[torch.bfloat16][0] == 0
assert max(worst for _, worst in found.values()) <= 1
PY
