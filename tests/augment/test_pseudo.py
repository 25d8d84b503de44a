"""APA: generated images among the real ones."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from jax import random
from toy import KEY, TABLE, B, P, make_batch, make_game

from gan_jax import augment
from gan_jax.augment.base import compose
from gan_jax.base import lookup
from gan_jax.game import terms
from gan_jax.game.rules import Fakes
from gan_jax.game.step import disc_step, gen_step
from gan_jax.penalties import Regulariser, Term


def test_apa_replaces_a_share_of_the_images():
  apa = augment.apa()
  keys = random.split(random.key(0), 1000)
  for shape in ((1000, 2, 2, 1), (1000, 3)):  # Vectors too.
    real, fake = jnp.ones(shape), -jnp.ones(shape)
    for p in (0.0, 0.3, 1.0):
      mixed = np.asarray(jax.jit(apa.mix)(real, fake, keys,
                                          {'p': jnp.float32(p)}))
      whole = mixed.reshape(1000, -1)
      assert (whole == whole[:, :1]).all()  # All of an image, or nothing.
      assert np.mean(whole[:, 0] < 0) == pytest.approx(p, abs=0.05)
  half = apa.mix(jnp.ones((2, 3), jnp.bfloat16), jnp.ones((2, 3)), keys[:2],
                 {'p': jnp.float32(1.0)})
  assert half.dtype == jnp.bfloat16


def test_apa_adapts_as_ada():
  arguments = dict(target=0.5, kimg=0.1, p=0.4, batch_size=7)
  apa, ada = augment.apa(**arguments), augment.ada(**arguments)
  assert apa.memory == ada.memory == {'p': np.float32(0.4)}
  for logits in (jnp.ones(4), -jnp.ones(4), jnp.array([1.0, 1.0, 1.0, -1.0])):
    assert apa.remember(apa.memory, logits, 0) == ada.remember(
        ada.memory, logits, 0)
  assert apa.remember(apa.memory, jnp.ones(4), 0)['p'] == pytest.approx(0.47)
  images = jnp.ones((3, 2, 2, 1))
  np.testing.assert_array_equal(
      apa.apply(images, random.split(KEY, 3), apa.memory), images)
  with pytest.raises(ValueError, match='p 2'):
    augment.apa(p=2.0)


def test_several_are_composed():
  none = compose({'flip': augment.horizontal_flip()})
  assert none.mix is None
  both = compose({'a': augment.apa(p=0.5), 'flip': augment.horizontal_flip(),
                  'b': augment.apa(p=0.5)})
  keys = random.split(random.key(0), 1000)
  mixed = both.mix(jnp.ones((1000, 1)), jnp.zeros((1000, 1)), keys, both.memory)
  # Either, by draws of their own: 3 / 4.
  assert float(1.0 - mixed.mean()) == pytest.approx(0.75, abs=0.05)
  memory = both.memory | {'a/p': np.float32(0.0)}
  mixed = both.mix(jnp.ones((1000, 1)), jnp.zeros((1000, 1)), keys, memory)
  assert float(1.0 - mixed.mean()) == pytest.approx(0.5, abs=0.05)
  flips = compose({'a': augment.horizontal_flip(),
                   'b': augment.horizontal_flip()})
  left = jnp.tile(jnp.array([0.0, 1.0])[:, None], (1000, 1, 1, 1))
  mirrored = flips.apply(left, keys, {'step': 0})[:, 0, 0, 0]
  # By the same draws one would undo the other.
  assert float(mirrored.mean()) == pytest.approx(0.5, abs=0.08)


def test_only_the_discriminators_update_sees_the_mixture():
  """By a term that gives a number of the real images that it sees."""
  weight = jnp.sin(1.0 + jnp.arange(P)).reshape(1, *toy.SHAPE)

  def number(real):
    return jnp.sum(weight * real, axis=(1, 2, 3))

  game = make_game(augment=augment.apa(p=1.0), penalties=(
      Term('spy', Regulariser(number, number), 1.0, 1),))
  state, batch = toy.make_state(game), make_batch(game)
  fake = (jnp.asarray(TABLE) @ state.gen.params['w']).reshape(B, *toy.SHAPE)
  _, scalars = toy.run(game, state, batch)
  for name, seen in (('spy', fake), ('spy_gen', batch.image[0])):
    np.testing.assert_allclose(scalars[f'penalty/{name}'], number(seen).mean(),
                               rtol=1e-5)


@pytest.mark.parametrize('p', [0.0, 0.5])
def test_the_update_is_that_of_the_mixed_batch(p):
  game = make_game(augment=augment.apa(p=p, kimg=1.0))
  state, batch = toy.make_state(game), make_batch(game)
  keys, real, label = random.split(KEY, B), batch.image[0], batch.label[0]
  fake = (jnp.asarray(TABLE) @ state.gen.params['w']).reshape(B, *toy.SHAPE)
  fakes = Fakes(fake, jnp.asarray(TABLE), state.gen.stats, keys, None)
  after, scalars = jax.jit(lambda state: disc_step(
      state, real, label, fakes, keys, 0, game=game))(state)
  mixed = game.augment.mix(real, fake, terms.keys_for(keys, 'mix'),
                           game.augment.memory)
  changed = int((mixed != real).any((1, 2, 3)).sum())
  assert changed == 0 if p == 0.0 else 0 < changed < B
  w, v, c = (np.float64(x) for x in (
      state.gen.params['w'], state.disc.params['v'], state.disc.params['c']))
  _, v, c, want = toy.step_by_hand(w, v, c, np.float64(mixed).reshape(1, B, P),
                                   'non_saturating', 0)
  np.testing.assert_allclose(after.disc.params['v'], v, rtol=1e-4, atol=1e-6)
  for name, value in want.items():
    assert float(scalars[name]) == pytest.approx(value, rel=1e-4), name
  sign = np.sign(np.float64(mixed).reshape(B, P) @ state.disc.params['v']
                 + state.disc.params['c']).mean()
  assert float(after.aux['augment']['p']) == pytest.approx(
      np.clip(p + np.sign(sign - 0.6) * B / 1000, 0, 1))


def test_a_step_of_the_generator_adapts_nothing():
  game = make_game(augment=augment.apa(p=0.5))
  state, batch = toy.make_state(game), make_batch(game)

  @jax.jit
  def run(state):
    fakes = partial(jax.vjp, has_aux=True)(lambda p: toy.gen_apply(
        p, state.gen.stats, jnp.asarray(TABLE), None, train=True),
                                           state.gen.params)
    keys = random.split(KEY, B)
    fakes = Fakes(fakes[0], jnp.asarray(TABLE), fakes[2], keys, fakes[1])
    return gen_step(state, batch.image[0], batch.label[0], fakes, keys,
                    game=game)[0]

  toy.assert_same(run(state).aux, state.aux)
  assert 'apa' in lookup.names('gan_jax.augment')
