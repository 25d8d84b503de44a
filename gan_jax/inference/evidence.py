"""Bounds of log p(x) by an encoder: one sample of its posterior, and many."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.inference.noise import Likelihood
from gan_jax.ops import likelihoods
from gan_jax.ops.keys import per_example


class Evidence(NamedTuple):
  """Lower bounds of log p(x) on average, nats, [N] each.

  elbo: the mean of log w, w = p(x, z) / q(z | x).
  weighted: the log of the mean of w: the importance-weighted bound (Burda et
    al. 2016, arXiv:1509.00519, eq. 8), log p(x) with infinitely many samples.
  """

  elbo: jax.Array
  weighted: jax.Array


@partial(jax.jit, static_argnames=('samples', 'chunk'))
def evidence(decode, posterior, likelihood: Likelihood, x, label, key, *,
             samples: int = 5000, chunk: int = 500) -> Evidence:
  """Bounds by samples of q(z | x), of a decoder with the prior N(0, I).

  Args:
    decode: see `gan_jax.inference`.
    posterior: (x [B, ...], label [B]) -> mean and log variance [B, Z] of q.
    likelihood: p(x | z).
    x: [N, ...].
    label: [N] or [N, L].
    key: PRNG key; example i has one of its own.
    samples: of each example; 5,000 in the paper.
    chunk: samples that are decoded at a time.
  """
  def one(inputs):
    x, label, key = inputs
    mean, log_var = posterior(x[None], label[None])

    def log_weight(key):
      z = mean + jnp.exp(0.5 * log_var) * random.normal(key, mean.shape)
      return (likelihood.log_prob(x[None], decode(z, label[None]))
              + likelihoods.normal(z) - likelihoods.normal(z, mean, log_var))[0]

    found = jax.lax.map(log_weight, random.split(key, samples),
                        batch_size=min(chunk, samples))
    return Evidence(found.mean(), jax.nn.logsumexp(found) - jnp.log(samples))

  return jax.lax.map(one, (x, label, per_example(key, jnp.arange(len(x)))))
