"""Computed data sets, for mode coverage, benchmarks, signals and volumes.

The same arguments give the same data in all versions: `pipeline.random_bits`.
"""

import math
from typing import Literal

import numpy as np

from gan_jax.base.errors import ArgumentError
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
  axis. Metz et al. 2017, https://arxiv.org/abs/1611.02163; Srivastava et al.
  2017 (VEEGAN), https://arxiv.org/abs/1705.07761, 5.1; radius and std are those
  of PacGAN's code, fjxmlzn/PacGAN.
  """
  _check_gaussians(num_examples, std, seed, modes=modes)
  # Not linspace(0, 2 pi, modes): its last point is its first.
  angle = 2 * math.pi * np.arange(modes) / modes
  centres = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
  return _gaussians(centres, num_examples, std, seed, f'ring{modes}')


def grid(*, num_examples=50_000, side=5, spacing=2.0, std=0.05,
         seed=0) -> Source:
  """Gaussians on a square lattice around 0, float32 [N, 2].

  Example i is of mode k = i % side^2, in column k // side (x) and row k % side
  (y), both upwards; `std` is per axis. Srivastava et al. 2017 (VEEGAN),
  https://arxiv.org/abs/1705.07761, 5.1; in PacGAN's code, fjxmlzn/PacGAN, means
  at {-4, -2, 0, 2, 4}^2 and this std.
  """
  _check_gaussians(num_examples, std, seed, side=side)
  line = spacing * (np.arange(side) - (side - 1) / 2)
  centres = np.stack([np.repeat(line, side), np.tile(line, side)], 1)
  return _gaussians(centres, num_examples, std, seed, f'grid{side}x{side}')


def stacked_mnist(*, num_examples=128_000,
                  digits: Literal['mnist10k', 'mnist'] = 'mnist10k',
                  folder='', seed=0) -> Source:
  """Three random digits as the channels of one image: 1000 modes.

  Metz et al. 2017, https://arxiv.org/abs/1611.02163, section 3.3.1. Uint8
  [N, 28, 28, 3]; the label is 100 a + 10 b + c for the digits a, b, c. Classes
  are as unequal as the digits: a KL of 0.0043 nats to uniform. The digits are
  those embedded, or the 60,000 for training of `mnist` in `folder`.
  """
  wrong = _below(1, num_examples=num_examples) + _below(0, seed=seed)
  if folder and digits == 'mnist10k':
    wrong.append(ArgumentError('folder', folder,
                               "is read with digits='mnist' only"))
  _refuse(wrong)
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
  wrong = _below(1, num_examples=num_examples) + _below(
      0, num_classes=num_classes, seed=seed)
  if not 1 <= len(shape) <= 4 or not all(
      isinstance(n, int) and n > 0 for n in shape):
    wrong.append(ArgumentError('shape', shape, (
        'must be (size,), (time, channels), (height, width, channels) or '
        '(depth, height, width, channels), integers of 1 or more')))
  _refuse(wrong)
  size, kind = num_examples * math.prod(shape), kind_of(shape)
  units = (-1.0, 1.0) if kind == 'signals' else ()
  check_memory(size * {'vectors': 32, 'signals': 16}.get(kind, 1),
               f'noise: {size} values')
  if kind == 'vectors':
    values = _normal(size, seed).astype(np.float32)
  elif kind == 'signals':
    # 24 bits are what a float32 holds.
    bits = random_bits(size, seed, 0) >> np.uint64(40)
    values = (bits * 2.0 ** -23 - 1.0).astype(np.float32)
  else:
    bits = random_bits(-(-size // 8), seed, 0).astype('<u8')
    values = bits.view(np.uint8)[:size]
  labels = _integers(num_examples, num_classes, seed, 1) if num_classes else ()
  return make_source(values.reshape(num_examples, *shape), labels, num_classes,
                     name='noise_' + 'x'.join(map(str, shape)), units=units)


def tones(*, num_examples=1024, length=16_384,
          pitches: tuple[float, ...] = (220.0, 440.0, 880.0), rate=16_000.0,
          seed=0) -> Source:
  """Struck tones, signals float32 [N, T, 1] in [-1, 1]; the label is the pitch.

  Example i is of pitch k = i % len(pitches), in Hz. With the time t in seconds
  it is a (1 - exp(-t / 0.004)) exp(-t / d) sin(2 pi (pitch t + phase)), 0
  before t = 0, which is in the first eighth of the signal; a is in 0.5 .. 1, d
  in 0.1 .. 0.5 of the signal's duration, the phase any.

  Raises:
    ArgumentError: a pitch that is not between 0 and half the rate.
  """
  wrong = _below(1, num_examples=num_examples, length=length) + _below(
      0, seed=seed)
  if not pitches or not all(0 < pitch < rate / 2 for pitch in pitches):
    wrong.append(ArgumentError('pitches', pitches, (
        f'must be above 0 Hz and below half the rate, {rate / 2:g} Hz')))
  _refuse(wrong)
  check_memory(4 * num_examples * length, f'tones of {length} samples')
  labels = np.arange(num_examples) % len(pitches)
  start, loud, decay, phase = _uniform(4 * num_examples, seed).reshape(
      4, num_examples, 1)
  signals = np.empty((num_examples, length, 1), np.float32)
  duration = length / rate
  for i in range(0, num_examples, _BLOCK // 16):
    part = slice(i, i + _BLOCK // 16)
    t = np.arange(length) / rate - start[part] * duration / 8
    since = np.maximum(t, 0)
    envelope = (0.5 + 0.5 * loud[part]) * -np.expm1(-since / 0.004) * np.exp(
        -since / (duration * (0.1 + 0.4 * decay[part])))
    pitch = np.array(pitches)[labels[part], None]
    signals[part, :, 0] = envelope * np.sin(
        2 * math.pi * (pitch * t + phase[part]))
  return make_source(signals, labels, len(pitches), name=f'tones{len(pitches)}',
                     class_names=tuple(f'{pitch:g} Hz' for pitch in pitches),
                     units=(-1.0, 1.0), rate=float(rate))


def solids(*, num_examples=1024, side=28, seed=0) -> Source:
  """Balls, cubes and rings, volumes uint8 [N, side, side, side, 1].

  Example i is of kind i % 3, white on black with a border of one voxel in
  grey. In units of the side, its radius, half its edge or the outer radius of
  the ring is r in 0.2 .. 0.35, its centre anywhere that keeps all of it inside;
  the ring's axis is one of the three, its tube has the radius 0.3 r.
  """
  _refuse(_below(1, num_examples=num_examples) + _below(8, side=side)
          + _below(0, seed=seed))
  check_memory(num_examples * side ** 3, f'solids of {side}^3')
  labels = np.arange(num_examples) % 3
  drawn = _uniform(5 * num_examples, seed).reshape(num_examples, 5)
  voxels = np.empty((num_examples, *(side,) * 3, 1), np.uint8)
  line = (np.arange(side) + 0.5) / side
  axes = np.meshgrid(line, line, line, indexing='ij', sparse=True)
  for i, (radius, axis, *centre) in enumerate(drawn):
    radius = 0.2 + 0.15 * radius
    place = [radius + (1 - 2 * radius) * c for c in centre]
    parts = [x - at for x, at in zip(axes, place, strict=True)]
    a, b, c = parts[-int(3 * axis):] + parts[:-int(3 * axis)]
    if labels[i] == 0:
      outside = np.sqrt(a ** 2 + b ** 2 + c ** 2) - radius
    elif labels[i] == 1:
      outside = np.maximum(np.maximum(abs(a), abs(b)), abs(c)) - radius
    else:
      around = np.hypot(b, c) - 0.7 * radius
      outside = np.hypot(around, a) - 0.3 * radius
    # The share of a voxel that is inside, by its distance to the surface.
    voxels[i, ..., 0] = np.rint(255 * np.clip(0.5 - outside * side, 0, 1))
  return make_source(voxels, labels, 3, name=f'solids{side}',
                     class_names=('ball', 'cube', 'ring'))


def _gaussians(centres, count, std, seed, name):
  labels = np.arange(count) % len(centres)
  points = centres[labels] + std * _normal(2 * count, seed).reshape(-1, 2)
  return make_source(points.astype(np.float32), labels, len(centres), name=name,
                     report={'centres': centres, 'std': std})


def _normal(count, seed):
  """N(0, 1), float64 [count]. Box & Muller 1958."""
  # In (0, 1], so that the logarithm is finite.
  u = _uniform(2 * count, seed) + 2.0 ** -53
  return np.sqrt(-2.0 * np.log(u[:count])) * np.cos(2 * math.pi * u[count:])


def _uniform(count, seed):
  """Uniform in [0, 1), float64 [count]."""
  return (random_bits(count, seed, 0) >> np.uint64(11)) * 2.0 ** -53


def _integers(count, below, seed, stream=0):
  bits = random_bits(count, seed, stream)
  return (bits % np.uint64(below)).astype(np.int64)


def _check_gaussians(num_examples, std, seed, **numbers):
  _refuse(_below(1, **numbers, num_examples=num_examples)
          + _below(0, std=std, seed=seed))


def _below(least, **given) -> list[ArgumentError]:
  """Of those arguments that are below the least value, or no number."""
  return [ArgumentError(argument, value, f'must be {least} or more')
          for argument, value in given.items() if not value >= least]


def _refuse(wrong):
  """Raises all of the errors, if there are any, as one."""
  if wrong:
    first, *others = wrong
    raise ArgumentError(*first.args, *others)
