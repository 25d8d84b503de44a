"""Games with an encoder: a step against derivatives by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy
from jax import nn, random
from toy import P, Z, make_batch, make_game, make_state, normal

from gan_jax import losses, models, penalties
from gan_jax.game.step import solo_step, train_step
from gan_jax.losses import Loss
from gan_jax.models import Critique, Model, Posterior
from gan_jax.penalties import Regulariser, Term

RATE = 0.1
NO_STATS = Model(lambda key, x, label: ({'w': normal(1, Z, P)}, {}),
                 lambda params, stats, z, label, *, train, keys=None: (
                     (z @ params['w']).reshape(-1, *toy.SHAPE), stats), None)
ENCODER = Model(
    lambda key, x, label: ({'u': normal(4, P, Z), 's': normal(5, Z)}, {}),
    lambda params, stats, x, label, *, train, keys=None: (Posterior(
        x.reshape(len(x), -1) @ params['u'],
        jnp.broadcast_to(params['s'], (len(x), Z))), stats), None)


def pair(frozen=False):
  return models.with_encoder(NO_STATS, ENCODER, frozen=frozen)


def play(rule, game):
  state, batch = make_state(game), make_batch(game)
  after, scalars = rule(state, batch, toy.KEY, game=game)
  return state, batch.image[-1].reshape(toy.B, -1), after, scalars


def test_an_autoencoder_alone_follows_the_slope_of_its_bound():
  """-ELBO of a linear Gaussian, whose mean over z is known: no draw is used."""
  game = make_game(
      gen=pair(), disc=None, loss=losses.none(),
      penalties=(Term('elbo', penalties.elbo(
          likelihood='gaussian', sigma=0.7, beta=2.0, sample=False), 1.0, 1),))
  state, x, after, scalars = play(solo_step, game)
  x = np.float64(x)
  w, u, s = (np.float64(state.gen.params[part][name]) for part, name in (
      ('generator', 'w'), ('encoder', 'u'), ('encoder', 's')))
  mean = x @ u
  error = mean @ w - x
  bound = (0.5 * (error / 0.7) ** 2).sum(1).mean() + P * (
      np.log(0.7) + 0.5 * np.log(2 * np.pi)) + 2.0 * 0.5 * (
          (mean ** 2).sum(1).mean() + (np.exp(s) - 1 - s).sum())
  np.testing.assert_allclose(scalars['loss/gen'], bound, rtol=1e-5)
  slopes = {'w': mean.T @ error / 0.49 / toy.B,
            'u': x.T @ (error @ w.T / 0.49 + 2.0 * mean) / toy.B,
            's': 2.0 * 0.5 * (np.exp(s) - 1)}
  for part, name in (('generator', 'w'), ('encoder', 'u'), ('encoder', 's')):
    before = np.asarray(state.gen.params[part][name])
    np.testing.assert_allclose(after.gen.params[part][name],
                               before - RATE * slopes[name], atol=2e-5)
  assert after.step == 1 and not jax.tree.leaves(after.disc.params)


def joint_disc():
  """Logits x.v + code.c + (x.a) (code.b): a pair, not two parts."""
  def init(key, x, label):
    size, = label.shape[1:]  # The codes of the images are in its place.
    return {'v': normal(2, P), 'c': normal(6, size), 'a': normal(7, P),
            'b': normal(8, size)}, {}

  def apply(params, stats, x, code, *, train, keys=None):
    x = x.reshape(len(x), -1)
    logits = x @ params['v'] + code @ params['c'] + (
        x @ params['a']) * (code @ params['b'])
    return Critique(logits, x, {}), stats

  return Model(init, apply, None)


def swapped(loss):
  return loss._replace(gen=lambda real, fake: loss.disc(fake, real))


def test_a_joint_game_judges_pairs_and_moves_the_encoder_by_the_real_ones():
  game = make_game(gen=pair(), disc=joint_disc(), joint='mean',
                   loss=swapped(losses.non_saturating()))
  state, x, after, _ = play(train_step, game)
  z = toy.TABLE

  def logits(disc, x, code):
    return x @ disc['v'] + code @ disc['c'] + (x @ disc['a']) * (
        code @ disc['b'])

  def loss(disc, gen):
    real = logits(disc, x, x @ gen['encoder']['u'])
    fake = logits(disc, z @ gen['generator']['w'], z)
    return jnp.mean(nn.softplus(-real) + nn.softplus(fake)), jnp.mean(
        nn.softplus(real) + nn.softplus(-fake))

  disc, gen = state.disc.params, state.gen.params
  slope = jax.grad(lambda d: loss(d, gen)[0])(disc)
  disc = jax.tree.map(lambda p, g: p - toy.DISC_RATE * g, disc, slope)
  wanted = jax.tree.map(lambda p, g: p - RATE * g, gen, jax.grad(
      lambda g: loss(disc, g)[1])(gen))
  for found, right in zip(jax.tree.leaves((after.disc.params,
                                           after.gen.params)),
                          jax.tree.leaves((disc, wanted)), strict=True):
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(after.gen.params['encoder']['s'],
                                state.gen.params['encoder']['s'])


def slopes(disc, x, code):
  """D's logits [B] of pairs, and the squared norms of their gradients."""
  x, code, v, c, a, b = map(np.float64, (
      x, code, *(disc[name] for name in 'vcab')))
  by_x = v + np.outer(code @ b, a)
  by_code = c + np.outer(x @ a, b)
  return x @ v + code @ c + (x @ a) * (code @ b), (
      by_x ** 2).sum(1) + (by_code ** 2).sum(1)


def sides(state, x):
  """The pairs (x, E(x)) and (G(z), z)."""
  gen = state.gen.params
  return (x, x @ gen['encoder']['u']), (
      toy.TABLE @ gen['generator']['w'], toy.TABLE)


def test_gradient_penalties_of_a_joint_game_are_by_the_pair():
  """R1 at (x, E(x)) and R2 at (G(z), z), each by the image and its code."""
  game = make_game(
      gen=pair(), disc=joint_disc(), joint='mean',
      loss=swapped(losses.non_saturating()), penalties=(
          Term('r1', penalties.r1(), 1.0, 1),
          Term('r2', penalties.r2(), 1.0, 1)))
  state, x, _, scalars = play(train_step, game)
  for name, side in zip(('r1', 'r2'), sides(state, x), strict=True):
    _, squares = slopes(state.disc.params, *side)
    np.testing.assert_allclose(scalars[f'penalty/{name}'],
                               squares.mean() / 2, rtol=1e-5)


# What a term may ask of D, and which side's pairs it then judges.
ASKED = [
    (lambda critic, real: critic(real), 0),
    (lambda critic, fake, codes: critic(fake, codes['fake']), 1),
    (lambda fake_critic, fake: fake_critic(fake), 1),
    (lambda fake_critic, real, codes: fake_critic(real, codes['real']), 0),
    (lambda critique, real: critique(real).logits, 0),
    (lambda critique, real: critique(real, purpose='mine').logits, 0),
    (lambda critique, fake: critique(fake, purpose='fake').logits, 1),
    (lambda critique, fake, codes: critique(fake, codes['fake']).logits, 1),
    (lambda critique, fake, codes: critique(
        fake, codes['fake'], purpose='mine').logits, 1)]


def test_terms_of_both_players_of_a_joint_game_may_judge_pairs():
  game = make_game(
      gen=pair(), disc=joint_disc(), joint='mean',
      loss=swapped(losses.non_saturating()), penalties=tuple(
          Term(str(i), Regulariser(disc=ask, gen=ask), 0.0, 1)
          for i, (ask, _) in enumerate(ASKED)))
  state, x, after, scalars = play(train_step, game)
  for disc, player in ((state.disc, ''), (after.disc, '_gen')):
    for i, (_, side) in enumerate(ASKED):
      logits, _ = slopes(disc.params, *sides(state, x)[side])
      np.testing.assert_allclose(scalars[f'penalty/{i}{player}'], logits.mean(),
                                 rtol=1e-5, err_msg=f'{i}{player}')


def test_a_critic_of_images_alone_refuses_codes():
  """Before labels are taken for them, or a purpose for a code."""
  for given in (jnp.zeros((toy.B, Z)), 'fake'):
    term = Term('told', lambda critique, real, given=given: critique(
        real, given).logits, 1.0, 1)
    with pytest.raises(ValueError, match='which only a joint game has'):
      play(train_step, make_game(penalties=(term,)))


def test_gradient_normalization_of_a_joint_game_is_by_the_pair():
  game = make_game(gen=pair(), disc=joint_disc(), joint='mean',
                   gradient_normalization=True,
                   loss=swapped(losses.non_saturating()))
  state, x, _, scalars = play(train_step, game)
  for name, side in zip(('real', 'fake'), sides(state, x), strict=True):
    logits, squares = slopes(state.disc.params, *side)
    np.testing.assert_allclose(
        scalars[f'logits/{name}'],
        (logits / (np.sqrt(squares) + np.abs(logits))).mean(), rtol=1e-4)


def test_a_sampled_code_moves_the_deviation_too():
  game = make_game(gen=pair(), disc=joint_disc(), joint='sample',
                   loss=swapped(losses.non_saturating()))
  state, _, after, _ = play(train_step, game)
  assert (np.asarray(after.gen.params['encoder']['s'])
          != np.asarray(state.gen.params['encoder']['s'])).all()


def test_a_frozen_generator_keeps_its_statistics_and_draws_as_after_training():
  seen = []

  def apply(params, stats, z, label, *, train, keys=None):
    seen.append(train)
    return toy.gen_apply(params, stats, z, label, train=train)[0], stats

  gen = models.with_encoder(toy.GEN._replace(apply=apply), ENCODER, frozen=True)
  game = make_game(
      gen=gen, disc=None, loss=Loss(None, None),
      penalties=(Term('latent_regression', penalties.latent_regression(), 1.0,
                      1),),
      gen_optimizer=optax.chain(optax.sgd(RATE), optax.masked(
          optax.set_to_zero(), {'generator': True, 'encoder': False})))
  state, _, after, _ = play(solo_step, game)
  assert seen and not any(seen)
  np.testing.assert_array_equal(after.gen.params['generator']['w'],
                                state.gen.params['generator']['w'])
  assert (np.asarray(after.gen.params['encoder']['u'])
          != np.asarray(state.gen.params['encoder']['u'])).any()
  np.testing.assert_array_equal(after.gen.stats['mean'],
                                state.gen.stats['mean'])


def test_an_encoder_with_statistics_is_refused():
  with_stats = ENCODER._replace(init=lambda *args: (
      ENCODER.init(*args)[0], {'mean': jnp.zeros(())}))
  gen = models.with_encoder(NO_STATS, with_stats, frozen=False)
  with pytest.raises(ValueError, match='keeps statistics'):
    gen.init(random.key(0), jnp.zeros((2, Z)), jnp.zeros(2, jnp.int32))
