#!/usr/bin/env bash
# One would guess: the Bures cost of ott-jax is the Frechet distance of two
# Gaussians, in float64 to many digits, and 0 between one and itself.
# What happens: it hands the dimension to the matrix root where that takes its
# tolerance, so that the root of 16 dimensions may be off by 1,600 % and the
# iteration ends after its first ten steps. Where variances differ, the distance
# is too large. sqrtm_kw={'min_iterations': 100} brings the digits back.
# Who is hurt: whoever takes it for a differentiable FD in JAX: what is too much
# is different for each covariance, and larger than differences of good models.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 ott-jax==0.6.0
"$folder/venv/bin/python" - <<'PY'
import jax

jax.config.update('jax_enable_x64', True)
import jax.numpy as jnp
import numpy as np
import ott
from ott.geometry import costs

size = 16
mean = jnp.zeros(size)
variances = np.linspace(0.1, 3.0, size) ** 2
x, y = (costs.mean_and_cov_to_x(mean, jnp.diag(jnp.asarray(each)), size)
        for each in (variances, variances[::-1].copy()))
# Covariances that are diagonal: the squared distance of the deviations.
exact = float(np.sum((np.sqrt(variances) - np.sqrt(variances[::-1])) ** 2))
plain = costs.Bures(size)
longer = costs.Bures(size, sqrtm_kw={'min_iterations': 100})
print('ott-jax', ott.__version__, 'in float64')
for name, cost in (('as it is', plain), ('100 iterations', longer)):
  print(f'{name}: to itself {float(cost(x, x)):.6f}, to another '
        f'{float(cost(x, y)):.6f} (exact: 0, {exact:.6f})')
assert float(plain(x, x)) > 0.1 and float(plain(x, y)) > exact + 0.01
assert abs(float(longer(x, x))) < 1e-6
assert abs(float(longer(x, y)) - exact) < 1e-6
PY
