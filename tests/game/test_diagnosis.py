"""The diagnoses of a state, against closed forms and numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from jax import random
from toy import normal

from gan_jax import losses, models, parallel
from gan_jax.augment import Augmentation
from gan_jax.config import experiment
from gan_jax.game import diagnosis
from gan_jax.game.diagnosis import (
  Examples,
  auc,
  diagnose,
  largest_sigma,
  pairwise_distance,
  saturation,
)
from gan_jax.game.rules import Game
from gan_jax.game.state import Average, Net, TrainState
from gan_jax.models import Critique, Model, mlp
from gan_jax.run import health

B, SHAPE, RANGE = 6, (1, 2, 2), (-1.0, 1.0)


def linear_game(**changes):
  """D(x) = a.x; G answers tanh(z), and 0 if it is not told to train."""
  def gen(params, stats, z, label, *, train, keys=None):
    return jnp.tanh(z * train).reshape(-1, *SHAPE), stats

  def disc(params, stats, images, label, *, train, keys=None):
    flat = images.reshape(images.shape[0], -1)
    return Critique(flat @ params, flat, {}), stats

  rules = dict(
      gen=Model(None, gen, None), disc=Model(None, disc, None),
      latent=lambda keys: jax.vmap(lambda key: random.normal(key, (4,)))(keys),
      loss=losses.hinge(), penalties=(), gen_optimizer=None,
      disc_optimizer=None,
      augment=Augmentation(lambda images, keys, memory: images),
      disc_steps=1, gen_steps=1, reuse_fakes=True, disc_weight_clip=0.0,
      ema_decay=0.0, ema_rampup=0.0)
  return Game(**rules | changes)


def state_of(weights):
  net = Net(jnp.asarray(weights), {}, ())
  return TrainState(jnp.zeros((), jnp.int32), Net((), {}, ()), net,
                    Average((), {}), {})


LINEAR = linear_game()
_COMPILED = {}


def compiled(game):
  """The same game once: by its id, as the dict within it has no hash."""
  if id(game) not in _COMPILED:
    _COMPILED[id(game)] = game, jax.jit(functools.partial(
        diagnose, game, image_range=RANGE))
  return _COMPILED[id(game)][1]


def look(game, weights, real, held_out=None, seed=0):
  def examples(image, label):
    return image if image is None else Examples(
        jnp.asarray(image), jnp.full(len(image), label, jnp.int32))

  found = compiled(game)(state_of(weights), examples(real, 0),
                         examples(held_out, 1), random.key(seed))
  assert {(x.shape, x.dtype.name) for x in found.values()} == {
      ((), 'float32')}
  return {k: float(v) for k, v in found.items()}


A = normal(1, 4)
REAL, HELD = normal(2, B, *SHAPE), normal(3, B, *SHAPE)


def test_the_slope_of_a_linear_critic_is_its_weights():
  found = look(LINEAR, A, REAL)
  for side in ('real', 'fake'):
    assert found[f'grad_x/{side}'] == pytest.approx(np.linalg.norm(A), rel=1e-6)


def test_the_slope_is_through_the_augmentation():
  double = Augmentation(lambda images, keys, memory: 2.0 * images)
  found = look(linear_game(augment=double), A, REAL)
  assert found['grad_x/real'] == pytest.approx(2 * np.linalg.norm(A), rel=1e-6)


def test_packs_are_judged_as_packs():
  weights = normal(4, 8)
  found = look(linear_game(packing=2), weights, REAL, HELD)
  assert found['grad_x/fake'] == pytest.approx(np.linalg.norm(weights),
                                               rel=1e-6)


def test_what_held_out_examples_tell():
  found = look(LINEAR, A, REAL, HELD)
  real, held = REAL.reshape(B, -1) @ A, HELD.reshape(B, -1) @ A
  want = {'logits/held_out': held.mean(), 'sign/held_out': np.sign(held).mean(),
          'prob/held_out': (1 / (1 + np.exp(-held))).mean(),
          'gap/logits': real.mean() - held.mean(),
          'gap/sign': np.sign(real).mean() - np.sign(held).mean()}
  assert {k: found[k] for k in want} == pytest.approx(want, rel=1e-5, abs=1e-6)
  without = look(LINEAR, A, REAL)
  assert not [k for k in without if k in want]
  assert without == pytest.approx({k: found[k] for k in without})


def test_examples_are_judged_with_labels_or_codes_of_their_own():
  def disc(params, stats, images, label, *, train, keys=None):
    told = label.reshape(len(images), -1).mean(1)
    return Critique(told + 0.0 * images.sum((1, 2, 3)), None, {}), stats

  game = linear_game(disc=Model(None, disc, None))
  assert look(game, A, REAL, HELD)['logits/held_out'] == 1.0  # real ones: 0
  code = jnp.full((B, 4), -9.0)
  joint = game._replace(joint='mean', gen=game.gen._replace(
      encode=lambda *_, train: models.Posterior(code, code)))
  assert look(joint, A, REAL)['auc'] == 0.0  # fakes: z, above -9


def test_an_energy_is_low_where_it_looks_real():
  """The D(x) = -a.x of an energy judges as a.x of other losses."""
  want = look(LINEAR, A, REAL, HELD)
  for energy in (losses.ebgan(), losses.began()):
    assert look(linear_game(loss=energy), -A, REAL, HELD) == pytest.approx(want)
  out = [Critique(jnp.array(x), None, {}) for x in ([1.0, 2.0], [3.0, 8.0])]
  found = diagnosis.disc_scalars(linear_game(loss=losses.ebgan()), 9.0, *out)
  want = {'loss/disc': 9.0, 'logits/real': -1.5, 'logits/fake': -5.5,
          'sign/real': -1.0, 'prob/real': 0.194072, 'prob/fake': 0.023880}
  assert {k: float(v) for k, v in found.items()} == pytest.approx(want,
                                                                  rel=1e-4)


def test_the_key_draws_the_generated_batch():
  one, same, other = (look(LINEAR, A, REAL, seed=s) for s in (0, 0, 1))
  assert one == same
  assert one['pairwise/fake'] != other['pairwise/fake']
  assert one['pairwise/real'] == other['pairwise/real']


@pytest.mark.parametrize('high, low, want', [
    ([1.0, 2.0], [0.0, 0.5], 1.0), ([0.0, 0.0], [1.0, 1.0], 0.0),
    ([1.0, 1.0], [1.0, 1.0], 0.5), ([0.0, 2.0], [1.0, 1.0], 0.5),
    ([3.0, 2.0], [2.0, 0.0], 0.875)])
def test_auc_by_hand(high, low, want):
  assert float(auc(jnp.array(high), jnp.array(low))) == want


@pytest.mark.parametrize('offset', [0.0, 100.0])
def test_pairwise_distance_is_that_of_numpy(offset):
  x = normal(5, 7, 3, 3, 2) + np.float32(offset)
  flat = x.reshape(7, -1).astype(np.float64)
  distance = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
  assert float(pairwise_distance(jnp.asarray(x))) == pytest.approx(
      distance.sum() / 42, rel=1e-5)


@pytest.mark.parametrize('x', [np.full((5, 4), 0.3), np.ones((1, 4))])
def test_pairwise_distance_of_copies_is_0(x):
  assert float(pairwise_distance(jnp.float32(x))) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize('image_range, value, want', [
    ((-1, 1), -1.0, 1.0), ((-1, 1), 1.0, 1.0), ((-1, 1), 0.995, 1.0),
    ((-1, 1), 0.985, 0.0), ((-1, 1), 0.0, 0.0), ((0, 1), 0.0, 1.0),
    ((0, 1), -1.0, 1.0), ((0, 1), 0.5, 0.0), ((0, 1), 0.996, 1.0)])
def test_saturation_of_constant_images(image_range, value, want):
  assert float(saturation(jnp.full((2, 3, 3, 1), value), image_range)) == want


def test_vectors_have_no_range():
  def gen(params, stats, z, label, *, train, keys=None):
    return z, stats

  found = look(linear_game(gen=Model(None, gen, None)), A, normal(2, B, 4))
  assert 'pairwise/fake' in found and 'saturation/fake' not in found


# --- among the scalars of a step -------------------------------------------


def test_the_stride_is_that_of_every_16th_row():
  before = {'k': normal(6, 2, 2, 10, 3), 'b': normal(7, 5)}
  after = {k: v + normal(8, *v.shape) for k, v in before.items()}
  def part(tree):
    return np.concatenate([tree['k'].reshape(-1, 3)[::16].ravel(), tree['b']])

  found = diagnosis.update_scalars('gen', before, after,
                                   {'g': jnp.array([3.0, 4.0])})
  want = np.linalg.norm(part(after) - part(before)) / np.linalg.norm(
      part(before))
  assert float(found['update_ratio/gen']) == pytest.approx(want, rel=1e-5)
  assert float(found['grad_norm/gen']) == 5.0


def test_ratios_of_nothing_are_finite():
  zero = {'b': jnp.zeros(3)}
  disc, gen = (diagnosis.update_scalars(player, zero, zero, zero)
               for player in ('disc', 'gen'))
  found = diagnosis.step_scalars(disc, gen)
  assert found['grad_ratio'] == found['update_ratio/gen'] == 0.0


def test_the_gradient_ratio_is_of_gen_to_disc():
  found = diagnosis.step_scalars({'grad_norm/disc': jnp.float32(2e-6)},
                                 {'grad_norm/gen': jnp.float32(3e-6)})
  assert float(found['grad_ratio']) == pytest.approx(1.5)


def test_sign_real_is_among_what_the_discriminator_says():
  out = Critique(jnp.array([2.0, 1.0, -3.0, 4.0]), None, {})
  other = out._replace(logits=-out.logits)
  assert float(diagnosis.disc_scalars(
      linear_game(), 0.0, out, other)['sign/real']) == 0.5


# --- in a run --------------------------------------------------------------


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  path = tiny.write_images(tmp_path_factory.mktemp('data') / 'noise.npz')
  net = dict(widths=(8,), norm='batch', conditioning='onehot',
             weight_norm='spectral')
  return experiment.load(tiny.config(
      path, data=dict(name='npz', path=path, holdout=0.08),
      generator=dict(name='mlp.Generator', **net),
      discriminator=dict(name='mlp.Discriminator', **net)))


def test_a_look_is_a_function_of_step_and_seed(run):
  assert len(run.source.held_out.images) < run.config['batch_size']
  first, second = (health.Diagnoser(run, parallel.make_mesh(n))
                   for n in (1, 4))
  seen = [{k: float(v) for k, v in d.start(
      parallel.replicate(run.init(), mesh), *at).items()}
          for d, mesh in ((first, parallel.make_mesh(1)),
                          (second, parallel.make_mesh(4)))
          for at in ((2, 0), (2, 0), (4, 0), (2, 1))]
  assert seen[0] == seen[1]
  assert seen[0]['pairwise/real'] != seen[2]['pairwise/real']
  assert seen[0]['pairwise/fake'] != seen[3]['pairwise/fake']
  for one, four in zip(seen[:4], seen[4:], strict=True):
    assert one == pytest.approx(four, rel=1e-4, abs=1e-5)
  assert {'sign/held_out', 'gap/logits', 'saturation/real', 'sigma/disc',
          'sigma/gen'} <= set(seen[0])


def test_a_look_leaves_the_state_to_the_next_call(run):
  mesh = parallel.make_mesh(1)
  state = parallel.replicate(run.init(), mesh)
  health.Diagnoser(run, mesh).start(state, 2, 0)
  assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_sigma_is_the_largest_of_a_player_with_spectral_norm():
  def layer(sigma):
    return {'u': jnp.full(3, 99.0), 'sigma': jnp.float32(sigma)}

  stats = {'spectral': {'Dense_0': layer(2.0), 'Up_0': {
      'Conv_0': layer(7.0), 'Conv_1': layer(3.0)}},
           'batch_stats': {'Norm_0': {'sigma': jnp.float32(50.0)}}}
  assert float(largest_sigma(stats)) == 7.0
  for other in ({}, {'batch_stats': stats['batch_stats']},
                {'spectral': jnp.ones(2)}):
    assert largest_sigma(other) is None


def test_sigma_is_that_of_the_kernels():
  layer = models.as_model(mlp.Discriminator(
      num_classes=0, widths=(3,), weight_norm='spectral'))
  image, label = jnp.ones((2, 1, 2, 2)), jnp.zeros(2, jnp.int32)
  params, stats = jax.jit(layer.init)(random.key(0), image, label)
  values = [jnp.diag(jnp.array([0.1, 0.0, 4.0, 0.0]))[:, :3],
            jnp.array([[0.0], [3.0], [-4.0]])]  # Of norm 4 and 5.
  params = jax.tree.unflatten(jax.tree.structure(params), [
      x if x.ndim < 2 else values[x.shape[1] == 1]
      for x in jax.tree.leaves(params)])
  _, stats = jax.jit(functools.partial(layer.apply, train=True))(
      params, stats, image, label)
  assert float(largest_sigma(stats)) == pytest.approx(5.0, rel=1e-6)


def test_a_game_without_spectral_norm_has_none():
  found = look(LINEAR, A, REAL)
  assert 'auc' in found and not [k for k in found if k.startswith('sigma/')]
