"""Log densities against scipy, and a KL against its integral."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from scipy import stats

from gan_jax.ops import likelihoods

RNG = np.random.default_rng(0)
X, MEAN = RNG.normal(size=(2, 3, 4, 2)).astype(np.float32)
Z, CENTRE, LOG_VAR = RNG.normal(size=(3, 3, 4)).astype(np.float32)


def test_bernoulli_of_bits():
  p = RNG.uniform(0.05, 0.95, (3, 4, 2)).astype(np.float32)
  bits = (X > 0).astype(np.float32)
  np.testing.assert_allclose(
      likelihoods.bernoulli(bits, p),
      stats.bernoulli.logpmf(bits, p).sum((1, 2)), rtol=1e-5)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_bernoulli_is_finite_where_the_probability_is_wrong(dtype):
  wrong = likelihoods.bernoulli(jnp.array([[1.0, 0.0]], dtype),
                                jnp.array([[0.0, 1.0]], dtype))
  np.testing.assert_allclose(wrong, np.log(1e-30) + np.log(2.0 ** -24),
                             rtol=1e-5)


@pytest.mark.parametrize('logit', [-30.0, -15.0, 3.0, 15.0])
@pytest.mark.parametrize('x', [0.0, 1.0])
def test_the_slope_by_the_logit_is_not_lost(x, logit):
  slope = jax.grad(lambda a: likelihoods.bernoulli(
      jnp.full((1, 1), x), jax.nn.sigmoid(a).reshape(1, 1))[0])(
          jnp.float32(logit))
  np.testing.assert_allclose(slope, x - 1 / (1 + np.exp(-logit)), rtol=0.1,
                             atol=1e-6)


def test_gaussian():
  np.testing.assert_allclose(
      likelihoods.gaussian(X, MEAN, 0.3),
      stats.norm.logpdf(X, MEAN, 0.3).sum((1, 2)), rtol=1e-5)


def test_sums_of_bfloat16_have_the_digits_of_float32():
  errors = jnp.zeros((1, 2000), jnp.bfloat16).at[0, 0].set(2.0)
  found = likelihoods.gaussian(errors, 0.0, 1.0)
  assert found.dtype == np.float32
  # One number of bfloat16 each, 2,000 times: it has three digits.
  np.testing.assert_allclose(
      found, stats.norm.logpdf(np.float64(errors[0])).sum(), rtol=2e-3)


def test_normal_of_each_dimension():
  np.testing.assert_allclose(
      likelihoods.normal(Z, CENTRE, LOG_VAR),
      stats.norm.logpdf(Z, CENTRE, np.exp(0.5 * LOG_VAR)).sum(1), rtol=1e-5)
  np.testing.assert_allclose(likelihoods.normal(Z),
                             stats.norm.logpdf(Z).sum(1), rtol=1e-5)


@pytest.mark.parametrize('mean, log_var', [(0.0, 0.0), (1.5, -1.0),
                                           (-0.5, 0.7)])
def test_the_kl_is_its_integral(mean, log_var):
  x = np.linspace(-30, 30, 200001)
  q = stats.norm.logpdf(x, mean, np.exp(0.5 * log_var))
  wanted = np.trapezoid(np.exp(q) * (q - stats.norm.logpdf(x)), x)
  np.testing.assert_allclose(
      likelihoods.kl_to_standard(np.float32(mean), np.float32(log_var)),
      wanted, atol=1e-6)


def test_a_draw_has_its_mean_and_variance_and_needs_its_own_key_alone():
  keys = random.split(random.key(0), 20000)
  mean, log_var = np.float32([1.0, -2.0]), np.float32([0.0, -2.0])
  many = [np.broadcast_to(x, (20000, 2)) for x in (mean, log_var)]
  found = np.asarray(likelihoods.draw(*many, keys))
  np.testing.assert_allclose(found.mean(0), mean, atol=0.03)
  np.testing.assert_allclose(found.var(0), np.exp(log_var), rtol=0.05)
  part = likelihoods.draw(*(x[5:7] for x in many), keys[5:7])
  np.testing.assert_allclose(part, found[5:7], rtol=1e-6)
  assert jnp.isfinite(part).all()
