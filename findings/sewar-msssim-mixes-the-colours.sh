#!/usr/bin/env bash
# One would guess: msssim of sewar for a colour image is the mean over its channels, as
# ssim of sewar is, and does not depend on the order in which they come.
# What happens: before each of the coarser scales it averages over two pixels of
# every axis, that of the channels too. An error that is positive in one
# channel and negative in the next one cancels: 0.88 instead of 0.82, and 0.96 if the
# same two images are read as BGR. Channel by channel it is right.
# Who is hurt: whoever scores colour images by it: errors of colour count little, and
# numbers of two programs that read images in another order do not compare.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sewar==0.4.10 numpy==2.4.6 scipy==1.17.1 \
  pillow==13.0.0
"$folder/venv/bin/python" -W error - <<'PY'
import importlib.metadata

import numpy as np
from scipy.ndimage import uniform_filter
from sewar.full_ref import msssim, ssim

rng = np.random.default_rng(0)
grey, error = (uniform_filter(rng.normal(size=(256, 256, 1)), (9, 9, 1))
               for _ in range(2))
true = np.repeat(128 + 400 * grey, 3, -1)
other = true + (300 * error).clip(-60, 60) * [1, -1, 0.5]
true, other = (x.clip(0, 255).round().astype('uint8') for x in (true, other))


def scores(function, order):
  channels = [float(function(true[..., i], other[..., i])) for i in order]
  return float(function(true[..., order], other[..., order])), np.mean(channels)


print('sewar', importlib.metadata.version('sewar'))
found = {}
for name, function in (('ssim', lambda *x: ssim(*x)[0]), ('msssim', msssim)):
  for colours in ('RGB', 'BGR'):
    order = ['RGB'.index(c) for c in colours]
    found[name, colours] = scores(function, order)
    print(f'{name} in the order {colours}: {found[name, colours][0]:.4f},',
          f'mean over the channels {found[name, colours][1]:.4f}')
for (name, colours), (whole, mean) in found.items():
  assert np.isclose(whole, mean) == (name == 'ssim'), (name, colours)
assert found['msssim', 'RGB'][0] > found['msssim', 'RGB'][1] + 0.05
assert found['msssim', 'BGR'][0] > found['msssim', 'RGB'][0] + 0.05
PY
