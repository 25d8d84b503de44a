"""Losses against the formulas of the papers in numpy, signs, stability."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import lookup, losses

NAMES = lookup.names('gan_jax.losses')
# Of an example, the others of its batch have no part in these.
PER_EXAMPLE = sorted(set(NAMES) - {'relativistic_average'})


def log_sigmoid(x):
  """log(1 / (1 + exp(-x))) in the textbook's form, for moderate x."""
  return np.log(1.0 / (1.0 + np.exp(-x)))


def sp(x):
  return np.log1p(np.exp(x))


def relu(x):
  return np.where(x > 0, x, 0.0)


# name: (disc, gen) of real logits a and fake logits b, in float64. The first
# two from probabilities: log D(x), log(1 - D(G(z))).
FORMULAS = {
    'minimax': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b),
                lambda a, b: log_sigmoid(-b)),
    'non_saturating': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b),
                       lambda a, b: -log_sigmoid(b)),
    'wasserstein': (lambda a, b: b - a, lambda a, b: -b),
    'least_squares': (lambda a, b: ((a - 1) ** 2 + b ** 2) / 2,
                      lambda a, b: (b - 1) ** 2 / 2),
    'hinge': (lambda a, b: relu(1 - a) + relu(1 + b), lambda a, b: -b),
    'relativistic': (lambda a, b: sp(-(a - b)), lambda a, b: sp(-(b - a))),
    'relativistic_average': (
        lambda a, b: (sp(-(a - b.mean())) + sp(b - a.mean())) / 2,
        lambda a, b: (sp(-(b - a.mean())) + sp(a - b.mean())) / 2),
}
# Of a discriminator that knows nothing (all logits 0): (disc, gen).
LOG2 = 0.6931472
AT_ZERO = {
    'minimax': (1.3862944, -LOG2),
    'non_saturating': (1.3862944, LOG2),
    'wasserstein': (0.0, 0.0),
    'least_squares': (0.5, 0.5),
    'hinge': (2.0, 0.0),
    'relativistic': (LOG2, LOG2),
    'relativistic_average': (LOG2, LOG2),
}


def build(name):
  return lookup.build('gan_jax.losses', dict(name=name))


def logits(seed=0, size=64, scale=3.0):
  rng = np.random.default_rng(seed)
  return (jnp.asarray(rng.normal(0.5, scale, size), jnp.float32),
          jnp.asarray(rng.normal(-0.5, scale, size), jnp.float32))


# Values.


@pytest.mark.parametrize('half', ['disc', 'gen'])
@pytest.mark.parametrize('name', FORMULAS)
def test_equals_the_formula(name, half):
  a, b = logits()
  got = getattr(build(name), half)(a, b)
  want = FORMULAS[name][half == 'gen'](np.float64(a), np.float64(b))
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', AT_ZERO)
def test_value_where_the_discriminator_knows_nothing(name):
  zero, loss = jnp.zeros(3), build(name)
  got = [loss.disc(zero, zero), loss.gen(zero, zero)]
  np.testing.assert_allclose(got, np.outer(AT_ZERO[name], np.ones(3)),
                             atol=1e-6)


def test_values_by_hand():
  a, b = jnp.array([2.0, -1.0]), jnp.array([0.5, -3.0])
  cases = [
      # relu(1-2) + relu(1.5) = 1.5;  relu(2) + relu(-2) = 2
      (losses.hinge().disc, [1.5, 2.0]),
      (losses.wasserstein().disc, [-1.5, -2.0]),
      # (1 + 0.25) / 2;  (4 + 9) / 2
      (losses.least_squares().disc, [0.625, 6.5]),
      (losses.least_squares().gen, [0.125, 8.0]),
      # Pearson: real 1, fake -1, generator 0: (1 + 2.25) / 2, (4 + 4) / 2
      (losses.least_squares(fake_target=-1.0, gen_target=0.0).disc,
       [1.625, 4.0]),
      (losses.least_squares(fake_target=-1.0, gen_target=0.0).gen,
       [0.125, 4.5]),
      (losses.least_squares(real_target=2.0).disc, [0.125, 9.0]),
      # sp(-1.5), sp(-2)
      (losses.relativistic().disc, [0.2014133, 0.1269280]),
      # sp(1.5), sp(2)
      (losses.relativistic().gen, [1.7014133, 2.1269280]),
      # means 0.5 and -1.25: [sp(-3.25) + sp(0)] / 2, [sp(-0.25) + sp(-3.5)] / 2
      (losses.relativistic_average().disc, [0.3655943, 0.3028449]),
  ]
  for function, want in cases:
    np.testing.assert_allclose(function(a, b), want, rtol=1e-5)


def test_relativistic_average_takes_the_mean_that_it_is_given():
  a, b = logits(size=5)
  loss = losses.relativistic_average(batch_mean=lambda x: jnp.max(x))
  a_, b_ = np.float64(a), np.float64(b)
  np.testing.assert_allclose(
      loss.disc(a, b), (sp(b_.max() - a_) + sp(b_ - a_.max())) / 2, rtol=1e-5)


# Label smoothing.


@pytest.mark.parametrize('smoothing', [0.0, 0.1, 0.9])
def test_label_smoothing_is_cross_entropy_with_a_softer_real_target(smoothing):
  a, b = logits()
  loss = losses.non_saturating(label_smoothing=smoothing)
  a_, b_ = np.float64(a), np.float64(b)
  want = (-(1 - smoothing) * log_sigmoid(a_) - smoothing * log_sigmoid(-a_)
          - log_sigmoid(-b_))
  np.testing.assert_allclose(loss.disc(a, b), want, rtol=1e-5, atol=1e-6)
  # One-sided: the generator's half is as without.
  np.testing.assert_array_equal(loss.gen(a, b),
                                losses.non_saturating().gen(a, b))


def test_label_smoothing_moves_the_best_real_logit_to_the_target():
  loss = losses.non_saturating(label_smoothing=0.1)
  slope = jax.grad(lambda a: loss.disc(a, jnp.zeros(())))
  # sigmoid(a) = 0.9 at a = log 9.
  assert abs(slope(jnp.float32(2.1972246))) < 1e-6
  assert slope(jnp.float32(2.0)) < -1e-3 < 1e-3 < slope(jnp.float32(2.4))


@pytest.mark.parametrize('smoothing', [1.0, -0.1, 1.5, float('nan')])
def test_label_smoothing_outside_its_range_is_refused(smoothing):
  with pytest.raises(ValueError, match=rf'label_smoothing {smoothing} is not'):
    losses.non_saturating(label_smoothing=smoothing)


# Gradients.


def slopes(name, a, b):
  """(d disc / d real, d disc / d fake, d gen / d real, d gen / d fake)."""
  loss = build(name)

  def all_four(a, b):
    return [slope for half in loss for slope in jax.grad(
        lambda a, b: jnp.sum(half(a, b)), (0, 1))(a, b)]  # noqa: B023  (at once)

  return np.array([np.float32(x) for x in jax.jit(all_four)(a, b)])


@pytest.mark.parametrize('name', NAMES)
def test_players_pull_the_right_way_where_nothing_is_known(name):
  real, fake, _, gen = slopes(name, jnp.zeros(4), jnp.zeros(4))
  assert (real < 0).all() and (fake >= 0).all() and (gen < 0).all()


def test_saturating_and_not():
  """Where D is sure that b is generated, only one generator still learns."""
  a, b = jnp.array([10.0]), jnp.array([-10.0])
  sigmoid = 4.5397869e-5  # of -10
  assert slopes('minimax', a, b)[3] == pytest.approx(-sigmoid, rel=1e-4)
  assert slopes('non_saturating', a, b)[3] == pytest.approx(sigmoid - 1.0)
  # The discriminator's halves are one function.
  np.testing.assert_array_equal(slopes('minimax', a, b)[:2],
                                slopes('non_saturating', a, b)[:2])


def test_hinge_stops_at_its_margins():
  a, b = jnp.array([0.5, 1.5]), jnp.array([-1.5, -0.5])
  np.testing.assert_array_equal(
      slopes('hinge', a, b), [[-1, 0], [0, 1], [0, 0], [-1, -1]])


@pytest.mark.parametrize('name', ['relativistic', 'relativistic_average'])
def test_relativistic_generators_look_at_real_logits_too(name):
  assert (slopes(name, *logits())[2] > 0).all()


# Properties of all, of those to come too.


@pytest.mark.parametrize('name', NAMES)
def test_unreduced_in_the_logits_dtype(name):
  a, b = logits(size=5)
  for half in build(name):
    assert half(a, b).shape == (5,) and half(a, b).dtype == jnp.float32
    shape = jax.eval_shape(half, a.astype(jnp.bfloat16), b.astype(jnp.bfloat16))
    assert shape.dtype == jnp.bfloat16


@pytest.mark.parametrize('name', NAMES)
def test_another_order_of_pairs_is_another_order_of_values(name):
  a, b = logits(size=8)
  order = np.random.default_rng(1).permutation(8)
  for half in build(name):
    np.testing.assert_allclose(half(a[order], b[order]), half(a, b)[order],
                               rtol=1e-6)


@pytest.mark.parametrize('name', PER_EXAMPLE)
def test_a_value_depends_on_its_own_pair_only(name):
  a, b = logits(size=8)
  for half in build(name):
    changed = half(a.at[3].add(1.0), b.at[3].add(-2.0)) != half(a, b)
    np.testing.assert_array_equal(changed, np.arange(8) == 3)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name', NAMES)
def test_finite_at_huge_logits(name, dtype):
  a = jnp.array([1e4, 1e4, -1e4, -1e4, 0.0], dtype)
  b = jnp.array([1e4, -1e4, 1e4, -1e4, 0.0], dtype)
  for half in build(name):
    assert jnp.isfinite(half(a, b)).all()
  assert np.isfinite(slopes(name, a, b)).all()


@pytest.mark.parametrize('name', FORMULAS)
def test_bfloat16_is_close_to_float32(name):
  a, b = logits(scale=1.0)
  a, b = (x.astype(jnp.bfloat16) for x in (a, b))
  for half in build(name):
    want = half(a.astype(jnp.float32), b.astype(jnp.float32))
    np.testing.assert_allclose(half(a, b).astype(jnp.float32), want, rtol=0.02,
                               atol=0.03)
