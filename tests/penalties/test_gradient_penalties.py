"""Penalties on gradients: linear and quadratic critics in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from critics import (
  SHAPE,
  B,
  ask,
  build,
  direction,
  evaluate,
  images,
  keys_of,
  linear,
)
from jax import random

from gan_jax import penalties
from gan_jax.game import terms

# A linear critic.


@pytest.mark.parametrize('name', ['r1', 'r2'])
def test_r1_and_r2_of_a_linear_critic_are_half_its_squared_norm(name):
  got = evaluate(build(name), linear, images(), params=direction(3.0))
  np.testing.assert_allclose(got, np.full(B, 4.5), rtol=1e-5)


def test_r1_and_r2_are_of_the_passes_that_the_loss_has():
  """Augmented and drawn alike, so that no further pass is made."""
  real, fake = images()
  for name, want in (('r1', 2.0), ('r2', 4.5)):
    got = terms.call(build(name), real=real, fake=fake, codes=None,
                     critic=lambda x: linear(direction(2.0), x),
                     fake_critic=lambda x: linear(direction(3.0), x))
    np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)


@pytest.mark.parametrize('name', ['wgan_gp', 'dragan'])
@pytest.mark.parametrize('norm,target,want', [
    (3.0, 1.0, 4.0), (0.5, 1.0, 0.25), (1.0, 1.0, 0.0), (3.0, 2.5, 0.25)])
def test_norm_penalties_of_a_linear_critic(name, norm, target, want):
  penalty = build(name, target=target)
  got = evaluate(penalty, linear, images(), params=direction(norm))
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5, atol=1e-6)


# A critic of pairs of an image and its code.


def of_pairs(name, critic, real, fake, codes, **arguments):
  return np.asarray(ask(build(name, **arguments), critic, real, fake,
                        keys_of(), codes=codes))


@pytest.mark.parametrize('name,arguments,want', [
    ('r1', {}, 12.5), ('r2', {}, 12.5), ('wgan_gp', {}, 16.0),
    ('dragan', {}, 16.0), ('max_gp', {}, 25.0), ('wgan_div', {}, 5.0 ** 6)])
def test_penalties_of_a_linear_critic_of_pairs(name, arguments, want):
  """a.x + b.z with |a| = 3 and |b| = 4: the gradient has the norm 5."""
  a, b = direction(3.0), np.float32([0.0, 4.0])
  codes = {side: np.ones((B, 2), np.float32) for side in ('real', 'fake')}
  got = of_pairs(name, lambda x, code=codes['real']: linear(a, x) + code @ b,
                 *images(), codes, **arguments)
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)


def test_pairs_are_those_of_their_side_and_keep_together_between():
  """x z has the gradient (z, x)."""
  real, fake = (np.full((B, *SHAPE), v, np.float32) for v in (2.0, 0.0))
  codes = {'real': np.full((B, 1), 3.0, np.float32),
           'fake': np.full((B, 1), 0.0, np.float32)}

  def product(x, code=None):
    return x[:, 0, 0, 0] * code[:, 0]

  def square(x, code=None):
    return 0.5 * code[:, 0] ** 2

  np.testing.assert_allclose(of_pairs('r1', product, real, fake, codes),
                             np.full(B, 0.5 * (3.0 ** 2 + 2.0 ** 2)))
  np.testing.assert_allclose(of_pairs('r2', product, real, fake, codes), 0.0)
  # At a (2, 3) the squared norms are 13 a^2 and 9 a^2: of one a.
  both, one = (of_pairs('wgan_div', critic, real, fake, codes, power=2.0,
                        eps=0.0) for critic in (product, square))
  np.testing.assert_allclose(both / one, 13.0 / 9.0, rtol=1e-5)
  assert len(np.unique(one)) == B and (one > 0).all() and (one < 9).all()


@pytest.mark.parametrize('norm,want', [(3.0, 4.0), (0.5, 0.0), (1.5, 0.25)])
def test_one_sided_spares_norms_below_the_target(norm, want):
  got = evaluate(penalties.wgan_gp(one_sided=True), linear, images(),
                 params=direction(norm))
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', ['wgan_gp', 'dragan'])
def test_eps_stands_under_the_root(name):
  penalty = build(name, target=0.0, eps=0.75)
  got = evaluate(penalty, linear, images(), params=direction(0.5))
  np.testing.assert_allclose(got, np.ones(B), rtol=1e-5)


@pytest.mark.parametrize('power', [2.0, 3.0, 6.0])
def test_wgan_div_of_a_linear_critic_is_a_power_of_its_norm(power):
  got = evaluate(build('wgan_div', power=power), linear, images(),
                 params=direction(1.5))
  np.testing.assert_allclose(got, np.full(B, 1.5 ** power), rtol=1e-5)


@pytest.mark.parametrize('name,value', [
    ('r1', lambda n: n ** 2 / 2), ('r2', lambda n: n ** 2 / 2),
    ('wgan_gp', lambda n: (n - 1) ** 2), ('dragan', lambda n: (n - 1) ** 2),
    ('wgan_div', lambda n: n ** 6),
    ('max_gp', lambda n: np.full(B, n.max() ** 2))])
def test_the_norm_is_of_one_whole_image(name, value):
  """Not of its channels or rows, not of the batch, not of the mean image."""
  norms = np.arange(1.0, B + 1)
  a = jnp.stack([direction(n, seed=20 + i) for i, n in enumerate(norms)])
  got = evaluate(build(name), lambda a, x: jnp.einsum('bhwc,bhwc->b', x, a),
                 images(), params=a)
  np.testing.assert_allclose(got, value(norms), rtol=1e-4, atol=1e-6)


def test_max_gp_takes_the_largest_of_all_devices():
  penalty = penalties.max_gp(batch_all=lambda x: jnp.append(x, 70.0))
  got = evaluate(penalty, linear, images(), params=direction(3.0))
  np.testing.assert_allclose(got, np.full(B, 70.0))
  got = evaluate(penalty, linear, images(), params=direction(9.0))
  np.testing.assert_allclose(got, np.full(B, 81.0), rtol=1e-5)


# A quadratic critic: where the gradient is taken.


def points_of(penalty, real, fake, keys):
  """The points of a penalty with target 0 and eps 0, for images above 0.

  The critic w.x^2 / 2 has the gradient w x: its norm at the one-hot w of a
  pixel is that pixel of the point.
  """
  shape = real.shape[1:]
  pixels = jnp.eye(np.prod(shape)).reshape(-1, *shape)

  def pixel(w, real, fake, keys):
    return jnp.sqrt(ask(
        penalty, lambda x: jnp.einsum('bhwc,hwc->b', x ** 2, w) / 2, real, fake,
        keys))

  run = jax.jit(jax.vmap(pixel, in_axes=(0, None, None, None)))
  return np.asarray(run(pixels, real, fake, keys)).T.reshape(real.shape)


def positive(seed, batch):
  values = np.random.default_rng(seed).uniform(0.1, 1.0, (batch, *SHAPE))
  return jnp.asarray(values, jnp.float32)


@pytest.mark.parametrize('name,side', [('r1', 0), ('r2', 1)])
def test_r1_and_r2_of_a_quadratic_critic(name, side):
  """D = k |x|^2 / 2: k^2 |x|^2 / 2, of slope k |x|^2 in k."""
  def values(k):
    return ask(build(name), lambda x: k * jnp.sum(x ** 2, (1, 2, 3)) / 2,
               *images(), keys_of())

  got, slope = jax.jit(lambda k: jax.jvp(values, (k,), (1.0,)))(3.0)
  squares = np.sum(np.float64(images()[side]) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(got, 4.5 * squares, rtol=1e-5)
  np.testing.assert_allclose(slope, 3.0 * squares, rtol=1e-5)


@pytest.mark.parametrize('penalty', [
    penalties.wgan_gp(target=0.0, eps=0.0),
    penalties.wgan_div(power=2.0, eps=0.0)], ids=['wgan_gp', 'wgan_div'])
def test_points_in_between_have_one_weight_for_each_example(penalty):
  batch = 400
  real, fake = positive(0, batch), positive(1, batch)
  points = points_of(penalty, real, fake, keys_of(batch=batch))
  real, fake = np.asarray(real), np.asarray(fake)
  # The weight that explains an example best, from all of its pixels.
  along = real - fake
  alpha = (np.sum((points - fake) * along, axis=(1, 2, 3), keepdims=True)
           / np.sum(along ** 2, axis=(1, 2, 3), keepdims=True))
  np.testing.assert_allclose(points, alpha * real + (1 - alpha) * fake,
                             atol=1e-5)
  # Drawn for each example, not for the batch, and uniform: the i-th of n
  # sorted draws is near i / n (Kolmogorov: beyond 0.1 once in 1500).
  alpha = np.sort(alpha.ravel())
  assert len(np.unique(alpha)) == batch
  np.testing.assert_allclose(alpha, (np.arange(batch) + 0.5) / batch, atol=0.1)


def test_max_gp_looks_where_wgan_gp_does():
  pair = positive(0, B), positive(1, B)
  keys = keys_of()
  found, points = (points_of(penalty, *pair, keys) for penalty in (
      penalties.max_gp(eps=0.0), penalties.wgan_gp(target=0.0, eps=0.0)))
  np.testing.assert_allclose(
      found, np.broadcast_to(points.max(0), found.shape), rtol=1e-5)


def test_dragan_looks_into_a_box_above_the_data():
  batch = 2000
  # Examples are constant: only over the batch is there a deviation, 0.25.
  levels = np.where(np.arange(batch) % 2, 1.0, 0.5).reshape(-1, 1, 1, 1)
  real = jnp.asarray(np.broadcast_to(levels, (batch, *SHAPE)), jnp.float32)
  penalty = penalties.dragan(scale=0.8, target=0.0, eps=0.0)
  moves = points_of(penalty, real, 100.0 * real, keys_of(batch=batch)) - real
  box = 0.8 * 0.25
  assert moves.min() > -1e-6 and moves.max() < box + 1e-6
  assert moves.max() > 0.95 * box
  # a u, both U(0, 1): mean 1/4; a is shared by an example's pixels and u is
  # not, so two of them correlate by (1/12 - 1/16) / (1/9 - 1/16) = 3/7.
  pixels = moves.reshape(batch, -1) / box
  np.testing.assert_allclose(pixels.mean(axis=0), np.full(12, 0.25), atol=0.03)
  size = pixels.shape[1]
  correlation = (np.corrcoef(pixels.T).sum() - size) / (size * (size - 1))
  assert correlation == pytest.approx(3 / 7, abs=0.05)


def test_dragan_moves_images_and_codes_by_draws_of_their_own():
  """Points from three keys of an example: its share, its image, its code."""
  real = positive(0, B)
  code = jnp.float32(np.random.default_rng(2).uniform(1.0, 9.0, (B, 3)))
  keys, codes = keys_of(), {'real': code, 'fake': 100.0 * code}
  penalty = penalties.dragan(scale=0.8, target=0.0, eps=0.0)

  @jax.jit
  @jax.vmap
  def norms(w):  # Of the gradient w (x, z): a number of it at a one-hot w.
    image, rest = w[:real[0].size].reshape(SHAPE), w[real[0].size:]
    return jnp.sqrt(ask(penalty, lambda x, z=code: (
        linear(image, x ** 2) + z ** 2 @ rest) / 2, real, real, keys,
                        codes=codes))

  @jax.jit
  @jax.vmap
  def moves(key):
    share, *parts = random.split(key, 3)
    return [random.uniform(share) * random.uniform(part, shape)
            for part, shape in zip(parts, (SHAPE, (3,)), strict=True)]

  wanted = [(x + 0.8 * np.std(x) * move).reshape(B, -1) for x, move in zip(
      (np.asarray(real), np.asarray(code)), moves(keys), strict=True)]
  np.testing.assert_allclose(norms(jnp.eye(real[0].size + 3)).T,
                             np.concatenate(wanted, axis=1), rtol=1e-4)


def test_dragan_takes_the_mean_that_it_is_given():
  real, fake = positive(0, B), positive(1, B)
  keys = keys_of()
  own = points_of(penalties.dragan(target=0.0, eps=0.0), real, fake, keys)
  # Mean 0 and mean square 4: a deviation of 2.
  means = iter([jnp.zeros(()), jnp.full((), 4.0)] * 100)
  given = points_of(
      penalties.dragan(target=0.0, eps=0.0, batch_mean=lambda x: next(means)),
      real, fake, keys)
  np.testing.assert_allclose((given - real) / (own - real),
                             np.full(real.shape, 2.0 / np.std(real)), rtol=1e-2)
