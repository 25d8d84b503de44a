"""Inception against published programs, and files of weights that lie.

The golden numbers are those of pytorch-fid 0.3.0 (blocks, resizer 'pytorch'),
torch-fidelity 0.4.0 ('tf1') and clean-fid 0.1.35 ('clean') with torch 2.13, for
the random weights below.
"""

import numpy as np
import pytest

from gan_jax.extractors import inception_net


def weights():
  """Random weights, such that activations neither vanish nor explode."""
  draw, found = np.random.RandomState(0), {}
  for name, shape in inception_net.shapes().items():
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


def summary(x):
  """Two numbers that any change of [B, H, W, C] moves: size, and a direction."""
  direction = np.random.RandomState(2).random_sample(x.shape) - 0.5
  return np.sqrt(np.mean(x ** 2)), np.vdot(x, direction) / np.sqrt(x.size)
