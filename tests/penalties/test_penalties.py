"""Properties of regularisers; those of logits, features and parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from critics import (
  SHAPE,
  B,
  ask,
  build,
  call,
  critique,
  evaluate,
  images,
  keys_of,
  normal,
)
from jax import random

from gan_jax import penalties
from gan_jax.base import lookup
from gan_jax.penalties import Regulariser, Term

GRADIENTS = ['wgan_gp', 'dragan', 'r1', 'r2', 'max_gp', 'wgan_div']
# One value for the batch, not one for each example: the largest, the mean.
OF_THE_BATCH = {'max_gp'}


def test_every_regulariser_is_tested_here():
  assert set(lookup.names('gan_jax.penalties')) == {
      *GRADIENTS, 'drift', 'lecam', 'feature_matching', 'orthogonal', 'cr',
      'bcr', 'zcr', 'icr', 'acgan', 'tac_gan', 'adc_gan', 'multi_hinge',
      'infogan', 'contragan', 'reacgan',
      # ... and in test_posterior.py:
      'elbo', 'latent_regression',
      # ... and in test_remembering.py and test_semi_supervised.py:
      'historical_averaging', 'path_length', 'pulling_away', 'semi_supervised'}


def test_a_plain_function_is_a_term_of_the_discriminator():
  r1, both = penalties.r1(), Regulariser(None, lambda z: z)
  assert Term('r1', r1, 1.0, 1).parts == Regulariser(r1)
  assert Term('both', both, 1.0, 1).parts is both


# Properties of all penalties on gradients.


def network(key, hidden=7):
  """(parameters, critic of parameters): smooth, not linear."""
  first, second = random.split(key)
  params = (random.normal(first, (np.prod(SHAPE), hidden)) / 3.5,
            random.normal(second, (hidden,)))

  def critic(params, x):
    w, v = params
    return jnp.tanh(x.reshape(x.shape[0], -1) @ w) @ v

  return params, critic


@pytest.mark.parametrize('name', sorted(set(GRADIENTS) - OF_THE_BATCH))
def test_values_and_what_they_depend_on(name):
  """Unreduced, float32, 0 or more; an example's own key and no other."""
  params, critic = network(random.key(1))
  keys = keys_of()

  def values(keys):
    return evaluate(build(name), critic, images(), keys, params)

  base = values(keys)
  assert base.shape == (B,) and base.dtype == np.float32
  assert (base >= 0).all() and len(np.unique(base)) == B
  np.testing.assert_array_equal(values(keys), base)
  data = np.array(random.key_data(keys))
  data[2] = 77
  other = values(random.wrap_key_data(data))
  np.testing.assert_array_equal(np.delete(other, 2), np.delete(base, 2))
  if name not in ('r1', 'r2'):
    assert other[2] != base[2]


@pytest.mark.parametrize('name', sorted(
    set(GRADIENTS) - OF_THE_BATCH - {'dragan'}))
def test_an_example_does_not_depend_on_its_batch(name):
  params, critic = network(random.key(1))
  pair, keys = images(), keys_of()
  whole = evaluate(build(name), critic, pair, keys, params)
  part = evaluate(build(name), critic, [x[3:] for x in pair], keys[3:], params)
  np.testing.assert_allclose(part, whole[3:], rtol=1e-5)


@pytest.mark.parametrize('name,blind', [('r1', 1), ('r2', 0), ('dragan', 1)])
def test_those_that_look_at_one_side_only(name, blind):
  params, critic = network(random.key(1))
  values = jax.jit(lambda real, fake: ask(
      build(name), lambda x: critic(params, x), real, fake, keys_of()))
  pair, changed, seen = images(), list(images()), list(images())
  changed[blind] += 1.0
  seen[1 - blind] *= 1.5
  np.testing.assert_array_equal(values(*changed), values(*pair))
  assert (values(*seen) != values(*pair)).all()


@pytest.mark.parametrize('name', GRADIENTS)
def test_gradients_by_the_parameters_equal_differences(name):
  params, critic = network(random.key(1))

  @jax.jit
  @jax.value_and_grad
  def loss(params):
    return jnp.mean(ask(build(name), lambda x: critic(params, x), *images(),
                        keys_of()))

  way = (normal(5, *params[0].shape), normal(6, *params[1].shape))
  step = 1e-2
  ahead, behind = (loss([p + s * w for p, w in zip(params, way, strict=True)])[
      0] for s in (step, -step))
  slope = sum(np.sum(g * w) for g, w in zip(loss(list(params))[1], way,
                                            strict=True))
  assert float(slope) == pytest.approx(float(ahead - behind) / (2 * step),
                                       rel=0.01)


def test_flat_critic_costs_the_whole_target():
  got = evaluate(penalties.wgan_gp(), lambda _, x: jnp.zeros(len(x)), images())
  np.testing.assert_allclose(got, np.ones(B), rtol=1e-4)


# Terms on logits, features and parameters.


def test_drift_is_the_square_of_the_real_logits():
  got = call(penalties.drift(), real_out=critique(normal(1, B)))
  np.testing.assert_allclose(got, np.square(normal(1, B)), rtol=1e-6)


def test_lecam_by_hand():
  real, fake = critique([2.0, -1.0, 0.5]), critique([1.0, -3.0, 0.0])
  term = penalties.lecam(start=4)
  memory = {'real': 0.25, 'fake': -0.5, 'updates': 4.0}
  got, _ = call(term.disc, real_out=real, fake_out=fake, memory=memory)
  # relu(real + 0.5)^2 + relu(0.25 - fake)^2
  np.testing.assert_allclose(got, [6.25 + 0.0, 0.0 + 10.5625, 1.0 + 0.0625])
  memory['updates'] = 3.0
  got, _ = call(term.disc, real_out=real, fake_out=fake, memory=memory)
  np.testing.assert_array_equal(got, np.zeros(3))
  assert term.gen is None


def test_lecam_averages_from_its_start_on():
  term = penalties.lecam(decay=0.9, start=2, batch_mean=lambda x: 2 * x.mean())
  memory = jax.tree.map(jnp.float32, term.memory)
  logits = np.random.default_rng(0).normal(size=(6, 2, B)).astype(np.float32)
  want = np.zeros(2)
  for i, (real, fake) in enumerate(logits):
    _, memory = call(term.disc, real_out=critique(real),
                     fake_out=critique(fake), memory=memory)
    new = 2.0 * logits[i].mean(axis=1)
    want = new if i < 2 else 0.9 * want + 0.1 * new
    np.testing.assert_allclose([memory['real'], memory['fake']], want,
                               rtol=1e-5)
    assert memory['updates'] == i + 1


def test_feature_matching_by_hand():
  real, fake = (critique(features=jnp.array(x)) for x in (
      [[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [2.0, 2.0]]))
  got = call(penalties.feature_matching().gen, real_out=real,
                   fake_out=fake)
  # The means are (2, 4) and (1, 1).
  np.testing.assert_allclose(got, [10.0, 10.0])
  assert penalties.feature_matching().disc is None
  # Of all devices: others have as many examples, of features 0.
  whole = penalties.feature_matching(
      batch_all=lambda x: jnp.concatenate([x, 0.0 * x]))
  got = call(whole.gen, real_out=real, fake_out=fake)
  np.testing.assert_allclose(got, [2.5, 2.5])
  # The mean of 1 and 3.
  got = call(penalties.feature_matching(distance='absolute').gen,
             real_out=real, fake_out=fake)
  np.testing.assert_allclose(got, [2.0, 2.0])
  with pytest.raises(ValueError, match="'cubed' must be 'squared' or"):
    penalties.feature_matching(distance='cubed')


def test_feature_matching_is_a_sum_in_float32():
  """Means of bfloat16 would lose the difference."""
  base = np.ones((1000, 1), jnp.bfloat16)
  other = np.array(base)
  other[0] = 2.0
  got = call(penalties.feature_matching().gen,
                   real_out=critique(features=base),
                   fake_out=critique(features=other))
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, np.full(1000, 1e-6), rtol=1e-3)


def test_orthogonal_by_hand():
  term = penalties.orthogonal()
  kernel = jnp.array([[1.0, 2.0], [3.0, 4.0]])
  params = {'a': {'kernel': kernel, 'bias': jnp.array([5.0, 6.0])}}
  # The columns' product is 14, twice off the diagonal.
  for side in (term.disc, term.gen):
    got = call(side, params=params, keys=keys_of())
    np.testing.assert_allclose(got, np.full(B, 392.0))
  conv = normal(3, 3, 2, 4, 5)
  rows = np.float64(conv).reshape(24, 5)
  want = sum(2 * (rows[:, i] @ rows[:, j]) ** 2
             for i in range(5) for j in range(i))
  got = call(term.gen, params={'b': {'kernel': conv}} | params,
                   keys=keys_of())
  np.testing.assert_allclose(got, np.full(B, 392.0 + want), rtol=1e-5)
  # Four columns of two rows: their products are 1, 2, 0, 8, 6, 1, each twice.
  wide = {'kernel': jnp.array([[1.0, 1.0, 2.0, 0.0], [0.0, 6.0, 1.0, 1.0]])}
  # The embedding of a label is a row of a table.
  for table in ({}, {'embedding': kernel}):
    got = call(term.gen, params={'c': wide | table}, keys=keys_of())
    np.testing.assert_allclose(got, np.full(B, 212.0), rtol=1e-6)
  # Norms are free.
  got = call(term.gen, params=jnp.diag(jnp.array([1.0, 5.0, 0.1])),
                   keys=keys_of())
  np.testing.assert_array_equal(got, np.zeros(B))


def test_orthogonal_is_of_the_players_that_are_named():
  sides = {player: penalties.orthogonal(player=player)
           for player in ('gen', 'disc', 'both')}
  assert {name: (t.disc is not None, t.gen is not None)
          for name, t in sides.items()} == {
              'gen': (False, True), 'disc': (True, False), 'both': (True, True)}
