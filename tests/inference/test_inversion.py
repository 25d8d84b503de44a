"""Latents by descent, where they are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from decoders import labelled, linear, no_labels
from jax.tree_util import Partial

from gan_jax.inference import inversion
from gan_jax.ops.keys import per_example


def ridge(x, w, b, prior):
  """The minimum of |x - W'u - b|^2 + prior |u|^2, [N, Z]."""
  return np.linalg.solve(w @ w.T + prior * np.eye(len(w)), w @ (x - b).T).T


def test_of_a_linear_decoder_it_is_ridge_regression():
  decode, w, b = linear()
  x = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
  found = inversion.invert(decode, x, no_labels(5), jax.random.key(0), size=3,
                        prior=0.5, starts=2, steps=300)
  expected = ridge(x, w, b, 0.5)
  np.testing.assert_allclose(found.u[:, 0], expected, atol=1e-3)
  np.testing.assert_allclose(found.u[:, 1], expected, atol=1e-3)
  np.testing.assert_allclose(found.found, expected @ w + b, atol=2e-3)
  np.testing.assert_allclose(
      found.error, ((x - expected @ w - b) ** 2).mean(1), atol=1e-3)
  np.testing.assert_allclose(
      found.loss[:, 0], ((x - expected @ w - b) ** 2).sum(1)
      + 0.5 * (expected ** 2).sum(1), rtol=1e-4)


def two_wells(found, x):
  """Lowest, 0, at 2; another minimum, 1 at the most, near -2."""
  return jnp.sum((found ** 2 - 4) ** 2) + 0.25 * jnp.sum(found < 0) + 0 * x


def test_the_best_of_several_starts_comes_first():
  u, loss, found = inversion.search(
      labelled(), Partial(two_wells), jnp.zeros(6), no_labels(6),
      jax.random.key(0), size=1, starts=8, candidates=8, steps=200)
  assert (jnp.diff(loss, axis=1) >= 0).all()
  np.testing.assert_allclose(u[:, 0], 2.0, atol=1e-3)
  np.testing.assert_allclose(u[:, -1], -2.0, atol=1e-2)
  np.testing.assert_array_equal(found, u)


def test_a_given_start_is_one_of_them():
  """With no step, what is given comes back."""
  first = jnp.array([[2.0], [-1.0]])
  u, loss, _ = inversion.search(
      labelled(), Partial(inversion.squared), first, no_labels(2),
      jax.random.key(0), size=1, first=first, starts=3, steps=1, rate=0.0)
  np.testing.assert_array_equal(u[:, 0], first)
  np.testing.assert_array_equal(loss[:, 0], [0.0, 0.0])


def test_descents_start_from_the_best_of_the_candidates():
  """Of 50 normal numbers those of the smallest squares, and one given."""
  u, loss, _ = inversion.search(
      labelled(), Partial(inversion.squared), jnp.zeros(1), no_labels(1),
      jax.random.key(0), size=1, first=jnp.array([[5.0]]), starts=3,
      candidates=50, steps=1, rate=0.0)
  drawn = jax.random.normal(per_example(jax.random.key(0), jnp.arange(1))[0],
                            (50, 1))
  np.testing.assert_allclose(
      loss[0], [*np.sort(drawn[:, 0] ** 2)[:2], 25.0], rtol=1e-5)
  np.testing.assert_allclose(u[0] ** 2, loss[0][:, None], rtol=1e-5)


def test_each_example_is_sought_with_its_label():
  found = inversion.invert(labelled(), jnp.array([[1.0], [1.0]]),
                        jnp.array([0, 3]), jax.random.key(0), size=1,
                        prior=0.0)
  np.testing.assert_allclose(found.u[:, 0, 0], [1.0, -2.0], atol=1e-3)


def test_the_noise_of_a_linear_decoder_is_found():
  decode, w, b = linear(size=3, numbers=20)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2000, 3)) @ w + b + 0.3 * rng.normal(size=(2000, 20))
  found = ridge(x, w, b, 0.0) @ w + b
  # 2,000 x 17 squares: a standard error of 0.3 / sqrt(2 x 34,000).
  np.testing.assert_allclose(inversion.noise_of(jnp.array(x), found, 3), 0.3,
                             atol=4 * 0.3 / np.sqrt(68000))
  with pytest.raises(ValueError, match='20 numbers by a latent of 20; give it'):
    inversion.noise_of(x, found, 20)
