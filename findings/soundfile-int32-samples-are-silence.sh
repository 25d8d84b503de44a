#!/usr/bin/env bash
# One would guess: soundfile.write of the same 16-bit samples gives the same sound,
# whether their array is int16 or int32; int64 is refused.
# What happens: int32 is taken to fill its 32 bits. The upper half of each sample is
# written: -1 or 0 of every 16-bit one. The file is valid, and silent.
# Who is hurt: whoever writes WaveGAN's samples by (x * 32767).astype(int), which is
# int32 in JAX. Writing the floats themselves is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q soundfile==0.14.0 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error - <<'PY'
import os

import numpy as np
import soundfile

wave = np.sin(np.arange(1000) / 10)
found = {}
for dtype in ('float64', 'int16', 'int32', 'int64'):
  path = os.path.join(os.environ['FOLDER'], f'{dtype}.wav')
  samples = wave if dtype == 'float64' else (wave * 32767).astype(dtype)
  try:
    soundfile.write(path, samples, 16000)
    found[dtype] = float(np.abs(soundfile.read(path)[0]).max())
  except ValueError:
    found[dtype] = 'refused'
print('soundfile', soundfile.__version__)
print('a sine of loudness 1, written as:', found)
assert found['float64'] > 0.99 and found['int16'] > 0.99
assert found['int32'] == 1 / 32768 and found['int64'] == 'refused'
PY
