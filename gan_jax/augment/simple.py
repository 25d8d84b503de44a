"""Mirroring, noise, and DiffAugment; independent for every image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.augment.base import Augmentation
from gan_jax.base.lookup import Number
from gan_jax.ops.images import check_images, each_image, random_flip
from gan_jax.ops.keys import folded


def horizontal_flip() -> Callable:
  """Mirrors an image left to right with probability 1/2."""
  def augment(images, keys):
    check_images(images, 'augment horizontal_flip')
    return random_flip(images, keys)

  return augment


def instance_noise(*, std: Number = 0.1) -> Augmentation:
  """Adds N(0, std^2) to every value.  Sonderby et al. 2017, 1610.04490.

  Section 3.2.1. A schedule of std that falls to 0 is the paper's annealing.
  """
  def apply(images, keys, memory):
    size = std(memory['step']) if callable(std) else std
    noise = jax.vmap(lambda key: random.normal(key, images.shape[1:]))(keys)
    return (images + size * noise).astype(images.dtype)

  return Augmentation(apply)


def translation(*, ratio: float = 0.125) -> Callable:
  """Shifts, filled with 0 (DiffAugment).  Zhao et al. 2020, arXiv:2006.10738.

  By up to ratio * size; the paper has 1/8.
  """
  def one(image, key):
    height, width = image.shape[:2]
    # Rounded half up, as by the authors.
    limits = jnp.array([int(n * ratio + 0.5) for n in (height, width)])
    shift = random.randint(key, (2,), -limits, limits + 1)
    rows, cols = jnp.arange(height) - shift[0], jnp.arange(width) - shift[1]
    moved = image[jnp.clip(rows, 0, height - 1)][
        :, jnp.clip(cols, 0, width - 1)]
    return jnp.where(_window((rows >= 0) & (rows < height),
                             (cols >= 0) & (cols < width)), moved, 0.0)

  return each_image(one, 'augment translation')


def colour() -> Callable:
  """Changes of colour (DiffAugment).  Zhao et al. 2020, arXiv:2006.10738.

  For images in [-1, 1]: x + U(-0.5, 0.5); distance to the mean over channels
  times U(0, 2); distance to the mean over the image times U(0.5, 1.5). Not
  clipped.
  """
  def one(image, key):
    brightness, saturation, contrast = random.uniform(
        key, (3,), minval=jnp.array([-0.5, 0.0, 0.5]),
        maxval=jnp.array([0.5, 2.0, 1.5])).astype(image.dtype)
    image = image + brightness
    grey = jnp.mean(image, axis=-1, keepdims=True)
    image = grey + saturation * (image - grey)
    mean = jnp.mean(image)
    return mean + contrast * (image - mean)

  return each_image(one, 'augment colour')


def cutout(*, ratio: float = 0.5) -> Callable:
  """Sets a window to 0 (DiffAugment).  Zhao et al. 2020, arXiv:2006.10738.

  Its sides are ratio * size; its centre is anywhere, so that the border may cut
  it.
  """
  def one(image, key):
    size = jnp.array([int(n * ratio + 0.5) for n in image.shape[:2]])
    # The centre of an even window lies between pixels: one more position.
    places = jnp.array(image.shape[:2]) + 1 - size % 2
    start = random.randint(key, (2,), 0, places) - size // 2
    stop = start + size
    window = _window(*((at >= start[i]) & (at < stop[i]) for i, at in enumerate(
        jnp.arange(n) for n in image.shape[:2])))
    return jnp.where(window, jnp.zeros_like(image), image)

  return each_image(one, 'augment cutout')


def _window(rows, cols):
  return (rows[:, None] & cols[None, :])[..., None]


_POLICIES = {'color': colour, 'translation': translation, 'cutout': cutout}


def diffaugment(*, policy: tuple = ('color', 'translation',
                                    'cutout')) -> Callable:
  """Several of DiffAugment in turn.  Zhao et al. 2020, arXiv:2006.10738.

  `policy` lists them in this order, with the paper's strengths.
  """
  unknown = [name for name in policy if name not in _POLICIES]
  if unknown or not policy:
    raise ValueError(f'policy {tuple(policy)} must be of {tuple(_POLICIES)}')
  functions = [_POLICIES[name]() for name in policy]

  def augment(images, keys):
    check_images(images, 'augment diffaugment')
    for i, function in enumerate(functions):
      images = function(images, folded(keys, i))
    return images

  return augment
