"""Losses against the formulas of the papers in numpy, and their signs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_pairs import (
  FORMULAS,
  LOG2,
  NAMES,
  compiled,
  log_sigmoid,
  logits,
  slopes,
  sp,
)

from gan_jax import losses
from gan_jax.base import lookup

ENERGIES = {'ebgan', 'began'}  # Small is real.
# Of a discriminator that knows nothing (all logits 0): (disc, gen).
AT_ZERO = {
    'minimax': (1.3862944, -LOG2),
    'non_saturating': (1.3862944, LOG2),
    'wasserstein': (0.0, 0.0),
    'least_squares': (0.5, 0.5),
    'hinge': (2.0, 0.0),
    'relativistic': (LOG2, LOG2),
    'relativistic_average': (LOG2, LOG2),
    'relativistic_average_least_squares': (1.0, 1.0),
    'relativistic_average_hinge': (1.0, 1.0),
    'softmax_gan': (2.7725887, 2.7725887),  # log 16
    'dual_contrastive': (4.3944492, -4.3944492),  # 2 log 9
    'ebgan': (10.0, 0.0),
    'fgan': (0.0, 0.0),
}


# Values.


@pytest.mark.parametrize('name', FORMULAS)
def test_equals_the_formula(name):
  for seed in range(8):
    a, b = logits(seed, size=8)
    got = compiled(name)(a, b)[0]
    for value, formula in zip(got, FORMULAS[name], strict=True):
      np.testing.assert_allclose(value, formula(np.float64(a), np.float64(b)),
                                 rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', AT_ZERO)
def test_value_where_the_discriminator_knows_nothing(name):
  got, _ = compiled(name)(jnp.zeros(8), jnp.zeros(8))
  np.testing.assert_allclose(got, np.outer(AT_ZERO[name], np.ones(8)),
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


# Softmax GAN's generator and MMD rest where nothing is known, `none` and the
# generator of disc_only everywhere.
@pytest.mark.parametrize('name', sorted(
    set(NAMES) - {'softmax_gan', 'mmd', 'none', 'disc_only'} - ENERGIES))
def test_players_pull_the_right_way_where_nothing_is_known(name):
  real, fake, _, gen = slopes(name, jnp.zeros(8), jnp.zeros(8))
  assert (real < 0).all() and (fake >= 0).all() and (gen < 0).all()


@pytest.mark.parametrize('name', ['softmax_gan', 'mmd'])
def test_players_pull_the_right_way_where_fakes_are_below(name):
  a, b = jnp.linspace(1.0, 1.2, 8), jnp.linspace(-1.0, -0.8, 8)
  real, fake, _, gen = slopes(name, a, b)
  # MMD compares features: away from and towards the other side.
  assert (real < 0).all() and (fake > 0).all() and (gen < 0).all()
  if name == 'softmax_gan':
    np.testing.assert_allclose(slopes(name, a, a)[3].sum(), 0.0, atol=1e-6)


@pytest.mark.parametrize('name', sorted(ENERGIES))
def test_energies_pull_the_other_way(name):
  loss = getattr(losses, name)()
  assert loss.needs == 'autoencoder'
  real, fake, _, by_gen = slopes(name, jnp.linspace(0.1, 0.2, 8),
                                 jnp.linspace(1.0, 3.0, 8))
  assert (real > 0).all() and (fake < 0).all() and (by_gen > 0).all()


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
  assert (slopes(name, *logits(size=8))[2] > 0).all()


def test_choices_of_an_argument_are_checked():
  for spec in (dict(name='fgan', divergence='kll'), dict(name='fgan', gen='x'),
               dict(name='top_k', base='mmd')):
    problem, = lookup.check('gan_jax.losses', spec, 'loss')
    assert 'no such choice' in problem.rule
