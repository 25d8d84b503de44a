"""The density of real examples under a generator."""

from typing import Any, Literal

import jax
import numpy as np

from gan_jax import inference
from gan_jax.data import values
from gan_jax.evaluators.score import (
  NOT_FINITE,
  Score,
  check_counts,
  order,
  short,
  unseen,
)
from gan_jax.inference.noise import flip_coins
from gan_jax.metrics.intervals import student


def ais(*, num_test: int = 100, num_simulated: int = 20,
        num_validation: int = 100, chains: int = 16, temperatures: int = 1000,
        leapfrogs: int = 10,
        likelihood: Literal['gaussian', 'bernoulli'] = 'gaussian',
        sigma: float = 0.0, source: Any, seed: int):
  """Log-density of real examples, by annealed importance sampling, in nats.

  Wu et al. 2017, https://arxiv.org/abs/1611.04273: log p(x) with p(x | z) the
  noise around what the generator draws, pixels in [0, 1]. They run 10,000
  temperatures. The score is a lower bound on average; `ais_gap` is the mean
  distance of both bounds for examples that the generator has drawn, for which
  they are known (`inference.bounds`): distrust the score where it is large.
  Examples are held-out ones if there are any. It decodes num_test * chains *
  temperatures * leapfrogs times: for networks of convolutions ask for less.

  Args:
    num_test: real examples.
    num_simulated: drawn ones, for the gap.
    num_validation: at most, further real ones from whose inversion the
      deviation is found, if sigma is 0.
    chains: of each example.
    temperatures: of each chain.
    leapfrogs: of each transition.
    likelihood: 'gaussian', or 'bernoulli' of pixels that are drawn once, 1 with
      the grey value as probability.
    sigma: deviation of the noise; 0 for `inference.noise_of`.
    source: a `data.prepare.Source`.
    seed: of the draws.

  Returns:
    evaluate(sample, model) -> [ais, ais_gap]; intervals are Student's over
    examples.

  Raises:
    ValueError: fewer real examples than asked for, a count below 1, an unknown
      likelihood or a sigma below 0.
  """
  if not sigma >= 0:
    raise ValueError(f'sigma={sigma}: must be above 0, or 0 to be found')
  counts = dict(num_test=num_test, num_simulated=num_simulated, chains=chains,
                num_validation=num_validation, temperatures=temperatures,
                leapfrogs=leapfrogs)
  check_counts(**counts)
  real, side, rows = _real(source, likelihood, num_test,
                           num_validation * (
                               likelihood == 'gaussian' and not sigma), seed)
  names = [f'ais_{short(num_test)}_{side}', f'ais_gap_{short(num_simulated)}']
  how = {'metric': 'ais', 'likelihood': likelihood, 'sigma': sigma,
         'reference': side, 'data': source.name, 'seed': seed,
         'data_fingerprint': real.fingerprint, **counts}

  def evaluate(sample, model):
    del sample
    try:
      decoder = model()
      x, labels = values.unit(np.asarray(real.images[rows])), real.labels[rows]
      keys = jax.random.split(jax.random.key(seed), 4)
      width = None if likelihood == 'bernoulli' else sigma or _deviation(
          decoder, x[num_test:], labels[num_test:], keys[0])
    except ValueError as e:
      return [Score(name, reason=str(e), protocol=how) for name in names]
    x, labels = x[:num_test], labels[:num_test]
    if likelihood == 'bernoulli':
      x = flip_coins(keys[1], x)
    found, gaps = _annealed(
        decoder, _noise(likelihood, width), x, labels, num_simulated, keys[2:],
        chains=chains, temperatures=temperatures, leapfrogs=leapfrogs)
    more = {'sigma': width, 'chains_that_count': float(np.median(found.ess)),
            'acceptance': float(np.mean(found.acceptance)),
            'bits_per_value': float(-np.mean(found.log_p) / np.log(2)
                                    / x[0].size)}
    return [_score(name, np.asarray(value), how, more) for name, value in zip(
        names, (found.log_p, gaps), strict=True)]

  evaluate.names = names
  return evaluate


def _annealed(decoder, noise, x, labels, simulated, keys, **chain):
  """(`Density` of x, gaps of the bounds of `simulated` drawn examples)."""
  chain |= dict(size=decoder.size)
  found = inference.log_density(decoder.decode, noise, x, labels, keys[0],
                                **chain)
  lower, upper, _ = inference.bounds(
      decoder.decode, noise, np.resize(labels, (simulated, *labels.shape[1:])),
      keys[1], **chain)
  return found, upper - lower


def _deviation(decoder, x, labels, key):
  """The deviation of the noise, found by inverting examples x."""
  near = inference.invert(decoder.decode, x, labels, key, size=decoder.size)
  if not np.isfinite(near.error).all():
    raise ValueError(NOT_FINITE)
  return inference.noise_of(x, near.found, decoder.size)


def _noise(likelihood, sigma):
  return (inference.bernoulli() if likelihood == 'bernoulli' else
          inference.gaussian(sigma))


def elbo(*, num_test: int = 500, draws: int = 5000,
         likelihood: Literal['gaussian', 'bernoulli'] = 'bernoulli',
         sigma: float = 0.1, source: Any, seed: int):
  """Bounds of the log-density of real examples, by the run's encoder, in nats.

  The evidence bound of a variational autoencoder (Kingma & Welling 2014,
  https://arxiv.org/abs/1312.6114), and the importance-weighted one of Burda et
  al. 2016 (https://arxiv.org/abs/1509.00519), who report the latter of 5,000
  samples. Of held-out examples if there are any, as in `ais`.

  Args:
    num_test: real examples.
    draws: samples of q(z | x) of each.
    likelihood: 'bernoulli' of pixels that are drawn once, 1 with the grey value
      as probability, or 'gaussian'.
    sigma: deviation of the latter; pixels are in [0, 1].
    source: a `data.prepare.Source`.
    seed: of the draws.

  Returns:
    evaluate(sample, model) -> [elbo, elbo_weighted]; intervals are Student's
    over examples.

  Raises:
    ValueError: fewer real examples than asked for, a count below 1, an unknown
      likelihood or a sigma that is not above 0.
  """
  check_counts(num_test=num_test, draws=draws)
  if not sigma > 0:
    raise ValueError(f'sigma={sigma}: must be above 0')
  real, side, rows = _real(source, likelihood, num_test, 0, seed)
  count = f'{short(num_test)}_{side}'
  names = [f'elbo_{count}', f'elbo_weighted_{short(draws)}_{count}']
  how = {'metric': 'elbo', 'likelihood': likelihood, 'sigma': sigma,
         'reference': side, 'data': source.name, 'seed': seed, 'draws': draws,
         'data_fingerprint': real.fingerprint, 'num_test': num_test}

  def evaluate(sample, model):
    del sample
    try:
      decoder = model()
      if decoder.posterior is None:
        raise ValueError('needs an encoder, and a normal prior: see '
                         'configs/vae.py')
    except ValueError as e:
      return [Score(name, reason=str(e), protocol=how) for name in names]
    x, labels = values.unit(np.asarray(real.images[rows])), real.labels[rows]
    coins, walk = jax.random.split(jax.random.key(seed))
    noise = _noise(likelihood, sigma)
    if likelihood == 'bernoulli':
      x = flip_coins(coins, x)
    found = inference.evidence(decoder.decode, decoder.posterior, noise, x,
                               labels, walk, samples=draws)
    return [_score(name, np.asarray(each), how, {}) for name, each in zip(
        names, found, strict=True)]

  evaluate.names = names
  return evaluate


def _real(source, likelihood, count, spare, seed):
  """(examples, 'held_out' or 'train', rows [count + spare at most])."""
  real, side = unseen(source)
  if likelihood not in ('gaussian', 'bernoulli'):
    raise ValueError(f"likelihood={likelihood!r}: must be 'gaussian' or "
                     "'bernoulli'")
  # Those without a label have none that a generator could be given.
  usable = np.flatnonzero(real.labels >= 0) if (
      real.num_classes) else np.arange(len(real.images))
  if count + bool(spare) > len(usable):
    raise ValueError(f'num_test={count}: {source.name} has {len(usable)} '
                     f'examples in {side!r}'
                     + ', and one is needed to find sigma' * bool(spare))
  return real, side, usable[order(len(usable), seed)[:count + spare]]


def _score(name, each, how, found) -> Score:
  mean = float(each.mean())
  if len(each) == 1:  # No interval.
    return Score(name, mean, protocol=how, found=found)
  half = student(len(each) - 1) * float(each.std(ddof=1)) / np.sqrt(len(each))
  return Score(name, mean, low=mean - half, high=mean + half, protocol=how,
               found=found)
