"""Regularisers against closed forms, numpy and loops over pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from gan_jax import latents, lookup, penalties, terms
from gan_jax.models import Critique
from gan_jax.penalties import Regulariser, Term

GRADIENTS = ['wgan_gp', 'dragan', 'r1', 'r2', 'max_gp', 'wgan_div']
# One value for the batch, not one for each example: the largest, the mean.
OF_THE_BATCH = {'max_gp'}
SHAPE = (3, 2, 2)  # of an image: height, width and channels differ
B = 5


def build(name, **kwargs):
  return lookup.build('gan_jax.penalties', dict(name=name, **kwargs))


def ask(penalty, critic, real, fake, keys, **more):
  """The values of a penalty, given what it names."""
  real_out, fake_out = (Critique(critic(x), x.reshape(len(x), -1), {})
                        for x in (real, fake))
  return terms.call(penalty, critic=critic, fake_critic=critic, real=real,
                    fake=fake, keys=keys, real_out=real_out, fake_out=fake_out,
                    **more)


def test_every_regulariser_is_tested_here():
  assert set(lookup.names('gan_jax.penalties')) == {
      *GRADIENTS, 'drift', 'lecam', 'feature_matching', 'orthogonal', 'cr',
      'bcr', 'zcr', 'icr', 'acgan', 'tac_gan', 'adc_gan', 'infogan',
      'contragan', 'reacgan',
      # ... and in test_remembering.py and test_semi_supervised.py:
      'historical_averaging', 'path_length', 'pulling_away', 'semi_supervised'}


def normal(seed, *shape):
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape),
                     jnp.float32)


def images(seed=0, batch=B):
  return normal(seed, batch, *SHAPE), normal(seed + 1, batch, *SHAPE)


def keys_of(seed=0, batch=B):
  return random.split(random.key(seed), batch)


def linear(a, x):
  """The critic a.x; its gradient is a, everywhere."""
  return jnp.einsum('bhwc,hwc->b', x, a)


def direction(norm, seed=9):
  a = normal(seed, *SHAPE)
  return norm * a / jnp.sqrt(jnp.sum(a ** 2))


def evaluate(penalty, critic, pair, keys=None, params=None):
  """Compiled; critic: (params, images) -> logits."""
  def values(params, real, fake, keys):
    return ask(penalty, lambda x: critic(params, x), real, fake, keys)

  return jax.jit(values)(params, *pair, keys_of() if keys is None else keys)


# A linear critic.


@pytest.mark.parametrize('name', ['r1', 'r2'])
def test_r1_and_r2_of_a_linear_critic_are_half_its_squared_norm(name):
  got = evaluate(build(name), linear, images(), params=direction(3.0))
  np.testing.assert_allclose(got, np.full(B, 4.5), rtol=1e-5)


@pytest.mark.parametrize('name', ['wgan_gp', 'dragan'])
@pytest.mark.parametrize('norm,target,want', [
    (3.0, 1.0, 4.0), (0.5, 1.0, 0.25), (1.0, 1.0, 0.0), (3.0, 2.5, 0.25)])
def test_norm_penalties_of_a_linear_critic(name, norm, target, want):
  penalty = build(name, target=target)
  got = evaluate(penalty, linear, images(), params=direction(norm))
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5, atol=1e-6)


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


# Properties of all penalties on gradients.


def network(key, dtype=jnp.float32, hidden=7):
  """(parameters, critic of parameters): smooth, not linear."""
  first, second = random.split(key)
  params = (random.normal(first, (np.prod(SHAPE), hidden)) / 3.5,
            random.normal(second, (hidden,)))

  def critic(params, x):
    x = x.reshape(x.shape[0], -1).astype(dtype)
    w, v = (p.astype(dtype) for p in params)
    return (jnp.tanh(x @ w) @ v).astype(jnp.float32)

  return params, critic


@pytest.mark.parametrize('name', sorted(set(GRADIENTS) - OF_THE_BATCH))
def test_values_and_what_they_depend_on(name):
  """Unreduced, float32, 0 or more; an example's own key and no other."""
  params, critic = network(random.key(1))
  keys = keys_of()

  @jax.jit
  def values(keys):
    return ask(build(name), lambda x: critic(params, x), *images(), keys)

  base = values(keys)
  assert base.shape == (B,) and base.dtype == jnp.float32
  assert (base >= 0).all() and len(np.unique(base)) == B
  np.testing.assert_array_equal(values(keys), base)
  other = values(keys.at[2].set(random.key(77)))
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


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name', GRADIENTS)
def test_gradients_by_the_parameters_are_finite(name, dtype):
  params, critic = network(random.key(1), dtype)

  def loss(params, real, fake):
    return jnp.mean(ask(build(name), lambda x: critic(params, x), real, fake,
                        keys_of()))

  gradient = jax.jit(jax.grad(loss))
  for w in gradient(params, *images()):
    assert jnp.isfinite(w).all() and jnp.abs(w).max() > 1e-3
  # Where the critic is flat the root has no derivative but for eps.
  flat = jax.tree.map(jnp.zeros_like, params)
  # Real and generated images may be one: nothing to interpolate.
  one = jnp.ones((B, *SHAPE))
  for weights, pair in ((flat, images()), (params, (one, one))):
    for w in gradient(weights, *pair):
      assert jnp.isfinite(w).all()


@pytest.mark.parametrize('name', GRADIENTS)
def test_gradients_by_the_parameters_equal_differences(name):
  params, critic = network(random.key(1))

  @jax.jit
  def loss(params):
    return jnp.mean(ask(build(name), lambda x: critic(params, x), *images(),
                        keys_of()))

  way = (normal(5, *params[0].shape), normal(6, *params[1].shape))
  step = 1e-2
  ahead, behind = (loss(jax.tree.map(lambda p, w, s=s: p + s * w, params, way))
                   for s in (step, -step))
  slope = sum(jnp.sum(g * w) for g, w in zip(
      jax.jit(jax.grad(loss))(params), way, strict=True))
  assert float(slope) == pytest.approx(float(ahead - behind) / (2 * step),
                                       rel=0.01)


def test_flat_critic_costs_the_whole_target():
  got = evaluate(penalties.wgan_gp(), lambda _, x: jnp.zeros(len(x)), images())
  np.testing.assert_allclose(got, np.ones(B), rtol=1e-4)


# Terms on logits, features and parameters.


def critique(logits=None, features=None, **heads):
  size = next(len(x) for x in (logits, features, *heads.values())
              if x is not None)
  return Critique(jnp.zeros(size) if logits is None else jnp.asarray(logits),
                  features, {k: jnp.asarray(v) for k, v in heads.items()})


def call(function, **available):
  """`terms.call`, compiled: quicker than one operation after the other."""
  if 'critic' in available:
    available = dict(fake_critic=available['critic']) | available
  fixed = {k: v for k, v in available.items() if callable(v)}
  arrays = {k: v for k, v in available.items() if k not in fixed}
  return jax.jit(lambda arrays: terms.call(function, **arrays, **fixed))(arrays)


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


def test_feature_matching_is_a_sum_in_float32():
  """Means of bfloat16 would lose the difference."""
  base = jnp.full((1000, 1), 1.0, jnp.bfloat16)
  other = base.at[0].set(2.0)
  got = call(penalties.feature_matching().gen,
                   real_out=critique(features=base),
                   fake_out=critique(features=other))
  assert got.dtype == jnp.float32
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


# Consistency.


MANY = 100


def mirrored(a, x):
  """What mirroring adds to the critic a.x."""
  return linear(a, x) - linear(a, x[:, :, ::-1])


def moved(image, rows, columns):
  """Shifted with zeros, by numpy: [H, W, C]."""
  height, width = image.shape[:2]
  padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
  return padded[1 - rows:1 - rows + height, 1 - columns:1 - columns + width]


def test_cr_compares_with_the_mirrored_image():
  a, (real, fake) = direction(2.0), images(batch=MANY)
  got = np.asarray(evaluate(penalties.cr(shift=0.0, flip=True), linear,
                            (real, fake), keys_of(batch=MANY), a))
  flipped = np.square(mirrored(a, real))
  is_flipped = got > 1e-6
  np.testing.assert_allclose(got, np.where(is_flipped, flipped, 0.0), rtol=1e-3,
                             atol=1e-6)
  assert 25 < is_flipped.sum() < 75


def test_cr_compares_with_the_shifted_image():
  a, (real, fake) = direction(2.0), images(batch=MANY)
  got = np.asarray(evaluate(penalties.cr(shift=0.4), linear, (real, fake),
                            keys_of(batch=MANY), a))
  # 0.4 of 3 by 2 pixels is 1 of each: nine places.
  shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
  choices = np.array([[np.sum(np.asarray(a) * (image - moved(image, *shift)))
                       for shift in shifts] for image in np.asarray(real)]) ** 2
  error = np.abs(choices - got[:, None])
  assert error.min(axis=1).max() < 1e-4
  assert len(set(error.argmin(axis=1))) == 9


def test_bcr_is_cr_of_both_sides_with_draws_of_their_own():
  a, (real, fake) = direction(2.0), images(batch=MANY)
  got = np.asarray(evaluate(penalties.bcr(shift=0.0, flip=True), linear,
                            (real, fake), keys_of(batch=MANY), a))
  x, y = (np.square(mirrored(a, side)) for side in (real, fake))
  choices = np.stack([0 * x, x, y, x + y], axis=1)
  error = np.abs(choices - got[:, None])
  assert error.min(axis=1).max() < 1e-4
  assert np.bincount(error.argmin(axis=1)).min() > 10


def of_latents(side, generate, a, count=4000, size=4):
  """A term of latents, of the critic a.x."""
  z = normal(3, count, size)
  fake = generate(z)
  return np.asarray(call(
      side, critic=lambda x: x @ a, generate=generate, z=z, fake=fake,
      real=fake, real_out=critique(fake @ a), fake_out=critique(fake @ a),
      keys=keys_of(batch=count)))


@pytest.mark.parametrize('name,share', [('zcr', 1.0), ('icr', 0.25)])
def test_consistency_of_latents(name, share):
  """An identity generator and a.x: (a.d)^2 with d ~ N(0, s^2)."""
  changes = dict(shift=0.0, latent_weight=0.25) if name == 'icr' else {}
  a, s = jnp.array([1.0, 2.0, 0.0, -2.0]), 0.1
  term = build(name, std=s, gen_weight=0.5, **changes)
  # s^2 |a|^2 times chi^2 of one degree: mean 1, variance 2.
  if name == 'zcr':
    got = of_latents(term.disc, lambda z: z, a) / (s ** 2 * 9.0)
    assert got.mean() == pytest.approx(1.0, abs=0.1)
    assert got.var() == pytest.approx(2.0, abs=0.5)
    assert len(np.unique(got)) > 0.99 * len(got)
  # The generator: -1/2 of the mean of 4 squares of the images' differences.
  got = of_latents(term.gen, lambda z: 3.0 * z, a) / (-0.5 * share
                                                         * (3 * s) ** 2)
  assert got.mean() == pytest.approx(1.0, abs=0.05)
  assert got.var() == pytest.approx(0.5, abs=0.1)


def test_icr_is_both_in_the_papers_proportions():
  term = penalties.icr(std=0.1, flip=True, shift=0.0)
  z = jnp.zeros((1000, *SHAPE))
  one = jnp.broadcast_to(images()[0][0], z.shape)
  a = direction(2.0)

  def values(generate):
    return np.asarray(call(
        term.disc, critic=lambda x: linear(a, x), generate=generate, z=z,
        real=one, fake=2.0 * one, real_out=critique(linear(a, one)),
        fake_out=critique(linear(a, 2.0 * one)), keys=keys_of(batch=1000)))

  # Without noise in what is generated: the four values of bcr.
  change = float(mirrored(a, one)[0] ** 2)
  got = values(lambda z: 2.0 * one)
  np.testing.assert_allclose(
      np.unique(np.round(got / change, 3)), [0.0, 1.0, 4.0, 5.0], atol=2e-3)
  # With it half of its square, 0.1^2 |a|^2, beside.
  noisy = values(lambda z: 2.0 * one + z)
  assert (noisy - got).mean() == pytest.approx(0.5 * 0.01 * 4.0, rel=0.15)


def test_latents_of_a_pack_have_noise_of_their_own():
  """A key for two latents, whose images are judged together."""
  term = penalties.zcr(std=1.0)
  z = jnp.zeros((8, 3))
  got = call(term.disc, critic=lambda x: x[:, 0] - x[:, 3], z=z,
                   generate=lambda z: z.reshape(4, 6),
                   fake_out=critique(jnp.zeros(4)), keys=keys_of(batch=4))
  assert got.shape == (4,) and (got > 1e-4).all()
  got = call(term.gen, z=z, generate=lambda z: z.reshape(4, 6),
                   fake=z.reshape(4, 6), keys=keys_of(batch=4))
  assert got.shape == (4,) and (got < 0).all()


# Classes and codes.


LABEL = jnp.array([2, 0, 1, 2, 0])
K = 3


def cross_entropy(logits, classes):
  logits = np.float64(logits)
  return np.array([np.log(np.exp(row).sum()) - row[y]
                   for row, y in zip(logits, np.asarray(classes), strict=True)])


def sides(term, label=LABEL, **heads):
  """(disc, gen) of a term; heads: {name: (of real, of fake)}."""
  real, fake = ({k: v[i] for k, v in heads.items()} for i in (0, 1))
  return [call(side, real_out=critique(**real), fake_out=critique(**fake),
                     label=label) for side in (term.disc, term.gen)]


def test_acgan_by_hand():
  real, fake = normal(1, B, K), normal(2, B, K)
  term = penalties.acgan(num_classes=K)
  disc, gen = sides(term, **{'class': (real, fake)})
  on_fake = cross_entropy(fake, LABEL)
  np.testing.assert_allclose(disc, cross_entropy(real, LABEL) + on_fake,
                             rtol=1e-5)
  np.testing.assert_allclose(gen, on_fake, rtol=1e-5)
  assert term.heads == (('class', K),)


def test_tac_gan_by_hand():
  real, fake = normal(1, B, K), normal(2, B, K)
  of_real, twin = normal(3, B, K), normal(4, B, K)
  term = penalties.tac_gan(num_classes=K)
  disc, gen = sides(term, **{'class': (real, fake), 'twin': (of_real, twin)})
  on_fake, on_twin = cross_entropy(fake, LABEL), cross_entropy(twin, LABEL)
  np.testing.assert_allclose(
      disc, cross_entropy(real, LABEL) + on_fake + on_twin, rtol=1e-5)
  np.testing.assert_allclose(gen, on_fake - on_twin, rtol=1e-5, atol=1e-6)
  assert term.heads == (('class', K), ('twin', K))


def test_adc_gan_by_hand():
  real, fake = normal(1, B, 2 * K), normal(2, B, 2 * K)
  term = penalties.adc_gan(num_classes=K)
  disc, gen = sides(term, real_or_fake_class=(real, fake))
  on_fake = cross_entropy(fake, LABEL + K)
  np.testing.assert_allclose(disc, cross_entropy(real, LABEL) + on_fake,
                             rtol=1e-5)
  np.testing.assert_allclose(gen, cross_entropy(fake, LABEL) - on_fake,
                             rtol=1e-5, atol=1e-6)
  assert term.heads == (('real_or_fake_class', 2 * K),)


def test_infogan_by_hand():
  codes = dict(categories=(3, 2), continuous=2)
  term = penalties.infogan(**codes)
  z = latents.infogan(**codes, noise=4)(keys_of())
  head = normal(1, B, 7)
  want = (cross_entropy(head[:, :3], z[:, :3].argmax(-1))
          + cross_entropy(head[:, 3:5], z[:, 3:5].argmax(-1))
          + 0.5 * np.square(np.asarray(head - z[:, :7]))[:, 5:].sum(-1))
  for side in (term.disc, term.gen):
    got = call(side, fake_out=critique(code=head), z=z)
    np.testing.assert_allclose(got, want, rtol=1e-5)
  assert term.heads == (('code', 7),)
  weighted = penalties.infogan(**codes, categorical_weight=2.0,
                               continuous_weight=0.1)
  squares = 0.5 * np.square(np.asarray(head - z[:, :7]))[:, 5:].sum(-1)
  got = call(weighted.gen, fake_out=critique(code=head), z=z)
  np.testing.assert_allclose(got, 2.0 * (want - squares) + 0.1 * squares,
                             rtol=1e-5)


def unit(x):
  x = np.float64(x)
  return x / np.sqrt((x ** 2).sum(-1, keepdims=True))


def contragan_by_hand(x, proxies, label, temperature):
  values = []
  for i in range(len(x)):
    def e(other, i=i):
      return np.exp(x[i] @ other / temperature)
    others = [j for j in range(len(x)) if j != i]
    own = e(proxies[label[i]])
    above = own + sum(e(x[j]) for j in others if label[j] == label[i])
    values.append(-np.log(above / (own + sum(e(x[j]) for j in others))))
  return np.mean(values)


def reacgan_by_hand(x, proxies, label, temperature, positive, negative):
  values = []
  for i in range(len(x)):
    p = np.exp(min(x[i] @ proxies[label[i]] - positive, 0.0) / temperature)
    n = sum(np.exp(max(x[i] @ x[j] - negative, 0.0) / temperature)
            for j in range(len(x)) if label[j] != label[i])
    values.append(-np.log(p / (p + n)))
  return np.mean(values)


@pytest.mark.parametrize('name,by_hand,options', [
    ('contragan', contragan_by_hand, (0.7,)),
    ('reacgan', reacgan_by_hand, (0.5, 0.3, -0.1))])
def test_contrastive_terms_equal_loops_over_pairs(name, by_hand, options):
  names = ('temperature', 'easy_positive', 'easy_negative')[:len(options)]
  term = build(name, num_classes=K, size=2, **dict(zip(
      names, options, strict=True)))
  real, fake, proxies = normal(1, B, 2), normal(2, B, 2), normal(3, K, 2)
  label = np.asarray(LABEL)
  found = sides(term, embedding=(real, fake), proxies=(proxies, proxies))
  for got, x in zip(found, (real, fake), strict=True):
    want = by_hand(unit(x), unit(proxies), label, *options)
    assert want > 0.1
    np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)
  assert term.heads == (('embedding', 2), ('proxies', 2))
  # Of all devices: another one has other examples.
  others = {(B, 2): unit(normal(5, B, 2)), (B,): label[::-1]}
  wide = build(name, num_classes=K, size=2, batch_all=lambda x: (
      jnp.concatenate([x, jnp.asarray(others[x.shape], x.dtype)])),
               **dict(zip(names, options, strict=True)))
  want = by_hand(np.concatenate([unit(real), others[B, 2]]), unit(proxies),
                 np.concatenate([label, label[::-1]]), *options)
  got = sides(wide, embedding=(real, fake), proxies=(proxies, proxies))[0]
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)
  # One class has none to be told from.
  alone = sides(term, jnp.zeros(B, jnp.int32), embedding=(real, fake),
                proxies=(proxies, proxies))
  np.testing.assert_allclose(alone, np.zeros((2, B)), atol=1e-6)


@pytest.mark.parametrize('name', ['contragan', 'reacgan'])
def test_gradients_of_contrastive_terms_are_finite(name):
  """At embeddings of length 0 and in bfloat16 too."""
  term = build(name, num_classes=K, size=2)

  @jax.jit
  def slopes(x, proxies):
    return jax.grad(lambda x, proxies: terms.call(
        term.disc, real_out=critique(embedding=x, proxies=proxies),
        label=LABEL).mean(), argnums=(0, 1))(x, proxies)

  for dtype in (jnp.float32, jnp.bfloat16):
    x = normal(1, B, 2).astype(dtype)
    for got in slopes(x, normal(3, K, 2)):
      assert jnp.isfinite(got).all() and jnp.abs(got).max() > 1e-3
    for got in slopes(0.0 * x, normal(3, K, 2)):
      assert jnp.isfinite(got).all()


@pytest.mark.parametrize('name', ['acgan', 'tac_gan', 'adc_gan', 'contragan',
                                  'reacgan'])
def test_terms_of_classes_need_two(name):
  with pytest.raises(ValueError, match='needs labels of two classes or more, '
                                       'and the data have 0'):
    build(name, num_classes=0)


def test_a_plain_function_is_a_term_of_the_discriminator():
  r1, both = penalties.r1(), Regulariser(None, lambda z: z)
  assert Term('r1', r1, 1.0, 1).parts == Regulariser(r1)
  assert Term('both', both, 1.0, 1).parts is both
