#!/usr/bin/env bash
# One would guess: nnx.SpectralNorm normalises the kernel for a call and keeps the
# kernel that is trained, as the paper (Miyato et al. 2018), PyTorch and
# flax.linen's SpectralNorm do.
# What happens: each call writes the normalised kernel over the parameter, also one
# with update_stats=False. The gradient is the one at the kernel before the call,
# but the optimiser adds it to the one after: from a kernel of norm 8 the first step
# is 8 times as long as linen's. nnx.WeightNorm does the same.
# Who is hurt: whoever trains a discriminator by it, or ports one: an evaluation
# between two steps changes the weights, their average and the next step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 flax==0.12.8
"$folder/venv/bin/python" - <<'PY'
import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

x = jax.random.normal(jax.random.key(0), (16, 6))
kernel = jax.random.normal(jax.random.key(1), (6, 4))
kernel = 8 * kernel / jnp.linalg.norm(kernel, 2)
rate = 0.1


def norm(kernel):
  return float(jnp.linalg.norm(kernel, 2))


def with_linen():
  """The stored kernel after a call, and after a step of SGD."""
  layer = linen.SpectralNorm(linen.Dense(4, use_bias=False), n_steps=50)
  state = layer.init(jax.random.key(2), x, update_stats=False)
  state = {**state, 'params': jax.tree.map(lambda _: kernel, state['params'])}

  def loss(params):
    y, _ = layer.apply({**state, 'params': params}, x, update_stats=True,
                       mutable=['batch_stats'])
    return (y ** 3).mean()

  layer.apply(state, x, update_stats=False)
  slope = jax.tree.leaves(jax.grad(loss)(state['params']))[0]
  return jax.tree.leaves(state['params'])[0], kernel - rate * slope


def with_nnx():
  dense = nnx.Linear(6, 4, use_bias=False, rngs=nnx.Rngs(0))
  dense.kernel[...] = kernel
  layer = nnx.SpectralNorm(dense, n_steps=50, rngs=nnx.Rngs(1))
  layer(x, update_stats=False)
  called = jnp.array(dense.kernel[...])
  dense.kernel[...] = kernel
  slope = nnx.grad(lambda m: (m(x, update_stats=True) ** 3).mean())(layer)
  slope = slope['layer_instance']['kernel'][...]
  return called, dense.kernel[...] - rate * slope


print('flax', flax.__version__)
moved = {}
for name, (called, stepped) in (('linen', with_linen()), ('nnx', with_nnx())):
  moved[name] = norm(stepped / norm(stepped) - kernel / 8)
  print(f'{name}: a kernel of norm 8 has the norm {norm(called):.2f} after a call,'
        f' and a step turns it by {moved[name]:.4f}')
assert np.isclose(norm(with_linen()[0]), 8) and np.isclose(norm(with_nnx()[0]), 1)
assert 6 < moved['nnx'] / moved['linen'] < 10
PY
