"""Noise around a decoder's image: p(x | u), in nats.

Images are in [0, 1], as in the literature on densities of digits: another scale
shifts every log-density of a Gaussian by D log(scale).
"""

from functools import cache, partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import random
from jax.tree_util import Partial

from gan_jax.ops import likelihoods


class Likelihood(NamedTuple):
  """A family of p(x | mean), with its parameters.

  log_prob: (x [B, ...], mean [B, ...]) -> [B], nats.
  draw: (key, mean [...]) -> x [...].
  """

  log_prob: Partial
  draw: Partial


@cache  # JAX compiles a program once only for one and the same function.
def gaussian(sigma: float) -> Likelihood:
  """Noise of one width, x = mean + sigma eps; sigma is in the units of x.

  Raises:
    ValueError: sigma is not above 0.
  """
  if not sigma > 0:
    raise ValueError(f'sigma={sigma}: must be above 0')
  return Likelihood(Partial(partial(likelihoods.gaussian, sigma=float(sigma))),
                    Partial(partial(_add_noise, float(sigma))))


def _add_noise(sigma, key, mean):
  return mean + sigma * random.normal(key, mean.shape)


def bernoulli() -> Likelihood:
  """Pixels of 0 or 1, of which 1 has the probability `mean`."""
  return Likelihood(Partial(likelihoods.bernoulli), Partial(flip_coins))


def flip_coins(key, mean):
  """Pixels of 0 or 1 of which 1 has the probability `mean`, float32."""
  return random.bernoulli(key, mean).astype(jnp.float32)
