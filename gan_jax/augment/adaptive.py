"""Augmentations with a probability p, which may adapt to the discriminator."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from gan_jax.augment.base import Augmentation
from gan_jax.base.lookup import Number, is_plain
from gan_jax.ops import images as ops


def ada(*, target: float = 0.6, kimg: float = 500.0, p: float = 0.0,
        noise: bool = False, cutout: bool = False, batch_size: int = 0,
        batch_mean: Callable = jnp.mean) -> Augmentation:
  """Adaptive augmentation (ADA).  Karras et al. 2020, arXiv:2006.06676, 3.

  `bgc` with a p that after each update of the discriminator becomes

    p += sign(r_t - target) * batch_size / (1000 kimg), r_t = E sign(D(real)),

  clipped to [0, 1]; D(real) are the logits of the augmented real images (eq.
  1), batch_size is global, and kimg > 0 the thousands of images in which p may
  go from 0 to 1. Departures: p is adapted at each update instead of every
  fourth, and has an upper bound.
  """
  operations = _operations('ada', noise, cutout)
  return _adapted(
      target, kimg, p, batch_size, batch_mean,
      lambda images, keys, memory: operations(images, keys, memory['p']))


def apa(*, target: float = 0.6, kimg: float = 500.0, p: float = 0.0,
        batch_size: int = 0, batch_mean: Callable = jnp.mean) -> Augmentation:
  """Adaptive pseudo augmentation (APA).  Jiang et al. 2021, arXiv:2111.06849.

  In each update of D a real image is replaced by a generated one of the same
  label with probability p, for the loss and all penalties. p is adapted as in
  `ada`, by E sign D(real) of the mixed batch (the paper's lambda_r).

  Departures from the authors' code: the generated images are those of the
  update itself and not of G's last one, so that a replaced image is on both
  sides; p is adapted at each update instead of every fourth and has an upper
  bound.
  """
  def mix(real, fake, keys, memory):
    chosen = jax.vmap(random.uniform)(keys) < memory['p']
    chosen = chosen.reshape(-1, *(1,) * (real.ndim - 1))
    return jnp.where(chosen, fake.astype(real.dtype), real)

  return _adapted(target, kimg, p, batch_size, batch_mean,
                  lambda images, keys, memory: images, mix)


def _adapted(target, kimg, p, batch_size, batch_mean, apply, mix=None):
  _check_probability(p)
  if is_plain(target) and not -1.0 <= target <= 1.0:
    raise ValueError(f'target {target} is not in [-1, 1]')
  if is_plain(kimg) and not kimg > 0.0:
    raise ValueError(f'kimg {kimg} is not positive')

  def remember(memory, real_logits, step):
    del step
    seen = batch_size or real_logits.shape[0]
    sign = batch_mean(jnp.sign(real_logits.astype(jnp.float32)))
    change = jnp.sign(sign - target) * (seen / (1000.0 * kimg))
    return {'p': jnp.clip(memory['p'] + change, 0.0, 1.0)}

  start = np.float32(p) if is_plain(p) else p
  return Augmentation(apply, {'p': start}, remember, mix)


def bgc(*, p: Number = 0.2, noise: bool = False,
        cutout: bool = False) -> Augmentation:
  """What `ada` does, with a given p.  Karras et al. 2020, arXiv:2006.06676.

  Every operation is applied to each image with probability p: the paper's best
  set (pixel blitting, geometry, colour) in its order and strengths,

    mirroring, rotation by multiples of 90 degrees, translation by whole pixels
    up to 1/8 of the size; isotropic scale 2^N(0, 0.2^2), rotation before and
    after anisotropic scale 2^N(0, 0.2^2), translation N(0, (1/8)^2) of the
    size; brightness N(0, 0.2^2), contrast 2^N(0, 0.5^2), luma flip, hue
    rotation, saturation 2^N(0, 1).

  Departures: bilinear interpolation instead of the low-pass filter (sym6) at
  twice the resolution, whose asymmetry shows in mirrored and turned images; no
  image-space filtering. Images are mirrored at the border. Hue and saturation
  need three channels; elsewhere luma flip changes the sign.

  Args:
    p: in [0, 1], or a schedule, clipped (R3GAN's rises, Huang et al. 2024,
      arXiv:2501.05441).
    noise: adds N(0, s^2) with s half-normal of 0.1, as a further operation.
    cutout: sets a window of half the size to 0, as a further operation.
  """
  _check_probability(p)
  operations = _operations('bgc', noise, cutout)

  def apply(images, keys, memory):
    now = jnp.clip(p(memory['step']), 0.0, 1.0) if callable(p) else p
    return operations(images, keys, now)

  return Augmentation(apply)


def _check_probability(p):
  if is_plain(p) and not 0.0 <= p <= 1.0:
    raise ValueError(f'p {p} is not in [0, 1]')


def _operations(name, noise, cutout):
  def one(image, key, p):
    numbers, of_noise = random.split(key)
    done, u, n = _draw(numbers, p)
    out = _geometry(image.astype(jnp.float32), done[:8], u[:6], n[:4])
    out = _colour(out, done[8:13], u[6:8], n[4:7])
    if noise:
      std = jnp.where(done[13], 0.1 * jnp.abs(n[7]), 0.0)
      out += std * random.normal(of_noise, out.shape)
    if cutout:
      out = _cutout(out, done[14], u[8:10])
    return out.astype(image.dtype)

  return lambda images, keys, p: ops.each_image(
      partial(one, p=p), f'augment {name}')(images, keys)


def _draw(key, p):
  """(operations applied [15], U(-1, 1) [10], N(0, 1) [8]), drawn at once."""
  uniforms, normals = random.split(key)
  u = random.uniform(uniforms, (25,))
  # Neither rotation happens with probability 1 - p.
  half = 1.0 - jnp.sqrt(1.0 - p)
  chance = jnp.stack([half if i in (4, 6) else p for i in range(15)])
  return u[:15] < chance, 2.0 * u[15:] - 1.0, random.normal(normals, (8,))


def _geometry(image, done, u, n):
  size = jnp.array(image.shape[:2], jnp.float32)
  flip = jnp.where(done[0] & (u[0] < 0.0), -1.0, 1.0)
  quarter = jnp.where(done[1], jnp.floor(2.0 * u[1] + 2.0), 0.0)
  # Exact numbers, so that pixels are copied.
  cos, sin = (jnp.array(v)[quarter.astype(jnp.int32)] for v in
              ([1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]))
  whole = jnp.where(done[2], jnp.round(0.125 * u[2:4] * size), 0.0)
  scale = jnp.where(done[3], jnp.exp2(0.2 * n[0]), 1.0)
  before = jnp.where(done[4], jnp.pi * u[4], 0.0)
  stretch = jnp.where(done[5], jnp.exp2(0.2 * n[1]), 1.0)
  after = jnp.where(done[6], jnp.pi * u[5], 0.0)
  shift = jnp.where(done[7], 0.125 * n[2:4] * size, 0.0)

  return ops.warp(image, *ops.chain(
      ops.diagonal(1.0, flip), ops.rotation(cos, sin), whole,
      ops.diagonal(scale, scale),
      ops.rotation(jnp.cos(before), jnp.sin(before)),
      ops.diagonal(1.0 / stretch, stretch),
      ops.rotation(jnp.cos(after), jnp.sin(after)), shift))


def _colour(image, done, u, n):
  brightness = jnp.where(done[0], 0.2 * n[0], 0.0)
  contrast = jnp.where(done[1], jnp.exp2(0.5 * n[1]), 1.0)
  flip = jnp.where(done[2] & (u[0] < 0.0), -1.0, 1.0)
  image = contrast * (image + brightness)
  if image.shape[-1] != 3:
    return flip * image
  # Luma along the grey axis, chroma across it. Images without an operation
  # are returned unrounded.
  angle, saturation = jnp.pi * u[1], jnp.exp2(n[2])
  luma = jnp.mean(image, axis=-1, keepdims=True)
  chroma = image - luma
  # The cross product with the axis (1, 1, 1) / sqrt(3).
  across = (jnp.roll(chroma, 1, -1) - jnp.roll(chroma, -1, -1)) / jnp.sqrt(3.0)
  turned = jnp.cos(angle) * chroma + jnp.sin(angle) * across
  chroma = jnp.where(done[3], turned, chroma)
  chroma = jnp.where(done[4], saturation * chroma, chroma)
  changed = flip * luma + chroma
  return jnp.where((flip < 0.0) | done[3] | done[4], changed, image)


def _cutout(image, done, u):
  """Zeroes half the height and width around (1 + u) / 2 of the size."""
  near = [jnp.abs((jnp.arange(n) + 0.5) / n - 0.5 * (1.0 + u[i])) < 0.25
          for i, n in enumerate(image.shape[:2])]
  window = near[0][:, None] & near[1][None, :] & done
  return jnp.where(window[..., None], 0.0, image)
