"""A linear game and its step by hand: what the tests of the step share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import random

from gan_jax import losses, parallel
from gan_jax.augment import Augmentation
from gan_jax.game.rules import Game
from gan_jax.game.state import init_state
from gan_jax.game.step import train_step
from gan_jax.losses import Loss
from gan_jax.models import Critique, Model
from gan_jax.parallel import Batch

B, Z, SHAPE = 6, 3, (1, 2, 2)  # examples, latent size, image
P = 4                          # pixels
GEN_RATE, DISC_RATE = 0.1, 0.05
KEY = random.key(5)
NO_LOSS = Loss(lambda a, b: 0.0 * (a + b), lambda a, b: 0.0 * b)


def normal(seed, *shape):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# A linear generator z W and a linear discriminator x.v + c. Their statistics
# are an average of the means that they have seen, to tell who was called.


def gen_apply(params, stats, z, label, *, train, keys=None):
  images = (z @ params['w']).reshape(-1, *SHAPE)
  return images, _seen(stats, images)


def disc_apply(params, stats, images, label, *, train, keys=None):
  flat = images.reshape(images.shape[0], -1)
  logits = flat @ params['v'] + params['c']
  return Critique(logits, flat, {}), _seen(stats, images)


def _seen(stats, images):
  return {'mean': 0.5 * stats['mean'] + 0.5 * jnp.mean(images)}


GEN = Model(lambda key, x, label: ({'w': normal(1, Z, P)},
                                   {'mean': jnp.float32(1.0)}), gen_apply, None)
DISC = Model(lambda key, x, label: ({'v': normal(2, P), 'c': np.float32(0.1)},
                                    {'mean': jnp.float32(2.0)}), disc_apply,
             None)
TABLE = normal(3, B, Z)


def table(keys):
  """The same latents for all keys: what numpy can follow."""
  return jnp.asarray(TABLE[:keys.shape[0]])


def make_game(**changes):
  game = Game(
      gen=GEN, disc=DISC, latent=table, loss=losses.non_saturating(),
      penalties=(), augment=Augmentation(lambda images, keys, memory: images),
      gen_optimizer=optax.sgd(GEN_RATE), disc_optimizer=optax.sgd(DISC_RATE),
      disc_steps=1, gen_steps=1, reuse_fakes=True, disc_weight_clip=0.0,
      ema_decay=0.0, ema_rampup=0.0)
  return game._replace(**changes)


def make_state(game, at=0):
  state = init_state(game, KEY, jnp.zeros((B, *SHAPE)), jnp.zeros(B, jnp.int32))
  return jax.tree.map(jnp.asarray, state).replace(step=state.step + at)


def make_batch(game, seed=10):
  return Batch(jnp.asarray(normal(seed, game.disc_steps, B, *SHAPE)),
               jnp.zeros((game.disc_steps, B), jnp.int32), jnp.arange(B))


def play(game, steps=1, at=0):
  """Some steps: ([state after each, the first included], [scalars])."""
  run = jax.jit(functools.partial(train_step, game=game))
  states, scalars = [make_state(game, at)], []
  for i in range(steps):
    state, found = run(states[-1], make_batch(game, 10 + i), KEY)
    states.append(state)
    scalars.append({k: float(v) for k, v in found.items()})
  return states, scalars


@functools.cache
def plain_step():
  """One step of the game without extras, for comparison."""
  return play(make_game())


def assert_same(got, want):
  """Bitwise, of whole trees."""
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_array_equal(a, b)


def assert_close(got, want, **tolerance):
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, **({'rtol': 1e-5, 'atol': 1e-6}
                                        | tolerance))


def sigmoid(x):
  return 1.0 / (1.0 + np.exp(-x))


def sp(x):
  return np.log1p(np.exp(x))


# name: disc value, its slopes by a and by b, gen value, its slope by b.
BY_HAND = {
    'minimax': (lambda a, b: sp(-a) + sp(b), lambda a, b: -sigmoid(-a),
                lambda a, b: sigmoid(b), lambda a, b: -sp(b),
                lambda a, b: -sigmoid(b)),
    'non_saturating': (lambda a, b: sp(-a) + sp(b), lambda a, b: -sigmoid(-a),
                       lambda a, b: sigmoid(b), lambda a, b: sp(-b),
                       lambda a, b: -sigmoid(-b)),
    'least_squares': (lambda a, b: ((a - 1) ** 2 + b ** 2) / 2,
                      lambda a, b: a - 1, lambda a, b: b,
                      lambda a, b: (b - 1) ** 2 / 2, lambda a, b: b - 1),
    'relativistic': (lambda a, b: sp(b - a), lambda a, b: -sigmoid(b - a),
                     lambda a, b: sigmoid(b - a), lambda a, b: sp(a - b),
                     lambda a, b: -sigmoid(a - b)),
}


def step_by_hand(w, v, c, real, loss, gen_steps):
  """One step of SGD in float64; real [S, B, P].  (w, v, c, scalars)."""
  disc_value, by_real, by_fake, gen_value, gen_by_fake = BY_HAND[loss]
  z, found = np.float64(TABLE), []
  for x in real:
    fake = z @ w
    a, b = x @ v + c, fake @ v + c
    da, db = by_real(a, b) / B, by_fake(a, b) / B
    dv, dc = da @ x + db @ fake, da.sum() + db.sum()
    found.append([disc_value(a, b).mean(), a.mean(), b.mean(),
                  sigmoid(a).mean(), sigmoid(b).mean(),
                  np.sqrt((dv ** 2).sum() + dc ** 2)])
    v, c = v - DISC_RATE * dv, c - DISC_RATE * dc
  names = ('loss/disc', 'logits/real', 'logits/fake', 'prob/real', 'prob/fake',
           'grad_norm/disc')
  scalars = dict(zip(names, np.mean(found, axis=0), strict=True))
  for _ in range(gen_steps):
    a, b = real[-1] @ v + c, z @ w @ v + c
    db = gen_by_fake(a, b) / B
    dw = z.T @ np.outer(db, v)
    scalars |= {'loss/gen': gen_value(a, b).mean(),
                'grad_norm/gen': np.sqrt((dw ** 2).sum())}
    w = w - GEN_RATE * dw
  return w, v, c, scalars


def assert_all_changed(net, before):
  for a, b in zip(jax.tree.leaves(net), jax.tree.leaves(before), strict=True):
    assert (a != b).any()


def nonlinear():
  """(generator, discriminator) with a hidden layer, without statistics."""
  def gen(params, stats, z, label, *, train, keys=None):
    return jnp.tanh(jnp.tanh(z @ params[0]) @ params[1]).reshape(
        -1, *SHAPE), stats

  def disc(params, stats, images, label, *, train, keys=None):
    hidden = jnp.tanh(images.reshape(images.shape[0], -1) @ params[0])
    return Critique(hidden @ params[1], hidden, {}), stats

  return (Model(lambda *a: ((normal(1, Z, 5), normal(2, 5, P)), {}), gen, None),
          Model(lambda *a: ((normal(3, P, 5), normal(4, 5)), {}), disc, None))


def weights(state):
  """(w, v, c) of the linear game."""
  return (state.gen.params['w'], state.disc.params['v'],
          state.disc.params['c'])


def run(game, state=None, batch=None, rule=train_step):
  """One step, compiled: (state, scalars)."""
  return jax.jit(functools.partial(rule, game=game))(
      make_state(game) if state is None else state,
      make_batch(game) if batch is None else batch, KEY)


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
    assert_close(jax.tree.map(lambda x: x[0], tree),
                     jax.tree.map(lambda x: x[1], tree))
  return jax.tree.map(lambda x: x[0], (states, scalars))


def assert_params(got, want, **tolerance):
  for a, b in zip(got, want, strict=True):
    np.testing.assert_allclose(a, b, **(dict(rtol=1e-4, atol=1e-6) | tolerance))
