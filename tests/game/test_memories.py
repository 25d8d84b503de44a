"""What terms, losses and augmentations remember is in the state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy
from toy import (
  DISC_RATE,
  GEN_RATE,
  TABLE,
  B,
  P,
  assert_params,
  make_batch,
  make_game,
  make_state,
  run,
  weights,
)

from gan_jax import penalties
from gan_jax.augment import Augmentation
from gan_jax.losses import Loss
from gan_jax.penalties import Regulariser, Term

STILL = optax.sgd(0.0)


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


def test_a_memory_may_be_made_of_the_parameters_of_its_player():
  term = Term('own', Regulariser(
      lambda memory: None, lambda memory: None,
      memory=lambda params: {'start': params}), 1.0, 1)
  assert make_game(penalties=(term,)).memory('G', 'D') == {
      'own': {'start': 'D'}, 'own_gen': {'start': 'G'}}


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
