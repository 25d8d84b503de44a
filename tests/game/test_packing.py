"""Packs of images: their order, keys, labels; a game of them by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from jax import random
from jax.nn import softplus as sp
from toy import (
  DISC_RATE,
  GEN_RATE,
  KEY,
  SHAPE,
  TABLE,
  B,
  P,
  assert_params,
  make_batch,
  make_game,
  make_state,
  normal,
  run,
  weights,
)

from gan_jax.augment import Augmentation
from gan_jax.game.state import pack, unpack
from gan_jax.game.step import train_step
from gan_jax.models import Critique, Model
from gan_jax.penalties import Regulariser, Term


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
  def apply(params, stats, images, label, *, train, keys=None):
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
  def apply(params, stats, images, label, *, train, keys=None):
    return Critique(jnp.zeros(B), images, {}), stats

  game = make_game(disc=Model(lambda *a: ({}, {}), apply, None), packing=2)
  with pytest.raises(ValueError, match=r'\(3,\), and are of shape \(6,\)'):
    jax.eval_shape(partial(train_step, game=game), make_state(game),
                   make_batch(game), KEY)


def test_a_generator_that_looks_through_packs():
  """`generate` gives packs, of labels of their own."""
  def gen(params, stats, z, label, *, train, keys=None):
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
