#!/usr/bin/env bash
# One would guess: ONNX Runtime's linear Resize of uint8 images is that of float32,
# rounded: the mean of an image stays.
# What happens: it cuts off at the point. Between 0 and 1 all is 0, between 254 and
# 255 all is 254: an enlarged image is darker by nearly half a level on average, and
# never brighter. Casting to float32 first, and rounding after, is right.
# Who is hurt: whoever puts the resizing of generated or real images into the graph
# before the features of a score: one side is darker than the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import helper


def enlarged(images):
  dtype = helper.np_dtype_to_tensor_dtype(images.dtype)
  sizes = np.array([1, 1, *(2 * n for n in images.shape[2:])])
  node = helper.make_node('Resize', ['x', '', '', 'sizes'], ['y'], mode='linear')
  graph = helper.make_graph(
      [node], 'resize',
      [helper.make_tensor_value_info('x', dtype, images.shape)],
      [helper.make_tensor_value_info('y', dtype, None)],
      [helper.make_tensor('sizes', 7, [4], sizes)])
  model = helper.make_model(
      graph, ir_version=9, opset_imports=[helper.make_opsetid('', 19)])
  session = onnxruntime.InferenceSession(
      model.SerializeToString(), providers=['CPUExecutionProvider'])
  return session.run(None, {'x': images})[0]


edge = np.array([0, 1], np.uint8).reshape(1, 1, 1, 2)
images = np.random.default_rng(0).integers(0, 256, (1, 1, 64, 64)).astype('u1')
exact, found = enlarged(images.astype('f')), enlarged(images)
print('onnxruntime', onnxruntime.__version__)
print('0 and 1, enlarged: in float32', enlarged(edge.astype('f'))[0, 0, 0],
      'in uint8', enlarged(edge)[0, 0, 0])
print(f'an image of noise: its mean is {images.mean():.2f}; enlarged in float32 '
      f'{exact.mean():.2f}, in uint8 {found.mean():.2f}')
assert enlarged(edge)[0, 0, 0].tolist() == [0, 0, 0, 1]
assert np.abs(exact.mean() - images.mean()) < 0.1
assert 0.4 < (exact - found).mean() < 0.5 and (exact - found).min() > -0.01
PY
