#!/usr/bin/env bash
# One would guess: vifp of sewar gives floats in [0, 1] the score of the same image in
# bytes, as psnr and ssim of sewar do ("floating-point images are assumed to be in
# [0, 1]").
# What happens: the noise of the eye, sigma_nsq=2, is a variance in levels of bytes,
# whatever the dtype. Beside it an image in [0, 1] has no contrast, and what is left is
# divided by itself: strong noise scores 0.96 instead of 0.32, nearly as no noise at all
# does. sigma_nsq=2 / 255**2 is right.
# Who is hurt: whoever scores what a network puts out, to compare restorations or
# super-resolution with published numbers: all of them are nearly perfect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sewar==0.4.10 numpy==2.4.6 scipy==1.17.1 \
  pillow==13.0.0
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import numpy as np
from scipy.ndimage import gaussian_filter
from sewar.full_ref import psnr, ssim, vifp

rng = np.random.default_rng(0)
true = 128 + 400 * gaussian_filter(rng.normal(size=(128, 128)), 2)
noisy = true + rng.normal(0, 25, true.shape)
true, noisy = (x.clip(0, 255).round().astype('uint8') for x in (true, noisy))
print('sewar', importlib.metadata.version('sewar'))
found = {}
for name, f in (('psnr', psnr), ('ssim', lambda *x: ssim(*x)[0]), ('vifp', vifp),
                ('vifp, sigma_nsq=2/255^2', None)):
  if f is None:
    found[name] = (found['vifp'][0],
                   vifp(true / 255, noisy / 255, sigma_nsq=2 / 255 ** 2))
  else:
    found[name] = f(true, noisy), f(true / 255, noisy / 255)
  print(f'{name}: bytes {found[name][0]:.4f}, the same in [0, 1] {found[name][1]:.4f}')
for name in found:
  assert np.isclose(*found[name]) == (name != 'vifp'), name
assert found['vifp'][0] < 0.35 and found['vifp'][1] > 0.95
PY
