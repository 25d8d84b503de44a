#!/usr/bin/env bash
# One would guess: onnx.version_converter writes the same network for a newer opset:
# what it computes stays as it is.
# What happens: linear Upsample, and Resize of opset 10, place output pixel i at i / 2
# of the input. Resize of opset 11 and later has an attribute for that, whose default
# is another place, (i + 0.5) / 2 - 0.5. The converter does not set it, so each linear
# enlargement moves the image by half of a new pixel. The checker passes, the shapes
# are equal, and mode='nearest' does not differ.
# Who is hurt: whoever brings an older generator to a newer opset: its layers no longer
# fit the weights they were trained with, and its images have another score.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

row = np.float32([0, 1, 4, 9])
x = row.reshape(1, 1, 1, 4)


def run(model):
  onnx.checker.check_model(model)
  session = onnxruntime.InferenceSession(model.SerializeToString())
  return session.run(None, {'x': x})[0].ravel().tolist()


print('onnx', onnx.__version__, 'onnxruntime', onnxruntime.__version__)
print('input', row.tolist())
places = {'before': np.arange(8) / 2, 'after': (np.arange(8) + 0.5) / 2 - 0.5}
for op, opset in (('Upsample', 9), ('Resize', 10)):
  for mode in ('linear', 'nearest'):
    graph = helper.make_graph(
        [helper.make_node(op, ['x', 'scales'], ['y'], mode=mode)], 'graph',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, (1, 1, 1, 8))],
        [helper.make_tensor('scales', TensorProto.FLOAT, [4], [1, 1, 1, 2])])
    old = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8)
    new = onnx.version_converter.convert_version(old, 18)
    found = {'before': run(old), 'after': run(new)}
    for name, values in found.items():
      print(f'{op} of opset {opset}, {mode}, {name}: {values}')
      right = (np.interp(places[name], range(4), row) if mode == 'linear'
               else row.repeat(2))
      assert np.allclose(values, right)
    assert (found['before'] == found['after']) == (mode == 'nearest')
PY
