"""Weights for Inception that no one has trained, and images for it."""

import functools

import numpy as np

from gan_jax.extractors import inception_v3


@functools.cache
def weights():
  """Random weights, such that activations neither vanish nor explode."""
  draw, found = np.random.RandomState(0), {}
  for name, (shape, *_) in inception_v3.weights_table().items():
    values = draw.random_sample(shape)
    if name.endswith('conv.weight'):
      values = (2 * values - 1) * np.sqrt(6 / np.prod(shape[1:]))
    elif name == 'fc.weight':
      values = (2 * values - 1) / 16
    elif name.endswith(('bn.bias', 'running_mean')):
      values = values - 0.5
    else:
      values = values + 0.5
    found[name] = values.astype(np.float32)
  return found


def noise(size):
  return np.random.RandomState(1).randint(0, 256, size).astype(np.uint8)
