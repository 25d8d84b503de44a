"""How little an example looks like what a generator has learnt.

All scores are higher for outliers; `heat` says where.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from gan_jax.inference.inversion import each, search


class Outliers(NamedTuple):
  """Scores of N examples, and what they were compared with.

  score: [N].
  found: [N, ...], what the generator has nearest.
  heat: [N, ...], |x - found|, the mean over channels.
  """

  score: jax.Array
  found: jax.Array
  heat: jax.Array


def anogan(decode, features, x, label, key, *, size: int, weight: float = 0.1,
           **how) -> Outliers:
  """AnoGAN.  Schlegl et al. 2017, https://arxiv.org/abs/1703.05921.

  (1 - weight) sum |x - G(z)| + weight sum |f(x) - f(G(z))| at the z for which
  it is lowest, f the features of D before its last layer. The paper descends
  from one random z in 500 steps; here see `search`. Images are in [0, 1]; of
  those in [-1, 1] the first sum is twice as large, so that a weight of 0.053 is
  what 0.1 is there.

  Args:
    decode: see `gan_jax.inference`.
    features: a Partial (x [B, ...], label [B]) -> [B, F], or None.
    x: [N, ...].
    label: [N] or [N, L].
    key: PRNG key.
    size: Z.
    weight: lambda, of the features; 0.1 in the paper.
    **how: further arguments of `search`.
  """
  if features is None:
    loss, target = Partial(_absolute), x
  else:
    loss = Partial(_anogan, features, weight)
    target = x, each(features, x, label), label
  _, score, found = search(decode, loss, target, label, key, size=size, **how)
  return Outliers(score[:, 0], found[:, 0], _heat(x, found[:, 0]))


def _absolute(found, x):
  return jnp.sum(jnp.abs(x - found))


def _anogan(features, weight, found, target):
  x, wanted, label = target
  gap = jnp.abs(features(found[None], label[None])[0] - wanted)
  return (1 - weight) * _absolute(found, x) + weight * jnp.sum(gap)


@jax.jit
def f_anogan(decode, encode, features, x, label, *,
             kappa: float = 1.0) -> Outliers:
  """f-AnoGAN.  Schlegl et al. 2019, Medical Image Analysis 54.

  mean |x - G(E(x))|^2 + kappa mean |f(x) - f(G(E(x)))|^2, with one pass through
  an encoder E that was trained on the generator (izi_f) in place of a descent.

  Args:
    decode: see `gan_jax.inference`.
    encode: a Partial (x [B, ...], label [B]) -> u [B, Z].
    features: as of `anogan`.
    x: [N, ...].
    label: [N] or [N, L].
    kappa: of the features; 1 in the paper.
  """
  def one(inputs):
    x, label = inputs
    x, label = x[None], label[None]
    found = decode(encode(x, label), label)
    score = jnp.mean((x - found) ** 2)
    if features is not None:
      score += kappa * jnp.mean(
          (features(x, label) - features(found, label)) ** 2)
    return score, found[0]

  score, found = jax.lax.map(one, (x, label), batch_size=100)
  return Outliers(score, found, _heat(x, found))


def judged(logits, x, label) -> jax.Array:
  """D's own opinion: -logit [N], by logits, a Partial (x, label) -> [B]."""
  return -each(logits, x, label)


def _heat(x, found):
  gap = jnp.abs(x - found)
  return gap.mean(-1) if gap.ndim > 2 else gap
