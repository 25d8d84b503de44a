"""Computed data sets, for mode coverage and benchmarks.

The same arguments give the same data in all versions: `pipeline.random_bits`.
"""

import math
from typing import Literal

import numpy as np

from gan_jax.base.errors import DataError
from gan_jax.base.examples import kind_of
from gan_jax.data.files import check_memory
from gan_jax.data.pipeline import random_bits
from gan_jax.data.prepare import Source, make_source
from gan_jax.data.sources import arrays

_BLOCK = 2048  # triples made at a time, which fit into the processor's cache


def ring(*, num_examples=50_000, modes=8, radius=1.0, std=0.01,
         seed=0) -> Source:
  """Gaussians on a circle, float32 [N, 2]; the label is the mode.

  Example i is of mode k = i % modes, at the angle 2 pi k / modes; `std` is per
  axis. Metz et al. 2017, https://arxiv.org/abs/1611.02163, with the constants
  of Srivastava et al. 2017 (VEEGAN, https://arxiv.org/abs/1705.07761), 4.1.
  """
  _at_least(1, modes=modes)
  # Not linspace(0, 2 pi, modes): its last point is its first.
  angle = 2 * math.pi * np.arange(modes) / modes
  centres = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
  return _gaussians(centres, num_examples, std, seed, f'ring{modes}')


def grid(*, num_examples=50_000, side=5, spacing=2.0, std=0.05,
         seed=0) -> Source:
  """Gaussians on a square lattice around 0, float32 [N, 2].

  Example i is of mode k = i % side^2, in column k // side (x) and row k % side
  (y), both upwards; `std` is per axis. Srivastava et al. 2017 (VEEGAN),
  https://arxiv.org/abs/1705.07761, 4.1: means at {-4, -2, 0, 2, 4}^2.
  """
  _at_least(1, side=side)
  line = spacing * (np.arange(side) - (side - 1) / 2)
  centres = np.stack([np.repeat(line, side), np.tile(line, side)], 1)
  return _gaussians(centres, num_examples, std, seed, f'grid{side}x{side}')


def stacked_mnist(*, num_examples=128_000,
                  digits: Literal['mnist10k', 'mnist'] = 'mnist10k',
                  folder='', seed=0) -> Source:
  """Three random digits as the channels of one image: 1000 modes.

  Metz et al. 2017, https://arxiv.org/abs/1611.02163, section 3.3.2. Uint8
  [N, 28, 28, 3]; the label is 100 a + 10 b + c for the digits a, b, c. Classes
  are
  as unequal as the digits: a KL of 0.0043 nats to uniform. The digits are those
  embedded, or the 60,000 for training of `mnist` in `folder`.
  """
  _at_least(1, num_examples=num_examples)
  if folder and digits == 'mnist10k':
    raise DataError(f"folder={folder!r} is read with digits='mnist' only")
  source = arrays.mnist10k() if digits == 'mnist10k' else arrays.mnist(
      folder=folder)
  digit = source.images[..., 0]
  shape = (num_examples, *digit.shape[1:], 3)
  check_memory(math.prod(shape), f'stacked_mnist: images {list(shape)}')
  chosen = _integers(num_examples * 3, len(digit), seed).reshape(-1, 3)
  images = np.empty(shape, np.uint8)
  for i in range(0, num_examples, _BLOCK):
    images[i:i + _BLOCK] = np.moveaxis(digit[chosen[i:i + _BLOCK]], 1, 3)
  labels = source.labels[chosen] @ np.array([100, 10, 1], np.int32)
  return make_source(images, labels, 1000, name=f'stacked_{source.name}',
                     licence=source.licence)


def noise(*, shape=(32, 32, 3), num_examples=2048, num_classes=0,
          seed=0) -> Source:
  """Noise, to measure speed, with random labels of `num_classes`, 0 for none.

  shape=(H, W, C) or (D, H, W, C): uniform uint8 images or volumes; (T, C):
  signals, uniform in [-1, 1], float32 [N, T, C]; (D,): vectors of N(0, 1),
  float32 [N, D].
  """
  _at_least(1, num_examples=num_examples)
  _at_least(0, num_classes=num_classes)
  if not 1 <= len(shape) <= 4 or not all(
      isinstance(n, int) and n > 0 for n in shape):
    raise DataError(f'shape={shape!r}: must be (size,), (time, channels), '
                    f'(height, width, channels) or (depth, height, width, '
                    f'channels), integers of 1 or more')
  size, kind = num_examples * math.prod(shape), kind_of(shape)
  units = (-1.0, 1.0) if kind == 'signals' else ()
  check_memory(size * {'vectors': 32, 'signals': 16}.get(kind, 1),
               f'noise: {size} values')
  if kind == 'vectors':
    values = _normal(size, seed).astype(np.float32)
  elif kind == 'signals':
    # 24 bits are what a float32 holds.
    values = ((_bits(size, seed) >> np.uint64(40)) * 2.0 ** -23 - 1.0).astype(
        np.float32)
  else:
    values = _bits(-(-size // 8), seed).astype('<u8').view(np.uint8)[:size]
  labels = _integers(num_examples, num_classes, seed, 1) if num_classes else ()
  return make_source(values.reshape(num_examples, *shape), labels, num_classes,
                     name='noise_' + 'x'.join(map(str, shape)), units=units)


def _gaussians(centres, count, std, seed, name):
  _at_least(1, num_examples=count)
  _at_least(0, std=std)
  labels = np.arange(count) % len(centres)
  points = centres[labels] + std * _normal(2 * count, seed).reshape(-1, 2)
  return make_source(points.astype(np.float32), labels, len(centres), name=name,
                     report={'centres': centres, 'std': std})


def _normal(count, seed):
  """N(0, 1), float64 [count]. Box & Muller 1958."""
  # (0, 1], so that the logarithm is finite.
  u = ((_bits(2 * count, seed) >> np.uint64(11)) + 1.0) * 2.0 ** -53
  return np.sqrt(-2.0 * np.log(u[:count])) * np.cos(2 * math.pi * u[count:])


def _integers(count, below, seed, stream=0):
  return (_bits(count, seed, stream) % np.uint64(below)).astype(np.int64)


def _bits(count, seed, stream=0):
  _at_least(0, seed=seed)
  return random_bits(count, seed, stream)


def _at_least(least, **given):
  for argument, value in given.items():
    if not value >= least:
      raise DataError(f'{argument}={value!r}: must be {least} or more')
