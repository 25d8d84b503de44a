"""A generator as a model of latents u ~ N(0, I), for what infers them.

Descent and Hamiltonian Monte Carlo want latents without borders or holes: each
prior of `latents` is a function z(u) of a standard normal u.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax import lax
from jax.scipy.special import erf, erfinv
from jax.tree_util import Partial

from gan_jax.base import lookup
from gan_jax.base.examples import kind_of
from gan_jax.game import sampling

_ROOT2 = 2.0 ** 0.5
# u of a z at the border of its prior would be infinite.
_INSIDE = 1.0 - 1e-6


class Decoder(NamedTuple):
  """A generator with its weights; its functions are pure.

  decode: (u [B, Z], label [B] or [B, L]) -> examples [B, ...], float32, in [0,
    1]; vectors as they are.
  latent: u [..., Z] -> z, as the generator takes it.
  normal: z -> u, the inverse; on a sphere, the u whose norm is that of z.
  size: Z.
  """

  decode: Partial
  latent: Partial
  normal: Partial
  size: int


def decoder_of(gen, average, latent: Mapping, size: int, image_range,
               shape) -> Decoder:
  """The decoder of an averaged generator.

  Args:
    gen: the generator, a `models.Model`.
    average: its weights and statistics.
    latent: spec of the prior.
    size: Z.
    image_range: of the generator.
    shape: of an example.

  Raises:
    ValueError: a prior that is no function of a normal one.
  """
  name = latent['name']
  if name not in _PRIORS:
    raise ValueError(f'latents of the prior {name} cannot be inferred; those '
                     f'of {", ".join(_PRIORS)} can')
  there, back = _PRIORS[name]
  spec = lookup.defaults('gan_jax.game.latents', name) | dict(latent)
  edge = spec.get('bound', 0.0)  # of those that have one
  low, high = (0.0, 1.0) if kind_of(shape) == 'vectors' else image_range
  to_latent = Partial(there, edge)
  # On the host: what infers runs on one device, wherever training ran.
  average = jax.tree.map(np.asarray, average)
  decode = Partial(partial(_decode, gen), average, to_latent, low, high - low)
  return Decoder(decode, to_latent, Partial(back, edge), size)


def _decode(gen, average, to_latent, low, width, u, label):
  x = sampling.generate(gen, average, to_latent(u), label)
  return (x.astype('float32') - low) / width


def _same(edge, u):
  del edge
  return u


def _on_sphere(edge, u):
  del edge
  return u * lax.rsqrt((u ** 2).mean(-1, keepdims=True) + 1e-8)


def _uniform(edge, u):
  """P(|u| < t) of a normal u is erf(t / sqrt 2)."""
  del edge
  return erf(u / _ROOT2)


def _from_uniform(edge, z):
  del edge
  return _ROOT2 * erfinv(z.clip(-_INSIDE, _INSIDE))


def _truncated(edge, u):
  return _ROOT2 * erfinv(erf(edge / _ROOT2) * erf(u / _ROOT2))


def _from_truncated(edge, z):
  return _ROOT2 * erfinv((erf(z / _ROOT2) / erf(edge / _ROOT2)).clip(
      -_INSIDE, _INSIDE))


_PRIORS = {'normal': (_same, _same), 'uniform': (_uniform, _from_uniform),
           'truncated_normal': (_truncated, _from_truncated),
           'sphere': (_on_sphere, _same)}
