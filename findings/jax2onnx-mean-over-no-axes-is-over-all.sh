#!/usr/bin/env bash
# One would guess: jnp.mean(x, axis=()) is x, in JAX and in what is converted from
# it; numpy and JAX agree on that.
# What happens: jax2onnx 0.17.1 makes an ONNX ReduceMean with an empty list of
# axes, which by ONNX's default means all of them: the result has one number.
# Who is hurt: whoever writes a norm once for images and vectors, "over the axes
# of space": of vectors there are none, and broadcasting hides the lost shape.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 \
  onnxruntime==1.32.0 jax2onnx==0.17.1
"$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import importlib.metadata

import jax.numpy as jnp
import jax2onnx
import numpy as np
import onnxruntime

x = np.arange(6, dtype='f').reshape(2, 3)


def same(x):
  return jnp.mean(x, axis=(), keepdims=True)


model = jax2onnx.to_onnx(same, [('B', 3)], input_names=['x'])
session = onnxruntime.InferenceSession(model.SerializeToString())
found = session.run(None, {'x': x})[0]
print('jax2onnx', importlib.metadata.version('jax2onnx'))
print('JAX:', np.asarray(same(x)).tolist(), 'ONNX:', found.tolist())
assert (same(x) == x).all() and found.tolist() == [[2.5]]
PY
