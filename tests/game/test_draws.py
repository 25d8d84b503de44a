"""Networks that draw: who gets which keys, and when."""

import drawing
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
from jax import random
from toy import (
  KEY,
  SHAPE,
  B,
  Z,
  make_batch,
  make_game,
  make_state,
  nonlinear,
  run,
)

from gan_jax import models, penalties
from gan_jax.config import experiment
from gan_jax.game import sampling, step, terms
from gan_jax.models import Model
from gan_jax.penalties import Regulariser, Term

KEYS = random.split(KEY, B)
LABEL = jnp.zeros(B, jnp.int32)


def z_of(seed=0):
  return random.normal(random.key(seed), (B, Z))


def test_an_image_follows_from_z_and_the_keys():
  model = models.as_model(drawing.Generator(SHAPE))
  params, stats = model.init(KEY, z_of(), LABEL)
  apply = jax.jit(model.apply, static_argnames='train')

  def images(z, keys=None, train=True):
    return np.asarray(apply(params, stats, z, LABEL[:len(z)], train=train,
                            keys=keys)[0])

  first = images(z_of(), KEYS)
  np.testing.assert_array_equal(images(z_of(), KEYS), first)
  # An example's noise is its own.
  np.testing.assert_allclose(images(z_of()[2:4], KEYS[2:4]), first[2:4],
                             rtol=1e-5)
  other = images(z_of(), random.split(random.key(1), B))
  assert (np.abs(other - first).max((1, 2, 3)) > 1e-3).all()
  # Without training no keys are given: z alone says what is drawn.
  still = images(z_of(), train=False)
  np.testing.assert_array_equal(images(z_of(), KEYS, train=False), still)
  assert (np.abs(still - first).max((1, 2, 3)) > 1e-3).all()
  same_z = jnp.tile(z_of()[:1], (B, 1))
  np.testing.assert_allclose(images(same_z, train=False), still[[0] * B],
                             rtol=1e-5)


def test_a_pair_of_functions_gets_the_keys_that_it_declares():
  def init(key, x, label):
    return (), {}

  def draws(params, stats, x, label, *, train, keys):
    return jax.vmap(random.normal)(keys), stats

  def does_not(params, stats, x, label, *, train):
    return x, stats

  class Pair:
    def __init__(self, apply):
      self.init, self.apply = init, apply

  x = jnp.arange(float(B))
  got, _ = models.as_model(Pair(draws)).apply((), {}, x, LABEL, train=True,
                                              keys=KEYS)
  np.testing.assert_array_equal(got, jax.vmap(random.normal)(KEYS))
  model = models.as_model(Pair(does_not))
  np.testing.assert_array_equal(
      model.apply((), {}, x, LABEL, train=True, keys=KEYS)[0], x)
  np.testing.assert_array_equal(model.apply((), {}, x, LABEL, train=False)[0],
                                x)


def _bits(keys):
  return tuple(np.ravel(random.key_data(keys)).tolist())


def _noting(found, apply, player):
  """A model that notes the bits of the keys of each pass."""
  def noting(params, stats, x, label, *, train, keys=None):
    found.append((player, _bits(keys)))
    assert keys.shape == x.shape[:1]
    return apply(params, stats, x, label, train=train)

  return noting


@pytest.mark.parametrize('reuse', [True, False])
def test_passes_have_keys_of_their_own(reuse):
  """Run without jit, so that each pass tells its keys."""
  found, drawn, (gen, disc) = [], [], nonlinear()
  again = Term('again', Regulariser(
      lambda generate, z, critic, real: jnp.sum(generate(z) ** 2, (1, 2, 3))
      + critic(real), lambda generate, z: jnp.sum(generate(z), (1, 2, 3))),
      1.0, 1)
  game = make_game(
      gen=Model(gen.init, _noting(found, gen.apply, 'gen'), None),
      disc=Model(disc.init, _noting(found, disc.apply, 'disc'), None),
      latent=lambda keys: drawn.append(_bits(keys)) or z_of()[:len(keys)],
      penalties=(again,),
      gen_optimizer=optax.sgd(0.1), reuse_fakes=reuse)
  step.train_step(make_state(game), make_batch(game), KEY, game=game)
  by_player = {player: [keys for who, keys in found if who == player]
               for player in ('gen', 'disc')}
  # The images of D's update, and the same draw for its penalty; those of G's,
  # drawn anew unless they are reused, and the same draw for its penalty.
  assert len(by_player['gen']) == 4 - reuse
  assert len(set(by_player['gen'])) == 2 - reuse
  # D's update: real (also for the penalty), fake; G's update: both.
  assert len(by_player['disc']) == 5
  assert len(set(by_player['disc'])) == 4
  assert not set(by_player['gen']) & set(by_player['disc'])
  # Noise that follows from z would be none.
  assert drawn and not set(drawn) & {keys for _, keys in found}


@pytest.mark.parametrize('updates', step.STEPS)
@pytest.mark.parametrize('reuse', [True, False])
def test_images_of_close_latents_differ_by_the_latents_alone(updates, reuse):
  """Not by the noise of the generator, for G as for D."""
  gen, disc = (models.as_model(network) for network in (
      drawing.Generator(SHAPE), drawing.Discriminator()))
  game = make_game(
      gen=gen, disc=disc, reuse_fakes=reuse,
      latent=jax.vmap(lambda key: random.normal(key, (Z,))),
      penalties=(Term('zcr', penalties.zcr(std=1e-6, gen_weight=1.0), 1.0, 1),))
  _, scalars = run(game, rule=step.STEPS[updates])
  assert abs(float(scalars['penalty/zcr'])) < 1e-9
  # Of two draws of the noise 0.4.
  assert -1e-9 < float(scalars['penalty/zcr_gen']) < 0.0


def test_a_draw_reaches_the_update(images):
  """Other steps, other dropout: two steps of one state and batch differ."""
  run = experiment.load(tiny.config(images, **drawing.PAIR))
  state = run.init()
  batch = make_batch(run.game)._replace(
      image=jnp.zeros((1, 8, *run.info.image_shape)), position=jnp.arange(8),
      label=jnp.zeros((1, 8), jnp.int32))
  play = jax.jit(lambda s, key: run.step(s, batch, key, pmean=lambda t: t))
  after = [play(state, key)[0] for key in (KEY, KEY, random.key(7))]
  bias = [np.asarray(s.gen.params['strength']) for s in after]
  assert bias[0] == bias[1] != bias[2]


def test_samples_do_not_draw():
  model = models.as_model(drawing.Generator(SHAPE))
  params, stats = model.init(KEY, z_of(), LABEL)
  average = step.Average(params, stats)
  one, two = (sampling.generate(model, average, z_of(), LABEL)
              for _ in range(2))
  np.testing.assert_array_equal(one, two)
  assert terms.keys_for(KEYS, 'generator').shape == (B,)
