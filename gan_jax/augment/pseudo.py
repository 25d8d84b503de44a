"""Generated images among the real ones."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.augment.adaptive import adapted
from gan_jax.augment.base import Augmentation


def apa(*, target: float = 0.6, kimg: float = 500.0, p: float = 0.0,
        batch_size: int = 0, batch_mean: Callable = jnp.mean) -> Augmentation:
  """Adaptive pseudo augmentation.  Jiang et al. 2021, arXiv:2111.06849.

  In each update of the discriminator a real image is replaced by a generated
  one of the same label with probability p, for the loss and for all terms. p is
  adapted as in `ada`, by E sign D(real) of the mixed batch (the paper's
  lambda_r), with the same target and speed.

  Departures from the authors' code: the generated images are those of the
  update itself and not of the generator's last one, so that a replaced image
  stands on both sides; p is adapted at each update instead of every fourth and
  has an upper bound.

  Args: as of `ada`.

  Raises:
    ValueError: p outside [0, 1], target outside [-1, 1], kimg not positive.
  """
  def mix(real, fake, keys, memory):
    chosen = jax.vmap(random.uniform)(keys) < memory['p']
    chosen = chosen.reshape(-1, *(1,) * (real.ndim - 1))
    return jnp.where(chosen, fake.astype(real.dtype), real)

  return adapted(target, kimg, p, batch_size, batch_mean)._replace(mix=mix)
