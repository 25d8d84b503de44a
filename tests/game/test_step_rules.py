"""The rules of a step: penalties, clipping, averages, labels, scalars."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import (
  DISC_RATE,
  GEN_RATE,
  KEY,
  NO_LOSS,
  SHAPE,
  TABLE,
  B,
  P,
  assert_close,
  make_batch,
  make_game,
  make_state,
  plain_step,
  play,
  sigmoid,
)

from gan_jax import losses, penalties
from gan_jax.augment import Augmentation
from gan_jax.config import experiment
from gan_jax.game.step import train_step
from gan_jax.models import Critique, Model
from gan_jax.penalties import Term

# Penalties.


def square(critic, real, fake, keys):
  """A penalty whose gradient by v is the mean of the real images."""
  return critic(real)


def test_lazy_penalty_counts_every_so_often_and_so_much_more():
  game = make_game(loss=NO_LOSS, penalties=(Term('it', square, 0.5, 4),))
  states, scalars = play(game, steps=9)
  for i, (old, new) in enumerate(zip(states, states[1:], strict=False)):
    mean = np.mean(make_batch(game, 10 + i).image[0], 0).reshape(P)
    moved = 0.5 * 4 * mean if i in (0, 4, 8) else np.zeros(P)
    np.testing.assert_allclose(
        new.disc.params['v'], old.disc.params['v'] - DISC_RATE * moved,
        rtol=1e-5, atol=1e-6)
    value = float(np.mean(mean @ np.asarray(old.disc.params['v'])
                          + old.disc.params['c']))
    # The scalar is times the interval, without the weight.
    assert scalars[i]['penalty/it'] == pytest.approx(
        4 * value if i in (0, 4, 8) else 0.0, rel=1e-4, abs=1e-6)


def test_lazy_penalty_counts_updates_of_the_discriminator():
  game = make_game(loss=NO_LOSS, disc_steps=2, penalties=(
      Term('one', lambda critic, real, fake, keys: jnp.ones(B), 1.0, 4),))
  _, scalars = play(game, steps=5)
  # Updates 0, 4 and 8 are the first of two in steps 0, 2 and 4.
  assert [s['penalty/one'] for s in scalars] == [2.0, 0.0, 2.0, 0.0, 2.0]


def test_penalties_are_in_the_update_and_not_in_the_loss():
  base, (plain,) = plain_step()
  states, (scalars,) = play(make_game(penalties=(
      Term('r1', penalties.r1(), 3.0, 1), Term('two', square, 0.5, 1))))
  before, after = states[0].disc.params, states[1].disc.params
  assert scalars['loss/disc'] == plain['loss/disc']
  v = np.float64(before['v'])
  # R1 of a linear critic is |v|^2 / 2, its slope v.
  assert scalars['penalty/r1'] == pytest.approx((v ** 2).sum() / 2, rel=1e-5)
  mean = np.mean(make_batch(make_game()).image[0], 0).reshape(P)
  want = base[1].disc.params['v'] - DISC_RATE * (3.0 * v + 0.5 * mean)
  np.testing.assert_allclose(after['v'], want, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_a_penalty_is_by_the_image_before_augmentation():
  """D(2 x) has R1 = |2 v|^2 / 2."""
  game = make_game(augment=Augmentation(
      lambda images, keys, memory: 2.0 * images), penalties=(
      Term('r1', penalties.r1(), 1.0, 1),))
  states, (scalars,) = play(game)
  v = np.float64(states[0].disc.params['v'])
  assert scalars['penalty/r1'] == pytest.approx(2 * (v ** 2).sum(), rel=1e-5)


# The other rules.


def test_weights_are_clipped_after_the_update():
  states, _ = play(make_game(disc_weight_clip=0.45))
  free, _ = plain_step()
  want = jax.tree.map(lambda p: np.clip(p, -0.45, 0.45), free[1].disc.params)
  assert_close(states[1].disc.params, want)
  leaves = [np.abs(p).max() for p in jax.tree.leaves(states[1].disc.params)]
  assert max(leaves) == np.float32(0.45) > 2 * min(leaves)
  # The generator is not clipped.
  assert np.abs(states[1].gen.params['w']).max() > 0.5


@pytest.mark.parametrize('decay,rampup', [(0.0, 0.5), (0.8, 0.0), (0.8, 0.5),
                                          (0.999, 0.05)])
def test_the_average_equals_a_loop(decay, rampup):
  game = make_game(ema_decay=decay, ema_rampup=rampup)
  states, _ = play(game, steps=9)
  average = np.float64(states[0].gen.params['w'])
  mean = np.float64(states[0].gen.stats['mean'])
  for i, state in enumerate(states[1:]):
    keep = decay
    if rampup and decay:
      # The half-life h with decay^h = 1/2, at most a share of the steps.
      half_life = min(np.log(2) / -np.log(decay), rampup * (i + 1))
      keep = 2.0 ** (-1.0 / half_life)
    average = keep * average + (1 - keep) * np.float64(state.gen.params['w'])
    mean = keep * mean + (1 - keep) * np.float64(state.gen.stats['mean'])
    np.testing.assert_allclose(state.ema.params['w'], average, rtol=1e-5,
                               atol=1e-6)
    np.testing.assert_allclose(state.ema.stats['mean'], mean, rtol=1e-5)
  if decay in (0.0, 0.8):  # Long past the ramp: 3.1 steps of half-life.
    last = states[-1].gen.params['w']
    assert (states[-1].ema.params['w'] == last).all() == (decay == 0.0)


def test_max_grad_norm_shortens_the_gradient_of_each_player():
  from gan_jax.config import recipe
  config = experiment.plain(recipe.base()) | dict(
      gen_optimizer=dict(name='sgd', learning_rate=GEN_RATE),
      disc_optimizer=dict(name='sgd', learning_rate=DISC_RATE),
      max_grad_norm=1e-2)
  info = experiment.DataInfo('toy', (8, 8, 1), 100, 0, (), '', '')
  rules = experiment.make_game(config, info, 10, axis_name=None)
  states, (scalars,) = play(make_game(gen_optimizer=rules.gen_optimizer,
                                      disc_optimizer=rules.disc_optimizer))
  free, (norms,) = plain_step()
  moves = [[{k: np.asarray(getattr(end[1], net).params[k] - start)
             for k, start in getattr(end[0], net).params.items()}
            for net in ('disc', 'gen')] for end in (states, free)]
  # The record is of the gradient as it was.
  assert scalars['grad_norm/disc'] == norms['grad_norm/disc'] > 0.1
  assert scalars['grad_norm/gen'] > 0.1
  scale = 1e-2 / norms['grad_norm/disc']
  for name, move in moves[1][0].items():
    np.testing.assert_allclose(moves[0][0][name], scale * move, rtol=1e-2,
                               atol=1e-6)
  for move, rate in zip(moves[0], (DISC_RATE, GEN_RATE), strict=True):
    length = np.sqrt(sum((m ** 2).sum() for m in move.values()))
    assert length == pytest.approx(1e-2 * rate, rel=1e-2)


def test_fakes_and_critics_get_the_labels_of_the_real_batch():
  def gen(params, stats, z, label, *, train, keys=None):
    images = params + jnp.zeros((len(z), *SHAPE))
    return images + label[:, None, None, None], stats

  def disc(params, stats, images, label, *, train, keys=None):
    return Critique(params * (100.0 * label + images[:, 0, 0, 0]), images,
                    {}), stats

  zero, one = np.float32(0.0), np.float32(1.0)
  game = make_game(gen=Model(lambda *a: (zero, {}), gen, None),
                   disc=Model(lambda *a: (one, {}), disc, None),
                   loss=losses.wasserstein(), disc_steps=2,
                   disc_optimizer=optax.sgd(0.0), gen_optimizer=optax.sgd(0.0))
  label = jnp.array([[1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 3]], jnp.int32)
  batch = make_batch(game)._replace(label=label)
  _, scalars = jax.jit(functools.partial(train_step, game=game))(
      make_state(game), batch, KEY)
  pixels = float(batch.image[:, :, 0, 0, 0].mean())
  # Mean labels: 3.5 and 0.5; the generator plays with the last batch.
  assert scalars['logits/real'] == pytest.approx(200.0 + pixels, rel=1e-5)
  assert scalars['logits/fake'] == pytest.approx(202.0, rel=1e-5)
  assert scalars['loss/gen'] == pytest.approx(-50.5, rel=1e-5)


def test_logits_of_a_wrong_shape_are_refused():
  def disc(params, stats, images, label, *, train, keys=None):
    return Critique(images.reshape(B, -1)[:, :1], images, {}), stats

  game = make_game(disc=Model(lambda *a: ((), {}), disc, None))
  with pytest.raises(ValueError, match=r'\(6,\), and are of shape \(6, 1\)'):
    jax.eval_shape(functools.partial(train_step, game=game), make_state(game),
                   make_batch(game), KEY)


def test_scalars_are_float32_of_no_dimension():
  game = make_game(penalties=(Term('r1', penalties.r1(), 1.0, 2),),
                   disc_steps=2)
  _, scalars = jax.eval_shape(functools.partial(train_step, game=game),
                              make_state(game), make_batch(game), KEY)
  assert {(s.shape, s.dtype.name) for s in scalars.values()} == {
      ((), 'float32')}
  assert set(scalars) == {
      'loss/disc', 'loss/gen', 'logits/real', 'logits/fake', 'prob/real',
      'prob/fake', 'sign/real', 'penalty/r1', 'grad_norm/disc',
      'grad_norm/gen', 'grad_ratio', 'update_ratio/disc', 'update_ratio/gen'}


def test_pmean_is_called_on_all_that_differs_between_devices():
  """With a pmean that halves, everything is as of half the gradient."""
  game = make_game()
  state, batch = make_state(game), make_batch(game)
  halved = functools.partial(jax.tree.map, lambda x: 0.5 * x)
  run = jax.jit(lambda pmean: train_step(state, batch, KEY, game=game,
                                         pmean=pmean), static_argnums=0)
  (plain, scalars), (after, found) = run(lambda tree: tree), run(halved)
  moved, half = (jax.tree.map(jnp.subtract, end.disc.params,
                              state.disc.params) for end in (plain, after))
  assert_close(half, jax.tree.map(lambda m: 0.5 * m, moved))
  for net in ('gen', 'disc'):
    assert_close(getattr(after, net).stats, jax.tree.map(
        lambda s: 0.5 * s, getattr(plain, net).stats))
  for name in ('loss/disc', 'logits/real', 'logits/fake', 'grad_norm/disc'):
    assert float(found[name]) == pytest.approx(0.5 * float(scalars[name]),
                                               rel=1e-5)
  # The generator plays against that discriminator: half of its own gradient.
  fakes = TABLE @ np.asarray(state.gen.params['w'])
  v, c = after.disc.params['v'], after.disc.params['c']
  slope = -sigmoid(-(fakes @ v + c)) / B
  np.testing.assert_allclose(
      after.gen.params['w'] - state.gen.params['w'],
      -GEN_RATE * 0.5 * TABLE.T @ np.outer(slope, v), rtol=1e-3, atol=1e-6)
