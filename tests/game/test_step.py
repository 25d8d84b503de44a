"""One step of the game against numpy, and what it must not touch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import random
from toy import (
  DISC,
  GEN_RATE,
  KEY,
  SHAPE,
  TABLE,
  B,
  P,
  Z,
  assert_all_changed,
  assert_close,
  assert_same,
  disc_apply,
  make_batch,
  make_game,
  make_state,
  nonlinear,
  play,
  step_by_hand,
)

from gan_jax import losses, penalties
from gan_jax.game import step, terms
from gan_jax.game.step import train_step
from gan_jax.models import Model
from gan_jax.penalties import Term


@pytest.mark.parametrize('loss,disc_steps,gen_steps,reuse', [
    ('minimax', 1, 1, True), ('non_saturating', 1, 1, False),
    ('least_squares', 3, 1, True), ('relativistic', 3, 2, True),
    ('relativistic', 2, 2, False)])
def test_steps_equal_numpy(loss, disc_steps, gen_steps, reuse):
  game = make_game(loss=getattr(losses, loss)(), disc_steps=disc_steps,
                   gen_steps=gen_steps, reuse_fakes=reuse)
  states, scalars = play(game, steps=3)
  gen, disc = states[0].gen.params, states[0].disc.params
  w, v, c = (np.float64(x) for x in (gen['w'], disc['v'], disc['c']))
  for i, (state, found) in enumerate(zip(states[1:], scalars, strict=True)):
    real = np.float64(make_batch(game, 10 + i).image).reshape(-1, B, P)
    w, v, c, want = step_by_hand(w, v, c, real, loss, gen_steps)
    np.testing.assert_allclose(state.gen.params['w'], w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.disc.params['v'], v, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.disc.params['c'], c, rtol=1e-4, atol=1e-5)
    assert set(found) - set(want) == {  # In test_step_rules.py.
        'sign/real', 'update_ratio/gen', 'update_ratio/disc', 'grad_ratio'}
    assert {name: found[name] for name in want} == pytest.approx(
        want, rel=1e-4, abs=1e-5)
    assert state.step == i + 1


def test_the_batches_of_a_step_are_seen_in_their_order():
  game = make_game(disc_steps=3)
  run = jax.jit(functools.partial(train_step, game=game))
  batch, state = make_batch(game), make_state(game)
  after, _ = run(state, batch, KEY)
  # Of real and fake in turn; the fakes of a step are of one generator.
  seen, fake = 2.0, np.mean(TABLE @ np.asarray(state.gen.params['w']))
  for image in np.asarray(batch.image):
    seen = 0.5 * seen + 0.5 * image.mean()
    seen = 0.5 * seen + 0.5 * fake
  assert float(after.disc.stats['mean']) == pytest.approx(seen, rel=1e-5)
  other, _ = run(state, batch._replace(image=batch.image[::-1]), KEY)
  assert abs(float(other.disc.stats['mean']) - seen) > 1e-3


def test_statistics_of_the_generator_are_of_its_own_updates():
  """A generator step each, however often the discriminator saw fakes."""
  state, _ = play(make_game(disc_steps=3))
  fake = np.mean(TABLE @ np.asarray(state[0].gen.params['w']))
  got = float(state[1].gen.stats['mean'])
  assert got == pytest.approx(0.5 * 1.0 + 0.5 * fake, rel=1e-5)


# Who touches what.


@pytest.fixture(scope='module')
def halves():
  """(state, after disc_step, after gen_step)."""
  adam = optax.adam(0.1)
  game = make_game(gen_optimizer=adam, disc_optimizer=adam,
                   penalties=(Term('r1', penalties.r1(), 1.0, 1),))
  state, batch = make_state(game, at=7), make_batch(game)
  keys = random.split(KEY, B)
  real, label = batch.image[0], batch.label[0]

  @jax.jit
  def run(state):
    fakes = step.generate(state, label, keys, game=game)
    after_disc, _ = step.disc_step(state, real, label, fakes, keys, 0,
                                   game=game)
    after_gen, _ = step.gen_step(state, real, label, fakes, keys, game=game)
    return after_disc, after_gen

  return state, *run(state)


def test_disc_step_leaves_all_but_the_discriminator(halves):
  state, after, _ = halves
  assert_same(after.replace(disc=state.disc), state)
  assert_all_changed(after.disc, state.disc)


def test_gen_step_leaves_all_but_the_generator(halves):
  state, _, after = halves
  assert_same(after.replace(gen=state.gen), state)
  assert_all_changed(after.gen, state.gen)


def test_disc_step_takes_the_fakes_as_constants():
  """Not even through the images does a gradient reach the generator."""
  game = make_game()
  state, batch = make_state(game), make_batch(game)

  def value(w):
    fake = (jnp.asarray(TABLE) @ w).reshape(B, *SHAPE)
    fakes = step.generate(state, batch.label[0], random.split(KEY, B),
                          game=game)._replace(image=fake)
    after, _ = step.disc_step(state, batch.image[0], batch.label[0], fakes,
                              random.split(KEY, B), 0, game=game)
    return jnp.sum(after.disc.params['v'])

  slope = jax.jit(jax.grad(value))(state.gen.params['w'])
  np.testing.assert_array_equal(slope, np.zeros((Z, P)))


def test_reused_fakes_give_the_gradient_of_recomputed_ones():
  gen, disc = nonlinear()
  game = make_game(gen=gen, disc=disc,
                   latent=jax.vmap(lambda key: random.normal(key, (Z,))))
  state, batch = make_state(game), make_batch(game)
  real, label, keys = batch.image[0], batch.label[0], random.split(KEY, B)

  @jax.jit
  def run(state):
    fakes = step.generate(state, label, keys, game=game)
    state, _ = step.disc_step(state, real, label, fakes, keys, 0,
                              game=game)
    again = step.generate(state, label, keys, game=game)
    reused, _ = step.gen_step(state, real, label, fakes, keys, game=game)
    fresh, _ = step.gen_step(state, real, label, again, keys, game=game)

    # And by plain differentiation of the whole.
    def objective(params):
      z = game.latent(terms.keys_for(keys, 'latent'))
      image, _ = gen.apply(params, {}, z, label, train=True)
      logits = disc.apply(state.disc.params, {}, image, label, train=True)[0][0]
      return jnp.mean(jnp.logaddexp(0.0, -logits))

    slope = jax.grad(objective)(state.gen.params)
    plain = jax.tree.map(lambda p, g: p - GEN_RATE * g, state.gen.params, slope)
    return reused.gen.params, fresh.gen.params, plain, state.gen.params

  reused, fresh, plain, before = run(state)
  assert_close(reused, fresh)
  assert_close(reused, plain)
  assert_all_changed(reused, before)


def _without_stats(asked):
  """The linear discriminator as one of each example; notes the batches."""
  def apply(params, stats, images, label, *, train, keys=None):
    asked.append(images.shape[0])
    return disc_apply(params, {'mean': 0.0}, images, label, train=train)[0], {}

  return Model(lambda *args: (DISC.init(*args)[0], {}), apply, None, True)


def test_real_and_generated_images_are_judged_as_one_batch():
  """To the same end as one after the other."""
  asked, want = [], play(make_game(), steps=2)
  states, scalars = play(make_game(disc=_without_stats(asked)), steps=2)
  assert 2 * B in asked
  assert_close(states[-1].disc.params, want[0][-1].disc.params)
  assert_close(states[-1].gen.params, want[0][-1].gen.params)
  assert scalars[-1] == pytest.approx(want[1][-1], rel=1e-4, abs=1e-6)


def test_with_penalties_they_are_judged_apart():
  asked = []
  term = Term('r1', penalties.r1(), weight=1.0, every=1)
  play(make_game(disc=_without_stats(asked), penalties=(term,)))
  assert set(asked) == {B}
