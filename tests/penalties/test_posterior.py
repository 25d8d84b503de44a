"""Terms of an encoder: their values by scipy and numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from scipy import stats

from gan_jax import penalties
from gan_jax.game import terms
from gan_jax.models import Critique, Posterior

B, Z, SHAPE = 5, 3, (2, 2, 1)
RNG = np.random.default_rng(1)
REAL = RNG.uniform(-1, 1, (B, *SHAPE)).astype(np.float32)
W = RNG.normal(size=(Z, 4)).astype(np.float32)
KEYS = random.split(random.key(3), B)


def encode(images):
  flat = jnp.asarray(images).reshape(B, -1)
  return Posterior(flat[:, :Z] * 2.0, flat[:, 1:] - 1.0)


def generate(z):
  return jnp.tanh(z @ W).reshape(-1, *SHAPE)


def unit(x):
  return (np.asarray(x, np.float64).reshape(B, -1) + 1) / 2


def divergence(code):
  """KL of each dimension [B, Z] from N(0, 1)."""
  mean, log_var = (np.float64(x) for x in code)
  return 0.5 * (mean ** 2 + np.exp(log_var) - 1 - log_var)


def value(term, **available):
  return np.asarray(terms.call(term.gen, **{
      'real': REAL, 'encode': encode, 'generate': generate, 'keys': KEYS,
      'step': 0, **available}))


def test_the_mean_code_gives_the_gaussian_likelihood():
  term = penalties.elbo(likelihood='gaussian', sigma=0.2, beta=0.0,
                        sample=False, image_range=(-1.0, 1.0))
  mean = unit(generate(encode(REAL).mean))
  np.testing.assert_allclose(
      value(term), -stats.norm.logpdf(unit(REAL), mean, 0.2).sum(1), rtol=1e-5)


def test_the_bound_of_the_papers_numbers():
  code = encode(REAL)
  found, mean = (np.asarray(x).reshape(B, -1) for x in (
      REAL, generate(code.mean)))
  np.testing.assert_allclose(
      value(penalties.elbo(likelihood='gaussian', sample=False)),
      divergence(code).sum(1) - stats.norm.logpdf(found, mean, 0.1).sum(1),
      rtol=1e-5)


def test_grey_values_are_probabilities():
  term = penalties.elbo(beta=0.0, sample=False, image_range=(-1.0, 1.0))
  x, p = unit(REAL), unit(generate(encode(REAL).mean))
  np.testing.assert_allclose(
      value(term), -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1), rtol=1e-4)
  # The values of bfloat16 images, but with the digits of float32.
  rough = REAL.astype(jnp.bfloat16)
  made = (0.9 * generate(encode(REAL).mean)).astype(jnp.bfloat16)
  x, p = unit(rough), unit(made)
  found = value(term, real=jnp.asarray(rough), generate=lambda z: made)
  assert found.dtype == np.float32
  np.testing.assert_allclose(
      found, -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1), rtol=1e-4)


def test_samples_of_the_posterior_average_to_the_expected_error():
  """Of a linear decoder: |x - m|^2 + the variance of each value."""
  term = penalties.elbo(likelihood='gaussian', sigma=0.5, beta=0.0,
                        image_range=(-1.0, 1.0))

  def linear(z):
    return (z @ W).reshape(-1, *SHAPE)

  keys = jax.vmap(lambda key: random.split(key, 4000))(KEYS).swapaxes(0, 1)
  found = np.asarray(jax.jit(jax.vmap(lambda k: term.gen(
      REAL, encode, linear, k, 0)))(keys)).mean(0)
  mean, log_var = map(np.asarray, encode(REAL))
  error = ((unit(REAL) - (mean @ W + 1) / 2) ** 2).sum(1)
  spread = (np.exp(log_var) @ (W / 2) ** 2).sum(1)
  wanted = 0.5 * (error + spread) / 0.25 + 4 * (
      np.log(0.5) + 0.5 * np.log(2 * np.pi))
  np.testing.assert_allclose(found, wanted, rtol=0.03)


def test_binarised_values_are_drawn_for_both_sides():
  seen = []

  def watch(images):
    seen.append(np.asarray(images))
    return encode(images)

  term = penalties.elbo(likelihood='binarised', sample=False,
                        image_range=(-1.0, 1.0))
  found = value(term, encode=watch)
  bits = unit(seen[0])
  assert len(seen) == 1 and set(np.unique(bits)) == {0.0, 1.0}
  code = encode(seen[0])
  # The KL is of the bits too: with that of the grey image no bound is left.
  np.testing.assert_allclose(
      found, divergence(code).sum(1) - stats.bernoulli.logpmf(
          bits.astype(int), unit(generate(code.mean))).sum(1), rtol=1e-3)
  many = [np.asarray(value(term, encode=lambda x: (
      seen.append(np.asarray(x)), encode(x))[1],
      keys=random.split(random.key(i), B))) for i in range(200)]
  assert len({m.tobytes() for m in many}) > 100
  np.testing.assert_allclose(np.mean([unit(x) for x in seen], 0), unit(REAL),
                             atol=0.12)


def test_bits_and_codes_are_drawn_independently():
  seen = []

  def noted(x, result):
    seen.append(np.asarray(x).reshape(400, -1))
    return result

  term = penalties.elbo(likelihood='binarised', image_range=(-1.0, 1.0))
  grey, code = jnp.zeros((400, *SHAPE)), jnp.zeros((400, Z))
  term.gen(grey, lambda x: noted(x, Posterior(code, code)),
           lambda z: noted(z, grey), random.split(random.key(0), 400), 0)
  drawn = np.corrcoef(np.concatenate(seen, axis=1).T)
  assert np.abs(drawn - np.eye(4 + Z)).max() < 0.2


def test_features_are_compared_in_the_place_of_values():
  def critique(images, purpose='fake'):
    return Critique(jnp.zeros(B), images.reshape(B, -1) @ W.T, {})

  term = penalties.elbo(likelihood='features', sigma=2.0, beta=0.0,
                        sample=False, image_range=(-1.0, 1.0))
  found = value(term, critique=critique, real_out=critique(REAL))
  there, here = (np.asarray(critique(x).features) for x in (
      REAL, generate(encode(REAL).mean)))
  np.testing.assert_allclose(
      found, -stats.norm.logpdf(there, here, 2.0).sum(1), rtol=1e-5)


def test_beta_weighs_the_kl_and_may_follow_the_step():
  bare, twice, rising = (value(penalties.elbo(
      sample=False, beta=beta, image_range=(-1.0, 1.0)), step=6)
      for beta in (0.0, 2.0, lambda step: step / 3))
  np.testing.assert_allclose(
      twice - bare, 2 * divergence(encode(REAL)).sum(1), rtol=1e-4)
  np.testing.assert_allclose(rising, twice, rtol=1e-6)


def test_free_bits_are_the_least_of_a_dimension():
  each = divergence(encode(REAL))
  floor = 2 * float(np.sort(each.mean(0))[1])  # between the dimensions
  bare, free = (value(penalties.elbo(
      sample=False, beta=beta, free_bits=floor, image_range=(-1.0, 1.0),
      batch_mean=lambda x: 2 * x.mean()))  # As of other devices.
      for beta in (0.0, 1.0))
  np.testing.assert_allclose(
      free - bare, np.full(B, np.maximum(2 * each.mean(0), floor).sum()),
      rtol=1e-4)


def test_latent_regression_is_the_density_of_the_known_z():
  z = RNG.normal(size=(B, Z)).astype(np.float32)
  fake = np.asarray(generate(z))
  mean, log_var = map(np.asarray, encode(fake))
  np.testing.assert_allclose(
      value(penalties.latent_regression(), fake=fake, z=z),
      -stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(1), rtol=1e-5)


@pytest.mark.parametrize('options, words', [
    (dict(likelihood='poisson'), 'must be one of'),
    (dict(sigma=0.0), 'must be above 0'),
    (dict(sigma=float('nan')), 'must be above 0'),
    (dict(beta=-1.0), 'beta -1.0 must be 0 or more'),
    (dict(free_bits=-0.1), '0 or more')])
def test_what_no_bound_is(options, words):
  with pytest.raises(ValueError, match=words):
    penalties.elbo(**options)
