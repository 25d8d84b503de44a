#!/usr/bin/env bash
# One would guess: BatchNorm's variance of values around 1,000 with a deviation
# of 0.1 is about 0.01, as numpy and PyTorch say.
# What happens: in float32 it is a multiple of 0.0625, the distance of two numbers
# near 1,000^2: exactly 0, or seven times too large. flax computes
# E[x^2] - E[x]^2 (use_fast_variance=True is the default) and clips at 0.
# use_fast_variance=False is right.
# Who is hurt: whoever normalises features or data that are not centred: the
# output is noise of the wrong size, and no error says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8
"$folder/venv/bin/python" - <<'PY'
import flax
import jax
import numpy as np
from flax import linen as nn

x = (1000.0 + 0.1 * np.random.default_rng(0).normal(size=(64, 1))).astype('f')


def variance(**options):
  norm = nn.BatchNorm(use_running_average=False, momentum=0.0, **options)
  variables = norm.init(jax.random.key(0), x)
  _, state = norm.apply(variables, x, mutable=['batch_stats'])
  return float(state['batch_stats']['var'][0])


fast, slow = variance(), variance(use_fast_variance=False)
print('flax', flax.__version__)
print(f'numpy {x.var():.5f}, BatchNorm by default {fast}, '
      f'with use_fast_variance=False {slow:.5f}')
assert fast % 0.0625 == 0 and abs(slow / x.var() - 1) < 0.01
PY
