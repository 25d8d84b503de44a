#!/usr/bin/env bash
# One would guess: pyvips writes an array of uint16 as a 16-bit PNG, whether it has one
# channel or three.
# What happens: three channels are stored in 16 bits, one channel in 8. It is not
# scaled, but cut at 255: each level from 255 on is white. TIFF keeps both. There is no
# warning. copy(interpretation='grey16') first is right.
# Who is hurt: whoever stores depth maps, X-rays or slices so: the PNG holds where the
# level is below 255, and nothing else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyvips==3.2.0 pyvips-binary==8.18.7 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import importlib.metadata

import numpy as np
import pyvips

rng = np.random.default_rng(0)
colour = rng.integers(0, 65536, (32, 48, 3)).astype(np.uint16)
grey = colour[..., 0].copy()
print('pyvips', importlib.metadata.version('pyvips'))
print('libvips', '.'.join(str(pyvips.version(i)) for i in range(3)))


def stored(image, name):
  return pyvips.Image.new_from_buffer(image.write_to_buffer(name), '').numpy()


for kind in ('.tif', '.png'):
  for name, array in (('three channels', colour), ('one channel', grey)):
    found = stored(pyvips.Image.new_from_array(array), kind)
    same = np.array_equal(found, array)
    print(f'{kind}, {name}: {found.dtype},', 'the same' if same else
          f'{np.mean(found == 255):.1%} white')
    assert same == ((kind, name) != ('.png', 'one channel'))
assert found.dtype == np.uint8
assert np.array_equal(found, grey.clip(0, 255))
image = pyvips.Image.new_from_array(grey).copy(interpretation='grey16')
assert np.array_equal(stored(image, '.png'), grey)
PY
