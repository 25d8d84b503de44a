#!/usr/bin/env bash
# One would guess: jax.vmap of a convolution over kernels, which is one convolution
# of groups, is converted as well as that convolution, or refused.
# What happens: JAX orders the axes within lax.reshape, by its argument
# `dimensions`. jax2onnx 0.13.0 and 0.17.1 make an ONNX Reshape of it, which has
# none: the shape is right, the numbers are in another order.
# Who is hurt: whoever exports grouped convolutions by vmap (ensembles, ResNeXt,
# a kernel for each example), and does not compare what comes out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 \
  onnxruntime==1.32.0 jax2onnx==0.17.1
"$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import importlib.metadata

import jax
import jax2onnx
import numpy as np
import onnxruntime
from jax import lax

print('jax2onnx', importlib.metadata.version('jax2onnx'))
rng = np.random.default_rng(0)
x = rng.normal(size=(2, 1, 4, 4, 3)).astype('f')       # two images
kernels = rng.normal(size=(2, 3, 3, 3, 1)).astype('f')  # with a kernel each


def each(x):
  return jax.vmap(lambda x, kernel: lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')))(
          x, kernels)


def turned(x):
  return lax.reshape(x, (3, 2), dimensions=(1, 0))


def converted(function, x):
  model = jax2onnx.to_onnx(function, [x.shape], input_names=['x'])
  session = onnxruntime.InferenceSession(model.SerializeToString())
  return session.run(None, {'x': x})[0]


numbers = np.arange(6, dtype='f').reshape(2, 3)
print('JAX:', np.asarray(turned(numbers)).ravel(), 'ONNX:',
      converted(turned, numbers).ravel())
assert converted(turned, numbers).ravel().tolist() == [0, 1, 2, 3, 4, 5]
assert np.asarray(turned(numbers)).ravel().tolist() == [0, 3, 1, 4, 2, 5]
ours, theirs = np.asarray(each(x)), converted(each, x)
print('a convolution for each: shapes', ours.shape, theirs.shape,
      'largest difference', np.abs(ours - theirs).max())
assert ours.shape == theirs.shape and np.abs(ours - theirs).max() > 1
PY
