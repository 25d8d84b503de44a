#!/usr/bin/env bash
# One would guess: keras.metrics.MeanSquaredError of two images of bytes is what
# keras.losses.MeanSquaredError gives for them, and keras.ops.psnr has that error in it.
# What happens: the loss turns bytes into floats, and so does RootMeanSquaredError. The
# metrics MeanSquaredError and MeanAbsoluteError, and psnr, subtract and square them
# modulo 256, without a warning. Black is 1 from white instead of 65,025, and their PSNR
# is 48 dB instead of 0.
# Who is hurt: whoever scores images as they are read from files or as they are shown:
# bad reconstructions are nearly perfect. Seen with JAX.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 \
  numpy==2.4.6
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import warnings

import keras
import numpy as np

warnings.simplefilter('error')
print('keras', importlib.metadata.version('keras'), keras.backend.backend())
black, white = np.zeros((8, 8), 'uint8'), np.full((8, 8), 255, 'uint8')


def measured(metric, a, b):
  metric.update_state(a, b)
  return float(metric.result())


found = {}
for dtype in ('uint8', 'float32'):
  a, b = black.astype(dtype), white.astype(dtype)
  found[dtype] = {
      'loss': float(keras.losses.MeanSquaredError()(a, b)),
      'metric': measured(keras.metrics.MeanSquaredError(), a, b),
      'root': measured(keras.metrics.RootMeanSquaredError(), a, b),
      'absolute': measured(keras.metrics.MeanAbsoluteError(), a, b),
      'psnr': float(keras.ops.psnr(a, b, 255))}
  print(dtype, {name: round(value, 2) for name, value in found[dtype].items()})
right = {'loss': 65025, 'metric': 65025, 'root': 255, 'absolute': 255, 'psnr': 0}
wrong = {'loss': 65025, 'metric': 1, 'root': 255, 'absolute': 1,
         'psnr': 20 * np.log10(255)}
for name in right:
  assert np.isclose(found['float32'][name], right[name], atol=1e-4), name
  assert np.isclose(found['uint8'][name], wrong[name], rtol=1e-4), name
PY
