"""Terms of the generator, and what terms may name."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from toy import (
  DISC_RATE,
  GEN_RATE,
  KEY,
  TABLE,
  B,
  P,
  make_batch,
  make_game,
  make_state,
  run,
)

from gan_jax import penalties
from gan_jax.game import terms
from gan_jax.game.step import train_step
from gan_jax.penalties import Regulariser, Term


def moved_by(game, extra, **changes):
  """Asserts that terms add the gradient of `extra` to the generator's."""
  base = make_game(**changes)
  state, batch = make_state(base), make_batch(base)
  plain, _ = run(base, state, batch)
  after, scalars = run(game, state, batch)
  toy.assert_close(after.disc, plain.disc)
  value, slope = jax.value_and_grad(extra)(state.gen.params['w'], batch, plain)
  assert np.abs(slope).max() > 1e-3
  np.testing.assert_allclose(after.gen.params['w'],
                             plain.gen.params['w'] - GEN_RATE * slope,
                             rtol=1e-4, atol=1e-6)
  assert scalars['loss/gen'] == pytest.approx(float(
      run(base, state, batch)[1]['loss/gen']), rel=1e-5)
  return float(value), scalars


def test_feature_matching_moves_the_generator():
  game = make_game(penalties=(
      Term('match', penalties.feature_matching(), 0.5, 1),))

  def extra(w, batch, plain):
    mean = batch.image[0].reshape(B, P).mean(axis=0)
    return 0.5 * jnp.sum((mean - jnp.mean(TABLE @ w, axis=0)) ** 2)

  value, scalars = moved_by(game, extra)
  # The scalar is without the weight; the discriminator has no such term.
  assert float(scalars['penalty/match_gen']) == pytest.approx(value / 0.5,
                                                              rel=1e-4)
  assert 'penalty/match' not in scalars


NAMED = {
    'params': (
        lambda params, keys: jnp.full(keys.shape[:1], jnp.sum(
            params['w'] ** 2)),
        lambda w, batch, plain: jnp.sum(w ** 2)),
    'fake': (
        lambda fake: jnp.sum(fake ** 2, axis=(1, 2, 3)),
        lambda w, batch, plain: jnp.sum((TABLE @ w) ** 2) / B),
    'generate': (
        lambda generate, z: jnp.sum(generate(2.0 * z) ** 2, axis=(1, 2, 3)),
        lambda w, batch, plain: 4.0 * jnp.sum((TABLE @ w) ** 2) / B),
    'both ways': (
        lambda generate, z, fake: jnp.sum((generate(z + 1.0) * fake),
                                          axis=(1, 2, 3)),
        lambda w, batch, plain: jnp.sum(
            ((TABLE + 1.0) @ w) * (TABLE @ w)) / B),
    'critic': (
        lambda critic, fake: critic(3.0 * fake),
        lambda w, batch, plain: jnp.mean(
            3.0 * TABLE @ w @ plain.disc.params['v'])),
    'fake_out': (
        lambda real_out, fake_out: real_out.logits * fake_out.logits,
        lambda w, batch, plain: jnp.mean(
            (batch.image[0].reshape(B, P) @ plain.disc.params['v']
             + plain.disc.params['c']) * (
                 TABLE @ w @ plain.disc.params['v']
                 + plain.disc.params['c']))),
}


@pytest.mark.parametrize('name', NAMED)
def test_a_term_adds_the_gradient_of_what_it_names(name):
  term, extra = NAMED[name]
  moved_by(make_game(penalties=(Term(name, Regulariser(gen=term), 1.0, 1),)),
           extra)


def test_a_term_of_the_discriminator_may_name_its_parameters():
  game = make_game(penalties=(Term('decay', lambda params, keys: jnp.full(
      keys.shape[:1], jnp.sum(params['v'] ** 2) / 2), 0.5, 1),))
  state, batch = make_state(game), make_batch(game)
  (plain, _), (after, _) = (run(g, state, batch) for g in (make_game(), game))
  v = state.disc.params['v']
  np.testing.assert_allclose(
      after.disc.params['v'], plain.disc.params['v'] - DISC_RATE * 0.5 * v,
      rtol=1e-4, atol=1e-6)


def test_logits_of_bfloat16_are_used_in_float32():
  """Of a network of one's own; a lazy term did not even compile."""
  def half(*args, **kwargs):
    out, stats = toy.disc_apply(*args, **kwargs)
    return out._replace(logits=out.logits.astype(jnp.bfloat16)), stats

  game = make_game(disc=toy.DISC._replace(apply=half), penalties=(
      Term('drift', penalties.drift(), 1.0, 2),))
  state, batch = make_state(game), make_batch(game)
  _, scalars = run(game, state, batch)
  v, c = state.disc.params['v'], state.disc.params['c']
  real, fake = (np.asarray(x @ v + c, jnp.bfloat16).astype(np.float64) for x in
                (batch.image[0].reshape(B, P), TABLE @ state.gen.params['w']))
  np.testing.assert_allclose(scalars['penalty/drift'], 2 * np.mean(real ** 2),
                             rtol=1e-6)
  np.testing.assert_allclose(scalars['loss/disc'], np.mean(
      np.log1p(np.exp(-real)) + np.log1p(np.exp(fake))), rtol=1e-6)


def test_a_lazy_term_of_the_generator_keeps_its_mean():
  """However many updates a step has: all of every fourth step's."""
  game = make_game(loss=toy.NO_LOSS, gen_steps=2, penalties=(
      Term('push', Regulariser(
          gen=lambda params, keys: jnp.full(keys.shape[:1], jnp.sum(
              params['w']))), 0.5, 4),))
  states, scalars = toy.play(game, steps=6)
  ways = [float(jnp.mean(new.gen.params['w'] - old.gen.params['w']))
          for old, new in zip(states, states[1:], strict=False)]
  # Two updates of slope 1, weight 1/2, times the interval of 4.
  one = -GEN_RATE * 0.5 * 4 * 2
  np.testing.assert_allclose(ways, [one, 0, 0, 0, one, 0], atol=1e-6)
  assert [s['penalty/push_gen'] != 0.0 for s in scalars] == [
      True, False, False, False, True, False]


def test_a_term_is_called_with_what_it_names():
  assert terms.call(lambda b, a: (a, b), a=1, b=2, c=3) == (1, 2)
  with pytest.raises(ValueError, match='asks for nobody'):
    terms.call(lambda nobody: nobody, a=1)


def test_a_term_of_a_wrong_shape_is_refused():
  game = make_game(penalties=(
      Term('mean', lambda real: jnp.mean(real), 1.0, 1),))
  with pytest.raises(ValueError, match=r'values must be \[B\], here of shape '
                                       r'\(6,\), and are of shape \(\)'):
    jax.eval_shape(partial(train_step, game=game), make_state(game),
                   make_batch(game), KEY)


def test_a_term_that_asks_for_what_is_not_there_is_told_what_is():
  with pytest.raises(ValueError, match='asks for key. Known: fake, real'):
    terms.call(lambda real, fake, key: None, real=1, fake=2)
  assert terms.call(lambda real, *, eps=3: real + eps, real=1, fake=2) == 4
