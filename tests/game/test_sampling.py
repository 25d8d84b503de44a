"""Truncation, great circles, and the averaged generator."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from gan_jax.game import latents as priors
from gan_jax.game import sampling
from gan_jax.game.state import Average
from gan_jax.models import Model

KEY = random.key(3)
NORMAL = priors.normal(size=8)
latents = jax.jit(sampling.latents, static_argnums=(0, 2))
truncated = jax.jit(sampling.truncated, static_argnums=(0, 2, 3))
interpolate = jax.jit(sampling.interpolate, static_argnums=2)


def test_generate_applies_the_average_with_running_statistics():
  calls = []

  def apply(params, stats, z, label, *, train, keys=None):
    calls.append((train, keys))
    return params * z[:, :1] + stats + label[:, None], 'new stats'

  gen = Model(None, apply, None)
  for noise in (None, 'given'):
    images = sampling.generate(gen, Average(2.0, 100.0), jnp.ones((3, 4)),
                               jnp.arange(3.0), noise=noise)
    np.testing.assert_array_equal(images, [[102.0], [103.0], [104.0]])
  assert calls == [(False, None), (False, 'given')]


def test_latents_do_not_depend_on_their_number():
  many = np.asarray(latents(NORMAL, KEY, 20))
  assert many.shape == (20, 8)
  assert len(np.unique(many)) == 160
  np.testing.assert_array_equal(latents(NORMAL, KEY, 5), many[:5])
  assert (latents(NORMAL, random.key(4), 5) != many[:5]).all()


# Truncation.


@pytest.mark.parametrize('bound', [0.05, 1.0])
def test_truncated_redraws_what_is_outside_and_nothing_else(bound):
  plain = np.asarray(latents(NORMAL, KEY, 50))
  got = np.asarray(truncated(NORMAL, KEY, 50, bound))
  assert np.abs(got).max() <= bound
  inside = np.abs(plain) <= bound
  np.testing.assert_array_equal(got[inside], plain[inside])
  assert len(np.unique(got)) == got.size  # Fresh draws, not clipped ones.


def test_truncated_is_pure():
  got = np.asarray(truncated(NORMAL, KEY, 50, 0.5))
  np.testing.assert_array_equal(truncated(NORMAL, KEY, 50, 0.5), got)
  np.testing.assert_array_equal(truncated(NORMAL, KEY, 9, 0.5), got[:9])


def test_truncated_is_the_truncated_normal():
  z = np.asarray(truncated(NORMAL, KEY, 5000, 1.0))
  # var = 1 - 2 phi(1) / (2 Phi(1) - 1)
  phi = math.exp(-0.5) / math.sqrt(2 * math.pi)
  want = 1.0 - 2.0 * phi / math.erf(1 / math.sqrt(2))
  assert want == pytest.approx(0.2911, abs=1e-4)
  assert z.var() == pytest.approx(want, abs=0.01) and abs(z.mean()) < 0.01
  # As flat at the bound as the density: phi(1) / phi(0) = 0.61, no pile.
  edge, middle = (np.abs(z) > 0.9).mean(), (np.abs(z) < 0.1).mean()
  assert edge / middle == pytest.approx(0.64, abs=0.05)


def test_a_wide_bound_changes_nothing():
  np.testing.assert_array_equal(truncated(NORMAL, KEY, 5, 100.0),
                                latents(NORMAL, KEY, 5))


def test_a_prior_that_never_falls_within_the_bound_is_clipped():
  got = truncated(lambda keys: jnp.tile(
      jnp.array([[3.0, -3.0, 0.5]]), (len(keys), 1)), KEY, 2, 1.0)
  np.testing.assert_array_equal(got, [[1.0, -1.0, 0.5]] * 2)


@pytest.mark.parametrize('bound', [0.0, -1.0, 0.049, math.nan])
def test_a_bound_too_small_is_refused(bound):
  with pytest.raises(ValueError, match=f'truncation {bound} is not 0.05'):
    sampling.truncated(NORMAL, KEY, 5, bound)


# Interpolation.


def test_interpolation_by_hand():
  start, end = jnp.array([[1.0, 0.0, 0.0]]), jnp.array([[0.0, 3.0, 0.0]])
  got = interpolate(start, end, 3)
  # Half-way: 45 degrees, and a norm of 2.
  half = 2.0 / math.sqrt(2.0)
  np.testing.assert_allclose(
      got, [[[1, 0, 0], [half, half, 0], [0, 3, 0]]], atol=1e-6)


def test_interpolation_keeps_the_norm_and_the_pace():
  start, end = (latents(NORMAL, random.key(i), 6) for i in (1, 2))
  path = np.asarray(interpolate(start, end, 9), np.float64)
  assert path.shape == (6, 9, 8)
  np.testing.assert_allclose(path[:, 0], start, atol=1e-5)
  np.testing.assert_allclose(path[:, -1], end, atol=1e-5)
  norm = np.linalg.norm(path, axis=-1)
  np.testing.assert_allclose(norm, np.linspace(norm[:, 0], norm[:, -1], 9).T,
                             rtol=1e-5)
  units = path / norm[..., None]
  steps = np.arccos(np.sum(units[:, 1:] * units[:, :-1], -1))
  whole = np.arccos(np.sum(units[:, 0] * units[:, -1], -1))
  np.testing.assert_allclose(steps, np.tile(whole[:, None] / 8, 8), rtol=1e-3)


@pytest.mark.parametrize('factor', [1.0, 2.0])
def test_interpolation_between_parallel_latents_is_straight(factor):
  start = np.asarray(latents(NORMAL, KEY, 3))
  path = interpolate(start, factor * start, 3)
  want = np.stack([start, start * (1 + factor) / 2, start * factor], axis=1)
  np.testing.assert_allclose(path, want, rtol=1e-4, atol=1e-5)
