"""Keys of a step, and the state before and after it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import random
from toy import (
  GEN,
  KEY,
  SHAPE,
  B,
  Z,
  assert_close,
  assert_same,
  make_batch,
  make_game,
  make_state,
  nonlinear,
  table,
)

from gan_jax import losses, penalties
from gan_jax.augment import Augmentation
from gan_jax.game.state import (
  MEMBERS,
  Average,
  Net,
  TrainState,
  init_state,
  stack,
)
from gan_jax.game.step import simultaneous_step, solo_step, train_step
from gan_jax.models import Model
from gan_jax.parallel import Batch
from gan_jax.penalties import Regulariser, Term

# Keys.


def spied_keys(game, at=0, positions=range(B), key=KEY, rule=train_step):
  """{what it was for: [keys as tuples]} of one step, without compiling."""
  seen = {'latent': [], 'augment': [], 'penalty': []}

  def note(use, keys):
    seen[use] += [tuple(k) for k in random.key_data(keys).tolist()]

  def latent(keys):
    note('latent', keys)
    return table(keys)

  def augment(images, keys, memory):
    note('augment', keys)
    return images

  def penalty(keys):
    note('penalty', keys)
    return jnp.zeros(len(keys))

  positions = np.array(positions)
  term = penalty if game.disc else Regulariser(gen=penalty)
  game = game._replace(latent=latent, augment=Augmentation(augment),
                       penalties=(Term('a', term, 1.0, 1),
                                  Term('b', term, 1.0, 1)))
  batch = make_batch(game)
  batch = Batch(batch.image[:, positions], batch.label[:, positions],
                jnp.asarray(positions))
  with jax.disable_jit():
    state = make_state(game, at)
    for found in seen.values():
      found.clear()
    rule(state, batch, key, game=game)
  return seen


def test_no_key_serves_twice():
  game = make_game(disc_steps=2, gen_steps=2, reuse_fakes=False)
  seen = spied_keys(game)
  # 2 + 2 draws of latents; real and fake in each of 4 updates; 2 penalties in
  # each of 2.
  assert len(seen['latent']) == len(set(seen['latent'])) == 4 * B
  assert len(seen['penalty']) == len(set(seen['penalty'])) == 4 * B
  assert len(seen['augment']) == len(set(seen['augment'])) == 8 * B
  later = spied_keys(game, at=1)
  uses = [set(v) for found in (seen, later) for v in found.values()]
  assert sum(map(len, uses)) == len(set().union(*uses)) == 2 * 16 * B


@pytest.mark.parametrize('rule, changes, count', [
    # A draw of latents; real and fake for each player; two penalties.
    (simultaneous_step, {}, 1 + 4 + 2),
    (solo_step, dict(disc=None, loss=losses.none()), 1 + 2)])
def test_no_key_of_other_steps_serves_twice(rule, changes, count):
  game = make_game(**changes)
  found = [keys for at in (0, 1) for keys in spied_keys(
      game, at, rule=rule).values()]
  assert len(set(sum(found, []))) == sum(map(len, found)) == 2 * count * B


def test_reused_fakes_save_one_draw():
  seen = spied_keys(make_game(disc_steps=2, gen_steps=2, reuse_fakes=True))
  assert len(set(seen['latent'])) == len(seen['latent']) == 3 * B


def test_keys_of_an_example_follow_its_place_in_the_global_batch():
  game = make_game(disc_steps=2)
  whole = spied_keys(game)
  part = spied_keys(game, positions=[4, 1])
  for use in whole:
    draws = [whole[use][i:i + B] for i in range(0, len(whole[use]), B)]
    assert part[use] == [keys[i] for keys in draws for i in (4, 1)]


# The state.


def test_the_first_state():
  game = make_game(gen_optimizer=optax.adam(0.1))
  state = make_state(game)
  assert state.step == 0 and state.step.dtype == jnp.int32 and state.aux == {}
  assert_same(state.gen.params, jax.tree.map(jnp.asarray, GEN.init(0, 0, 0)[0]))
  assert_same(state.gen.opt_state, optax.adam(0.1).init(state.gen.params))
  assert_same(state.ema, Average(state.gen.params, state.gen.stats))
  game = game._replace(loss=game.loss._replace(memory={'mean': 1}))
  assert init_state(game, KEY, jnp.zeros((B, *SHAPE)), jnp.zeros(
      B, jnp.int32)).aux['loss']['mean'].dtype == jnp.float32


def test_the_players_start_from_keys_of_their_own():
  def init(key, x, label):
    return random.normal(key, (3,)), {}

  game = make_game(gen=Model(init, None, None), disc=Model(init, None, None))
  first, again, other = (init_state(game, key, jnp.zeros((B, *SHAPE)),
                                         jnp.zeros(B, jnp.int32))
                         for key in (KEY, KEY, random.key(6)))
  assert_same(first, again)
  assert (first.gen.params != first.disc.params).all()
  assert (first.gen.params != other.gen.params).all()


def test_no_array_is_twice_in_the_first_state():
  """Or it could not be donated."""
  game = make_game(gen=Model(lambda *a: (jnp.ones(3), {'s': jnp.ones(3)}), None,
                             None))
  state = init_state(game, KEY, jnp.zeros((B, *SHAPE)), jnp.zeros(B, jnp.int32))
  places = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(
      (state.gen, state.ema))]
  assert len(set(places)) == len(places) == 4


def test_members_are_stacked_at_one_step():
  one = make_state(make_game(), 3)
  other = one.replace(gen=jax.tree.map(lambda x: 2 * x, one.gen))
  both = stack([one, other])
  assert both.step == 3
  passed = jax.vmap(lambda x: x, in_axes=(MEMBERS,), out_axes=MEMBERS)(both)
  for i, state in enumerate((one, other)):
    assert_same(jax.tree.map(lambda x, i=i: x[i], passed.replace(step=None)),
                state.replace(step=None))


def test_a_population_is_a_leading_axis():
  """vmap over states and keys equals the members, lazy penalty and all."""
  gen, disc = nonlinear()
  game = make_game(gen=gen, disc=disc, disc_steps=2, ema_decay=0.9,
                   latent=jax.vmap(lambda key: random.normal(key, (Z,))),
                   penalties=(Term('r1', penalties.r1(), 1.0, 2),))
  base = make_state(game)
  scale = jnp.array([1.0, 2.0])
  population = jax.vmap(lambda i, scale: base.replace(
      step=i, gen=base.gen.replace(params=jax.tree.map(
          lambda p: p * scale, base.gen.params))))(jnp.arange(2), scale)
  keys, batch = random.split(KEY, 2), make_batch(game)
  run = functools.partial(train_step, game=game)
  together = jax.jit(jax.vmap(run, in_axes=(0, None, 0)))(
      population, batch, keys)
  alone = jax.jit(run)
  for i in range(2):
    member, its_end = (jax.tree.map(lambda x, i=i: x[i], tree)
                       for tree in (population, together))
    assert_close(alone(member, batch, keys[i]), its_end)


def test_the_step_returns_a_state_of_the_same_kind():
  """Shapes and dtypes stay: it can be scanned, and checkpointed once."""
  game = make_game(gen_optimizer=optax.adam(0.1), ema_decay=0.9, ema_rampup=0.1)
  state = make_state(game)
  after, _ = jax.eval_shape(functools.partial(train_step, game=game), state,
                            make_batch(game), KEY)
  assert isinstance(after, TrainState) and isinstance(after.gen, Net)
  assert jax.tree.structure(after) == jax.tree.structure(state)
  for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
    assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type)
