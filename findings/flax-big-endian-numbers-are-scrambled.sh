#!/usr/bin/env bash
# One would guess: flax.serialization.to_bytes keeps the values of each numpy array,
# as numpy.save does, or refuses a dtype that it cannot keep, as it refuses objects.
# What happens: it writes the memory as it lies and the name of the dtype, which does
# not say the order of the bytes. An array of '>f4' or '>i2' is read as a native one:
# a mean of 0.5 is 8.8e-44, and a label 1 in 16 bits is 256. No warning is given.
# Who is hurt: whoever keeps statistics or pixels of FITS or other big-endian files,
# read in the order of the file, beside the weights: data are normalised by nonsense
# after a restart, and only then.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import io
import warnings

import numpy as np
from flax import serialization

warnings.simplefilter('error')
print('flax', importlib.metadata.version('flax'))
state = {'mean': np.array([0.5, 0.25], '>f4'), 'labels': np.array([1, 2, 3], '>i2'),
         'bytes': np.array([1, 2, 3], 'uint8')}
loaded = serialization.msgpack_restore(serialization.to_bytes(state))
filled = serialization.from_bytes(state, serialization.to_bytes(state))
for name in state:
  print(f'{name}: {state[name]} {state[name].dtype.str} becomes',
        loaded[name], loaded[name].dtype)
assert (loaded['bytes'] == state['bytes']).all()
assert (loaded['labels'] == [256, 512, 768]).all()
assert (0 < loaded['mean']).all() and (loaded['mean'] < 1e-40).all()
assert all((filled[name] == loaded[name]).all() for name in state)
with io.BytesIO() as file:
  np.save(file, state['mean'])
  file.seek(0)
  assert (np.load(file) == state['mean']).all()
PY
