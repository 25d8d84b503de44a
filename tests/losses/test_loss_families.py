"""f-GAN, autoencoders, MMD and top k: what their papers say of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_pairs import halves, logits, sp, values_and_slopes

from gan_jax import losses

DIVERGENCES = ('kl', 'reverse_kl', 'jensen_shannon', 'pearson',
               'squared_hellinger')


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
    disc, got = jax.jit(lambda a, b, loss=loss: (
        loss.disc(a, b), loss.gen(a, b)))(a, b)
    np.testing.assert_allclose(
        disc, conjugate(activation(b_)) - activation(a_), rtol=1e-4, atol=1e-5)
    want = (-conjugate(activation(b_)) if gen == 'saturating'
            else -activation(b_))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


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

  v = jax.jit(lambda v: jax.lax.fori_loop(
      0, 1500, lambda _, v: v - 0.3 * jax.grad(expected)(v), v))(jnp.zeros(3))
  assert -float(expected(v)) == pytest.approx(want, abs=2e-4)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('divergence', DIVERGENCES)
def test_fgan_is_finite_at_50_and_pulls_fakes_up(divergence, dtype):
  x = np.array([-50.0, -1.0, 0.0, 1.0, 50.0], dtype)
  both = [losses.fgan(divergence=divergence, gen=gen)
          for gen in ('saturating', 'alternative')]
  found = jax.jit(lambda x: [values_and_slopes((loss.disc, loss.gen), x, x)
                             for loss in both])(x)
  # Pearson's conjugate turns at -2, where the activation should be cut.
  inside = x > -2 if divergence == 'pearson' else x > -60
  for values, (by_real, by_fake, _, by_gen) in jax.tree.map(np.asarray, found):
    for value in (*values, by_real, by_fake, by_gen):
      assert value.dtype == dtype and np.isfinite(value).all()
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


@pytest.mark.parametrize('given,bandwidths', [
    ({'bandwidths': (1.0,)}, (1.0,)), ({}, (1.0, 2.0, 4.0, 8.0, 16.0))])
def test_mmd_is_the_unbiased_estimate(given, bandwidths):
  rng = np.random.default_rng(0)
  x, y = rng.normal(size=(7, 3)), rng.normal(0.7, 1.5, size=(7, 3))
  loss = losses.mmd(**given)
  assert loss.inputs == 'features'
  gen, disc = jax.jit(lambda x, y: (loss.gen(x, y), loss.disc(x, y)))(
      np.float32(x), np.float32(y))
  assert gen.shape == disc.shape == (7,)
  want = squared_mmd(x, y, bandwidths)
  assert np.mean(gen) == pytest.approx(want, rel=1e-4)
  assert np.mean(disc) == pytest.approx(-want, rel=1e-4)


def test_mmd_by_hand_far_away_and_of_one_distribution():
  # Two pairs of equal features, infinitely apart: 1 + 1 - 0.
  x, y = np.zeros((2, 3), np.float32), np.full((2, 3), 1e4, np.float32)
  loss = losses.mmd(bandwidths=(1.0,))
  np.testing.assert_allclose(jax.jit(loss.gen)(x, y), [2.0, 2.0])
  # Unbiased: over many draws of one distribution it is 0 on average.
  points = np.random.default_rng(0).normal(size=(2, 2000, 8, 2))
  values = np.asarray(jax.jit(jax.vmap(lambda x, y: loss.gen(x, y).mean()))(
      *np.float32(points)))
  assert abs(values.mean()) < 4 * values.std() / 2000 ** 0.5
  assert values.min() < 0


def test_mmd_refuses_one_example_and_bad_bandwidths():
  with pytest.raises(ValueError, match='2 or more'):
    losses.mmd().gen(jnp.zeros((1, 3)), jnp.zeros((1, 3)))
  for wrong in ((), (1.0, 0.0)):
    with pytest.raises(ValueError, match='bandwidths'):
      losses.mmd(bandwidths=wrong)


def test_mmd_of_bfloat16_features_is_rounded_at_its_end_only():
  x, y = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(jnp.bfloat16)
  gen = jax.jit(losses.mmd().gen)
  np.testing.assert_allclose(np.float32(gen(x, y)), gen(
      np.float32(x), np.float32(y)), rtol=2.0 ** -8)


def test_mmd_of_bfloat16_features_is_finite():
  x, y = (np.full((4, 3), v, jnp.bfloat16) for v in (50.0, -50.0))
  both = losses.mmd().disc, losses.mmd().gen
  found = jax.jit(lambda x, y: values_and_slopes(both, x, y))(x, y)
  for value in jax.tree.leaves(found):
    assert value.dtype == jnp.bfloat16 and np.isfinite(value).all()


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


def test_top_k_of_the_papers_numbers():
  loss, b = losses.top_k(), jnp.arange(100.0) / 100.0
  gen = jax.jit(lambda updates: loss.gen(b, b, {'updates': updates}))
  for updates, chosen in [(999, 100), (2000, 98), (10_000, 90), (1e6, 50)]:
    values = gen(jnp.float32(updates))
    assert (values > 0).sum() == chosen
    np.testing.assert_allclose(values[-1], 100 / chosen * sp(-0.99), rtol=1e-5)


@pytest.mark.parametrize('count, fraction, k', [
    (200, 0.53, 106), (100, 0.59, 59), (100, 0.599, 59), (64, 1.0, 64)])
def test_top_k_of_a_product_that_float32_rounds_down(count, fraction, k):
  loss = losses.top_k(fraction=fraction, decay=fraction, decay_every=1)
  values = loss.gen(jnp.zeros(count), jnp.arange(float(count)) / count,
                    {'updates': jnp.float32(1.0)})
  assert int(jnp.sum(values != 0.0)) == k


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


def test_hinge_each_judges_every_logit_by_hand():
  """mean over K of relu(1 - a) + relu(1 + b): not of the mean logit."""
  loss = losses.hinge_each()
  real, fake = jnp.array([[3.0, -1.0]]), jnp.array([[-2.0, 1.0]])
  np.testing.assert_allclose(loss.disc(real, fake), [(0 + 0 + 2 + 2) / 2])
  np.testing.assert_allclose(loss.gen(real, fake), [0.5])
  assert (loss.inputs, loss.needs) == ('features', 'many_logits')
