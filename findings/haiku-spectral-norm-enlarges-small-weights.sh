#!/usr/bin/env bash
# One would guess: hk.SpectralNorm gives a matrix of spectral norm 1, whatever the size
# of the weights (Miyato et al. 2018); its eps is "for numerical stability".
# What happens: eps=1e-4 is added to the squared length of both vectors of the power
# iteration, so that they are shorter than 1. Weights of norm s are given the norm
# 1 / (1 - eps / s^2): 1.01 at s=0.1, 1.33 at 0.02. From 0.01 down the vectors shrink
# from step to step, the estimate falls to 0, and the normalised matrix grows without
# bound: at 0.01 it is 48 after 20 steps and 1,000 after 500. eps=1e-12 is right.
# Who is hurt: whoever begins a critic's last layer near 0, or lets weight decay shrink
# the weights, which spectral norm should not see: the Lipschitz bound is gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q dm-haiku==0.0.17 jax==0.10.2 jaxlib==0.10.2 \
  numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PY'
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

weights = np.random.default_rng(0).normal(size=(64, 16))
weights /= np.linalg.norm(weights, 2)


def norms(scale, eps):
  """The spectral norm of the normalised weights, after 20 and 500 steps."""
  init, apply = hk.transform_with_state(lambda w: hk.SpectralNorm(eps)(w))
  small = jnp.asarray(scale * weights, jnp.float32)
  state, found = init(jax.random.key(0), small)[1], []
  step = jax.jit(lambda state: apply({}, state, None, small))
  for number in range(1, 501):
    normed, state = step(state)
    if number in (20, 500):
      normed = np.asarray(normed)
      found.append(float(np.linalg.norm(normed, 2))
                   if np.isfinite(normed).all() else np.inf)
  return found


print('dm-haiku', hk.__version__)
found = {}
for eps in (1e-4, 1e-12):
  for scale in (1, 0.1, 0.02, 0.01, 0.005):
    found[eps, scale] = norms(scale, eps)
    print(f'eps={eps:g}, weights of norm {scale}: {found[eps, scale][0]:.4g} after',
          f'20 steps, {found[eps, scale][1]:.4g} after 500')
for (eps, scale), (_, last) in found.items():
  if scale > eps ** 0.5:
    assert abs(last - 1 / (1 - eps / scale ** 2)) < 1e-3, (eps, scale)
assert found[1e-4, 0.01][0] > 10 and found[1e-4, 0.01][1] > 100
assert found[1e-4, 0.005][1] == np.inf
PY
