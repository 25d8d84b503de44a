"""Samples of P(u | x): all latents that may have made an example."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.inference.noise import Likelihood
from gan_jax.ops.keys import per_example


class Samples(NamedTuple):
  """Samples of P(u | x) of N examples, and what tells whether to trust them.

  u: [N, C, S, Z], of C chains.
  rhat: [N], the largest over Z: chains that have mixed have 1.01 or less.
  ess: [N], the smallest over Z: independent samples that these are worth.
  acceptance: [N], of Hamiltonian Monte Carlo.
  divergent: [N], share of transitions whose energy went astray.
  """

  u: jax.Array
  rhat: jax.Array
  ess: jax.Array
  acceptance: jax.Array
  divergent: jax.Array


@partial(jax.jit, static_argnames=(
    'draws', 'chains', 'warmup', 'leapfrogs', 'chunk'))
def posterior(decode, likelihood: Likelihood, x, label, modes, key, *,
              draws: int, chains: int = 4, warmup: int = 200,
              leapfrogs: int = 10, chunk: int = 10) -> Samples:
  """Samples N(u; 0, I) p(x | u) / p(x) by Hamiltonian Monte Carlo.

  BlackJAX's kernel, with step size and masses that each chain has found in its
  warm-up, as in Stan; each transition takes 0.5 to 1 times that step (Neal
  2011, https://arxiv.org/abs/1206.1901, sections 3.2, 4.2). R-hat is that of
  Vehtari et al. 2021, https://arxiv.org/abs/1903.08008 (rank-normalised, of
  split chains), the effective sample size that of Gelman et al. 2013, Bayesian
  Data Analysis, 11.5. Posteriors of generators have many modes, between which
  chains do not move: each starts from one of the latents given, drawn by its
  density there. What lies near none of them will not be seen, nor told.

  Args:
    decode: see `gan_jax.inference`.
    likelihood: p(x | u).
    x: [N, ...].
    label: [N] or [N, L].
    modes: u [N, M, Z] near which the chains start, such as those of an
      `Inversion`.
    key: PRNG key.
    chains: C, two or more.
    draws: S, samples of each chain, four or more.
    warmup: transitions before them.
    leapfrogs: of each transition.
    chunk: examples at a time.
  """
  import blackjax  # Slow to import.

  def one(inputs):
    x, label, modes, key = inputs
    choice, key = random.split(key)

    def log_density(u):
      mean = decode(u[None], label[None])
      return likelihood.log_prob(x[None], mean)[0] - 0.5 * jnp.sum(u ** 2)

    chain = _chain(log_density, draws, warmup, leapfrogs)
    chosen = random.categorical(choice, jax.vmap(log_density)(modes),
                                shape=(chains,))
    u, accepted, divergent = jax.vmap(chain)(
        modes[chosen], random.split(key, chains))
    # Of one number at a time: with several, these promote ranks.
    rhat, ess = (jax.vmap(of, in_axes=2)(u)
                 for of in (blackjax.rhat, blackjax.ess))
    return Samples(u, rhat.max(), ess.min(), accepted.mean(), divergent.mean())

  keys = per_example(key, jnp.arange(len(x)))
  return jax.lax.map(one, (x, label, modes, keys), batch_size=chunk)


def _chain(log_density, draws, warmup, leapfrogs):
  """A chain: (u [Z], key) -> (u [S, Z], acceptance [S], divergent [S])."""
  import blackjax  # Slow to import.

  adaptation = blackjax.window_adaptation(
      blackjax.hmc, log_density, num_integration_steps=leapfrogs)
  transition = blackjax.hmc.build_kernel()

  def run(u, key):
    warm_key, walk = random.split(key)
    (state, tuned), _ = adaptation.run(warm_key, u, warmup)

    def move(state, key):
      length, key = random.split(key)
      # Trajectories of one length may come back to where they began.
      scale = random.uniform(length, minval=0.5)
      state, info = transition(key, state, log_density, **tuned | {
          'step_size': scale * tuned['step_size']})
      return state, (state.position, info.acceptance_rate, info.is_divergent)

    return jax.lax.scan(move, state, random.split(walk, draws))[1]

  return run
