"""Unrolled steps, gradient normalisation, simultaneous updates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
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
  assert_params,
  make_batch,
  make_game,
  make_state,
  run,
  sigmoid,
  two_shards,
  weights,
)

from gan_jax.augment import Augmentation
from gan_jax.game import step
from gan_jax.game.step import simultaneous_step, train_step


@pytest.mark.parametrize('count,clip', [(0, 0.0), (1, 0.0), (3, 0.0),
                                        (3, 0.45)])
def test_unrolled_steps_equal_the_gradient_through_them(count, clip):
  game = make_game(unrolled_steps=count, disc_optimizer=optax.sgd(0.5),
                   disc_weight_clip=clip)
  state, batch = make_state(game), make_batch(game)
  keys = random.split(KEY, B)
  real, label = batch.image[0], batch.label[0]

  @jax.jit
  def update(state):
    fakes = step.generate(state, label, keys, game=game)
    return step.gen_step(state, real, label, fakes, keys, game=game)

  after, scalars = update(state)
  w, v, c = weights(state)
  z, flat = jnp.asarray(TABLE), real.reshape(B, P)

  def ahead(w):
    disc = v, c
    for _ in range(count):
      slope = jax.grad(lambda d: jnp.mean(
          sp(-(flat @ d[0] + d[1])) + sp(z @ w @ d[0] + d[1])))(disc)
      disc = jax.tree.map(lambda p, g: p - 0.5 * g, disc, slope)
      if clip:
        disc = jax.tree.map(lambda p: jnp.clip(p, -clip, clip), disc)
    return jnp.mean(sp(-(z @ w @ disc[0] + disc[1])))

  loss, slope = jax.jit(jax.value_and_grad(ahead))(w)
  np.testing.assert_allclose(after.gen.params['w'], w - GEN_RATE * slope,
                             rtol=1e-4, atol=1e-6)
  assert float(scalars['loss/gen']) == pytest.approx(float(loss), rel=1e-5)
  toy.assert_same(after.disc, state.disc)
  if count:  # Without the way through the updates it is another one.
    toy.assert_close(weights(after)[1:], (v, c))
    fixed = jax.grad(lambda w: jnp.mean(sp(-(z @ w @ v + c))))(w)
    assert np.abs(slope - fixed).max() > 0.01


@pytest.mark.parametrize('rule', [train_step, simultaneous_step])
def test_two_devices_look_ahead_as_one(rule):
  gen, disc = toy.nonlinear()
  game = make_game(gen=gen, disc=disc, unrolled_steps=2,
                   disc_optimizer=optax.sgd(0.5),
                   latent=jax.vmap(lambda key: random.normal(key, (Z,))))
  state, batch = make_state(game), make_batch(game)
  whole, parts = run(game, state, batch, rule), two_shards(game, state, batch,
                                                           rule)
  toy.assert_close(parts, whole, rtol=1e-5)
  blind, _ = run(game._replace(unrolled_steps=0), state, batch, rule)
  moves = [jax.tree.leaves(jax.tree.map(jnp.subtract, end.gen.params,
                                        state.gen.params))
           for end in (whole[0], blind)]
  assert max(np.abs(a - b).max() for a, b in zip(*moves, strict=True)) > 1e-4


def test_gradient_normalization_of_a_linear_discriminator():
  """f / (|v| + |f|), and the updates that follow."""
  game = make_game(gradient_normalization=True)
  state, batch = make_state(game), make_batch(game)
  after, scalars = run(game, state, batch)
  w, v, c = weights(state)
  z, real = jnp.asarray(TABLE), batch.image[0].reshape(B, P)

  def answer(x, v, c):
    f = x @ v + c
    return f / (jnp.sqrt(jnp.sum(v ** 2)) + jnp.abs(f))

  assert float(scalars['logits/real']) == pytest.approx(
      float(answer(real, v, c).mean()), rel=1e-5)
  by_v, by_c = jax.grad(lambda d: jnp.mean(
      sp(-answer(real, *d)) + sp(answer(z @ w, *d))))((v, c))
  v, c = v - DISC_RATE * by_v, c - DISC_RATE * by_c
  by_w = jax.grad(lambda w: jnp.mean(sp(-answer(z @ w, v, c))))(w)
  assert_params(weights(after), (w - GEN_RATE * by_w, v, c))


def test_gradient_normalization_is_by_what_the_discriminator_sees():
  """After the augmentation: its own slope is what it is divided by."""
  twice = Augmentation(lambda images, keys, memory: 2.0 * images)
  game = make_game(gradient_normalization=True, augment=twice)
  state, batch = make_state(game), make_batch(game)
  _, scalars = run(game, state, batch)
  _, v, c = map(np.float64, weights(state))
  f = 2.0 * np.float64(batch.image[0]).reshape(B, P) @ v + c
  want = np.mean(f / (np.linalg.norm(v) + np.abs(f)))
  assert float(scalars['logits/real']) == pytest.approx(want, rel=1e-5)


def test_simultaneous_players_do_not_see_each_others_move():
  game = make_game(ema_decay=0.5)
  state, batch = make_state(game, at=3), make_batch(game)
  after, scalars = run(game, state, batch, simultaneous_step)
  w, v, c = map(np.float64, weights(state))
  _, new_v, new_c, want = toy.step_by_hand(
      w, v, c, np.float64(batch.image).reshape(1, B, P), 'non_saturating', 0)
  b = TABLE @ w @ v + c  # ... of the discriminator before its move.
  by_w = TABLE.T @ np.outer(-sigmoid(-b) / B, v)
  assert_params(weights(after), (w - GEN_RATE * by_w, new_v, new_c))
  want['loss/gen'] = np.log1p(np.exp(-b)).mean()
  for name, value in want.items():
    assert float(scalars[name]) == pytest.approx(value, rel=1e-4), name
  assert after.step == 4
  np.testing.assert_allclose(after.ema.params['w'], w - 0.5 * GEN_RATE * by_w,
                             rtol=1e-4, atol=1e-6)
  in_turn, _ = run(game, state, batch)
  assert np.abs(in_turn.gen.params['w'] - after.gen.params['w']).max() > 1e-4
  toy.assert_close(in_turn.disc, after.disc)
