#!/usr/bin/env bash
# One would guess: a converter that does not know an operation says so; what it
# converts has the shape that JAX gives it.
# What happens: jax2onnx 0.13.0 turns lax.conv_transpose of stride 2 into an ONNX
# ConvTranspose of stride 1: 5x5 pixels become 6x6 instead of 10x10, without a
# word. Later versions are right, but want orbax-checkpoint<0.11.37: beside a
# newer Orbax pip silently chooses 0.13.0.
# Who is hurt: whoever exports a generator or a U-Net with a current Orbax, and
# does not compare what comes out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 \
  orbax-checkpoint==0.12.8 onnxruntime==1.32.0 jax2onnx==0.13.0
! "$folder/venv/bin/pip" install -q --dry-run orbax-checkpoint==0.12.8 \
  jax2onnx==0.17.1 2> /dev/null || { echo 'now there is a newer one'; exit 1; }
"$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import importlib.metadata

import jax2onnx
import numpy as np
import onnxruntime
from jax import lax

x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype('f')
kernel = np.ones((4, 4, 3, 1), 'f')


def grow(x):
  return lax.conv_transpose(x, kernel, (2, 2), 'SAME')


model = jax2onnx.to_onnx(grow, [('B', 5, 5, 3)], input_names=['x'])
session = onnxruntime.InferenceSession(model.SerializeToString())
found = session.run(None, {'x': x})[0]
version = importlib.metadata.version('jax2onnx')
print('jax2onnx', version, 'with orbax-checkpoint',
      importlib.metadata.version('orbax-checkpoint'))
print('JAX makes', grow(x).shape, 'of', x.shape, 'and ONNX makes', found.shape)
assert version == '0.13.0' and found.shape == (2, 6, 6, 1)
PY
