"""What is beside the two networks: packs, terms, memories, looks ahead."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import test_parallel
import test_step as toy
import tiny
from jax import random
from test_step import (
  DISC_RATE,
  GEN_RATE,
  KEY,
  SHAPE,
  TABLE,
  B,
  P,
  Z,
  make_batch,
  make_game,
  make_state,
  normal,
  sigmoid,
)

from gan_jax import experiment, parallel, penalties, step, terms
from gan_jax.augment import Augmentation
from gan_jax.game import Batch
from gan_jax.losses import Loss
from gan_jax.models import Critique, Model
from gan_jax.penalties import Regulariser, Term
from gan_jax.state import pack, unpack
from gan_jax.step import simultaneous_step, train_step
from gan_jax.validation import ConfigError, check

STILL = optax.sgd(0.0)


def sp(x):
  return jnp.logaddexp(0.0, x)


def weights(state):
  """(w, v, c) of the linear game."""
  return (state.gen.params['w'], state.disc.params['v'],
          state.disc.params['c'])


def run(game, state=None, batch=None, rule=train_step):
  """One step, compiled: (state, scalars)."""
  return jax.jit(partial(rule, game=game))(
      make_state(game) if state is None else state,
      make_batch(game) if batch is None else batch, KEY)


def assert_params(got, want, **tolerance):
  for a, b in zip(got, want, strict=True):
    np.testing.assert_allclose(a, b, **(dict(rtol=1e-4, atol=1e-6) | tolerance))


# Packing.


@pytest.mark.parametrize('shape', [(3, 2, 4), (5,)])
def test_unpack_is_the_inverse_of_pack(shape):
  x = jnp.asarray(normal(0, 6, *shape))
  for m in (1, 2, 3):
    packed = pack(x, m)
    assert packed.shape == (6 // m, *shape[:-1], m * shape[-1])
    np.testing.assert_array_equal(unpack(packed, m), x)


def test_packs_are_neighbours_in_the_channels():
  x = normal(0, 6, 3, 2, 4)
  packed = np.asarray(pack(jnp.asarray(x), 3))
  for i in range(2):
    want = np.concatenate([x[3 * i], x[3 * i + 1], x[3 * i + 2]], axis=-1)
    np.testing.assert_array_equal(packed[i], want)


def of_pairs(seen=None):
  """A linear discriminator of packs of two."""
  def apply(params, stats, images, label, *, train):
    if seen is not None:
      seen.append((images.shape, label))
    flat = images.reshape(images.shape[0], -1)
    return Critique(flat @ params['v'] + params['c'], flat, {}), stats

  return Model(lambda key, x, label: (
      {'v': normal(2, x[0].size), 'c': np.float32(0.1)}, {}), apply, None)


def test_a_game_of_packs_by_hand():
  game = make_game(disc=of_pairs(), packing=2)
  state, batch = make_state(game), make_batch(game)
  after, scalars = run(game, state, batch)
  w, v, c = weights(state)
  assert v.shape == (2 * P,)
  z, real = jnp.asarray(TABLE), batch.image[0].reshape(B, P)

  def answer(x, v, c):  # Pixels in order, the channels of both at each.
    x = x.reshape(B, *SHAPE)
    pairs = jnp.concatenate([x[0::2], x[1::2]], axis=-1)
    return pairs.reshape(B // 2, 2 * P) @ v + c

  def disc(vc):
    return jnp.mean(sp(-answer(real, *vc)) + sp(answer(z @ w, *vc)))

  by_v, by_c = jax.grad(disc)((v, c))
  v, c = v - DISC_RATE * by_v, c - DISC_RATE * by_c
  loss, by_w = jax.value_and_grad(
      lambda w: jnp.mean(sp(-answer(z @ w, v, c))))(w)
  assert_params(weights(after), (w - GEN_RATE * by_w, v, c))
  assert float(scalars['loss/gen']) == pytest.approx(float(loss), rel=1e-5)


def test_packs_have_a_label_and_a_key_and_their_images_a_key_each():
  seen, keys, found = [], [], []

  def augment(images, own, memory):
    keys.append([tuple(k) for k in random.key_data(own).tolist()])
    assert images.shape == (B, *SHAPE)
    return images

  def spy(real, fake, label, keys, z):
    found.append([x.shape[0] for x in (real, fake, label, keys, z)])
    return jnp.zeros(len(real))

  game = make_game(disc=of_pairs(seen), packing=2, disc_steps=2,
                   augment=Augmentation(augment),
                   penalties=(Term('spy', Regulariser(spy, spy), 1.0, 1),))
  batch = make_batch(game)._replace(label=jnp.arange(2 * B).reshape(2, B))
  state = make_state(game)
  with jax.disable_jit():
    train_step(state, batch, KEY, game=game)
  # Two updates of the discriminator and one of the generator.
  assert found == [[B // 2] * 4 + [B]] * 3
  assert len(keys) == 6 and len({k for call in keys for k in call}) == 6 * B
  assert len(seen) == 6
  for i, (shape, label) in enumerate(seen):
    assert shape == (B // 2, *SHAPE[:2], 2 * SHAPE[2])
    np.testing.assert_array_equal(label, np.array([0, 2, 4]) + B * (i > 1))


def test_one_logit_for_each_pack():
  def apply(params, stats, images, label, *, train):
    return Critique(jnp.zeros(B), images, {}), stats

  game = make_game(disc=Model(lambda *a: ({}, {}), apply, None), packing=2)
  with pytest.raises(ValueError, match=r'logits \(6,\), not \[B\] = \(3,\)'):
    jax.eval_shape(partial(train_step, game=game), make_state(game),
                   make_batch(game), KEY)


def test_a_generator_that_looks_through_packs():
  """`generate` gives packs, of labels of their own."""
  def gen(params, stats, z, label, *, train):
    images = (z @ params['w']).reshape(-1, *SHAPE)
    return images + label[:, None, None, None].astype(jnp.float32), stats

  term = Term('same', Regulariser(
      lambda generate, z, fake: jnp.mean((generate(z) - fake) ** 2,
                                         axis=(1, 2, 3)),
      lambda generate, z, fake: jnp.mean((generate(z + 1.0) - fake) ** 2,
                                         axis=(1, 2, 3))), 1.0, 1)
  game = make_game(gen=toy.GEN._replace(apply=gen), disc=of_pairs(), packing=2,
                   penalties=(term,))
  batch = make_batch(game)._replace(label=jnp.arange(B)[None])
  state = make_state(game)
  state = state.replace(gen=state.gen.replace(stats={}),
                        ema=state.ema.replace(stats={}))
  _, scalars = run(game, state, batch)
  assert float(scalars['penalty/same']) == pytest.approx(0.0, abs=1e-9)
  want = float(np.mean(np.sum(weights(state)[0], axis=0) ** 2))
  assert float(scalars['penalty/same_gen']) == pytest.approx(want, rel=1e-4)


# Looks ahead.


@pytest.mark.parametrize('count', [0, 1, 3])
def test_unrolled_steps_equal_the_gradient_through_them(count):
  game = make_game(unrolled_steps=count, disc_optimizer=optax.sgd(0.5))
  state, batch = make_state(game), make_batch(game)
  keys = random.split(KEY, B)
  real, label = batch.image[0], batch.label[0]

  @jax.jit
  def update(state):
    fakes = step.generate(state.gen, label, keys, game=game)
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


def two_shards(game, state, batch, rule=train_step):
  """One step under vmap over two halves of the batch."""
  halves = Batch(*(jnp.moveaxis(x.reshape(x.shape[0], 2, -1, *x.shape[2:]),
                                1, 0) for x in (batch.image, batch.label)),
                 batch.position.reshape(2, -1))
  states, scalars = jax.jit(jax.vmap(
      lambda state, batch: rule(state, batch, KEY, game=game,
                                pmean=parallel.pmean),
      in_axes=(None, 0), axis_name=parallel.AXIS))(state, halves)
  for tree in (states, scalars):
    toy.assert_close(jax.tree.map(lambda x: x[0], tree),
                     jax.tree.map(lambda x: x[1], tree))
  return jax.tree.map(lambda x: x[0], (states, scalars))


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


# Terms of the generator, and what terms may name.


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
  with pytest.raises(ValueError, match=r'mean gave values of shape \(\), not '
                                       r'\[B\] = \(6,\)'):
    jax.eval_shape(partial(train_step, game=game), make_state(game),
                   make_batch(game), KEY)


# What is remembered.


def test_averages_of_lecam_are_in_the_state():
  term = Term('lecam', penalties.lecam(decay=0.75, start=2), 1.0, 1)
  game = make_game(penalties=(term,), disc_steps=3, disc_optimizer=STILL,
                   gen_optimizer=STILL)
  states, scalars = toy.play(game, steps=2)
  assert states[0].aux == {'lecam': {'real': 0.0, 'fake': 0.0, 'updates': 0.0}}
  w, v, c = map(np.float64, weights(states[0]))
  fake = np.mean(TABLE @ w @ v + c)
  real, found, updates = 0.0, [], 0
  for i in range(2):
    for image in np.float64(make_batch(game, 10 + i).image):
      keep = 0.75 if updates >= 2 else 0.0
      real = keep * real + (1 - keep) * np.mean(image.reshape(B, P) @ v + c)
      updates += 1
      found.append(real)
    aux = jax.tree.map(float, states[i + 1].aux['lecam'])
    assert aux == pytest.approx(dict(real=real, fake=fake, updates=updates),
                                rel=1e-4, abs=1e-6)
    # As all scalars, the mean over the updates of a step.
    assert scalars[i]['memory/lecam/real'] == pytest.approx(
        np.mean(found[-3:]), rel=1e-4, abs=1e-6)
    assert scalars[i]['memory/lecam/updates'] == updates - 1


def test_a_term_sees_its_memory_as_it_was_before_the_update():
  def add(count):
    return lambda memory, keys: (jnp.full(keys.shape[:1], memory['n']),
                                 {'n': memory['n'] + count})

  term = Term('own', Regulariser(add(1), add(10), memory={'n': 5.0}), 1.0, 1)
  game = make_game(penalties=(term,), gen_steps=2)
  states, scalars = toy.play(game, steps=3)
  # One update of the discriminator and two of the generator in each step.
  assert [float(s.aux['own']['n']) for s in states] == [5, 6, 7, 8]
  assert [float(s.aux['own_gen']['n']) for s in states] == [5, 25, 45, 65]
  assert [s['penalty/own'] for s in scalars] == [5, 6, 7]
  assert [s['penalty/own_gen'] for s in scalars] == [15, 35, 55]
  assert [s['memory/own_gen/n'] for s in scalars] == [25, 45, 65]


def test_a_loss_with_a_memory():
  """As BEGAN: the weight of the fakes follows the balance."""
  loss = Loss(lambda real, fake, memory: real - memory['k'] * fake,
              lambda real, fake, memory: memory['k'] * fake, {'k': 0.5},
              lambda memory, real, fake: {
                  'k': memory['k'] + 0.1 * jnp.mean(real - fake)})
  game = make_game(loss=loss, disc_steps=2)
  state, batch = make_state(game), make_batch(game)
  after, scalars = run(game, state, batch)
  w, v, c = map(np.float64, weights(state))
  k, fake = 0.5, np.float64(TABLE) @ w
  for real in np.float64(batch.image).reshape(2, B, P):
    change = 0.1 * np.mean(real @ v - fake @ v)
    v = v - DISC_RATE * (real.mean(0) - k * fake.mean(0))
    c, k = c - DISC_RATE * (1 - k), k + change
  by_w = k * np.outer(TABLE.mean(0), v)
  assert_params(weights(after), (w - GEN_RATE * by_w, v, c))
  assert float(after.aux['loss']['k']) == pytest.approx(k, rel=1e-5)
  assert 'memory/loss/k' in scalars


def test_a_loss_of_features():
  loss = Loss(lambda real, fake, memory: jnp.sum(real * fake, axis=1),
              lambda real, fake, memory: jnp.sum(fake, axis=1), {'n': 0.0},
              lambda memory, real, fake: {'n': jnp.mean(real)},
              inputs='features')
  game = make_game(loss=loss)
  state, batch = make_state(game), make_batch(game)
  after, scalars = run(game, state, batch)
  real, fake = batch.image[0].reshape(B, P), TABLE @ weights(state)[0]
  assert float(scalars['loss/disc']) == pytest.approx(
      float(np.mean(np.sum(real * fake, axis=1))), rel=1e-4)
  assert float(after.aux['loss']['n']) == pytest.approx(
      float(real.mean()), rel=1e-4)
  by_w = np.outer(TABLE.mean(0), np.ones(P))
  np.testing.assert_allclose(after.gen.params['w'],
                             state.gen.params['w'] - GEN_RATE * by_w,
                             rtol=1e-4, atol=1e-6)


def test_an_augmentation_with_a_memory():
  augment = Augmentation(
      lambda images, keys, memory: memory['scale'] * images, {'scale': 2.0},
      lambda memory, real, step: {
          'scale': memory['scale'] + jnp.mean(real) + 10.0 * step})
  game = make_game(augment=augment, disc_steps=2, disc_optimizer=STILL,
                   gen_optimizer=STILL)
  states, scalars = toy.play(game, steps=2)
  w, v, c = map(np.float64, weights(states[0]))
  scale = 2.0
  for i in range(2):
    logits = []
    for image in np.float64(make_batch(game, 10 + i).image):
      logits.append(np.mean(scale * image.reshape(B, P) @ v + c))
      scale += logits[-1] + 10.0 * i
    assert scalars[i]['logits/real'] == pytest.approx(np.mean(logits), rel=1e-4)
    assert float(states[i + 1].aux['augment']['scale']) == pytest.approx(
        scale, rel=1e-4)
    # The generator's images are scaled with what was just remembered.
    fake = scale * TABLE @ w @ v + c
    assert scalars[i]['loss/gen'] == pytest.approx(
        np.mean(np.log1p(np.exp(-fake))), rel=1e-4)


# What a config adds.


FACTS = experiment.Facts('toy', (6, 6, 1), 100, 3, (0, 1, 2), '', '')


def configured(**changes):
  return experiment.make_game(tiny.config('unused', **changes), FACTS, 4,
                              axis_name=None)


def test_several_augmentations_remember_apart():
  noise = dict(name='instance_noise', std=0.1, decay_steps=10)
  game = configured(augment=(noise, dict(name='horizontal_flip'), noise))
  keys = ('instance_noise_0/step', 'instance_noise_2/step')
  assert game.augment.memory == dict.fromkeys(keys, 0.0)
  memory = game.augment.remember(dict.fromkeys(keys, 3.0), jnp.zeros(2), 7)
  assert jax.tree.map(float, memory) == dict.fromkeys(keys, 7.0)
  images, own = jnp.ones((2, 6, 6, 1)), random.split(KEY, 2)
  for late, std in (((10.0, 10.0), 0.0), ((10.0, 0.0), 0.1),
                    ((0.0, 0.0), 0.1 * 2 ** 0.5)):
    got = game.augment.apply(images, own, dict(zip(keys, late, strict=True)))
    assert float(jnp.std(got)) == pytest.approx(std, rel=0.3)


def test_gradients_of_several_steps_make_one_update():
  sgd = dict(name='sgd', learning_rate=0.1)
  rules = configured(accumulate_steps=2, gen_optimizer=sgd, disc_optimizer=sgd)
  game = make_game(gen_optimizer=rules.gen_optimizer,
                   disc_optimizer=rules.disc_optimizer)
  states, _ = toy.play(game, steps=4)
  for first in (0, 2):
    start, middle, end = states[first:first + 3]
    assert_params(weights(middle), weights(start), rtol=0, atol=0)
    w, v, c = map(np.float64, weights(start))
    slopes = []
    for i in (first, first + 1):
      real = np.float64(make_batch(game, 10 + i).image).reshape(1, B, P)
      _, new, _, _ = toy.step_by_hand(w, v, c, real, 'non_saturating', 0)
      slopes.append((v - new) / DISC_RATE)
    want = v - 0.1 * np.mean(slopes, axis=0)
    np.testing.assert_allclose(end.disc.params['v'], want, rtol=1e-4, atol=1e-6)
    # The generator's second gradient is against the discriminator that moved.
    by_w = []
    for disc in ((v, c), tuple(map(np.float64, weights(end)[1:]))):
      b = TABLE @ w @ disc[0] + disc[1]
      by_w.append(TABLE.T @ np.outer(-sigmoid(-b) / B, disc[0]))
    np.testing.assert_allclose(end.gen.params['w'],
                               w - 0.1 * np.mean(by_w, axis=0), rtol=1e-4,
                               atol=1e-6)


def tiny_batch(game):
  rng = np.random.default_rng(0)
  image = rng.normal(size=(game.disc_steps, 8, *FACTS.image_shape))
  return Batch(jnp.asarray(image, jnp.float32),
               jnp.arange(8)[None].repeat(game.disc_steps, 0) % 3,
               jnp.arange(8))


def test_frozen_layers_stay_as_they_start():
  frozen = 'Dense_0'
  game = configured(
      disc_frozen=(frozen,), max_grad_norm=1.0, accumulate_steps=1,
      discriminator=dict(name='mlp.Discriminator', widths=(8, 8)),
      disc_optimizer=dict(name='adamw', learning_rate=0.1, weight_decay=0.5))
  start = state = experiment.initial_state(game, FACTS.image_shape, 0)
  update = jax.jit(partial(train_step, game=game))
  for _ in range(2):
    state, _ = update(state, tiny_batch(game), KEY)
  assert set(state.disc.params) > {frozen}
  for name, layer in state.disc.params.items():
    if name == frozen:
      toy.assert_same(layer, start.disc.params[name])
    else:
      toy.assert_all_changed(layer, start.disc.params[name])


def test_a_frozen_layer_that_is_not_there_is_a_problem(tmp_path):
  path = tiny.write_images(tmp_path / 'images.npz')
  with pytest.raises(ConfigError, match=r"disc_frozen names \['nothing'\]; the "
                                        r"layers of the discriminator are \["):
    experiment.load(tiny.config(path, disc_frozen=('nothing',)))


def test_the_discriminator_has_the_heads_that_terms_name():
  game = configured(
      generator=dict(name='mlp.Generator', conditioning='onehot'),
      latent=dict(name='infogan', categories=(3,), continuous=1, noise=2),
      penalties=(dict(name='acgan', weight=1.0),
                 dict(name='tac_gan', weight=1.0),
                 dict(name='contragan', weight=1.0, size=5),
                 dict(name='infogan', weight=1.0, categories=(3,),
                      continuous=1)))
  state = jax.eval_shape(partial(experiment.initial_state, game,
                                 FACTS.image_shape, 0))
  params = state.disc.params
  (heads,) = [v for v in params.values() if 'logits' in v] or [params]
  sizes = {name: jax.tree.leaves(value)[-1].shape[-1]
           for name, value in heads.items()}
  assert {'class': 3, 'twin': 3, 'code': 4, 'embedding': 5,
          'proxies': 5}.items() <= sizes.items()
  plain = jax.eval_shape(partial(experiment.initial_state, configured(),
                                 FACTS.image_shape, 0)).disc.params
  assert 'class' not in str(jax.tree.structure(plain))
  _, scalars = jax.eval_shape(partial(train_step, game=game), state,
                              tiny_batch(game), KEY)
  assert {'penalty/acgan', 'penalty/acgan_gen', 'penalty/infogan_gen',
          'penalty/tac_gan', 'penalty/contragan_gen'} <= set(scalars)


@pytest.mark.parametrize('changes,message', [
    (dict(packing=3), 'packs do not divide batch_size=8 on 4 devices; a '
                      'multiple of 12 does'),
    (dict(updates='simultaneous', disc_steps=2),
     'is one update of each player; use disc_steps=1 and gen_steps=1'),
    (dict(updates='simultaneous', gen_steps=2),
     'is one update of each player; use disc_steps=1 and gen_steps=1'),
    (dict(updates='at once'), "must be one of ('alternating', "),
    (dict(packing=0), 'must be an int >= 1')])
def test_rules_that_exclude_each_other_are_problems(changes, message):
  (problem,) = check(tiny.config('unused', **changes), devices=4)
  assert message in str(problem)


@pytest.mark.parametrize('changes', [
    dict(packing=2), dict(updates='simultaneous'), dict(disc_steps=2),
    dict(discriminator=dict(name='mlp.Discriminator', conditioning='onehot'))])
def test_rules_that_fit_are_none(changes):
  assert check(tiny.config('unused', **changes), devices=4) == []


# One device or four.


MLP = dict(generator=dict(name='mlp.Generator', widths=(8,),
                          conditioning='onehot'),
           discriminator=dict(name='mlp.Discriminator', widths=(8,)))
GAMES = {
    'packs, looking ahead, memories': dict(
        packing=2, unrolled_steps=1,
        loss=dict(name='top_k', fraction=0.5),
        augment=(dict(name='instance_noise', decay_steps=10),),
        penalties=(dict(name='lecam', weight=0.3, start=1),
                   dict(name='feature_matching', weight=1.0, every=2),
                   dict(name='max_gp', weight=0.1)), **MLP),
    'gradient normalisation, classes, latents': dict(
        gradient_normalization=True, accumulate_steps=2,
        loss=dict(name='hinge'),
        penalties=(dict(name='reacgan', weight=1.0, size=4),
                   dict(name='contragan', weight=1.0, size=4),
                   dict(name='adc_gan', weight=1.0),
                   dict(name='icr', weight=10.0, std=0.3, shift=0.2),
                   dict(name='orthogonal', weight=1e-2)), **MLP),
}


@pytest.mark.parametrize('name', GAMES)
def test_four_devices_play_as_one(name, monkeypatch):
  monkeypatch.setitem(test_parallel.GAMES, name, GAMES[name])
  play = test_parallel.Play(name)
  wanted = play.plain
  moved = [np.abs(a - b).max() for net in ('gen', 'disc') for a, b in zip(
      jax.tree.leaves(getattr(wanted[0], net).params),
      jax.tree.leaves(getattr(play.first(), net).params), strict=True)]
  assert min(moved) > 1e-5
  test_parallel._equal(play.mapped(), wanted)
  assert np.isfinite(np.concatenate(
      [np.ravel(x) for x in wanted[1].values()])).all()


def test_a_term_that_asks_for_what_is_not_there_is_told_what_is():
  with pytest.raises(ValueError, match='asks for key; it may name fake, real'):
    terms.call(lambda real, fake, key: None, real=1, fake=2)
  assert terms.call(lambda real, *, eps=3: real + eps, real=1, fake=2) == 4
