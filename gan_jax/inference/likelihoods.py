"""Noise around a decoder's image: p(x | u), in nats.

Images are in [0, 1], as in the literature on densities of digits: another scale
shifts every log-density of a Gaussian by D log(scale).
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import random
from jax.tree_util import Partial

# Of a probability of 0 or 1: a saturated pixel would have a density of 0.
_LEAST = 1e-6


class Likelihood(NamedTuple):
  """A family of p(x | mean), with its parameters.

  log_prob: (x [...], mean [...]) -> [], the log-density of one example.
  draw: (key, mean [...]) -> x [...].
  """

  log_prob: Partial
  draw: Partial


def gaussian(sigma: float) -> Likelihood:
  """Noise of one width, x = mean + sigma eps; sigma is in the units of x.

  log p = -|x - mean|^2 / 2 sigma^2 - D log(sigma sqrt(2 pi)).

  Raises:
    ValueError: sigma is not above 0.
  """
  if not sigma > 0:
    raise ValueError(f'sigma={sigma}: must be above 0')
  sigma = jnp.float32(sigma)
  return Likelihood(Partial(_gaussian, sigma), Partial(_add_noise, sigma))


def _gaussian(sigma, x, mean):
  return (-jnp.sum((x - mean) ** 2) / (2.0 * sigma ** 2)
          - x.size * (jnp.log(sigma) + 0.5 * math.log(2.0 * math.pi)))


def _add_noise(sigma, key, mean):
  return mean + sigma * random.normal(key, mean.shape)


def bernoulli() -> Likelihood:
  """Pixels of 0 or 1, of which 1 has the probability `mean`.

  log p = sum x log(mean) + (1 - x) log(1 - mean), with the mean kept 1e-6 away
  from 0 and 1.
  """
  return Likelihood(Partial(_bernoulli), Partial(_flip_coins))


def _bernoulli(x, mean):
  mean = jnp.clip(mean, _LEAST, 1.0 - _LEAST)
  return jnp.sum(x * jnp.log(mean) + (1.0 - x) * jnp.log1p(-mean))


def _flip_coins(key, mean):
  return random.bernoulli(key, mean).astype(jnp.float32)
