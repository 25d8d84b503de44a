#!/usr/bin/env bash
# One would guess: safetensors.numpy.save_file keeps the values of a transposed
# array, as numpy.save does and as safetensors 0.7 did, or refuses it, as it
# refuses a PyTorch tensor that is not contiguous.
# What happens: 0.8.0 writes the memory as it lies, and the shape of the view: the
# file is valid, and what is loaded has its values in another order.
# np.ascontiguousarray before saving avoids it.
# Who is hurt: whoever turns kernels from PyTorch's [out, in] to JAX's [in, out]
# by .T or transpose and saves them: the network loads, and its images are noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

path = os.path.join(os.environ['FOLDER'], 'weights.safetensors')
kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
save_file({'view': kernel.T, 'copy': np.ascontiguousarray(kernel.T)}, path)
found = load_file(path)
print('safetensors', safetensors.__version__)
print('saved:            ', kernel.T.tolist())
for name in ('copy', 'view'):
  print(f'loaded, of a {name}: ', found[name].tolist())
assert np.array_equal(found['copy'], kernel.T)
assert np.array_equal(found['view'], kernel.reshape(3, 2))
PY
