"""Latent optimisation (LOGAN): steps of z through which both players learn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
import toy
from jax import random
from jax.nn import softplus as sp
from toy import (
  DISC_RATE,
  GEN_RATE,
  KEY,
  TABLE,
  B,
  P,
  Z,
  make_batch,
  make_game,
  make_state,
  run,
  two_shards,
  weights,
)

from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment
from gan_jax.config.rules import of_config
from gan_jax.game import latent_steps, step
from gan_jax.game.step import simultaneous_step, train_step


def test_the_natural_step_is_by_the_damped_fisher_matrix():
  """Solved in full: (g g^T + damping I) change = rate g, for each z."""
  g = toy.normal(7, B, Z)
  got = latent_steps.natural(rate=0.9, damping=0.1).move(jnp.asarray(g))
  for one, change in zip(np.float64(g), got, strict=True):
    fisher = np.outer(one, one) + 0.1 * np.eye(Z)
    np.testing.assert_allclose(change, np.linalg.solve(fisher, 0.9 * one),
                               rtol=1e-5)
  np.testing.assert_allclose(latent_steps.gradient(rate=0.25).move(g), g / 4)


def test_the_constants_of_the_paper():
  """Of BigGAN-deep for ImageNet, with the weight of eq. 17; of CS-GAN."""
  assert lookup.defaults('gan_jax.game.latent_steps', 'natural') == dict(
      rate=0.9, damping=5.0, share=0.5, weight=300.0, bound=1.0)
  assert lookup.defaults('gan_jax.game.latent_steps', 'gradient') == dict(
      rate=0.01, share=1.0, weight=3.0, bound=1.0)


NATURAL = dict(rate=0.9, damping=0.5, share=1.0, weight=0.7, bound=1.5)
PLAIN = dict(rate=0.3, share=1.0, weight=2.0, bound=0.0)
STEPS = {
    'natural': (latent_steps.natural(**NATURAL),),
    'plain': (latent_steps.gradient(**PLAIN),),
    'two': (latent_steps.gradient(**PLAIN), latent_steps.natural(**NATURAL)),
}


def moved(name, w, v):
  """(z after the steps, their cost, |change|^2 of each) of the linear game.

  D(G(z)) = z.W v + c, whose gradient W v is the same for every z.
  """
  z, g, cost, squares = jnp.asarray(TABLE), w @ v, 0.0, []
  for kind in {'two': ('plain', 'natural')}.get(name, (name,)):
    if kind == 'plain':
      change, bound, weight = 0.3 * g, np.inf, 2.0
    else:
      change, bound, weight = 0.9 * g / (0.5 + g @ g), 1.5, 0.7
    squares.append(change @ change)
    cost += weight * squares[-1]
    z = jnp.clip(z + change[None], -bound, bound)
  return z, cost, squares


@pytest.mark.parametrize('rule', [train_step, simultaneous_step])
@pytest.mark.parametrize('name', STEPS)
def test_both_players_learn_through_the_steps(name, rule):
  """By differentiating the whole game, written down anew."""
  game = make_game(latent_steps=STEPS[name], reuse_fakes=False)
  state, batch = make_state(game), make_batch(game)
  after, scalars = run(game, state, batch, rule)
  w, v, c = map(jnp.asarray, weights(state))
  real = batch.image[0].reshape(B, P)

  def disc_loss(disc, w):
    z, cost, _ = moved(name, w, disc[0])
    return jnp.mean(sp(-(real @ disc[0] + disc[1])) + sp(
        z @ w @ disc[0] + disc[1])) + cost

  def gen_loss(w, disc):
    z, cost, _ = moved(name, w, disc[0])
    return jnp.mean(sp(-(z @ w @ disc[0] + disc[1]))) + cost

  slope = jax.grad(disc_loss)((v, c), w)
  disc = v - DISC_RATE * slope[0], c - DISC_RATE * slope[1]
  by_w = jax.grad(gen_loss)(w, disc if rule is train_step else (v, c))
  toy.assert_params(weights(after), (w - GEN_RATE * by_w, *disc))
  z, _, squares = moved(name, w, v)
  for i, square in enumerate(squares):
    assert float(scalars[f'latent/step_{i}']) == pytest.approx(float(square),
                                                               rel=1e-5)
  assert float(scalars['logits/fake']) == pytest.approx(
      float(jnp.mean(z @ w @ v + c)), rel=1e-5)
  if name != 'plain':  # Some of the table's z are clipped, and some not.
    assert 0 < np.mean(np.abs(z) == 1.5) < 1


def test_reused_images_take_the_gradient_of_their_own_discriminator():
  """Algorithm 1: one z for both updates, moved by D before its own."""
  game = make_game(latent_steps=STEPS['natural'], reuse_fakes=True)
  state, batch = make_state(game), make_batch(game)
  after, _ = run(game, state, batch)
  w, v, _ = map(jnp.asarray, weights(state))
  _, new_v, new_c = weights(after)

  def gen_loss(w):
    z, cost, _ = moved('natural', w, v)
    return jnp.mean(sp(-(z @ w @ new_v + new_c))) + cost

  np.testing.assert_allclose(after.gen.params['w'],
                             w - GEN_RATE * jax.grad(gen_loss)(w), rtol=1e-4,
                             atol=1e-6)


def test_a_share_of_the_elements_moves():
  zeros = jax.vmap(lambda key: jnp.zeros(Z))
  game = make_game(latent=zeros, latent_steps=(latent_steps.gradient(
      rate=1.0, share=0.5, bound=0.0),))
  state, many = make_state(game), 400

  @jax.jit
  def draw(keys):
    return step.generate(state, jnp.zeros(many, jnp.int32), keys,
                         game=game).z

  z = draw(random.split(KEY, many))
  w, v, _ = weights(state)
  still = np.asarray(z) == 0
  np.testing.assert_allclose(z, np.where(still, 0, w @ v), rtol=1e-5)
  # Each element by itself: 400 x 3 coins, 4 standard deviations.
  assert abs(still.mean() - 0.5) < 4 * 0.5 / np.sqrt(many * Z)
  assert {int(n) for n in still.sum(1)} == {0, 1, 2, 3}
  np.testing.assert_array_equal(z, draw(random.split(KEY, many)))


def test_the_steps_of_a_network_follow_its_gradient():
  """z goes where D takes the image for real, by the gradient of each alone."""
  gen, disc = toy.nonlinear()
  game = make_game(gen=gen, disc=disc, latent_steps=(
      latent_steps.gradient(rate=0.1, bound=0.0),))
  state = make_state(game)

  @jax.jit
  @jax.value_and_grad
  def slope(z):
    image, _ = gen.apply(state.gen.params, {}, z[None], None, train=True)
    return disc.apply(state.disc.params, {}, image, None, train=True)[0][0][0]

  got = jax.jit(lambda: step.generate(
      state, jnp.zeros(B, jnp.int32), random.split(KEY, B), game=game).z)()
  for before, after in zip(jnp.asarray(TABLE), got, strict=True):
    logit, by_z = slope(before)
    np.testing.assert_allclose(after, before + 0.1 * by_z, rtol=1e-5)
    assert slope(after)[0] > logit


def test_two_devices_step_as_one():
  """On real devices, and with batch norm: `same_game`."""
  gen, disc = toy.nonlinear()
  game = make_game(gen=gen, disc=disc, latent=jax.vmap(
      lambda key: random.uniform(key, (Z,), minval=-1.0)),
                   latent_steps=(latent_steps.natural(damping=0.1),))
  state, batch = make_state(game), make_batch(game)
  toy.assert_close(two_shards(game, state, batch), run(game, state, batch),
                   rtol=1e-4)


@pytest.mark.parametrize('changes, message', [
    (dict(latent=dict(name='normal')), 'clips z, which is normal'),
    (dict(latent=dict(name='infogan')), "would change infogan's codes"),
    (dict(latent=dict(name='uniform'), unrolled_steps=1, disc_optimizer=dict(
        name='sgd', learning_rate=0.1)), 'use unrolled_steps=0')])
def test_what_does_not_go_together_is_a_problem(changes, message):
  config = tiny.config('unused', latent_steps=(dict(name='natural'),),
                       **changes)
  (problem,) = of_config(config, 1, [])
  assert problem.path.startswith('latent_steps') and message in str(problem)
  loose = (dict(name='natural', bound=0.0),)
  assert not of_config(tiny.config('unused', latent_steps=loose), 1, [])


@pytest.mark.parametrize('spec, said', [
    (dict(name='natural', damping=0.0), 'damping=0.0 must be above 0'),
    (dict(name='gradient', rate=-1.0), 'rate=-1.0 must be above 0'),
    (dict(name='gradient', share=1.5), 'share=1.5 must be above 0, and 1 at'),
    (dict(name='natural', share=0.0), 'share=0.0 must be above 0, and 1 at'),
    (dict(name='gradient', weight=-1.0), 'weight=-1.0 and bound'),
    (dict(name='natural', bound=-1.0), 'weight=300.0 and bound=-1.0 must'),
    (dict(name='gradient', speed=1.0), 'gradient takes no such argument'),
    (dict(name=f'{__name__}:no_step'), 'must return gan_jax.game.latent_steps.'
     'LatentStep')])
def test_a_step_that_cannot_be_is_told(spec, said, tmp_path):
  path = tiny.write_images(tmp_path / 'x.npz')
  with pytest.raises(ConfigError, match=r'latent_steps\[0\].*' + said):
    experiment.load(tiny.config(path, latent=dict(name='uniform', size=4),
                                latent_steps=(spec,)))


def no_step():
  return functools.partial(jnp.multiply, 0.1)


def test_losses_that_do_not_train_logits_have_none_to_follow(tmp_path):
  path = tiny.write_images(tmp_path / 'x.npz')
  with pytest.raises(ConfigError, match='latent_steps = .*reads logits, which '
                     'mmd does not train'):
    experiment.load(tiny.config(
        path, latent=dict(name='uniform', size=4), loss=dict(name='mmd'),
        latent_steps=(dict(name='natural'),)))


def test_without_steps_the_game_is_as_before():
  with_none = run(make_game(latent_steps=(), gen_optimizer=optax.sgd(GEN_RATE)))
  plain, scalars = toy.plain_step()
  toy.assert_same(with_none[0], plain[-1])
  assert not [name for name in scalars[0] if name.startswith('latent/')]
