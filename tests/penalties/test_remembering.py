"""Terms with a memory: by numpy, lazily, for both players, on all devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from jax import random
from toy import KEY, SHAPE, TABLE, B, P, Z, make_batch, make_game, normal

from gan_jax import penalties
from gan_jax.game import terms
from gan_jax.game.step import train_step
from gan_jax.models import Critique
from gan_jax.penalties import Term


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
      term.gen, styles=lambda: (z, generate), keys=keys,
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


def test_no_gradient_goes_through_the_mean_path_length():
  """Of images c times as bright: of (c l - a)^2 with a constant a, at c = 1."""
  w, keys = normal(1, Z, P), keys_of()
  term = penalties.path_length(decay=0.25)

  def loss(scale):
    values, _ = terms.call(
        term.gen, keys=keys, memory={'length': jnp.float32(0.5)},
        styles=lambda: (jnp.asarray(TABLE), lambda z: scale * (z @ w).reshape(
            -1, *SHAPE)))
    return jnp.mean(values)

  length = lengths(w, keys)
  mean = 0.75 * 0.5 + 0.25 * length.mean()
  assert float(jax.jit(jax.grad(loss))(1.0)) == pytest.approx(
      2.0 * np.mean((length - mean) * length), rel=1e-4)


def test_path_length_by_styles_is_a_mean_over_their_layers():
  w, keys = normal(1, 5, Z, P), keys_of()
  values, _ = paths(lambda z: jnp.einsum('blz,lzp->bp', z, w).reshape(
      -1, *SHAPE), jnp.ones((B, 5, Z)), keys, 0.0, decay=0.0)
  want = np.sqrt(np.mean([lengths(part, keys) ** 2 for part in w], axis=0))
  np.testing.assert_allclose(values, want ** 2, rtol=1e-4)


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
        penalties.path_length(decay=0.0).gen, keys=keys_of(),
        styles=lambda: (jnp.asarray(TABLE), generate),
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
