"""Losses against the formulas of the papers in numpy, signs, stability."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import lookup, losses

NAMES = lookup.names('gan_jax.losses')
# Of an example, the others of its batch have no part in these.
COUPLED = {'relativistic_average', 'relativistic_average_least_squares',
           'relativistic_average_hinge', 'softmax_gan', 'dual_contrastive',
           'mmd', 'top_k'}
PER_EXAMPLE = sorted(set(NAMES) - COUPLED)
# A memory of the midst of training, in which everything has its part.
LATER = {'top_k': {'updates': 1e5}, 'began': {'k': 0.5}}
ENERGIES = {'ebgan', 'began'}  # Small is real.
DIVERGENCES = ('kl', 'reverse_kl', 'jensen_shannon', 'pearson',
               'squared_hellinger')


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
    'relativistic_average_least_squares': (
        lambda a, b: ((a - b.mean() - 1) ** 2 + (b - a.mean() + 1) ** 2) / 2,
        lambda a, b: ((b - a.mean() - 1) ** 2 + (a - b.mean() + 1) ** 2) / 2),
    'relativistic_average_hinge': (
        lambda a, b: (relu(1 - a + b.mean()) + relu(1 + b - a.mean())) / 2,
        lambda a, b: (relu(1 - b + a.mean()) + relu(1 + a - b.mean())) / 2),
    # From probabilities of the whole batch.
    'softmax_gan': (
        lambda a, b: -np.log(np.exp(a) / partition(a, b)),
        lambda a, b: -(np.log(np.exp(a) / partition(a, b))
                       + np.log(np.exp(b) / partition(a, b))) / 2),
    'dual_contrastive': (lambda a, b: -contrast(a, b) - contrast(-b, -a),
                         lambda a, b: contrast(a, b) + contrast(-b, -a)),
    'ebgan': (lambda a, b: a + relu(10 - b), lambda a, b: b),
    # Its alternative, Jensen-Shannon: log D + log 2 and -log(1 - D) - log 2.
    'fgan': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b) - 2 * LOG2,
             lambda a, b: -log_sigmoid(b) - LOG2),
}
LOG2 = 0.6931472
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
    'softmax_gan': (1.7917595, 1.7917595),  # log 6
    'dual_contrastive': (2.7725887, -2.7725887),  # 2 log 4
    'ebgan': (10.0, 0.0),
    'fgan': (0.0, 0.0),
}


def partition(a, b):
  return np.exp(a).sum() + np.exp(b).sum()


def contrast(a, b):
  """log of the share of each a among itself and all b."""
  return np.log(np.exp(a) / (np.exp(a) + np.exp(b).sum()))


def halves(loss, **memory):
  """(disc, gen) of two arguments; memory is the initial one, changed."""
  if not loss.memory:
    return loss.disc, loss.gen
  kept = {**loss.memory, **{k: jnp.float32(v) for k, v in memory.items()}}
  return (lambda a, b: loss.disc(a, b, kept), lambda a, b: loss.gen(a, b, kept))


def build(name, **supplied):
  """(disc, gen) as a config names it; features are made of logits."""
  loss = lookup.build('gan_jax.losses', dict(name=name), **supplied)
  if loss.inputs == 'logits':
    return halves(loss, **LATER.get(name, {}))
  return tuple(lambda a, b, half=half: half(
      jnp.stack([a, jnp.sin(a)], 1), jnp.stack([b, jnp.sin(b)], 1))
               for half in (loss.disc, loss.gen))


def logits(seed=0, size=64, scale=3.0):
  rng = np.random.default_rng(seed)
  return (jnp.asarray(rng.normal(0.5, scale, size), jnp.float32),
          jnp.asarray(rng.normal(-0.5, scale, size), jnp.float32))


# Values.


@pytest.mark.parametrize('half', ['disc', 'gen'])
@pytest.mark.parametrize('name', FORMULAS)
def test_equals_the_formula(name, half):
  a, b = logits()
  got = build(name)[half == 'gen'](a, b)
  want = FORMULAS[name][half == 'gen'](np.float64(a), np.float64(b))
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', AT_ZERO)
def test_value_where_the_discriminator_knows_nothing(name):
  zero = jnp.zeros(3)
  got = [half(zero, zero) for half in build(name)]
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
  both = build(name)

  def all_four(a, b):
    return [slope for half in both for slope in jax.grad(
        lambda a, b: jnp.sum(half(a, b)), (0, 1))(a, b)]  # noqa: B023  (at once)

  return np.array([np.float32(x) for x in jax.jit(all_four)(a, b)])


# Softmax GAN's generator and MMD rest where nothing is known.
@pytest.mark.parametrize('name', sorted(
    set(NAMES) - {'softmax_gan', 'mmd'} - ENERGIES))
def test_players_pull_the_right_way_where_nothing_is_known(name):
  real, fake, _, gen = slopes(name, jnp.zeros(4), jnp.zeros(4))
  assert (real < 0).all() and (fake >= 0).all() and (gen < 0).all()


@pytest.mark.parametrize('name', ['softmax_gan', 'mmd'])
def test_players_pull_the_right_way_where_fakes_are_below(name):
  a, b = jnp.array([1.0, 1.2]), jnp.array([-1.0, -0.8])
  real, fake, _, gen = slopes(name, a, b)
  # MMD compares features: away from and towards the other side.
  assert (real < 0).all() and (fake > 0).all() and (gen < 0).all()
  if name == 'softmax_gan':
    np.testing.assert_allclose(slopes(name, a, a)[3].sum(), 0.0, atol=1e-6)


@pytest.mark.parametrize('name', sorted(ENERGIES))
def test_energies_pull_the_other_way(name):
  loss = getattr(losses, name)()
  assert loss.needs == 'autoencoder'
  disc, gen = halves(loss, **LATER.get(name, {}))
  a, b = jnp.array([0.2, 0.1]), jnp.array([1.0, 3.0])
  by_disc = jax.grad(lambda a, b: disc(a, b).sum(), (0, 1))(a, b)
  assert (by_disc[0] > 0).all() and (by_disc[1] < 0).all()
  assert (jax.grad(lambda b: gen(a, b).sum())(b) > 0).all()


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


# f-GAN.

# A conjugate f* as in table 2 of the paper, and the activation of its range.
CONJUGATES = {
    'kl': (lambda t: np.exp(t - 1), lambda v: v),
    'reverse_kl': (lambda t: -1 - np.log(-t), lambda v: -np.exp(-v)),
    'jensen_shannon': (lambda t: -np.log(2 - np.exp(t)),
                       lambda v: np.log(2) - np.log1p(np.exp(-v))),
    'pearson': (lambda t: t ** 2 / 4 + t, lambda v: v),
    'squared_hellinger': (lambda t: t / (1 - t), lambda v: 1 - np.exp(-v)),
}


@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_fgan_is_activation_and_conjugate(divergence):
  a, b = logits(scale=1.5)
  conjugate, activation = CONJUGATES[divergence]
  a_, b_ = np.float64(a), np.float64(b)
  for gen in ('saturating', 'alternative'):
    loss = losses.fgan(divergence=divergence, gen=gen)
    np.testing.assert_allclose(
        loss.disc(a, b), conjugate(activation(b_)) - activation(a_),
        rtol=1e-4, atol=1e-5)
    want = (-conjugate(activation(b_)) if gen == 'saturating'
            else -activation(b_))
    np.testing.assert_allclose(loss.gen(a, b), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_the_best_discriminator_of_fgan_measures_the_divergence(divergence):
  """Over three points, by gradient descent on three outputs."""
  p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
  m = (p + q) / 2
  want = {
      'kl': (p * np.log(p / q)).sum(),
      'reverse_kl': (q * np.log(q / p)).sum(),
      # The paper's is twice the textbook's.
      'jensen_shannon': (p * np.log(p / m) + q * np.log(q / m)).sum(),
      'pearson': ((p - q) ** 2 / q).sum(),
      'squared_hellinger': ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(),
  }[divergence]
  disc, weights = losses.fgan(divergence=divergence).disc, jnp.float32([p, q])

  def expected(v):
    # disc(v, 0) and disc(0, v) part what is real from what is generated.
    zero = jnp.zeros(3)
    both = disc(zero, zero)
    return jnp.sum(weights[0] * (disc(v, zero) - both)
                   + weights[1] * disc(zero, v))

  slope = jax.jit(jax.grad(expected))
  v = jnp.zeros(3)
  for _ in range(1500):
    v = v - 0.3 * slope(v)
  assert -float(expected(v)) == pytest.approx(want, abs=2e-4)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('gen', ['saturating', 'alternative'])
@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_fgan_is_finite_at_50_and_pulls_fakes_up(divergence, gen, dtype):
  loss = losses.fgan(divergence=divergence, gen=gen)
  x = jnp.array([-50.0, -1.0, 0.0, 1.0, 50.0], dtype)
  by_real, by_fake = jax.grad(lambda a, b: loss.disc(a, b).sum(), (0, 1))(x, x)
  by_gen = jax.grad(lambda b: loss.gen(x, b).sum())(x)
  for value in (loss.disc(x, x), loss.gen(x, x), by_real, by_fake, by_gen):
    assert value.dtype == dtype and jnp.isfinite(value).all()
  # Pearson's conjugate turns at -2, where the activation should be cut.
  inside = x > -2 if divergence == 'pearson' else x > -60
  assert (by_real[inside] <= 0).all() and (by_fake[inside] >= 0).all()
  assert (by_gen[inside] <= 0).all() and (by_gen[1:4] < 0).all()


# Autoencoders.


def test_ebgan_by_hand():
  loss = losses.ebgan(margin=2.0)
  a, b = jnp.array([0.5, 0.1]), jnp.array([1.5, 3.0])
  np.testing.assert_allclose(loss.disc(a, b), [1.0, 0.1], rtol=1e-6)
  np.testing.assert_array_equal(loss.gen(a, b), b)
  # Beyond the margin D lets go.
  np.testing.assert_array_equal(
      jax.grad(lambda b: loss.disc(a, b).sum())(b), [-1.0, 0.0])
  with pytest.raises(ValueError, match='margin 0.0 is not positive'):
    losses.ebgan(margin=0.0)


def test_began_by_hand():
  loss = losses.began(gamma=0.5, lambda_k=0.1)
  a, b = jnp.array([2.0, 4.0]), jnp.array([0.5, 1.0])
  k = {'k': jnp.float32(0.25)}
  np.testing.assert_allclose(loss.disc(a, b, k), [1.875, 3.75], rtol=1e-6)
  np.testing.assert_array_equal(loss.gen(a, b, k), b)
  # 0.5 * 3 - 0.75 = 0.75 of balance.
  assert loss.remember(k, a, b)['k'] == pytest.approx(0.325)
  # 0.5 * 0.75 - 3 = -2.625: below 0 and cut.
  assert loss.remember(k, b, a)['k'] == 0.0
  assert loss.remember({'k': jnp.float32(0.99)}, a, b)['k'] == 1.0
  # From 0: balance as often as it takes.
  memory = loss.memory
  np.testing.assert_array_equal(loss.disc(a, b, memory), a)
  for _ in range(3):
    memory = loss.remember(memory, a, b)
  assert memory['k'] == pytest.approx(0.225)
  for wrong in (dict(gamma=1.5), dict(gamma=-0.1), dict(lambda_k=-1.0)):
    with pytest.raises(ValueError, match='is not in|negative'):
      losses.began(**wrong)


# MMD.


def squared_mmd(x, y, bandwidths):
  """The unbiased estimate by loops over pairs."""
  def k(u, v):
    return sum(np.exp(-((u - v) ** 2).sum() / (2 * s ** 2)) for s in bandwidths)

  n, total = len(x), 0.0
  for i in range(n):
    for j in range(n):
      if i != j:
        total += (k(x[i], x[j]) + k(y[i], y[j])) / (n * (n - 1))
      total -= 2 * k(x[i], y[j]) / n ** 2
  return total


@pytest.mark.parametrize('bandwidths', [(1.0,), (1.0, 2.0, 4.0, 8.0, 16.0)])
def test_mmd_is_the_unbiased_estimate(bandwidths):
  rng = np.random.default_rng(0)
  x, y = rng.normal(size=(7, 3)), rng.normal(0.7, 1.5, size=(7, 3))
  loss = losses.mmd(bandwidths=bandwidths)
  assert loss.inputs == 'features'
  got = loss.gen(jnp.float32(x), jnp.float32(y))
  assert got.shape == (7,)
  want = squared_mmd(x, y, bandwidths)
  assert got.mean() == pytest.approx(want, rel=1e-4)
  assert loss.disc(jnp.float32(x), jnp.float32(y)).mean() == pytest.approx(
      -want, rel=1e-4)


def test_mmd_by_hand_far_away_and_of_one_distribution():
  # Two pairs of equal features, infinitely apart: 1 + 1 - 0.
  x, y = jnp.zeros((2, 3)), jnp.full((2, 3), 1e4)
  loss = losses.mmd(bandwidths=(1.0,))
  np.testing.assert_allclose(loss.gen(x, y), [2.0, 2.0])
  # Unbiased: over many draws of one distribution it is 0 on average.
  points = jax.random.normal(jax.random.key(0), (2, 2000, 8, 2))
  values = jax.jit(jax.vmap(lambda x, y: loss.gen(x, y).mean()))(*points)
  assert abs(values.mean()) < 4 * values.std() / 2000 ** 0.5
  assert values.min() < 0


def test_mmd_refuses_one_example_and_bad_bandwidths():
  with pytest.raises(ValueError, match='2 or more'):
    losses.mmd().gen(jnp.zeros((1, 3)), jnp.zeros((1, 3)))
  for wrong in ((), (1.0, 0.0)):
    with pytest.raises(ValueError, match='bandwidths'):
      losses.mmd(bandwidths=wrong)


def test_mmd_of_bfloat16_features_is_finite():
  x, y = (jnp.full((4, 3), v, jnp.bfloat16) for v in (50.0, -50.0))
  for half in (losses.mmd().disc, losses.mmd().gen):
    slope = jax.jit(jax.grad(lambda y: half(x, y).sum()))(y)  # noqa: B023
    assert half(x, y).dtype == slope.dtype == jnp.bfloat16
    assert jnp.isfinite(half(x, y)).all() and jnp.isfinite(slope).all()


# Top k.


def test_top_k_by_hand():
  loss = losses.top_k(base='wasserstein', fraction=0.5, decay=0.8,
                      decay_every=10)
  a, b = jnp.zeros(4), jnp.array([3.0, -1.0, 2.0, 1.0])
  for updates, want in [
      (0, [-3, 1, -2, -1]), (9, [-3, 1, -2, -1]),
      # 0.8 * 4 = 3.2: three of four, times 4 / 3.
      (10, [-4, 0, -8 / 3, -4 / 3]),
      (20, [-6, 0, -4, 0]), (1000, [-6, 0, -4, 0])]:
    disc, gen = halves(loss, updates=updates)
    np.testing.assert_allclose(gen(a, b), want, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(disc(a, b), b)
  disc, gen = halves(loss, updates=20)
  assert gen(a, b).mean() == pytest.approx(-2.5)  # Of 3 and 2.
  np.testing.assert_array_equal(
      jax.grad(lambda b: gen(a, b).sum())(b), [-2, 0, -2, 0])
  # Equal logits at the border: all of them.
  np.testing.assert_allclose(gen(a, jnp.array([3.0, 1.0, 1.0, 0.0])),
                             [-4, -4 / 3, -4 / 3, 0], rtol=1e-6)


def test_top_k_counts_updates_and_keeps_one():
  loss = losses.top_k(fraction=0.01, decay=0.01, decay_every=1)
  memory = loss.remember(loss.memory, jnp.zeros(3), jnp.zeros(3))
  assert memory == {'updates': 1.0}
  values = loss.gen(jnp.zeros(3), jnp.array([1.0, 3.0, 2.0]), memory)
  np.testing.assert_allclose(values, [0, 3 * sp(-3.0), 0], rtol=1e-6)


@pytest.mark.parametrize('wrong', [
    dict(fraction=0.0), dict(fraction=1.1), dict(decay=0.0), dict(decay=1.5),
    dict(decay_every=0)])
def test_top_k_refuses(wrong):
  with pytest.raises(ValueError, match=next(iter(wrong))):
    losses.top_k(**wrong)


def test_choices_of_an_argument_are_checked():
  for spec in (dict(name='fgan', divergence='kll'), dict(name='fgan', gen='x'),
               dict(name='top_k', base='mmd')):
    problem, = lookup.check('gan_jax.losses', spec, 'loss')
    assert 'no such choice' in problem.rule


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
                               rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', PER_EXAMPLE)
def test_a_value_depends_on_its_own_pair_only(name):
  a, b = logits(size=8)
  for half in build(name):
    changed = half(a.at[3].add(1.0), b.at[3].add(-2.0)) != half(a, b)
    np.testing.assert_array_equal(changed, np.arange(8) == 3)


def test_the_others_of_the_batch_have_a_part_in_the_rest():
  a, b = logits(size=8)
  for name in COUPLED:
    changed = [half(a.at[3].add(1.0), b.at[3].add(move)) != half(a, b)
               for half in build(name) for move in (9.0, -9.0)]
    assert any(half.at[3].set(False).any() for half in changed), name


@pytest.mark.parametrize('name', NAMES)
def test_memory_is_float32_scalars_and_is_kept_by_remember(name):
  loss = getattr(losses, name)()
  assert bool(loss.memory) == (loss.remember is not None)
  assert loss.inputs in ('logits', 'features')
  for value in loss.memory.values():
    assert value.shape == () and value.dtype == np.float32
  if loss.memory:
    after = jax.eval_shape(loss.remember, loss.memory, *logits(size=4))
    assert after == jax.eval_shape(lambda: loss.memory)


@pytest.mark.parametrize('name', NAMES)
def test_four_devices_are_one(name):
  """Values, gradients and memory of shards are those of the whole batch."""
  a, b = logits(size=16, scale=1.0)
  split = dict(batch_mean=lambda x: jax.lax.pmean(jnp.mean(x), 'data'),
               batch_all=lambda x: jax.lax.all_gather(x, 'data', tiled=True))

  def values_and_slopes(both, a, b):
    return [(half(a, b), jax.grad(
        lambda a, b: jnp.sum(half(a, b)), (0, 1))(a, b))  # noqa: B023  (at once)
            for half in both]

  whole = jax.jit(lambda a, b: values_and_slopes(build(name), a, b))(a, b)
  shards = jax.jit(jax.vmap(
      lambda a, b: values_and_slopes(build(name, **split), a, b),
      axis_name='data'))(a.reshape(4, 4), b.reshape(4, 4))
  for one, four in zip(jax.tree.leaves(whole), jax.tree.leaves(shards),
                       strict=True):
    np.testing.assert_allclose(four.reshape(16), one, rtol=2e-4, atol=2e-6)
  loss = lookup.build('gan_jax.losses', dict(name=name))
  if loss.remember:
    one = loss.remember(loss.memory, a, b)
    sharded = lookup.build('gan_jax.losses', dict(name=name), **split)
    four = jax.vmap(lambda a, b: sharded.remember(loss.memory, a, b),
                    axis_name='data')(a.reshape(4, 4), b.reshape(4, 4))
    for key, value in four.items():
      np.testing.assert_allclose(value, np.full(4, one[key]), rtol=1e-5)


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
