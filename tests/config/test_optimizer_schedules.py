"""Schedules in optimisers, and the correction for lazy terms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scheduled_games import ADAM, RISE, configured, problems_of

LAZY = dict(name='r1', weight=1.0, every=4)


def moves(optimizer, count=4):
  """The parameters after each update."""
  params, found = jnp.array([1.0, -2.0]), []
  state = optimizer.init(params)

  @jax.jit
  def update(i, params, state):
    grads = jnp.array([0.3, -1.0]) * (i + 1)
    updates, state = optimizer.update(grads, state, params)
    return optax.apply_updates(params, updates), state

  for i in range(count):
    params, state = update(i, params, state)
    found.append(np.asarray(params))
  return np.stack(found)


def test_any_number_of_an_optimiser_follows_its_schedule():
  curve = dict(name='cosine', init_value=0.5, end_value=0.9,
               transition_steps=3)
  game = configured(disc_optimizer=ADAM | dict(b2=curve))
  m = v = np.zeros(2)
  params, wanted = np.array([1.0, -2.0]), []
  for i in range(4):
    b2 = 0.5 + 0.4 * (1 - np.cos(np.pi * min(i / 3, 1))) / 2
    g = np.array([0.3, -1.0]) * (i + 1)
    m, v = 0.5 * m + 0.5 * g, b2 * v + (1 - b2) * g ** 2
    params = params - 0.1 * m / (1 - 0.5 ** (i + 1)) / (
        np.sqrt(v / (1 - b2 ** (i + 1))) + 1e-8)
    wanted.append(params)
  np.testing.assert_allclose(moves(game.disc_optimizer), wanted, rtol=1e-5)


def test_what_is_constant_is_as_without_schedules():
  plain = optax.adam(optax.linear_schedule(0.0, 1.0, 10), b1=0.5, b2=0.9)
  same = configured(gen_optimizer=ADAM | dict(learning_rate=RISE))
  np.testing.assert_array_equal(moves(same.gen_optimizer), moves(plain))
  constant = dict(name='constant_schedule', value=0.9)
  scheduled = configured(
      gen_optimizer=ADAM | dict(learning_rate=RISE, b2=constant))
  np.testing.assert_allclose(moves(scheduled.gen_optimizer), moves(plain),
                             rtol=1e-6)
  state = jax.eval_shape(scheduled.gen_optimizer.init, jnp.zeros(2))
  assert set(state.hyperparams) == {'b2'}


def test_schedules_of_optimisers_count_updates():
  curve = dict(RISE, transition_steps='20 steps')
  game = configured(disc_steps=3, batch_size=8, disc_optimizer=dict(
      name='sgd', learning_rate=1.0, momentum=curve))
  state = game.disc_optimizer.init(jnp.zeros(2))
  for _ in range(31):
    _, state = game.disc_optimizer.update(jnp.ones(2), state, jnp.zeros(2))
  assert float(state.hyperparams['momentum']) == pytest.approx(0.5)


# The correction for lazy terms.


@pytest.mark.parametrize('rate', [0.1, RISE])
def test_lazy_correction_is_that_of_stylegan2(rate):
  adam = dict(ADAM, learning_rate=rate)
  game = configured(penalties=(LAZY,), lazy_correction=True,
                    gen_optimizer=adam, disc_optimizer=adam)
  c = 4 / 5
  wanted = 0.1 * c if rate == 0.1 else optax.linear_schedule(0.0, c, 10)
  np.testing.assert_allclose(
      moves(game.disc_optimizer),
      moves(optax.adam(wanted, b1=0.5 ** c, b2=0.9 ** c)), rtol=1e-6)
  # The generator has no lazy term.
  plain = configured(gen_optimizer=adam)
  np.testing.assert_array_equal(moves(game.gen_optimizer),
                                moves(plain.gen_optimizer))


def test_lazy_correction_takes_betas_that_the_config_leaves_out():
  adam = dict(name='adam', learning_rate=0.1)
  game = configured(penalties=(dict(LAZY, every=2),), lazy_correction=True,
                    disc_optimizer=adam)
  c = 2 / 3
  np.testing.assert_allclose(moves(game.disc_optimizer), moves(
      optax.adam(0.1 * c, b1=0.9 ** c, b2=0.999 ** c)), rtol=1e-6)


@pytest.mark.parametrize('parts, c', [(2, 2 / 3), (4, 1.0), (8, 1.0)])
def test_lazy_correction_counts_updates_not_their_parts(parts, c):
  game = configured(penalties=(LAZY,), lazy_correction=True,
                    gen_optimizer=ADAM, disc_optimizer=ADAM,
                    accumulate_steps=parts)
  wanted = optax.MultiSteps(
      optax.adam(0.1 * c, b1=0.5 ** c, b2=0.9 ** c), parts)
  np.testing.assert_allclose(moves(game.disc_optimizer, 16),
                             moves(wanted, 16), rtol=1e-6)


@pytest.mark.parametrize('terms', [(), (dict(LAZY, every=1),)])
def test_without_lazy_terms_there_is_nothing_to_correct(terms):
  game = configured(penalties=terms, lazy_correction=True)  # of sgd
  np.testing.assert_array_equal(moves(game.disc_optimizer),
                                moves(optax.sgd(0.05)))


@pytest.mark.parametrize('key', ['disc_steps', 'gen_steps'])
@pytest.mark.parametrize('count', [1, 2, 4, 5, 6])
@pytest.mark.parametrize('parts', [1, 2, 3, 4, 6, 12])
def test_accumulated_updates_hold_whole_steps_or_lie_in_one(key, count, parts):
  updates = np.arange(12 * count * parts).reshape(-1, parts)
  steps = updates // count  # the step that each part belongs to
  inside = (steps == steps[:, :1]).all()
  whole = all(len(row) == count * len(set(row)) for row in steps.tolist())
  changes = {key: count, 'accumulate_steps': parts}
  if inside or whole:
    configured(**changes)
  else:
    assert set(problems_of(**changes)) == {'accumulate_steps'}


def test_lazy_correction_refuses_what_it_cannot_correct():
  both = dict(lazy_correction=True, disc_optimizer=ADAM, gen_optimizer=ADAM)
  found = problems_of(penalties=(LAZY, dict(LAZY, name='r2', every=8)), **both)
  assert 'every=[4, 8]' in found['disc_optimizer'] and len(found) == 1
  found = problems_of(penalties=(LAZY,), lazy_correction=True,
                      disc_optimizer=dict(name='rmsprop', learning_rate=0.1))
  assert 'b1, b2, which rmsprop does not have' in found['disc_optimizer']
