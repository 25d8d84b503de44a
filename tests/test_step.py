"""One step of the game against numpy, by hand, and what it must not touch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import random

from gan_jax import experiment, losses, penalties, step, terms
from gan_jax.augment import Augmentation
from gan_jax.game import Batch, Game
from gan_jax.losses import Loss
from gan_jax.models import Critique, Model
from gan_jax.penalties import Term
from gan_jax.state import Average, Net, TrainState, init_state
from gan_jax.step import train_step

B, Z, SHAPE = 6, 3, (1, 2, 2)  # examples, latent size, image
P = 4                          # pixels
GEN_RATE, DISC_RATE = 0.1, 0.05
KEY = random.key(5)


def normal(seed, *shape):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# A linear generator z W and a linear discriminator x.v + c. Their statistics
# are an average of the means that they have seen, to tell who was called.


def gen_apply(params, stats, z, label, *, train):
  images = (z @ params['w']).reshape(-1, *SHAPE)
  return images, _seen(stats, images)


def disc_apply(params, stats, images, label, *, train):
  flat = images.reshape(images.shape[0], -1)
  logits = flat @ params['v'] + params['c']
  return Critique(logits, flat, {}), _seen(stats, images)


def _seen(stats, images):
  return {'mean': 0.5 * stats['mean'] + 0.5 * jnp.mean(images)}


GEN = Model(lambda key, x, label: ({'w': normal(1, Z, P)},
                                   {'mean': jnp.float32(1.0)}), gen_apply, None)
DISC = Model(lambda key, x, label: ({'v': normal(2, P), 'c': np.float32(0.1)},
                                    {'mean': jnp.float32(2.0)}), disc_apply,
             None)
TABLE = normal(3, B, Z)


def table(keys):
  """The same latents for all keys: what numpy can follow."""
  return jnp.asarray(TABLE[:keys.shape[0]])


def make_game(**changes):
  game = Game(
      gen=GEN, disc=DISC, latent=table, loss=losses.non_saturating(),
      penalties=(), augment=Augmentation(lambda images, keys, memory: images),
      gen_optimizer=optax.sgd(GEN_RATE), disc_optimizer=optax.sgd(DISC_RATE),
      disc_steps=1, gen_steps=1, reuse_fakes=True, disc_weight_clip=0.0,
      ema_decay=0.0, ema_rampup=0.0)
  return game._replace(**changes)


def make_state(game, at=0):
  state = init_state(game, KEY, jnp.zeros((B, *SHAPE)), jnp.zeros(B, jnp.int32))
  return jax.tree.map(jnp.asarray, state).replace(step=jnp.int32(at))


def make_batch(game, seed=10):
  return Batch(jnp.asarray(normal(seed, game.disc_steps, B, *SHAPE)),
               jnp.zeros((game.disc_steps, B), jnp.int32), jnp.arange(B))


def play(game, steps=1, at=0):
  """Some steps: ([state after each, the first included], [scalars])."""
  run = jax.jit(functools.partial(train_step, game=game))
  states, scalars = [make_state(game, at)], []
  for i in range(steps):
    state, found = run(states[-1], make_batch(game, 10 + i), KEY)
    states.append(state)
    scalars.append({k: float(v) for k, v in found.items()})
  return states, scalars


@functools.cache
def plain_step():
  """One step of the game without extras, for comparison."""
  return play(make_game())


def assert_same(got, want):
  """Bitwise, of whole trees."""
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_array_equal(a, b)


def assert_close(got, want, **tolerance):
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, **({'rtol': 1e-5, 'atol': 1e-6}
                                        | tolerance))


# The whole step in numpy.


def sigmoid(x):
  return 1.0 / (1.0 + np.exp(-x))


def sp(x):
  return np.log1p(np.exp(x))


# name: disc value, its slopes by a and by b, gen value, its slope by b.
BY_HAND = {
    'minimax': (lambda a, b: sp(-a) + sp(b), lambda a, b: -sigmoid(-a),
                lambda a, b: sigmoid(b), lambda a, b: -sp(b),
                lambda a, b: -sigmoid(b)),
    'non_saturating': (lambda a, b: sp(-a) + sp(b), lambda a, b: -sigmoid(-a),
                       lambda a, b: sigmoid(b), lambda a, b: sp(-b),
                       lambda a, b: -sigmoid(-b)),
    'least_squares': (lambda a, b: ((a - 1) ** 2 + b ** 2) / 2,
                      lambda a, b: a - 1, lambda a, b: b,
                      lambda a, b: (b - 1) ** 2 / 2, lambda a, b: b - 1),
    'relativistic': (lambda a, b: sp(b - a), lambda a, b: -sigmoid(b - a),
                     lambda a, b: sigmoid(b - a), lambda a, b: sp(a - b),
                     lambda a, b: -sigmoid(a - b)),
}


def step_by_hand(w, v, c, real, loss, gen_steps):
  """One step of SGD in float64; real [S, B, P].  (w, v, c, scalars)."""
  disc_value, by_real, by_fake, gen_value, gen_by_fake = BY_HAND[loss]
  z, found = np.float64(TABLE), []
  for x in real:
    fake = z @ w
    a, b = x @ v + c, fake @ v + c
    da, db = by_real(a, b) / B, by_fake(a, b) / B
    dv, dc = da @ x + db @ fake, da.sum() + db.sum()
    found.append([disc_value(a, b).mean(), a.mean(), b.mean(),
                  sigmoid(a).mean(), sigmoid(b).mean(),
                  np.sqrt((dv ** 2).sum() + dc ** 2)])
    v, c = v - DISC_RATE * dv, c - DISC_RATE * dc
  names = ('loss/disc', 'logits/real', 'logits/fake', 'prob/real', 'prob/fake',
           'grad_norm/disc')
  scalars = dict(zip(names, np.mean(found, axis=0), strict=True))
  for _ in range(gen_steps):
    a, b = real[-1] @ v + c, z @ w @ v + c
    db = gen_by_fake(a, b) / B
    dw = z.T @ np.outer(db, v)
    scalars |= {'loss/gen': gen_value(a, b).mean(),
                'grad_norm/gen': np.sqrt((dw ** 2).sum())}
    w = w - GEN_RATE * dw
  return w, v, c, scalars


@pytest.mark.parametrize('loss,disc_steps,gen_steps,reuse', [
    ('minimax', 1, 1, True), ('non_saturating', 1, 1, False),
    ('least_squares', 3, 1, True), ('relativistic', 3, 2, True),
    ('relativistic', 2, 2, False)])
def test_steps_equal_numpy(loss, disc_steps, gen_steps, reuse):
  game = make_game(loss=getattr(losses, loss)(), disc_steps=disc_steps,
                   gen_steps=gen_steps, reuse_fakes=reuse)
  states, scalars = play(game, steps=3)
  gen, disc = states[0].gen.params, states[0].disc.params
  w, v, c = (np.float64(x) for x in (gen['w'], disc['v'], disc['c']))
  for i, (state, found) in enumerate(zip(states[1:], scalars, strict=True)):
    real = np.float64(make_batch(game, 10 + i).image).reshape(-1, B, P)
    w, v, c, want = step_by_hand(w, v, c, real, loss, gen_steps)
    np.testing.assert_allclose(state.gen.params['w'], w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.disc.params['v'], v, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.disc.params['c'], c, rtol=1e-4, atol=1e-5)
    assert found == pytest.approx(want, rel=1e-4, abs=1e-5)
    assert state.step == i + 1


def test_the_batches_of_a_step_are_seen_in_their_order():
  game = make_game(disc_steps=3)
  run = jax.jit(functools.partial(train_step, game=game))
  batch, state = make_batch(game), make_state(game)
  after, _ = run(state, batch, KEY)
  # Of real and fake in turn; the fakes of a step are of one generator.
  seen, fake = 2.0, np.mean(TABLE @ np.asarray(state.gen.params['w']))
  for image in np.asarray(batch.image):
    seen = 0.5 * seen + 0.5 * image.mean()
    seen = 0.5 * seen + 0.5 * fake
  assert float(after.disc.stats['mean']) == pytest.approx(seen, rel=1e-5)
  other, _ = run(state, batch._replace(image=batch.image[::-1]), KEY)
  assert abs(float(other.disc.stats['mean']) - seen) > 1e-3


def test_statistics_of_the_generator_are_of_its_own_updates():
  """A generator step each, however often the discriminator saw fakes."""
  state, _ = play(make_game(disc_steps=3))
  fake = np.mean(TABLE @ np.asarray(state[0].gen.params['w']))
  got = float(state[1].gen.stats['mean'])
  assert got == pytest.approx(0.5 * 1.0 + 0.5 * fake, rel=1e-5)


# Who touches what.


@pytest.fixture(scope='module')
def halves():
  """(state, after disc_step, after gen_step)."""
  adam = optax.adam(0.1)
  game = make_game(gen_optimizer=adam, disc_optimizer=adam,
                   penalties=(Term('r1', penalties.r1(), 1.0, 1),))
  state, batch = make_state(game, at=7), make_batch(game)
  keys = random.split(KEY, B)
  real, label = batch.image[0], batch.label[0]

  @jax.jit
  def run(state):
    fakes = step.generate(state.gen, label, keys, game=game)
    after_disc, _ = step.disc_step(state, real, label, fakes, keys, 0,
                                   game=game)
    after_gen, _ = step.gen_step(state, real, label, fakes, keys, game=game)
    return after_disc, after_gen

  return state, *run(state)


def assert_all_changed(net, before):
  for a, b in zip(jax.tree.leaves(net), jax.tree.leaves(before), strict=True):
    assert (a != b).any()


def test_disc_step_leaves_all_but_the_discriminator(halves):
  state, after, _ = halves
  assert_same(after.replace(disc=state.disc), state)
  assert_all_changed(after.disc, state.disc)


def test_gen_step_leaves_all_but_the_generator(halves):
  state, _, after = halves
  assert_same(after.replace(gen=state.gen), state)
  assert_all_changed(after.gen, state.gen)


def test_disc_step_takes_the_fakes_as_constants():
  """Not even through the images does a gradient reach the generator."""
  game = make_game()
  state, batch = make_state(game), make_batch(game)

  def value(w):
    fake = (jnp.asarray(TABLE) @ w).reshape(B, *SHAPE)
    fakes = step.generate(state.gen, batch.label[0], random.split(KEY, B),
                          game=game)._replace(image=fake)
    after, _ = step.disc_step(state, batch.image[0], batch.label[0], fakes,
                              random.split(KEY, B), 0, game=game)
    return jnp.sum(after.disc.params['v'])

  slope = jax.jit(jax.grad(value))(state.gen.params['w'])
  np.testing.assert_array_equal(slope, np.zeros((Z, P)))


def nonlinear():
  """(generator, discriminator) with a hidden layer, without statistics."""
  def gen(params, stats, z, label, *, train):
    return jnp.tanh(jnp.tanh(z @ params[0]) @ params[1]).reshape(
        -1, *SHAPE), stats

  def disc(params, stats, images, label, *, train):
    hidden = jnp.tanh(images.reshape(images.shape[0], -1) @ params[0])
    return Critique(hidden @ params[1], hidden, {}), stats

  return (Model(lambda *a: ((normal(1, Z, 5), normal(2, 5, P)), {}), gen, None),
          Model(lambda *a: ((normal(3, P, 5), normal(4, 5)), {}), disc, None))


def test_reused_fakes_give_the_gradient_of_recomputed_ones():
  gen, disc = nonlinear()
  game = make_game(gen=gen, disc=disc,
                   latent=jax.vmap(lambda key: random.normal(key, (Z,))))
  state, batch = make_state(game), make_batch(game)
  real, label, keys = batch.image[0], batch.label[0], random.split(KEY, B)

  @jax.jit
  def run(state):
    fakes = step.generate(state.gen, label, keys, game=game)
    state, _ = step.disc_step(state, real, label, fakes, keys, 0,
                              game=game)
    again = step.generate(state.gen, label, keys, game=game)
    reused, _ = step.gen_step(state, real, label, fakes, keys, game=game)
    fresh, _ = step.gen_step(state, real, label, again, keys, game=game)

    # And by plain differentiation of the whole.
    def objective(params):
      z = game.latent(terms.of_purpose(keys, 'latent'))
      image, _ = gen.apply(params, {}, z, label, train=True)
      logits = disc.apply(state.disc.params, {}, image, label, train=True)[0][0]
      return jnp.mean(jnp.logaddexp(0.0, -logits))

    slope = jax.grad(objective)(state.gen.params)
    plain = jax.tree.map(lambda p, g: p - GEN_RATE * g, state.gen.params, slope)
    return reused.gen.params, fresh.gen.params, plain, state.gen.params

  reused, fresh, plain, before = run(state)
  assert_close(reused, fresh)
  assert_close(reused, plain)
  assert_all_changed(reused, before)


# Penalties.


def square(critic, real, fake, keys):
  """A penalty whose gradient by v is the mean of the real images."""
  return critic(real)


NO_LOSS = Loss(lambda a, b: 0.0 * (a + b), lambda a, b: 0.0 * b)


def test_lazy_penalty_counts_every_so_often_and_so_much_more():
  game = make_game(loss=NO_LOSS, penalties=(Term('it', square, 0.5, 4),))
  states, scalars = play(game, steps=9)
  for i, (old, new) in enumerate(zip(states, states[1:], strict=False)):
    mean = np.mean(make_batch(game, 10 + i).image[0], 0).reshape(P)
    moved = 0.5 * 4 * mean if i in (0, 4, 8) else np.zeros(P)
    np.testing.assert_allclose(
        new.disc.params['v'], old.disc.params['v'] - DISC_RATE * moved,
        rtol=1e-5, atol=1e-6)
    value = float(np.mean(mean @ np.asarray(old.disc.params['v'])
                          + old.disc.params['c']))
    # The scalar is times the interval, without the weight.
    assert scalars[i]['penalty/it'] == pytest.approx(
        4 * value if i in (0, 4, 8) else 0.0, rel=1e-4, abs=1e-6)


def test_lazy_penalty_counts_updates_of_the_discriminator():
  game = make_game(loss=NO_LOSS, disc_steps=2, penalties=(
      Term('one', lambda critic, real, fake, keys: jnp.ones(B), 1.0, 4),))
  _, scalars = play(game, steps=5)
  # Updates 0, 4 and 8 are the first of two in steps 0, 2 and 4.
  assert [s['penalty/one'] for s in scalars] == [2.0, 0.0, 2.0, 0.0, 2.0]


def test_penalties_are_in_the_update_and_not_in_the_loss():
  base, (plain,) = plain_step()
  states, (scalars,) = play(make_game(penalties=(
      Term('r1', penalties.r1(), 3.0, 1), Term('two', square, 0.5, 1))))
  before, after = states[0].disc.params, states[1].disc.params
  assert scalars['loss/disc'] == plain['loss/disc']
  v = np.float64(before['v'])
  # R1 of a linear critic is |v|^2 / 2, its slope v.
  assert scalars['penalty/r1'] == pytest.approx((v ** 2).sum() / 2, rel=1e-5)
  mean = np.mean(make_batch(make_game()).image[0], 0).reshape(P)
  want = base[1].disc.params['v'] - DISC_RATE * (3.0 * v + 0.5 * mean)
  np.testing.assert_allclose(after['v'], want, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_a_penalty_is_by_the_image_before_augmentation():
  """D(2 x) has R1 = |2 v|^2 / 2."""
  game = make_game(augment=Augmentation(
      lambda images, keys, memory: 2.0 * images), penalties=(
      Term('r1', penalties.r1(), 1.0, 1),))
  states, (scalars,) = play(game)
  v = np.float64(states[0].disc.params['v'])
  assert scalars['penalty/r1'] == pytest.approx(2 * (v ** 2).sum(), rel=1e-5)


# The other rules.


def test_weights_are_clipped_after_the_update():
  states, _ = play(make_game(disc_weight_clip=0.45))
  free, _ = plain_step()
  want = jax.tree.map(lambda p: np.clip(p, -0.45, 0.45), free[1].disc.params)
  assert_close(states[1].disc.params, want)
  leaves = [np.abs(p).max() for p in jax.tree.leaves(states[1].disc.params)]
  assert max(leaves) == np.float32(0.45) > 2 * min(leaves)
  # The generator is not clipped.
  assert np.abs(states[1].gen.params['w']).max() > 0.5


@pytest.mark.parametrize('decay,rampup', [(0.0, 0.5), (0.8, 0.0), (0.8, 0.5),
                                          (0.999, 0.05)])
def test_the_average_equals_a_loop(decay, rampup):
  game = make_game(ema_decay=decay, ema_rampup=rampup)
  states, _ = play(game, steps=9)
  average = np.float64(states[0].gen.params['w'])
  mean = np.float64(states[0].gen.stats['mean'])
  for i, state in enumerate(states[1:]):
    keep = decay
    if rampup and decay:
      # The half-life h with decay^h = 1/2, at most a share of the steps.
      half_life = min(np.log(2) / -np.log(decay), rampup * (i + 1))
      keep = 2.0 ** (-1.0 / half_life)
    average = keep * average + (1 - keep) * np.float64(state.gen.params['w'])
    mean = keep * mean + (1 - keep) * np.float64(state.gen.stats['mean'])
    np.testing.assert_allclose(state.ema.params['w'], average, rtol=1e-5,
                               atol=1e-6)
    np.testing.assert_allclose(state.ema.stats['mean'], mean, rtol=1e-5)
  if decay in (0.0, 0.8):  # Long past the ramp: 3.1 steps of half-life.
    last = states[-1].gen.params['w']
    assert (states[-1].ema.params['w'] == last).all() == (decay == 0.0)


def test_max_grad_norm_shortens_the_gradient_of_each_player():
  from configs import common
  config = experiment.plain(common.get_config()) | dict(
      gen_optimizer=dict(name='sgd', learning_rate=GEN_RATE),
      disc_optimizer=dict(name='sgd', learning_rate=DISC_RATE),
      max_grad_norm=1e-2)
  facts = experiment.Facts('toy', (8, 8, 1), 100, 0, (), '', '')
  rules = experiment.make_game(config, facts, 10, axis_name=None)
  states, (scalars,) = play(make_game(gen_optimizer=rules.gen_optimizer,
                                      disc_optimizer=rules.disc_optimizer))
  free, (norms,) = plain_step()
  moves = [[{k: np.asarray(getattr(end[1], net).params[k] - start)
             for k, start in getattr(end[0], net).params.items()}
            for net in ('disc', 'gen')] for end in (states, free)]
  # The record is of the gradient as it was.
  assert scalars['grad_norm/disc'] == norms['grad_norm/disc'] > 0.1
  assert scalars['grad_norm/gen'] > 0.1
  scale = 1e-2 / norms['grad_norm/disc']
  for name, move in moves[1][0].items():
    np.testing.assert_allclose(moves[0][0][name], scale * move, rtol=1e-2,
                               atol=1e-6)
  for move, rate in zip(moves[0], (DISC_RATE, GEN_RATE), strict=True):
    length = np.sqrt(sum((m ** 2).sum() for m in move.values()))
    assert length == pytest.approx(1e-2 * rate, rel=1e-2)


def test_fakes_and_critics_get_the_labels_of_the_real_batch():
  def gen(params, stats, z, label, *, train):
    images = params + jnp.zeros((len(z), *SHAPE))
    return images + label[:, None, None, None], stats

  def disc(params, stats, images, label, *, train):
    return Critique(params * (100.0 * label + images[:, 0, 0, 0]), images,
                    {}), stats

  zero, one = np.float32(0.0), np.float32(1.0)
  game = make_game(gen=Model(lambda *a: (zero, {}), gen, None),
                   disc=Model(lambda *a: (one, {}), disc, None),
                   loss=losses.wasserstein(), disc_steps=2,
                   disc_optimizer=optax.sgd(0.0), gen_optimizer=optax.sgd(0.0))
  label = jnp.array([[1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 3]], jnp.int32)
  batch = make_batch(game)._replace(label=label)
  _, scalars = jax.jit(functools.partial(train_step, game=game))(
      make_state(game), batch, KEY)
  pixels = float(batch.image[:, :, 0, 0, 0].mean())
  # Mean labels: 3.5 and 0.5; the generator plays with the last batch.
  assert scalars['logits/real'] == pytest.approx(200.0 + pixels, rel=1e-5)
  assert scalars['logits/fake'] == pytest.approx(202.0, rel=1e-5)
  assert scalars['loss/gen'] == pytest.approx(-50.5, rel=1e-5)


def test_logits_of_a_wrong_shape_are_refused():
  def disc(params, stats, images, label, *, train):
    return Critique(images.reshape(B, -1)[:, :1], images, {}), stats

  game = make_game(disc=Model(lambda *a: ((), {}), disc, None))
  with pytest.raises(ValueError, match=r'logits \(6, 1\), not \[B\] = \(6,\)'):
    jax.eval_shape(functools.partial(train_step, game=game), make_state(game),
                   make_batch(game), KEY)


def test_scalars_are_float32_of_no_dimension():
  game = make_game(penalties=(Term('r1', penalties.r1(), 1.0, 2),),
                   disc_steps=2)
  _, scalars = jax.eval_shape(functools.partial(train_step, game=game),
                              make_state(game), make_batch(game), KEY)
  assert {(s.shape, s.dtype.name) for s in scalars.values()} == {
      ((), 'float32')}
  assert set(scalars) == {
      'loss/disc', 'loss/gen', 'logits/real', 'logits/fake', 'prob/real',
      'prob/fake', 'penalty/r1', 'grad_norm/disc', 'grad_norm/gen'}


def test_pmean_is_called_on_all_that_differs_between_devices():
  """With a pmean that halves, everything is as of half the gradient."""
  game = make_game()
  state, batch = make_state(game), make_batch(game)
  halved = functools.partial(jax.tree.map, lambda x: 0.5 * x)
  run = jax.jit(lambda pmean: train_step(state, batch, KEY, game=game,
                                         pmean=pmean), static_argnums=0)
  (plain, scalars), (after, found) = run(lambda tree: tree), run(halved)
  moved, half = (jax.tree.map(jnp.subtract, end.disc.params,
                              state.disc.params) for end in (plain, after))
  assert_close(half, jax.tree.map(lambda m: 0.5 * m, moved))
  for net in ('gen', 'disc'):
    assert_close(getattr(after, net).stats, jax.tree.map(
        lambda s: 0.5 * s, getattr(plain, net).stats))
  for name in ('loss/disc', 'logits/real', 'logits/fake', 'grad_norm/disc'):
    assert float(found[name]) == pytest.approx(0.5 * float(scalars[name]),
                                               rel=1e-5)
  # The generator plays against that discriminator: half of its own gradient.
  fakes = TABLE @ np.asarray(state.gen.params['w'])
  v, c = after.disc.params['v'], after.disc.params['c']
  slope = -sigmoid(-(fakes @ v + c)) / B
  np.testing.assert_allclose(
      after.gen.params['w'] - state.gen.params['w'],
      -GEN_RATE * 0.5 * TABLE.T @ np.outer(slope, v), rtol=1e-3, atol=1e-6)


# Keys.


def spied_keys(game, at=0, positions=range(B), key=KEY):
  """{what it was for: [keys as tuples]} of one step, without compiling."""
  seen = {'latent': [], 'augment': [], 'penalty': []}

  def note(use, keys):
    seen[use] += [tuple(k) for k in random.key_data(keys).tolist()]

  def latent(keys):
    note('latent', keys)
    return table(keys)

  def augment(images, keys, memory):
    note('augment', keys)
    return images

  def penalty(critic, real, fake, keys):
    note('penalty', keys)
    return jnp.zeros(len(real))

  positions = np.array(positions)
  game = game._replace(latent=latent, augment=Augmentation(augment),
                       penalties=(Term('a', penalty, 1.0, 1),
                                  Term('b', penalty, 1.0, 1)))
  batch = make_batch(game)
  batch = Batch(batch.image[:, positions], batch.label[:, positions],
                jnp.asarray(positions))
  with jax.disable_jit():
    state = make_state(game, at)
    for found in seen.values():
      found.clear()
    train_step(state, batch, key, game=game)
  return seen


def test_no_key_serves_twice():
  game = make_game(disc_steps=2, gen_steps=2, reuse_fakes=False)
  seen = spied_keys(game)
  # 2 + 2 draws of latents; real and fake in each of 4 updates; 2 penalties in
  # each of 2.
  assert len(seen['latent']) == len(set(seen['latent'])) == 4 * B
  assert len(seen['penalty']) == len(set(seen['penalty'])) == 4 * B
  assert len(seen['augment']) == len(set(seen['augment'])) == 8 * B
  later = spied_keys(game, at=1)
  uses = [set(v) for found in (seen, later) for v in found.values()]
  assert sum(map(len, uses)) == len(set().union(*uses)) == 2 * 16 * B


def test_reused_fakes_save_one_draw():
  seen = spied_keys(make_game(disc_steps=2, gen_steps=2, reuse_fakes=True))
  assert len(set(seen['latent'])) == len(seen['latent']) == 3 * B


def test_keys_of_an_example_follow_its_place_in_the_global_batch():
  game = make_game(disc_steps=2)
  whole = spied_keys(game)
  part = spied_keys(game, positions=[4, 1])
  for use in whole:
    draws = [whole[use][i:i + B] for i in range(0, len(whole[use]), B)]
    assert part[use] == [keys[i] for keys in draws for i in (4, 1)]


# The state.


def test_the_first_state():
  game = make_game(gen_optimizer=optax.adam(0.1))
  state = make_state(game)
  assert state.step == 0 and state.step.dtype == jnp.int32 and state.aux == {}
  assert_same(state.gen.params, jax.tree.map(jnp.asarray, GEN.init(0, 0, 0)[0]))
  assert_same(state.gen.opt_state, optax.adam(0.1).init(state.gen.params))
  assert_same(state.ema, Average(state.gen.params, state.gen.stats))


def test_the_players_start_from_keys_of_their_own():
  def init(key, x, label):
    return random.normal(key, (3,)), {}

  game = make_game(gen=Model(init, None, None), disc=Model(init, None, None))
  first, again, other = (init_state(game, key, jnp.zeros((B, *SHAPE)),
                                         jnp.zeros(B, jnp.int32))
                         for key in (KEY, KEY, random.key(6)))
  assert_same(first, again)
  assert (first.gen.params != first.disc.params).all()
  assert (first.gen.params != other.gen.params).all()


def test_no_array_is_twice_in_the_first_state():
  """Or it could not be donated."""
  game = make_game(gen=Model(lambda *a: (jnp.ones(3), {'s': jnp.ones(3)}), None,
                             None))
  state = init_state(game, KEY, jnp.zeros((B, *SHAPE)), jnp.zeros(B, jnp.int32))
  places = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(
      (state.gen, state.ema))]
  assert len(set(places)) == len(places) == 4


def test_a_population_is_a_leading_axis():
  """vmap over states and keys equals the members, lazy penalty and all."""
  gen, disc = nonlinear()
  game = make_game(gen=gen, disc=disc, disc_steps=2, ema_decay=0.9,
                   latent=jax.vmap(lambda key: random.normal(key, (Z,))),
                   penalties=(Term('r1', penalties.r1(), 1.0, 2),))
  base = make_state(game)
  scale = jnp.array([1.0, 2.0])
  population = jax.vmap(lambda i, scale: base.replace(
      step=i, gen=base.gen.replace(params=jax.tree.map(
          lambda p: p * scale, base.gen.params))))(jnp.arange(2), scale)
  keys, batch = random.split(KEY, 2), make_batch(game)
  run = functools.partial(train_step, game=game)
  together = jax.jit(jax.vmap(run, in_axes=(0, None, 0)))(
      population, batch, keys)
  alone = jax.jit(run)
  for i in range(2):
    member, its_end = (jax.tree.map(lambda x, i=i: x[i], tree)
                       for tree in (population, together))
    assert_close(alone(member, batch, keys[i]), its_end)


def test_the_step_returns_a_state_of_the_same_kind():
  """Shapes and dtypes stay: it can be scanned, and checkpointed once."""
  game = make_game(gen_optimizer=optax.adam(0.1), ema_decay=0.9, ema_rampup=0.1)
  state = make_state(game)
  after, _ = jax.eval_shape(functools.partial(train_step, game=game), state,
                            make_batch(game), KEY)
  assert isinstance(after, TrainState) and isinstance(after.gen, Net)
  assert jax.tree.structure(after) == jax.tree.structure(state)
  for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
    assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type)
