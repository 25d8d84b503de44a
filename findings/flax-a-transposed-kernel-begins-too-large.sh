#!/usr/bin/env bash
# One would guess: ConvTranspose(transpose_kernel=True), which lays its kernel out
# as [..., outputs, inputs], begins with weights of the same size as without it:
# lecun_normal, the default, gives an output of the same deviation as the input,
# but for the zeros that the stride puts in.
# What happens: the initialiser takes the last axis but one for the inputs. The
# variance is divided by the number of outputs: from 64 channels to 3 it is 64 / 3
# times as large, from 3 to 64 as much smaller. in_axis=-1, out_axis=-2 in the
# initialiser are right.
# Who is hurt: whoever ports a PyTorch generator so: its last layer is saturated at
# the first step.
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

right = nn.initializers.variance_scaling(
    1.0, 'fan_in', 'truncated_normal', in_axis=-1, out_axis=-2)


def deviation(inputs, outputs, **kwargs):
  x = jax.random.normal(jax.random.key(0), (64, 8, 8, inputs))
  layer = nn.ConvTranspose(outputs, (4, 4), (2, 2), use_bias=False, **kwargs)
  out, params = layer.init_with_output(jax.random.key(1), x)
  return np.std(out[:, 2:-2, 2:-2]), params['params']['kernel'].shape


print('flax', flax.__version__)
found = {}
for channels in ((64, 3), (3, 64)):
  for name, kwargs in (('plain', {}), ('transposed', {'transpose_kernel': True}),
                       ('in_axis=-1', {'transpose_kernel': True,
                                       'kernel_init': right})):
    found[channels, name], shape = deviation(*channels, **kwargs)
    print(f'{channels[0]} to {channels[1]}, {name}: kernel {shape}, deviation of '
          f'the output {found[channels, name]:.2f}')
for channels, factor in (((64, 3), (64 / 3) ** 0.5), ((3, 64), (3 / 64) ** 0.5)):
  # A stride of 2 leaves 4 of the 16 weights: half the deviation.
  assert np.isclose(found[channels, 'plain'], 0.5, rtol=0.1)
  assert np.isclose(found[channels, 'in_axis=-1'], 0.5, rtol=0.1)
  assert np.isclose(found[channels, 'transposed'], 0.5 * factor, rtol=0.1)
PY
