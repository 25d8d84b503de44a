"""Log likelihoods, in nats: sums over all axes but the first."""

import math

import jax
import jax.numpy as jnp

# The nearest that a probability comes to 0 and 1 in float32.
_LEAST, _MOST = 1e-30, 1.0 - 2.0 ** -24


def bernoulli(x, p):
  """Log p(x) of x [B, ...] in [0, 1] whose entries are 1 with probability p.

  x log p + (1 - x) log(1 - p); of grey values, in between, it is not a
  likelihood, but highest where p = x.
  """
  # In bfloat16 the bound below 1 would be 1.
  x, p = (jnp.asarray(v, jnp.float32) for v in (x, p))
  p = jnp.clip(p, _LEAST, _MOST)
  return _sum(x * jnp.log(p) + (1.0 - x) * jnp.log1p(-p))


def gaussian(x, mean, sigma):
  """Log density of x [B, ...] under N(mean, sigma^2 I)."""
  errors = (x - mean) / sigma
  return _sum(-0.5 * errors ** 2 - jnp.log(sigma) - 0.5 * math.log(
      2.0 * math.pi))


def normal(z, mean=0.0, log_var=0.0):
  """Log density of z [B, Z] under N(mean, diag(exp(log_var)))."""
  return _sum(-0.5 * ((z - mean) ** 2 * jnp.exp(-log_var) + log_var
                      + jnp.log(2.0 * jnp.pi)))


def kl_to_standard(mean, log_var):
  """KL of N(mean, diag(exp(log_var))) from N(0, I), of each dimension [B, Z].

  Kingma & Welling 2014, arXiv:1312.6114, appendix B, with the sign turned.
  """
  return 0.5 * (mean ** 2 + jnp.exp(log_var) - 1.0 - log_var)


def draw(mean, log_var, keys):
  """A sample of N(mean, diag(exp(log_var))) [B, Z], by one key each [B]."""
  noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
  return mean + jnp.exp(0.5 * log_var) * noise


def _sum(x):
  return jnp.sum(x.astype(jnp.float32), axis=tuple(range(1, x.ndim)))
