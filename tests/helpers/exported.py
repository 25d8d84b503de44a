"""What the tests of exported generators share."""

import importlib.util
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.game.state import Average

needs_onnx = pytest.mark.skipif(not importlib.util.find_spec('jax2onnx'),
                                reason='jax2onnx is not installed')


def session(data):
  """Of the bytes of a model, or its path."""
  import onnxruntime
  return onnxruntime.InferenceSession(
      data if isinstance(data, bytes) else os.fspath(data),
      providers=['CPUExecutionProvider'])


def some_average(gen, size):
  """Weights of the usual sizes, and statistics, none of them trivial."""
  rng = np.random.default_rng(0)

  def value(path, leaf):
    name, x = path[-1].key, rng.normal(size=leaf.shape)
    if name in ('kernel', 'embedding'):
      return np.float32(1.4 * x / np.sqrt(np.prod(leaf.shape[:-1])))
    if name == 'u':
      return np.float32(x)
    one = name in ('scale', 'var', 'taken', 'gamma')
    return np.float32((0.3 if name == 'weight' else float(one)) + 0.1 * x)

  shapes = jax.eval_shape(gen.init, jax.random.key(0), jnp.zeros((2, size)),
                          jnp.zeros(2, jnp.int32))
  return Average(*jax.device_put(
      jax.tree_util.tree_map_with_path(value, shapes)))


def started_average(gen, size):
  """Weights as they start, and some noise on all: those of 0 count, too."""
  rng = np.random.default_rng(0)
  start = jax.jit(gen.init)(jax.random.key(0), jnp.zeros((2, size)),
                            jnp.zeros(2, jnp.int32))
  return Average(*jax.device_put(jax.tree.map(lambda x: np.float32(
      x + 0.1 * rng.normal(size=x.shape)), start)))
