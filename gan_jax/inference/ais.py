"""Densities of examples under a decoder, by annealed importance sampling.

Wu et al. 2017, https://arxiv.org/abs/1611.04273, on AIS of Neal 2001,
https://arxiv.org/abs/physics/9803008: chains go from the prior to the posterior
by the densities f_b(u) = N(u; 0, I) p(x | u)^b, and the product of their ratios
has the mean p(x). Their logarithm is a lower bound of log p(x) on average, to
within the noise of the chains; chains that start from an exact sample of the
posterior and go back give an upper bound (bidirectional Monte Carlo, Grosse et
al. 2015, https://arxiv.org/abs/1511.02543). Such a sample is known only of
examples that the decoder has drawn: see `bounds`.

Step sizes of Hamiltonian Monte Carlo are found by a few chains of their own,
that adapt them to an acceptance of 0.8: the chains that count use them as
constants, without which the bounds would not be bounds. (Wu et al.'s program
adapts those, to 0.65, with which fewer chains count in the end: of a linear
decoder 37 % of 256, and 54 % with 0.8.)
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.inference.noise import Likelihood
from gan_jax.ops.keys import per_example

_TARGET = 0.8  # acceptance
_GAIN = 0.1  # of log step size, by the error of the acceptance
_SMALLEST, _FIRST, _LARGEST = 1e-4, 0.1, 0.5  # step sizes
_SCOUTS = 8  # chains that find the step sizes


class Density(NamedTuple):
  """What the chains found of N examples.

  log_p: [N] nats, a lower bound of log p(x) on average.
  ess: [N] effective chains, 1 to their number: with one of very many, log_p may
    be far too low.
  acceptance: [N], the mean over temperatures.
  """

  log_p: jax.Array
  ess: jax.Array
  acceptance: jax.Array


class Bounds(NamedTuple):
  """Lower and upper bounds of log p(x), [N] each, of drawn x [N, ...]."""

  lower: jax.Array
  upper: jax.Array
  x: jax.Array


def schedule(temperatures: int):
  """Inverse temperatures [T + 1] from 0 to 1, dense at both ends.

  A sigmoid's, from -4 to 4, as in Wu et al.'s program.
  """
  b = jax.nn.sigmoid(jnp.linspace(-4.0, 4.0, temperatures + 1))
  return (b - b[0]) / (b[-1] - b[0])


@partial(jax.jit, static_argnames=(
    'size', 'chains', 'temperatures', 'leapfrogs', 'chunk'))
def log_density(decode, likelihood: Likelihood, x, label, key, *, size: int,
                chains: int = 16, temperatures: int = 1000, leapfrogs: int = 10,
                chunk: int = 10) -> Density:
  """Lower bounds of log p(x | label) of examples.

  Args:
    decode: see `gan_jax.inference`.
    likelihood: p(x | u).
    x: [N, ...].
    label: [N] or [N, L].
    key: PRNG key; example i has one of its own.
    size: Z, numbers in a latent.
    chains: of each example; 16 in the paper.
    temperatures: steps of each chain; 10,000 in the paper.
    leapfrogs: of each transition; 10 in the paper.
    chunk: examples at a time.
  """
  def one(inputs):
    x, label, key = inputs
    scout, start, walk = random.split(key, 3)
    fit = _log_fit(decode, likelihood, x, label)
    b = schedule(temperatures)
    steps = _step_sizes(fit, b, size, leapfrogs, scout)
    u = random.normal(start, (chains, size))
    weights, accepted = _anneal(fit, b, steps, u, leapfrogs, walk)
    # The sum's square over the sum of squares, of weights.
    ess = jnp.exp(2 * jax.nn.logsumexp(weights)
                  - jax.nn.logsumexp(2 * weights))
    return Density(_log_mean(weights), ess, accepted)

  keys = per_example(key, jnp.arange(len(x)))
  return jax.lax.map(one, (x, label, keys), batch_size=chunk)


@partial(jax.jit, static_argnames=(
    'size', 'chains', 'temperatures', 'leapfrogs', 'chunk'))
def bounds(decode, likelihood: Likelihood, label, key, *, size: int,
           chains: int = 16, temperatures: int = 1000, leapfrogs: int = 10,
           chunk: int = 10) -> Bounds:
  """Bounds of log p(x | label) of examples that the decoder draws here.

  How far they are apart says how far `log_density` with the same settings is
  off, for examples that resemble these. Arguments: of `log_density`.
  """
  def one(inputs):
    label, key = inputs
    exact, noise, scout, start, walk = random.split(key, 5)
    known = random.normal(exact, (size,))
    x = likelihood.draw(noise, decode(known[None], label[None])[0])
    fit = _log_fit(decode, likelihood, x, label)
    b = schedule(temperatures)
    steps = _step_sizes(fit, b, size, leapfrogs, scout)
    # There from the prior, and back from the one exact sample. Step i of the
    # way back leads to the temperature before, with the step size of that.
    u = jnp.stack([random.normal(start, (chains, size)),
                   jnp.broadcast_to(known, (chains, size))])
    (forward, backward), _ = jax.vmap(
        lambda *path: _anneal(fit, *path[:3], leapfrogs, path[3]))(
            jnp.stack([b, b[::-1]]),
            jnp.stack([steps, jnp.roll(steps, 1)[::-1]]), u,
            random.split(walk, 2))
    return Bounds(_log_mean(forward), -_log_mean(backward), x)

  keys = per_example(key, jnp.arange(len(label)))
  return jax.lax.map(one, (label, keys), batch_size=chunk)


def _log_mean(weights):
  return jax.nn.logsumexp(weights) - jnp.log(len(weights))


def _log_fit(decode, likelihood, x, label):
  """A function u [Z] -> log p(x | u) and its gradient."""
  return jax.value_and_grad(lambda u: likelihood.log_prob(
      x[None], decode(u[None], label[None]))[0])


def _step_sizes(fit, b, size, leapfrogs, key):
  """[T] step sizes, one for the transition at each temperature b[1:]."""
  start, walk = random.split(key)

  def move(carry, inputs):
    u, step = carry
    beta, key = inputs
    u, _, accepted = _transit(fit, beta, step, u, leapfrogs, key)
    after = jnp.clip(step * jnp.exp(_GAIN * (accepted.mean() - _TARGET)),
                     _SMALLEST, _LARGEST)
    return (u, after), step

  _, steps = jax.lax.scan(
      move, (random.normal(start, (_SCOUTS, size)), jnp.float32(_FIRST)),
      (b[1:], random.split(walk, len(b) - 1)))
  return steps


def _anneal(fit, b, steps, u, leapfrogs, key):
  """Log weights [K] of chains that start at u [K, Z], and their acceptance."""
  def move(carry, inputs):
    u, weights = carry
    before, beta, step, key = inputs
    u, value, accepted = _transit(fit, beta, step, u, leapfrogs, key)
    return (u, weights + (beta - before) * value), accepted.mean()

  (_, weights), accepted = jax.lax.scan(
      move, (u, jnp.zeros(len(u))),
      (b[:-1], b[1:], steps, random.split(key, len(steps))))
  return weights, accepted.mean()


def _transit(fit, beta, step, u, leapfrogs, key):
  """One transition at a temperature, of chains u [K, Z].

  Returns:
    (u after it, log p(x | u) before it [K], acceptance [K]).
  """
  from blackjax.mcmc import hmc  # Slow to import.
  transition = hmc.build_kernel()

  def tempered(u):
    return -0.5 * jnp.sum(u ** 2) + beta * fit(u)[0]

  def one(u, key):
    # The weight needs log p(x | u) anyway: HMC starts from it.
    value, slope = fit(u)
    state = hmc.HMCState(u, -0.5 * jnp.sum(u ** 2) + beta * value,
                         beta * slope - u)
    state, info = transition(key, state, tempered, step, jnp.ones(u.shape),
                             leapfrogs)
    return state.position, value, info.acceptance_rate

  return jax.vmap(one)(u, random.split(key, len(u)))
