"""The players as pure functions, of latents u ~ N(0, I), for what infers.

Descent and Hamiltonian Monte Carlo want latents without borders or holes: each
prior of `latents` is a function z(u) of a standard normal u.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import erf, erfinv
from jax.tree_util import Partial

from gan_jax.base import lookup
from gan_jax.base.examples import kind_of
from gan_jax.game import sampling
from gan_jax.game.state import pack

# JAX compiles a program once only for one and the same partial function.
_bound = cache(partial)
_ROOT2 = 2.0 ** 0.5
# u of a z at the border of its prior would be infinite.
_INSIDE = 1.0 - 1e-6


class Decoder(NamedTuple):
  """A generator with its weights; its functions are pure.

  decode: (u [B, Z], label [B] or [B, L]) -> examples [B, ...], float32, in [0,
    1]; vectors as they are.
  encode: (examples [B, ...], label) -> u [B, Z], the mean of the encoder; None
    of a generator without one.
  latent: u [..., Z] -> z, as the generator takes it.
  size: Z.
  posterior: (examples, label) -> mean and log variance of u, [B, Z] each; None
    without an encoder, and of a prior that is not normal itself.
  """

  decode: Partial
  encode: Partial | None
  latent: Partial
  size: int
  posterior: Partial | None = None


class Critic(NamedTuple):
  """A discriminator with its weights; its functions are pure.

  An example is judged as if it were alone: packs hold copies of it.

  logits: (examples [B, ...] as of a `Decoder`, label) -> [B], higher for what
    looks real; energies with their sign turned.
  features: the same -> [B, F].
  """

  logits: Partial
  features: Partial


def decoder_of(game, average, latent: Mapping, image_range, shape) -> Decoder:
  """The decoder of a game's averaged generator.

  Args:
    game: a `game.rules.Game`.
    average: its weights and statistics.
    latent: spec of the prior.
    image_range: of the generator.
    shape: of an example.

  Raises:
    ValueError: a prior that is no function of a normal one.
  """
  name = latent['name']
  if name not in _PRIORS:
    raise ValueError(f'latents of the prior {name} cannot be inferred; those '
                     f'of {", ".join(_PRIORS)} can')
  spec = lookup.defaults('gan_jax.game.latents', name) | dict(latent)
  # The truncated one alone has a parameter.
  bounds = [spec['bound']] if 'bound' in spec else []
  to_latent, to_normal = (Partial(way, *bounds) for way in _PRIORS[name])
  average, scale = _on_host(average), _scale(image_range, shape)
  encode = game.gen.encode and Partial(
      _bound(_encode, game.gen), average, to_normal, scale)
  decode = Partial(_bound(_decode, game.gen), average, to_latent, scale)
  size, = sampling.latent_shape(game.latent)
  posterior = encode and name == 'normal' and Partial(
      _bound(_posterior, game.gen), average, scale)
  return Decoder(decode, encode, to_latent, size, posterior or None)


def critic_of(game, state, image_range, shape) -> Critic | None:
  """The discriminator of a `game.state.TrainState`.

  None of a game without one, and of one whose loss trains no logits.
  """
  if game.disc is None or game.loss.inputs != 'logits' or (
      game.loss.needs == 'nothing'):
    return None
  parts = (_on_host((state.disc.params, state.disc.stats)),
           _on_host(state.ema), _scale(image_range, shape))
  sign = -1.0 if game.loss.needs == 'autoencoder' else 1.0  # of energies
  how = game.disc, game.gen, game.joint, game.packing, game.judge, sign
  return Critic(*(Partial(_bound(_judge, name, *how), *parts)
                  for name in ('logits', 'features')))


def _judge(name, disc, gen, joint, packing, judge, sign, net, average, scale,
           x, label):
  x = scale[0] + scale[1] * x
  if joint != 'none':  # Judged with the code of the encoder.
    label = gen.encode(average.params, average.stats, x, label,
                       train=False).mean
  x = pack(jnp.repeat(x, packing, axis=0), packing)
  out = disc.apply(*net, x, label, train=False)[0]
  if judge:
    out = out._replace(logits=judge(out))
  found = getattr(out, name).astype(jnp.float32)
  return sign * found if name == 'logits' else found.reshape(len(x), -1)


def _decode(gen, average, to_latent, scale, u, label):
  x = sampling.generate(gen, average, to_latent(u), label)
  return (x.astype(jnp.float32) - scale[0]) / scale[1]


def _encode(gen, average, to_normal, scale, x, label):
  return to_normal(gen.encode(average.params, average.stats,
                              scale[0] + scale[1] * x, label, train=False).mean)


def _posterior(gen, average, scale, x, label):
  return gen.encode(average.params, average.stats, scale[0] + scale[1] * x,
                    label, train=False)


def _scale(image_range, shape):
  """(what 0 stands for, width of what [0, 1] stands for)."""
  if kind_of(shape) == 'vectors':
    return 0.0, 1.0
  return image_range[0], image_range[1] - image_range[0]


def _on_host(tree):
  """What infers runs on one device, wherever training ran."""
  return jax.tree.map(np.asarray, tree)


def _same(u):
  return u


def _on_sphere(u):
  return u * lax.rsqrt((u ** 2).mean(-1, keepdims=True) + 1e-8)


def _uniform(u):
  """P(|u| < t) of a normal u is erf(t / sqrt 2)."""
  return erf(u / _ROOT2)


def _from_uniform(z):
  return _ROOT2 * erfinv(z.clip(-_INSIDE, _INSIDE))


def _truncated(bound, u):
  return _ROOT2 * erfinv(erf(bound / _ROOT2) * erf(u / _ROOT2))


def _from_truncated(bound, z):
  return _ROOT2 * erfinv((erf(z / _ROOT2) / erf(bound / _ROOT2)).clip(
      -_INSIDE, _INSIDE))


_PRIORS = {'normal': (_same, _same), 'uniform': (_uniform, _from_uniform),
           'truncated_normal': (_truncated, _from_truncated),
           'sphere': (_on_sphere, _same)}
