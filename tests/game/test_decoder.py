"""Priors as functions of a normal latent; images in [0, 1]."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gan_jax.base import lookup
from gan_jax.game import decoder, latents
from gan_jax.game.state import Average
from gan_jax.losses import Loss
from gan_jax.models import Critique, Model, Posterior

KNOWN = {'normal': scipy.stats.norm(), 'uniform': scipy.stats.uniform(-1, 2),
         'truncated_normal': scipy.stats.truncnorm(-2, 2)}


def _apply(params, stats, z, label, *, train, keys=None):
  """Images [B, 1, 1, 2]: the latents, and the label."""
  del stats, train, keys
  image = params * jnp.stack([z[:, 0], label.astype(jnp.float32)], 1)
  return image[:, None, None], {}


def _encode(params, stats, images, label, *, train):
  del stats, label, train
  z = images.reshape(-1, 2) / params
  return Posterior(jnp.pad(z, ((0, 0), (0, 1))), None)


def made(name, image_range=(-1.0, 1.0), shape=(1, 1, 2), **prior):
  # Of an encoder whose mean is the image's two numbers, doubled, and a 0.
  gen = Model(None, _apply, None, encode=_encode)
  game = types.SimpleNamespace(gen=gen, latent=latents.normal(size=3))
  return decoder.decoder_of(game, Average(jnp.float32(0.5), {}),
                            dict(name=name, **prior), image_range, shape)


@pytest.mark.parametrize('name', sorted(KNOWN))
def test_a_normal_latent_becomes_one_of_the_prior(name):
  u = jax.random.normal(jax.random.key(0), (4000,))
  z = made(name).latent(u)
  # Quantile for quantile: the known distribution function gives a uniform.
  np.testing.assert_allclose(KNOWN[name].cdf(z), scipy.stats.norm.cdf(u),
                             atol=1e-4)


def test_a_bound_of_ones_own():
  z = made('truncated_normal', bound=0.5).latent(jnp.array([-9.0, 0.0, 9.0]))
  np.testing.assert_allclose(z, [-0.5, 0.0, 0.5], atol=1e-5)


def test_on_a_sphere_all_have_one_norm():
  z = made('sphere').latent(jnp.array([[3.0, 0.0, 4.0]]))
  np.testing.assert_allclose(z, np.sqrt(3) * np.array([[0.6, 0.0, 0.8]]),
                             rtol=1e-5)


@pytest.mark.parametrize('name', [*sorted(KNOWN), 'sphere'])
def test_the_encoder_gives_the_latent_before_the_prior(name):
  """z = 0.5 and -0.5: the image 0.25 and -0.25 in [-1, 1]."""
  x = (jnp.array([0.25, -0.25]).reshape(1, 1, 1, 2) + 1) / 2
  u = made(name).encode(x, jnp.array([0]))
  if name == 'sphere':
    np.testing.assert_allclose(u, [[0.5, -0.5, 0.0]], atol=1e-6)
  else:
    np.testing.assert_allclose(made(name).latent(u), [[0.5, -0.5, 0.0]],
                               atol=1e-5)


def test_the_posterior_is_that_of_a_prior_that_is_normal_itself():
  x = (jnp.array([0.25, -0.25]).reshape(1, 1, 1, 2) + 1) / 2
  found = made('normal').posterior(x, jnp.array([0]))
  np.testing.assert_allclose(found.mean, [[0.5, -0.5, 0.0]], atol=1e-6)
  assert made('uniform').posterior is None


@pytest.mark.parametrize('name', ['uniform', 'truncated_normal'])
def test_codes_beyond_the_border_stay_finite(name):
  x = jnp.array([9.0, -9.0]).reshape(1, 1, 1, 2)
  assert jnp.isfinite(made(name).encode(x, jnp.array([0]))).all()


@pytest.mark.parametrize('image_range,expected', [
    # Images of 0.5 u and 0.5 label.
    ((-1.0, 1.0), [[0.75, 1.25]]), ((0.0, 1.0), [[0.5, 1.5]])])
def test_images_lie_between_0_and_1(image_range, expected):
  u = jnp.array([[1.0, 0.0, 0.0]])
  decode = made('normal', image_range).decode
  np.testing.assert_allclose(jax.jit(lambda decode, *a: decode(*a))(
      decode, u, jnp.array([3]))[:, 0, 0], expected)


def test_vectors_stay_as_they_are():
  decode = made('normal', shape=(2,)).decode
  np.testing.assert_allclose(decode(jnp.ones((1, 3)), jnp.array([3]))[:, 0, 0],
                             [[0.5, 1.5]])


def test_codes_are_refused_and_every_other_prior_is_known():
  with pytest.raises(ValueError, match='the prior infogan cannot be inferred'):
    made('infogan')
  names = set(lookup.names('gan_jax.game.latents')) - {'infogan'}
  for name in names:
    made(name)


def test_decoders_of_one_game_share_their_programs():
  gen = Model(None, _apply, None, encode=_encode)
  game = types.SimpleNamespace(gen=gen, latent=latents.normal(size=3))
  run = jax.jit(lambda decode, u: decode(u, jnp.zeros(1)))
  for weight in (0.5, 0.7):
    run(decoder.decoder_of(
        game, Average(jnp.float32(weight), {}), dict(name='normal'),
        (-1.0, 1.0), (1, 1, 2)).decode, jnp.ones((1, 3)))
  assert run._cache_size() == 1


# Critics.


def _critique(params, stats, x, label, *, train):
  """Logits: a weighted sum, and that of the label or code."""
  assert not train
  return Critique(x.reshape(len(x), -1) @ params + label.reshape(
      len(x), -1).sum(1), x, {}), stats


def critic(weights=(1.0, 10.0, 100.0, 1000.0), packing=2, joint='none',
           judge=None, **loss):
  game = types.SimpleNamespace(
      gen=Model(None, _apply, None, encode=_encode), joint=joint,
      disc=Model(None, _critique, None), packing=packing,
      loss=Loss(None, None, **loss), judge=judge)
  state = types.SimpleNamespace(disc=Average(jnp.array(weights), {}),
                                ema=Average(jnp.float32(0.5), {}))
  return decoder.critic_of(game, state, (-1.0, 1.0), (1, 1, 2))


@pytest.mark.parametrize('given,logits', [
    # The images are (0, 1) and (1, -1), twice in a pack.
    ({}, [1010 + 3, 1 - 10 + 100 - 1000 + 4]),
    (dict(needs='autoencoder'), [-1013, 905]),
    (dict(judge=lambda out: 2 * out.logits), [2026, -1810]),
    # Their codes are twice the images, whatever the label.
    (dict(weights=(1.0, 10.0), packing=1, joint='mean'), [10 + 2, -9])])
def test_a_critic_by_hand(given, logits):
  x = jnp.array([[0.5, 1.0], [1.0, 0.0]])[:, None, None]
  found = critic(**given)
  np.testing.assert_allclose(found.logits(x, jnp.array([3, 4])), logits)
  copies = given.get('packing', 2)
  np.testing.assert_allclose(found.features(x, jnp.array([3, 4])),
                             np.tile([[0, 1], [1, -1]], copies))


def test_what_trains_no_logits_has_no_critic():
  assert critic(needs='nothing') is critic(inputs='features') is None
