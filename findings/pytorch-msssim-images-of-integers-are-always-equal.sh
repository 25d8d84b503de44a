#!/usr/bin/env bash
# One would guess: ssim of pytorch-msssim, whose README takes "RGB images (0~255)" with
# data_range=255, scores images of uint8 as it scores the same values as floats, or
# refuses them, as its ms_ssim does.
# What happens: the Gaussian window is cast to the type of the images. All its weights
# are below 1, and so all become 0: any two images of uint8, int16, int32 or int64
# score 1.0, black against white too. ms_ssim of int64 does the same.
# Who is hurt: whoever scores images as they were read, or rounded to pixels: a
# perfect score, whatever the model draws.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pytorch-msssim==1.0.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import torch
from pytorch_msssim import SSIM, ms_ssim, ssim

torch.manual_seed(0)
noise, other = torch.randint(0, 256, (2, 4, 3, 192, 192))
black, white = torch.zeros_like(noise), torch.full_like(noise, 255)
print('pytorch-msssim', importlib.metadata.version('pytorch-msssim'))
for dtype in (torch.float32, torch.uint8, torch.int16, torch.int32, torch.int64):
  for name, pair in (('noise', (noise, other)), ('black and white', (black, white))):
    x, y = (image.to(dtype) for image in pair)
    found = [ssim(x, y, data_range=255).item(), SSIM(data_range=255)(x, y).item()]
    if dtype in (torch.float32, torch.int64):
      found += [ms_ssim(x, y, data_range=255).item()]
    print(f'{dtype}, {name}:', *found)
    if dtype == torch.float32:
      assert max(found) < 0.3
    else:
      assert set(found) == {1.0}
PY
