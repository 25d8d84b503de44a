"""Terms with a memory: by numpy, lazily, for both players, on all devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_parallel
import toy
from jax import random
from toy import KEY, SHAPE, TABLE, B, P, Z, make_batch, make_game, normal

from gan_jax import penalties, terms
from gan_jax.models import Critique
from gan_jax.penalties import Regulariser, Term
from gan_jax.step import simultaneous_step, train_step


def keys_of(count=B):
  return random.split(KEY, count)


# Historical averaging.


def flat(params):
  return np.concatenate([np.float64(x).ravel()
                         for x in jax.tree.leaves(params)])


@pytest.mark.parametrize('every', [1, 2])
def test_historical_averaging_equals_a_loop(every):
  term = Term('past', penalties.historical_averaging(), 0.5, every)
  game = make_game(loss=toy.NO_LOSS, penalties=(term,))
  first = toy.make_state(game)
  # Without a loss the parameters would stay: a push by SGD's noise.
  run = jax.jit(partial(train_step, game=game))
  state, past = first, {'gen': [], 'disc': []}
  for i in range(5):
    push = jax.tree.map(lambda p, i=i: p + 0.1 * (i + 1), (
        state.gen.params, state.disc.params))
    state = state.replace(gen=state.gen.replace(params=push[0]),
                          disc=state.disc.replace(params=push[1]))
    after, scalars = run(state, make_batch(game), KEY)
    for player, title, rate in (('gen', 'past_gen', toy.GEN_RATE),
                                ('disc', 'past', toy.DISC_RATE)):
      now = flat(getattr(state, player).params)
      gap = now - np.mean(past[player] or [now], axis=0)
      if i % every:
        gap = 0.0 * gap
      else:
        past[player].append(now)
      assert float(scalars[f'penalty/{title}']) == pytest.approx(
          every * (gap ** 2).sum(), rel=1e-4, abs=1e-6)
      np.testing.assert_allclose(
          flat(getattr(after, player).params),
          now - rate * 0.5 * every * 2 * gap, rtol=1e-4, atol=1e-5)
      memory = after.aux[title]
      np.testing.assert_allclose(flat(memory['mean']),
                                 np.mean(past[player], axis=0), rtol=1e-5)
      assert float(memory['updates']) == len(past[player])
      assert float(scalars[f'memory/{title}/updates']) == len(past[player])
    # Trees are remembered, and not logged.
    assert not any(name.endswith('/mean') for name in scalars)
    state = after
  assert gap.any() or every == 2


@pytest.mark.parametrize('player,titles', [
    ('gen', {'t_gen'}), ('disc', {'t'}), ('both', {'t', 't_gen'})])
def test_historical_averaging_is_of_the_players_that_are_named(player, titles):
  game = make_game(penalties=(
      Term('t', penalties.historical_averaging(player=player), 1.0, 1),))
  assert set(toy.make_state(game).aux) == titles


# Path length.


def lengths(w, keys):
  """|J^T y| of images z w, y / sqrt(H W) drawn as the term draws it."""
  noise = jax.vmap(lambda key: random.normal(key, SHAPE))(keys)
  noise = np.float64(noise).reshape(len(keys), P)
  return np.linalg.norm(noise @ np.float64(w).T, axis=1) / np.sqrt(
      SHAPE[0] * SHAPE[1])


def paths(generate, z, keys, length, **settings):
  """(values, memory), compiled."""
  term = penalties.path_length(**settings)
  return jax.jit(lambda z, keys: terms.call(
      term.gen, generate=generate, z=z, keys=keys,
      memory={'length': jnp.float32(length)}))(z, keys)


def test_path_length_of_a_linear_generator():
  w, keys = normal(1, Z, P), keys_of()
  values, memory = paths(lambda z: (z @ w).reshape(-1, *SHAPE),
                         jnp.asarray(TABLE), keys, 0.5, decay=0.25)
  want = lengths(w, keys)
  mean = 0.75 * 0.5 + 0.25 * want.mean()
  assert float(memory['length']) == pytest.approx(mean, rel=1e-5)
  np.testing.assert_allclose(values, (want - mean) ** 2, rtol=1e-4)
  assert len(np.unique(np.round(want, 5))) == B


def test_path_length_through_what_is_not_linear():
  """J differs from example to example: it is taken at each one's z."""
  z = jnp.asarray(TABLE)
  w, keys = normal(1, Z, P), keys_of()
  values, memory = paths(lambda z: jnp.tanh(z @ w).reshape(-1, *SHAPE), z, keys,
                         0.0, decay=0.0)
  noise = np.float64(jax.vmap(lambda key: random.normal(key, SHAPE))(keys))
  slope = 1.0 - np.tanh(np.float64(TABLE) @ w) ** 2
  want = np.sum(((noise.reshape(B, P) * slope) @ w.T) ** 2, axis=1) / 2.0
  np.testing.assert_allclose(values, want, rtol=1e-4)
  assert float(memory['length']) == 0.0


def test_path_length_of_packs_is_a_mean_over_each():
  w, keys = jnp.asarray(normal(1, Z, P)), keys_of(B // 2)
  values, memory = paths(lambda z: (z @ w).reshape(B // 2, 1, 2, 4),
                         jnp.asarray(TABLE), keys, 0.0, decay=0.0)
  noise = jax.vmap(lambda key: random.normal(key, (1, 2, 4)))(keys)
  noise = np.float64(noise).reshape(B, P)
  want = np.sum((noise @ np.float64(w).T) ** 2, axis=1) / 2.0
  np.testing.assert_allclose(values, want.reshape(-1, 2).mean(axis=1),
                             rtol=1e-4)


def test_path_length_of_vectors():
  w, keys = normal(1, Z, 2), keys_of()
  values, _ = paths(lambda z: z @ w, jnp.asarray(TABLE), keys, 0.0, decay=0.0)
  noise = np.float64(jax.vmap(lambda key: random.normal(key, (2,)))(keys))
  np.testing.assert_allclose(values, np.sum((noise @ w.T) ** 2, axis=1),
                             rtol=1e-4)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('scale', [1.0, 0.0])
def test_slopes_of_path_length(dtype, scale):
  """Second derivatives: finite where the generator is flat too."""
  hidden, out = scale * normal(1, Z, 5), normal(2, 5, P)

  def loss(params):
    def generate(z):
      first, last = (p.astype(dtype) for p in params)
      x = jnp.tanh(z.astype(dtype) @ first) @ last
      return x.reshape(-1, *SHAPE).astype(jnp.float32)

    values, _ = terms.call(
        penalties.path_length(decay=0.0).gen, generate=generate,
        z=jnp.asarray(TABLE), keys=keys_of(),
        memory={'length': jnp.float32(0.3)})
    return jnp.mean(values)

  params = hidden, out
  slope = jax.jit(jax.grad(loss))(params)
  assert all(np.isfinite(s).all() for s in slope)
  if scale and dtype == jnp.float32:
    way = normal(3, Z, 5), normal(4, 5, P)
    moved = [float(jax.jit(loss)(jax.tree.map(
        lambda p, d, s=s: p + s * d, params, way))) for s in (1e-2, -1e-2)]
    along = sum(float(np.sum(s * d)) for s, d in zip(slope, way, strict=True))
    assert along == pytest.approx((moved[0] - moved[1]) / 2e-2, rel=0.01)


# Pulling away.


def features(x):
  return Critique(jnp.zeros(len(x)), x, {})


def pulled(x, **settings):
  term = penalties.pulling_away(**settings)
  return jax.jit(lambda x: terms.call(term.gen, fake_out=features(x)))(x)


def by_pairs(x):
  x = np.float64(x)
  found = [(x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])) ** 2
           for i in range(len(x)) for j in range(len(x)) if i != j]
  return np.mean(found)


def test_pulling_away_equals_a_loop_over_pairs():
  x = normal(1, B, 3)
  np.testing.assert_allclose(pulled(x), np.full(B, by_pairs(x)), rtol=1e-5)
  # Of all devices: another one has other examples.
  other = normal(2, B, 3)
  got = pulled(x, batch_all=lambda x: jnp.concatenate([x, other]))
  np.testing.assert_allclose(
      got, np.full(B, by_pairs(np.concatenate([x, other]))), rtol=1e-5)
  np.testing.assert_allclose(pulled(jnp.eye(4)), np.zeros(4), atol=1e-6)
  np.testing.assert_allclose(pulled(jnp.ones((4, 2))), np.ones(4), rtol=1e-5)
  np.testing.assert_array_equal(pulled(jnp.ones((1, 2))), [0.0])
  assert penalties.pulling_away().disc is None


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_slopes_of_pulling_away(dtype):
  def loss(x):
    return jnp.mean(terms.call(penalties.pulling_away().gen,
                               fake_out=features(x)))

  slope = jax.jit(jax.grad(loss))
  x = jnp.asarray(normal(1, B, 3)).astype(dtype)
  assert np.isfinite(slope(x)).all() and np.abs(slope(x)).max() > 1e-3
  assert np.isfinite(slope(0.0 * x)).all()


# Memories of terms in the game.


def counting(by, every):
  """A term that counts, by other numbers, the acts of either player."""
  def act(step):
    return lambda memory, keys: (jnp.full(keys.shape[:1], memory['n']),
                                 {'n': memory['n'] + step})

  return Term('count', Regulariser(act(by), act(10 * by), memory={'n': 1.0}),
              1.0, every)


def test_a_lazy_term_remembers_what_it_acted_on():
  game = make_game(penalties=(counting(1.0, 2),), disc_steps=3)
  states, scalars = toy.play(game, steps=3)
  # Updates 0, 2, 4, 6, 8 of the discriminator, steps 0 and 2.
  assert [float(s.aux['count']['n']) for s in states] == [1, 3, 4, 6]
  assert [float(s.aux['count_gen']['n']) for s in states] == [1, 11, 11, 21]
  assert [s['penalty/count_gen'] for s in scalars] == [2, 0, 22]
  assert [s['memory/count_gen/n'] for s in scalars] == [11, 11, 21]


@pytest.mark.parametrize('every', [1, 2])
def test_a_simultaneous_step_keeps_what_both_remember(every):
  lecam = Term('lecam', penalties.lecam(start=0), 1.0, 1)
  game = make_game(penalties=(counting(1.0, every), lecam), unrolled_steps=1)
  state = toy.make_state(game)
  rule = jax.jit(partial(simultaneous_step, game=game))
  for i in range(3):
    state, _ = rule(state, make_batch(game, i), KEY)
  acts = len(range(0, 3, every))
  assert float(state.aux['count']['n']) == 1 + acts
  assert float(state.aux['count_gen']['n']) == 1 + 10 * acts
  assert float(state.aux['lecam']['updates']) == 3


@pytest.mark.parametrize('every', [1, 3])
def test_a_memory_of_another_structure_is_refused(every):
  term = Term('bad', Regulariser(
      lambda memory, keys: (jnp.zeros(keys.shape[:1]), {'m': 0.0}),
      memory={'n': 0.0}), 1.0, every)
  game = make_game(penalties=(term,))
  with pytest.raises(ValueError, match='[nm]'):
    jax.eval_shape(partial(train_step, game=game), toy.make_state(game),
                   make_batch(game), KEY)


def test_a_memory_that_was_not_announced_is_asked_for_in_vain():
  term = Term('bad', Regulariser(lambda memory, keys: None), 1.0, 1)
  game = make_game(penalties=(term,))
  with pytest.raises(ValueError, match='asks for memory'):
    jax.eval_shape(partial(train_step, game=game), toy.make_state(game),
                   make_batch(game), KEY)


def test_no_gradient_goes_through_a_memory():
  """... of an update into the next one, nor out of a lazy branch."""
  def act(params, memory, keys):
    return (jnp.full(keys.shape[:1], jnp.sum(params['v'])),
            {'sum': jnp.sum(params['v']) + 0.0 * memory['sum']})

  for every in (1, 2):
    game = make_game(penalties=(Term('t', Regulariser(
        act, memory={'sum': 0.0}), 1.0, every),))
    state, batch = toy.make_state(game), make_batch(game)

    def remembered(v, game=game, state=state, batch=batch):
      state = state.replace(disc=state.disc.replace(
          params=state.disc.params | {'v': v}))
      return train_step(state, batch, KEY, game=game)[0].aux['t']['sum']

    v = state.disc.params['v']
    assert float(jax.jit(remembered)(v)) == pytest.approx(
        float(v.sum()), rel=1e-5)
    np.testing.assert_array_equal(jax.jit(jax.grad(remembered))(v), 0.0 * v)


MLP = dict(generator=dict(name='mlp.Generator', widths=(8,)),
           discriminator=dict(name='mlp.Discriminator', widths=(8,)))
GAMES = {
    'memories of both players': dict(
        loss=dict(name='hinge'), gen_steps=2,
        augment=(dict(name='apa', p=0.5, kimg=0.02),),
        penalties=(dict(name='lecam', weight=0.3, start=1, every=2),
                   dict(name='historical_averaging', weight=0.1),
                   dict(name='path_length', weight=0.1, decay=0.3, every=2),
                   dict(name='pulling_away', weight=0.5)), **MLP),
    'semi-supervised, some labels': dict(
        loss=dict(name='non_saturating'), disc_steps=2,
        penalties=(dict(name='semi_supervised', weight=1.0),
                   dict(name='path_length', weight=0.1, decay=0.3),
                   dict(name='feature_matching', weight=1.0)), **MLP),
}


@pytest.mark.parametrize('name', GAMES)
def test_four_devices_play_as_one(name, monkeypatch):
  monkeypatch.setitem(test_parallel.GAMES, name, GAMES[name])
  play = test_parallel.Play(name)
  if 'semi' in name:
    play.data = play.data._replace(label=np.where(
        np.arange(24) % 5, -1, play.data.label).astype(np.int32))
  wanted = play.plain
  start = play.first().aux
  for memory, old in zip(jax.tree.leaves(wanted[0].aux), jax.tree.leaves(start),
                         strict=True):
    assert np.abs(memory - old).max() > 1e-4
  test_parallel._equal(play.mapped(), wanted)
  test_parallel._equal(play.on(4), wanted)
