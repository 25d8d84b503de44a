#!/usr/bin/env bash
# One would guess: what torchmetrics computes of images of bytes is what it computes of
# the same levels as floats, as its PSNR does, or it refuses them, as its SSIM does.
# What happens: PSNR-B, total_variation and image_gradients subtract and square bytes
# modulo 256, without a warning. Strong noise scores 28 dB in PSNR-B instead of 12, and
# a fall of 1 between two pixels counts as 255 in the total variation.
# Who is hurt: whoever scores or compares images as they are read from files: PSNR-B,
# which should be below PSNR, is far above it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import warnings

import numpy as np
import torch
from torchmetrics.functional.image import (
    image_gradients, peak_signal_noise_ratio, total_variation)
from torchmetrics.functional.image import (
    peak_signal_noise_ratio_with_blocked_effect as psnrb)

warnings.simplefilter('error')
rng = np.random.default_rng(0)
true = rng.integers(0, 256, (1, 1, 64, 64))
noisy = (true + rng.normal(0, 80, true.shape)).clip(0, 255).round()
ramp = np.arange(64.)[::-1].reshape(1, 1, 1, 64).repeat(2, 2)  # falls by 1
found = {}
print('torchmetrics', importlib.metadata.version('torchmetrics'))
for dtype in (torch.uint8, torch.float32):
  a, b, c = (torch.tensor(x.copy()).to(dtype) for x in (true, noisy, ramp))
  found[dtype] = [float(x) for x in (
      peak_signal_noise_ratio(b, a, 255.), psnrb(b, a, 255.),
      total_variation(c), image_gradients(c)[1].float().min())]
  print(f'{dtype}: PSNR {found[dtype][0]:.2f}, PSNR-B {found[dtype][1]:.2f},',
        f'of a ramp: total variation {found[dtype][2]:.0f},',
        f'smallest slope {found[dtype][3]:.0f}')
wrong, right = found.values()
assert abs(wrong[0] - right[0]) < 0.01 and right[1] <= right[0] + 0.1
assert wrong[1] > right[1] + 5
assert right[2] == 2 * 63 and wrong[2] == 2 * 63 * 255
assert right[3] == -1 and wrong[3] == 0
PY
