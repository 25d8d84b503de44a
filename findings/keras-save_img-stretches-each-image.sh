#!/usr/bin/env bash
# One would guess: keras.utils.save_img writes bytes as they are, so that load_img reads
# what was written; its scale=True, "whether to rescale image values to be within
# [0, 255]", has nothing to do there.
# What happens: each image is stretched by its own minimum and maximum, whatever its
# dtype, and array_to_img does so too. Levels from 100 to 110 become 0 to 255, and an
# image of one grey becomes black. scale=False is right for bytes.
# Who is hurt: whoever writes samples, crops or a resized data set for FID: the
# contrast of every image is another one, and the score measures that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 \
  numpy==2.4.6 pillow==13.0.0
cd "$folder"
JAX_PLATFORMS=cpu KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

rng = np.random.default_rng(0)
images = {'levels from 100 to 110': rng.integers(100, 111, (16, 16, 3)),
          'levels from 0 to 255': rng.integers(0, 256, (16, 16, 3)),
          'one grey, 100': np.full((16, 16, 3), 100)}
print('keras', keras.__version__)
found = {}
for name, image in images.items():
  image = image.astype('uint8')
  for scale in ({}, {'scale': False}):
    keras.utils.save_img('image.png', image, **scale)
    read = np.asarray(keras.utils.load_img('image.png'))
    found[name, bool(scale)] = read.min(), read.max()
    print(f'{name}, save_img(..., {scale}): from {read.min()} to {read.max()},',
          'equal' if (read == image).all() else 'not equal')
    assert (read == image).all() == (bool(scale) or name == 'levels from 0 to 255')
assert found['levels from 100 to 110', False] == (0, 255)
assert found['one grey, 100', False] == (0, 0)
PY
