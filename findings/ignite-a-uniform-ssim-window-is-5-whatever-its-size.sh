#!/usr/bin/env bash
# One would guess: SSIM(gaussian=False, kernel_size=k) of ignite averages over windows
# of k x k pixels with equal weights.
# What happens: the window has five places of weight 1/5 at most. Each k from 5 on
# gives the same number: the usual window of 7 is one of 5. For k = 3 the weights add
# up to 0.36, not to 1, so that the square of a mean counts as a variance that both
# images share: of a texture, a blank image scores 0.9 and its negative 0.7, where
# SSIM is 0.3 and -0.5.
# Who is hurt: whoever compares with a published SSIM of 7 x 7, or takes a small
# window for small images: what has no texture at all is nearly perfect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 pytorch-ignite==0.5.5 \
  numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PY'
import ignite
import numpy as np
import torch
from ignite.metrics import SSIM
from scipy import ndimage

texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(64, 64)), 2)
texture = (texture - texture.min()) / np.ptp(texture)
images = {'a blank image': np.full_like(texture, texture.mean()),
          'the negative': 1 - texture}


def by_ignite(x, y, size):
  metric = SSIM(data_range=1.0, kernel_size=size, gaussian=False)
  metric.update([torch.tensor(i)[None, None] for i in (x, y)])
  return metric.compute()


def by_hand(x, y, size):
  def mean(a):
    return ndimage.uniform_filter(a, size, mode='mirror')

  u, v = mean(x), mean(y)
  shared, spread = mean(x * y) - u * v, mean(x * x + y * y) - u * u - v * v
  ratio = (2 * u * v + 0.01 ** 2) / (u * u + v * v + 0.01 ** 2)
  return float((ratio * (2 * shared + 0.03 ** 2) / (spread + 0.03 ** 2)).mean())


print('ignite', ignite.__version__)
found = {}
for name, image in images.items():
  for size in (3, 5, 7, 11):
    found[name, size] = by_ignite(image, texture, size), by_hand(image, texture, size)
    print(f'{name}, window {size}: SSIM {found[name, size][0]:.3f},',
          f'by hand {found[name, size][1]:.3f}')
for name in images:
  assert np.isclose(*found[name, 5], atol=1e-3)
  for size in (7, 11):
    assert found[name, size][0] == found[name, 5][0]
    assert abs(found[name, size][1] - found[name, 5][0]) > 0.04
assert found['a blank image', 3][0] > 0.85 and found['a blank image', 3][1] < 0.35
assert found['the negative', 3][0] > 0.6 and found['the negative', 3][1] < -0.4
PY
