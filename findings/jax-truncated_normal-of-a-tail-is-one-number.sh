#!/usr/bin/env bash
# One would guess: jax.random.truncated_normal(key, 6, 7) draws from the normal
# distribution between 6 and 7, as truncnorm of scipy does: most near 6, 6.16 on average.
# What happens: all draws are 6.9999995. The bounds go through erf in float32, which is
# 1 from 4 on, or nearly so; what comes back is clipped to the bounds, and nothing
# is said. Between 4 and 8 a hundred thousand draws take 1,063 values, and between 5
# and 6 twenty. jax_enable_x64 with dtype float64 is right here.
# Who is hurt: whoever draws rare latents, to see what a generator makes of them, or
# weights samples by their tails: they are one and the same latent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 scipy==1.17.1 \
  numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W error - <<'PY'
import jax
import numpy as np
from scipy.stats import truncnorm

print('jax', jax.__version__)
jax.config.update('jax_enable_x64', True)
values = {}
for lower, upper in ((-2, 2), (4, 8), (5, 6), (6, 7)):
  exact = truncnorm.mean(lower, upper)
  for dtype in ('float32', 'float64'):
    found = np.asarray(jax.random.truncated_normal(
        jax.random.key(0), lower, upper, (100000,), dtype), float)
    values[lower, dtype] = len(np.unique(found))
    print(f'from {lower} to {upper} in {dtype}: {values[lower, dtype]:,} values, mean',
          f'{found.mean():.7f} (exact {exact:.4f}), from {found.min():.7f}')
    if (lower, dtype) != (6, 'float32'):
      assert abs(found.mean() - exact) < 0.05, (lower, dtype)
    else:
      assert set(found) == {np.nextafter(np.float32(7), 0, dtype='float32')}
for lower, most in ((4, 2000), (5, 30), (6, 1)):
  assert values[lower, 'float32'] <= most and values[lower, 'float64'] > 90000
assert values[-2, 'float32'] > 90000
PY
