"""Calls of one layer, from given parameters."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

KEY = random.key(0)
RNG = np.random.default_rng(0)


def images(*shape):
  return np.float32(RNG.normal(1.0, 3.0, shape))


def run(module, *args, params=None, train=False, **kwargs):
  """(output, variables after) of one compiled call, from given parameters."""
  def call(*args):
    variables = dict(module.init(KEY, *args, **kwargs))
    if params is not None:
      variables['params'] = jax.tree.map(jnp.asarray, params)
    mutable = [k for k in variables if k != 'params'] if train else False
    out = module.apply(variables, *args, mutable=mutable, **kwargs)
    return (out[0], {**variables, **out[1]}) if train else (out, variables)

  return jax.tree.map(np.asarray, jax.jit(call)(*args))


def standard(x, axes, epsilon=1e-5):
  x = np.float64(x)
  mean = x.mean(axes, keepdims=True)
  return (x - mean) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
