#!/usr/bin/env bash
# One would guess: librosa.util.normalize scales a recording so that its peak is 1. For
# one channel of floats it does. librosa.load keeps two as (channels, samples).
# What happens: the default axis=0 is then across the channels: of each pair of samples
# the larger one becomes 1 or -1. Every moment of a stereo sound is at full loudness.
# Integers keep their dtype, so that all but the peaks become 0: of a sine of 16 bits,
# 10 of 1,000 samples are left. axis=-1 and floats are right. There is no warning.
# Who is hurt: whoever prepares sounds for a generator: it learns clipped noise or
# silence.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==1.26.4 scipy==1.17.1 numba==0.68.1 \
  joblib==1.6.0 lazy_loader==0.6 decorator==5.3.1 msgpack==1.2.4 \
  typing_extensions==4.16.0
"$folder/venv/bin/pip" install -q --no-deps librosa==0.11.0
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import warnings

import numpy as np
from librosa.util import normalize

warnings.simplefilter('error')
time = np.arange(1000) / 1000
left = 0.5 * np.sin(2 * np.pi * 5 * time)
right = 0.1 * np.sin(2 * np.pi * 7 * time + 1)
stereo = np.stack([left, right])
print('librosa', importlib.metadata.version('librosa'))
mono, default, by_time = normalize(left), normalize(stereo), normalize(stereo, axis=-1)
integers = normalize((left * 32767).astype('int16'))
full = (np.abs(default).max(0) == 1).mean()
print('mono: peak', np.abs(mono).max())
print(f'stereo: {full:.0%} of the moments are at 1 or -1,',
      f'with axis=-1 {(np.abs(by_time).max(0) == 1).mean():.1%}')
values, counts = np.unique(integers, return_counts=True)
print('16 bits:', integers.dtype, 'values', values, 'counts', counts)
assert np.allclose(mono, 2 * left) and full == 1
assert np.allclose(by_time, [2 * left, right / np.abs(right).max()])
assert integers.dtype == 'int16' and (integers == 0).sum() == 990
PY
