"""What a config adds to the game; one device or four play the same."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import same_game
import tiny
import toy
from jax import random
from toy import (
  DISC_RATE,
  KEY,
  TABLE,
  B,
  P,
  assert_params,
  make_batch,
  make_game,
  sigmoid,
  weights,
)

from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, key_rules, rules
from gan_jax.game.step import train_step
from gan_jax.parallel import Batch

INFO = experiment.DataInfo('toy', (6, 6, 1), 100, 3, (0, 1, 2), '', '')


def configured(**changes):
  return experiment.make_game(tiny.config('unused', **changes), INFO, 4,
                              axis_name=None)


def check(config, devices):
  found = key_rules.check(config)
  return found + rules.of_config(config, devices, found)


def test_several_augmentations_remember_apart():
  slow, fast = (dict(name='ada', kimg=kimg) for kimg in (1.0, 0.1))
  game = configured(augment=(slow, dict(name='horizontal_flip'), fast))
  apply = jax.jit(game.augment.apply)
  keys = ('ada_0/p', 'ada_2/p')
  assert game.augment.memory == dict.fromkeys(keys, 0.0)
  memory = game.augment.remember(dict.fromkeys(keys, 0.25), jnp.ones(2), 7)
  assert jax.tree.map(float, memory) == {
      'ada_0/p': pytest.approx(0.258), 'ada_2/p': pytest.approx(0.33)}
  images, own = jnp.ones((2, 6, 6, 1)), random.split(KEY, 2)
  for p, same in (((0.0, 0.0), True), ((1.0, 0.0), False), ((0.0, 1.0), False)):
    got = apply(images, own, {
        'step': 0, **dict(zip(keys, map(jnp.float32, p), strict=True))})
    assert bool((got == images).all()) == same


def test_gradients_of_several_steps_make_one_update():
  sgd = dict(name='sgd', learning_rate=0.1)
  rules = configured(accumulate_steps=2, gen_optimizer=sgd, disc_optimizer=sgd)
  game = make_game(gen_optimizer=rules.gen_optimizer,
                   disc_optimizer=rules.disc_optimizer)
  states, _ = toy.play(game, steps=4)
  for first in (0, 2):
    start, middle, end = states[first:first + 3]
    assert_params(weights(middle), weights(start), rtol=0, atol=0)
    w, v, c = map(np.float64, weights(start))
    slopes = []
    for i in (first, first + 1):
      real = np.float64(make_batch(game, 10 + i).image).reshape(1, B, P)
      _, new, _, _ = toy.step_by_hand(w, v, c, real, 'non_saturating', 0)
      slopes.append((v - new) / DISC_RATE)
    want = v - 0.1 * np.mean(slopes, axis=0)
    np.testing.assert_allclose(end.disc.params['v'], want, rtol=1e-4, atol=1e-6)
    # The generator's second gradient is against the discriminator that moved.
    by_w = []
    for disc in ((v, c), tuple(map(np.float64, weights(end)[1:]))):
      b = TABLE @ w @ disc[0] + disc[1]
      by_w.append(TABLE.T @ np.outer(-sigmoid(-b) / B, disc[0]))
    np.testing.assert_allclose(end.gen.params['w'],
                               w - 0.1 * np.mean(by_w, axis=0), rtol=1e-4,
                               atol=1e-6)


def tiny_batch(game):
  rng = np.random.default_rng(0)
  image = rng.normal(size=(game.disc_steps, 8, *INFO.image_shape))
  return Batch(jnp.asarray(image, jnp.float32),
               jnp.arange(8)[None].repeat(game.disc_steps, 0) % 3,
               jnp.arange(8))


@pytest.mark.parametrize('changes', [
    dict(max_grad_norm=1.0, disc_weight_clip=0.01, accumulate_steps=2),
    dict(unrolled_steps=1)])
def test_frozen_layers_stay_as_they_start(changes):
  frozen = 'Dense_0'
  game = configured(
      disc_frozen=(frozen,), **changes,
      discriminator=dict(name='mlp.Discriminator', widths=(8, 8)),
      disc_optimizer=dict(name='adamw', learning_rate=0.1, weight_decay=0.5))
  start = state = experiment.initial_state(game, INFO, 0)
  update = jax.jit(partial(train_step, game=game))
  for _ in range(2):
    state, _ = update(state, tiny_batch(game), KEY)
  assert set(state.disc.params) > {frozen}
  for name, layer in state.disc.params.items():
    if name == frozen:
      toy.assert_same(layer, start.disc.params[name])
    else:
      toy.assert_all_changed(layer, start.disc.params[name])


def test_no_norm_counts_the_gradients_of_frozen_layers():
  both = configured(max_grad_norm=0.01)
  games = {'both': both, 'last': both._replace(disc_frozen=('Dense_0',))}
  start, norms, moves = experiment.initial_state(both, INFO, 0), {}, {}
  for name, game in games.items():
    state, scalars = jax.jit(partial(train_step, game=game))(
        start, tiny_batch(game), KEY)
    norms[name] = float(scalars['grad_norm/disc'])
    moves[name] = optax.tree.norm(jax.tree.map(
        jnp.subtract, state.disc.params, start.disc.params))
  # The gradient is longer than 0.01 in either case: sgd of 0.05 moves by it.
  assert 0.01 < norms['last'] < 0.99 * norms['both']
  assert moves['both'] == pytest.approx(0.0005, rel=1e-3)
  assert moves['last'] == pytest.approx(0.0005, rel=1e-3)


def test_a_frozen_layer_that_is_not_there_is_a_problem(tmp_path):
  path = tiny.write_images(tmp_path / 'images.npz')
  with pytest.raises(ConfigError, match=r"disc_frozen names \['nothing'\]; the "
                                        r"layers of the discriminator are \["):
    experiment.load(tiny.config(path, disc_frozen=('nothing',)))


def test_the_discriminator_has_the_heads_that_terms_name():
  game = configured(
      generator=dict(name='mlp.Generator', conditioning='onehot'),
      latent=dict(name='infogan', categories=(3,), continuous=1, noise=2),
      penalties=(dict(name='acgan', weight=1.0),
                 dict(name='tac_gan', weight=1.0),
                 dict(name='contragan', weight=1.0, size=5),
                 dict(name='infogan', weight=1.0, categories=(3,),
                      continuous=1)))
  state = jax.eval_shape(partial(experiment.initial_state, game,
                                 INFO, 0))
  params = state.disc.params
  (heads,) = [v for v in params.values() if 'logits' in v] or [params]
  sizes = {name: jax.tree.leaves(value)[-1].shape[-1]
           for name, value in heads.items()}
  assert {'class': 3, 'twin': 3, 'code': 4, 'embedding': 5,
          'proxies': 5}.items() <= sizes.items()
  plain = jax.eval_shape(partial(experiment.initial_state, configured(),
                                 INFO, 0)).disc.params
  assert 'class' not in str(jax.tree.structure(plain))
  _, scalars = jax.eval_shape(partial(train_step, game=game), state,
                              tiny_batch(game), KEY)
  assert {'penalty/acgan', 'penalty/acgan_gen', 'penalty/infogan_gen',
          'penalty/tac_gan', 'penalty/contragan_gen'} <= set(scalars)


@pytest.mark.parametrize('changes,message', [
    (dict(packing=3), 'packs do not divide batch_size=8 on 4 devices; a '
                      'multiple of 12 does'),
    (dict(updates='simultaneous', disc_steps=2),
     'makes one update of each network; use disc_steps=1 and gen_steps=1'),
    (dict(updates='simultaneous', gen_steps=2),
     'makes one update of each network; use disc_steps=1 and gen_steps=1'),
    (dict(updates='at once'), "must be one of ('alternating', "),
    (dict(packing=0), 'must be an int >= 1')])
def test_rules_that_exclude_each_other_are_problems(changes, message):
  (problem,) = check(tiny.config('unused', **changes), 4)
  assert message in str(problem)


ZEROS = jnp.array([0.0, 1.0])


def slope_through_updates(optimizer, gradient=ZEROS):
  """By the gradients of six updates, one of them 0 as of a dead unit."""
  def end(scale):
    params = jnp.array([1.0, 2.0])
    state = optimizer.init(params)
    for _ in range(6):
      updates, state = optimizer.update(scale * gradient, state, params)
      params = optax.apply_updates(params, updates)
    return jnp.sum(params ** 2)

  return jax.jit(jax.grad(end))(1.0)


@pytest.mark.parametrize('name,path', [
    ('adam', '.eps_root'), ('lamb', '.eps_root'), ('amsgrad', '.eps_root'),
    ('optimistic_adam_v2', '.eps_root'), ('radam', '.name'),
    ('adafactor', '.name'), ('adabelief', ''), ('adagrad', ''), ('lion', ''),
    ('rmsprop', ''), ('yogi', ''), ('sgd', '')])
def test_looking_ahead_needs_a_gradient_through_the_optimiser(name, path):
  spec = dict(name=name, learning_rate=0.1)
  problems = check(tiny.config('unused', unrolled_steps=1,
                               disc_optimizer=spec), devices=4)
  assert [p.path for p in problems] == ['disc_optimizer' + path] * bool(path)
  slope = slope_through_updates(lookup.build('optax', spec))
  assert np.isfinite(slope) == (not path)
  if path == '.eps_root':
    spec['eps_root'] = 1e-12
    assert not check(tiny.config('unused', unrolled_steps=1,
                                 disc_optimizer=spec), devices=4)
    assert np.isfinite(slope_through_updates(lookup.build('optax', spec)))


def test_a_bounded_gradient_of_0_has_no_gradient_through_it():
  """Why unrolled_steps refuses max_grad_norm."""
  sgd = dict(name='sgd', learning_rate=0.1)
  for bound, finite in ((1.0, False), (0.0, True)):
    optimizer = configured(disc_optimizer=sgd, max_grad_norm=bound
                           ).disc_optimizer
    assert np.isfinite(slope_through_updates(optimizer, 0.0 * ZEROS)) == finite
  with pytest.raises(ConfigError, match=r'max_grad_norm = 1.0: .* NaN where'):
    configured(unrolled_steps=1, max_grad_norm=1.0)


@pytest.mark.parametrize('changes', [
    dict(packing=2), dict(updates='simultaneous'), dict(disc_steps=2),
    dict(discriminator=dict(name='mlp.Discriminator', conditioning='onehot'))])
def test_rules_that_fit_are_none(changes):
  assert check(tiny.config('unused', **changes), 4) == []


# One device or four.


MLP = dict(generator=dict(name='mlp.Generator', widths=(8,),
                          conditioning='onehot'),
           discriminator=dict(name='mlp.Discriminator', widths=(8,)))
PACKS = dict(
    packing=2, loss=dict(name='top_k', fraction=0.5),
    augment=(dict(name='instance_noise', std=dict(
        name='linear_schedule', init_value=0.1, end_value=0.0,
        transition_steps='10 steps')), dict(name='apa', p=0.3)),
    penalties=(dict(name='lecam', weight=0.3, start=1),
               dict(name='feature_matching', weight=1.0, every=2)), **MLP)
CLASSES = dict(
    gradient_normalization=True, accumulate_steps=2, loss=dict(name='hinge'),
    penalties=(dict(name='reacgan', weight=1.0, size=4),
               dict(name='contragan', weight=1.0, size=4)), **MLP)
GAMES = {
    'packs, memories': PACKS,
    'packs, memories, looking ahead': PACKS | dict(
        unrolled_steps=1, augment=(PACKS['augment'][0], dict(
            name='ada', p=0.3)),
        penalties=(*PACKS['penalties'], dict(name='max_gp', weight=0.1))),
    'gradient normalisation, classes': CLASSES,
    'gradient normalisation, classes, latents': CLASSES | dict(
        penalties=(*CLASSES['penalties'], dict(name='adc_gan', weight=1.0),
                   dict(name='icr', weight=10.0, std=0.3, shift=0.2),
                   dict(name='orthogonal', weight=1e-2))),
}


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=pytest.mark.slow if name.endswith(
        ('looking ahead', 'latents')) else ()) for name in GAMES])
def test_four_devices_play_as_one(name, monkeypatch):
  monkeypatch.setitem(same_game.GAMES, name, GAMES[name])
  play = same_game.Play(name)
  wanted = play.plain
  moved = [np.abs(a - b).max() for net in ('gen', 'disc') for a, b in zip(
      jax.tree.leaves(getattr(wanted[0], net).params),
      jax.tree.leaves(getattr(play.first(), net).params), strict=True)]
  assert min(moved) > 1e-5
  same_game.equal(play.mapped(), wanted)
  assert np.isfinite(np.concatenate(
      [np.ravel(x) for x in wanted[1].values()])).all()


def test_the_best_metric_is_a_score_that_there_will_be(tmp_path):
  path = tiny.write_images(tmp_path / 'x.npz')
  scores = dict(name='scores', extractor=dict(name='random'), num_samples=20)
  config = tiny.config(path, evaluators=(scores,))
  experiment.load(config | {'best_metric': 'fd_random_20_train'})
  with pytest.raises(ConfigError, match='fd_random_2k_train.: no such score; '
                     'did you mean "fd_random_20_train"'):
    experiment.load(config | {'best_metric': 'fd_random_2k_train'})
  # Of two of one name, the second would overwrite the curve of the first.
  with pytest.raises(ConfigError, match=r'evaluators\[1\].*fd_random_20_train, '
                     r'as evaluators\[0\]'):
    experiment.load(config | {'evaluators': (scores, scores | {'bare': True})})
  # An evaluator of a user's own does not say what it will find.
  own = dict(name=f'{__name__}:own_score')
  found = experiment.load(config | {'best_metric': 'x', 'evaluators': (own,)})
  assert found.config['best_metric'] == 'x'


@pytest.mark.parametrize('spec, path, value, said', [
    (dict(num_samples=99), 'num_samples', 99,
     "x has 40 examples in 'train', and num_real=99 are asked for; give "
     'num_samples of 2 to 40'),
    ({}, 'num_samples', 2000, 'x has 40 examples'),
    (dict(reference='held_out'), 'reference', 'held_out', 'nothing is held'),
    (dict(metrics=('fid',)), 'metrics', ('fid',), 'no such metric'),
    (dict(extractor=dict(name='randon')), 'extractor.name', 'randon',
     'no such name'),
    (dict(extractor=dict(name='inception')), 'extractor',
     {'name': 'inception'}, 'inception also needs weights'),
    (dict(extractor=dict(name='inception', weights='x.pb')),
     'extractor.weights', 'x.pb', 'no such file'),
    (dict(name='parzen', num_validation=0), 'num_validation', 0,
     'must be 1 or more'),
    (dict(name='mode_coverage'), 'name', 'mode_coverage', 'x has no known')])
def test_what_an_evaluator_refuses_is_at_its_argument(
    tmp_path, spec, path, value, said):
  images = tiny.write_images(tmp_path / 'x.npz')
  spec = dict(name='scores') | spec
  with pytest.raises(ConfigError) as error:
    experiment.load(tiny.config(images, evaluators=(spec,)))
  problem, = error.value.problems
  assert problem[:2] == (f'evaluators[0].{path}', value)
  assert problem.rule.startswith(said)


@pytest.mark.parametrize('classes, generator, said', [
    (3, 'none', 'needs a generator that is told the class'),
    (0, 'none', "needs classes, and the data 'x' have none"),
    (3, 'onehot', '')])
def test_class_accuracy_needs_classes_that_are_drawn(
    tmp_path, classes, generator, said):
  """No score would be found, whatever the extractor has for names."""
  path = tiny.write_images(tmp_path / 'x.npz', classes=classes)
  config = tiny.config(
      path, best_metric='class_accuracy_mine_20_train', evaluators=(dict(
          name='scores', num_samples=20,
          extractor=dict(name=f'{__name__}:own_extractor')),))
  config['generator']['conditioning'] = generator
  if not said:
    experiment.load(config)
    return
  with pytest.raises(ConfigError, match=said):
    experiment.load(config)


def own_extractor(*, source):
  raise NotImplementedError  # It is built by the first score.


@pytest.mark.parametrize('changes, problem', [
    (dict(latent_steps=(dict(name='natural'),)),
     'latent_steps[0].bound = 1.0: clips z'),
    (dict(unrolled_steps=1, disc_optimizer=dict(name='adam',
                                                learning_rate=1e-3)),
     'disc_optimizer.eps_root = 0.0: must be above 0'),
    (dict(data=dict(name='ring'), discriminator=dict(
        name='none.Discriminator'), loss=dict(name='none'),
          encoder=dict(name='mlp.Encoder'), penalties=(
              dict(name='elbo', weight=1.0),)),
     "penalties[0].likelihood = 'bernoulli': takes values")])
def test_problems_show_the_default_where_the_config_leaves_it_out(
    images, changes, problem):
  with pytest.raises(ConfigError) as e:
    experiment.load(tiny.config(images, **changes))
  assert f'config.{problem}' in str(e.value)


def own_score(*, source):
  return lambda sample: []


# Encoders, and games of one player.

ENCODER = dict(name='mlp.Encoder', widths=(8,))
ALONE = dict(discriminator=dict(name='none.Discriminator'),
             loss=dict(name='none'), encoder=ENCODER,
             penalties=(dict(name='elbo', weight=1.0),))
PAIRS = dict(joint='mean', encoder=ENCODER, discriminator=dict(
    name='mlp.Discriminator', widths=(8,), conditioning='onehot'))


def problems(**changes):
  with pytest.raises(ConfigError) as e:
    configured(**changes)
  return {p.path: p.rule for p in e.value.problems}


def test_an_autoencoder_and_pairs_are_games():
  assert configured(**ALONE).disc is None
  game = configured(**PAIRS)
  assert game.gen.encode and game.joint == 'mean'
  np.testing.assert_allclose(game.loss.gen(1.0, 2.0), game.loss.disc(2.0, 1.0))


@pytest.mark.parametrize('changes, path, words', [
    (dict(loss=dict(name='hinge')), 'loss.name', "use 'none'"),
    (dict(packing=2), 'packing', 'use 1'),
    (dict(unrolled_steps=1), 'unrolled_steps', 'use 0'),
    (dict(augment=(dict(name='diffaugment'),)), 'augment', 'use ()'),
    (dict(penalties=(*ALONE['penalties'], dict(name='r1', weight=1.0))),
     'penalties[1].name', 'leave it out'),
    (dict(penalties=(dict(name='elbo', weight=1.0, likelihood='features'),)),
     'penalties[0].name', 'needs a discriminator'),
    (dict(penalties=(), encoder=dict(name='none.Encoder')), 'penalties',
     'nothing else to learn from')])
def test_without_a_discriminator_its_keys_are_refused(changes, path, words):
  found = problems(**ALONE | changes)
  assert words in found[path]


@pytest.mark.parametrize('changes, path, words', [
    (ALONE | dict(encoder=dict(name='none.Encoder')), 'penalties[0].name',
     'use encoder=mlp.Encoder'),
    (PAIRS | dict(encoder=dict(name='none.Encoder')), 'joint',
     'use encoder=mlp.Encoder'),
    (dict(encoder=ENCODER), 'encoder.name', 'nothing trains it'),
    (ALONE | dict(gen_frozen=('generator',)), 'init_from',
     'must name the run whose generator is frozen'),
    (PAIRS | dict(packing=2), 'joint', 'use packing=1'),
    (PAIRS | dict(discriminator=dict(name='mlp.Discriminator')),
     'discriminator.conditioning', 'use onehot'),
    (PAIRS | dict(generator=dict(name='mlp.Generator', conditioning='onehot')),
     'joint', 'no network may look at labels')])
def test_encoders_come_with_what_trains_them(changes, path, words):
  assert words in ' '.join(problems(**changes)[path].split())


def test_pairs_need_no_labels():
  config = tiny.config('unused', **PAIRS)
  assert rules.of_labels(config, 'noise') == []
  config['joint'] = 'none'
  assert [p.path for p in rules.of_labels(config, 'noise')] == [
      'discriminator.conditioning']
