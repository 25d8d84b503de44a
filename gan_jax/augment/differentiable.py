"""DiffAugment.  Zhao et al. 2020, https://arxiv.org/abs/2006.10738.

Each is drawn anew for every image, always: there is no probability.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.ops.images import check_images


def translation(*, ratio: float = 0.125) -> Callable:
  """Shifts by up to ratio * size, filling with 0.  DiffAugment.

  Zhao et al. 2020, arXiv:2006.10738; 1/8 is their value.
  """
  def augment(images, keys):
    check_images(images, 'translation')
    height, width = images.shape[1:3]
    # As the authors round: 2.5 pixels are 3, not the even number next to it.
    limits = jnp.array([int(n * ratio + 0.5) for n in (height, width)])

    def one(image, key):
      shift = random.randint(key, (2,), -limits, limits + 1)
      rows = jnp.arange(height) - shift[0]
      cols = jnp.arange(width) - shift[1]
      inside = (((rows >= 0) & (rows < height))[:, None]
                & ((cols >= 0) & (cols < width))[None, :])
      moved = image[jnp.clip(rows, 0, height - 1)][
          :, jnp.clip(cols, 0, width - 1)]
      return jnp.where(inside[..., None], moved, 0.0)

    return jax.vmap(one)(images, keys)

  return augment


def colour() -> Callable:
  """Brightness, saturation and contrast of each image.  DiffAugment.

  Zhao et al. 2020, arXiv:2006.10738, for images in [-1, 1]: x + U(-0.5, 0.5);
  distance to the mean over channels times U(0, 2), which leaves grey images as
  they are; distance to the mean over all of the image times U(0.5, 1.5). Values
  may leave the range: nothing is cut.
  """
  def augment(images, keys):
    check_images(images, 'colour')

    def one(image, key):
      brightness, saturation, contrast = random.uniform(
          key, (3,), minval=jnp.array([-0.5, 0.0, 0.5]),
          maxval=jnp.array([0.5, 2.0, 1.5])).astype(image.dtype)
      image = image + brightness
      grey = jnp.mean(image, axis=-1, keepdims=True)
      image = grey + saturation * (image - grey)
      mean = jnp.mean(image)
      return mean + contrast * (image - mean)

    return jax.vmap(one)(images, keys)

  return augment


def cutout(*, ratio: float = 0.5) -> Callable:
  """Sets a window of ratio * size to 0.  DiffAugment.

  Zhao et al. 2020, arXiv:2006.10738. Its centre is anywhere in the image, so
  that the border may cut the window.

  Args:
    ratio: height and width of the window, in heights and widths of the image.
  """
  def augment(images, keys):
    check_images(images, 'cutout')

    def one(image, key):
      size = jnp.array([int(n * ratio + 0.5) for n in image.shape[:2]])
      # An even window is centred between pixels, where there is one place more.
      places = jnp.array(image.shape[:2]) + 1 - size % 2
      start = random.randint(key, (2,), 0, places) - size // 2
      stop = start + size
      rows, cols = (jnp.arange(n) for n in image.shape[:2])
      window = (((rows >= start[0]) & (rows < stop[0]))[:, None]
                & ((cols >= start[1]) & (cols < stop[1]))[None, :])
      return jnp.where(window[..., None], jnp.zeros_like(image), image)

    return jax.vmap(one)(images, keys)

  return augment


_POLICIES = {'color': colour, 'translation': translation, 'cutout': cutout}


def diffaugment(*, policy: tuple = ('color', 'translation',
                                    'cutout')) -> Callable:
  """DiffAugment.  Zhao et al. 2020, arXiv:2006.10738, section 3.

  Args:
    policy: what is done, in this order: 'color', 'translation', 'cutout', each
      with the paper's strength.

  Raises:
    ValueError: none, or one that is not of these.
  """
  unknown = [name for name in policy if name not in _POLICIES]
  if unknown or not policy:
    raise ValueError(f'policy {tuple(policy)} must be of {tuple(_POLICIES)}')
  functions = [_POLICIES[name]() for name in policy]

  def augment(images, keys):
    check_images(images, 'diffaugment')
    for i, function in enumerate(functions):
      images = function(images, jax.vmap(
          lambda key, i=i: random.fold_in(key, i))(keys))
    return images

  return augment
