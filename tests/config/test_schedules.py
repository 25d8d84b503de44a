"""Numbers that change: their curves, and every place where one may stand."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
import toy
from scheduled_games import ADAM, INFO, RISE, configured, problems_of

from configs import rpgan
from gan_jax import penalties
from gan_jax.augment import Augmentation
from gan_jax.base import lookup
from gan_jax.config import experiment, recipe
from gan_jax.config.durations import Units, number
from gan_jax.config.durations import check_number as check
from gan_jax.game import schedules
from gan_jax.penalties import Term
from gan_jax.run import changes, train

FALL = dict(name='piecewise_constant_schedule', init_value=0.2)

# The curves.


@pytest.mark.parametrize('start,end', [(2e-4, 5e-5), (0.0, 0.55), (3.0, 3.0)])
def test_cosine_is_that_of_r3gan(start, end):
  curve = schedules.cosine(init_value=start, end_value=end, transition_steps=40)
  for step in (0, 1, 10, 20, 39, 40, 1000):
    # As in its training loop: base + (1 - decay) (final - base).
    decay = 0.5 * (1 + np.cos(np.pi * min(step, 40) / 40))
    want = start + (1 - decay) * (end - start)
    np.testing.assert_allclose(curve(jnp.int32(step)), want, rtol=1e-5,
                               atol=1e-9)
  assert float(curve(20)) == pytest.approx((start + end) / 2)


def test_half_life_halves_the_old_weights_in_so_many_steps():
  decay = schedules.half_life(init_value=7.0, end_value=7.0, transition_steps=1)
  assert float(decay(jnp.int32(5))) ** 7 == pytest.approx(0.5, rel=1e-5)
  rising = schedules.half_life(init_value=0.0, end_value=8.0,
                               transition_steps=10)
  assert float(rising(0)) == 0.0
  assert float(rising(5)) == pytest.approx(0.5 ** 0.25)


@pytest.mark.parametrize('name,wrong,words', [
    ('cosine', dict(transition_steps=0), 'must be above 0'),
    ('half_life', dict(init_value=-1.0), 'not be negative'),
    ('half_life', dict(end_value=-1.0), 'not be negative')])
def test_curves_refuse(name, wrong, words):
  spec = dict(name=name, init_value=1.0, end_value=2.0, transition_steps=3)
  with pytest.raises(ValueError, match=words):
    lookup.build('gan_jax.game.schedules', spec | wrong)


# The weight of a term.


def test_a_weight_is_that_of_the_step():
  weight = optax.linear_schedule(1.0, 3.0, 4)
  term = Term('drift', penalties.drift(), weight, 1)
  free, _ = toy.play(toy.make_game())
  for at, value in ((0, 1.0), (2, 2.0), (9, 3.0)):
    states, (scalars,) = toy.play(toy.make_game(penalties=(term,)), at=at)
    assert scalars['weight/drift'] == value
    fixed = Term('drift', penalties.drift(), value, 1)
    wanted, (others,) = toy.play(toy.make_game(penalties=(fixed,)), at=at)
    toy.assert_close(states[1].disc.params, wanted[1].disc.params)
    assert 'weight/drift' not in others
  assert not np.allclose(states[1].disc.params['v'], free[1].disc.params['v'])


def test_all_updates_of_a_step_have_the_weight_of_the_step():
  term = Term('drift', penalties.drift(), optax.linear_schedule(1., 3., 4), 1)
  _, scalars = toy.play(toy.make_game(penalties=(term,), disc_steps=3), 3)
  assert [s['weight/drift'] for s in scalars] == [1.0, 1.5, 2.0]


# The average.


def test_the_average_follows_its_schedule():
  decay = optax.linear_schedule(0.0, 0.8, 4)
  states, _ = toy.play(toy.make_game(ema_decay=decay), steps=6)
  average = np.float64(states[0].gen.params['w'])
  for i, state in enumerate(states[1:]):
    keep = 0.8 * min(i / 4, 1)
    average = keep * average + (1 - keep) * np.float64(state.gen.params['w'])
    np.testing.assert_allclose(state.ema.params['w'], average, rtol=1e-5,
                               atol=1e-6)


def test_a_schedule_of_the_average_has_a_rampup_too():
  games = [toy.make_game(ema_decay=decay, ema_rampup=0.5)
           for decay in (0.8, optax.constant_schedule(0.8))]
  (*_, fixed), (*_, moving) = (toy.play(game, 9)[0] for game in games)
  toy.assert_close(moving.ema.params, fixed.ema.params)


def test_half_lives_are_in_images():
  game = configured(ema_decay=dict(
      name='half_life', init_value=0, end_value='160 examples',
      transition_steps='50%'))
  assert float(game.ema_decay(0)) == 0.0
  assert float(game.ema_decay(50)) == pytest.approx(0.5 ** (1 / 20))


# Augmentations.


def test_augmentations_are_told_the_step():
  part = Augmentation(lambda images, keys, memory: images + memory['step'])
  game = toy.make_game(augment=part)
  moved = toy.make_game(augment=Augmentation(
      lambda images, keys, memory: images + 5.0))
  got, _ = toy.play(game, at=5)
  want, _ = toy.play(moved, at=5)
  toy.assert_close(got[1].disc.params, want[1].disc.params)
  toy.assert_close(got[1].gen.params, want[1].gen.params)


# What is wrong.


@pytest.mark.parametrize('value,path,words', [
    (-1.0, 'x', 'must be a float >= 0.0, or a schedule'),
    (True, 'x', 'must be a float'),
    ('much', 'x', 'must be a float'),
    (dict(RISE, name='linear_rate'), 'x.name', 'mean "linear_schedule"'),
    (dict(RISE, name='cosin'), 'x.name', 'did you mean "cosine"'),
    (dict(RISE, name='adam'), 'x.name', 'no such schedule'),
    (dict(RISE, name='no_lab:curve'), 'x.name', 'cannot import'),
    (dict(RISE, end=3), 'x.end', 'takes no such argument'),
    (dict(RISE, transition_steps='soon'), 'x.transition_steps', '20 epochs'),
    (dict(FALL, boundaries_and_scales={'soon': 0.5}), 'x.boundaries_and_scales',
     '20 epochs'),
    (dict(init_value=3), 'x', 'must be a dict(name=')])
def test_a_number_that_is_none(value, path, words):
  (problem,) = check(value, 'x')
  assert problem.path == path and words in str(problem)


def test_all_that_is_wrong_is_said_at_once():
  down = dict(RISE, end_value=-1.0)
  found = problems_of(
      gen_optimizer=dict(ADAM, b2=down, learning_rate=down), ema_decay=dict(
          RISE), penalties=(dict(name='r1', weight=down),),
      augment=(dict(name='instance_noise', std=down),))
  assert found['ema_decay'].startswith('goes from 0 to 1, and must stay in [0')
  assert set(found) == {'gen_optimizer.b2', 'gen_optimizer.learning_rate',
                        'ema_decay', 'penalties[0].weight', 'augment[0].std'}
  from gan_jax.config import key_rules
  wrong = dict(RISE, name='rise')
  config = tiny.config(
      'unused', gen_optimizer=dict(ADAM, b1=wrong, nesterov=dict(RISE)),
      penalties=(dict(name='r1', weight=wrong),), ema_decay=wrong,
      augment=(dict(name='bgc', p=wrong, cutout=dict(RISE)),
               dict(name='ada', p=RISE)))
  assert {p.path for p in key_rules.check(config)} == {
      'gen_optimizer.b1.name', 'gen_optimizer.nesterov',
      'penalties[0].weight.name', 'ema_decay.name', 'augment[0].p.name',
      'augment[0].cutout', 'augment[1].p'}


def test_boundaries_are_durations_and_texts_in_json():
  units = Units(examples_per_step=64, num_examples=640, train_steps=100,
                multiple=1)
  for where in ({50: 0.5, 80: 0.1}, {'50': 0.5, '80': 0.1},
                {'50%': 0.5, '8 epochs': 0.1}):
    for updates, every in ((1, 1), (4, 2)) if '50%' in where else ((1, 1),):
      curve = number(dict(FALL, boundaries_and_scales=where), units,
                     updates=updates, every=every)
      times = updates // every
      for step, value in ((0, 0.2), (49, 0.2), (51, 0.1), (81, 0.01)):
        assert float(curve(step * times)) == pytest.approx(value)
  with pytest.raises(ValueError, match='goes from 0.2 to 0.4, and must stay'):
    number(dict(FALL, boundaries_and_scales={'50%': 2.0}), units, 0.0, 0.3)


# Resuming, and the recipe.


@pytest.mark.slow
def test_a_run_with_schedules_goes_on_to_the_same_bits(tmp_path):
  path = tiny.write_images(tmp_path / 'noise.npz')
  curve = dict(name='cosine', init_value=0.5, end_value=0.9,
               transition_steps=3)
  moving = dict(
      penalties=(dict(name='drift', weight=curve),), ema_decay=curve,
      augment=(dict(name='instance_noise', std=curve),),
      disc_optimizer=dict(ADAM, b2=curve, learning_rate=1e-3))
  ends = []
  for folder, lengths in (('whole', [4]), ('parts', [2, 4])):
    for steps in lengths:
      run = experiment.load(tiny.config(path, train_steps=steps, **moving))
      assert train.train(run, str(tmp_path / folder)) == 0
    ends.append(tiny.saved_digest(run, str(tmp_path / folder)))
  assert ends[0] == ends[1]


@pytest.mark.parametrize('where', [
    dict(ema_decay=recipe.cosine(0.0, 0.9).to_dict()),
    dict(gen_optimizer=dict(ADAM, b2=dict(RISE, transition_steps='50%'))),
    dict(penalties=[dict(name='r1', weight=dict(RISE, end_value='25%'))]),
    dict(augment=(dict(name='bgc', p=dict(RISE, transition_steps='9 %')),)),
    dict(ema_decay=dict(FALL, boundaries_and_scales={'50%': 0.5}))])
def test_the_length_of_a_run_with_a_share_of_it_may_not_change(where):
  plain = tiny.config('unused', eval_every='10%', log_every='50%')
  assert changes.may_change('train_steps', plain)
  assert not changes.may_change('train_steps', plain | where)
  assert changes.may_change('log_every', plain | where)
  # Of a length in epochs the whole calls are a part of the length.
  epochs = plain | where | dict(train_steps='2 epochs')
  assert changes.may_change('steps_per_call', plain | where)
  assert not changes.may_change('steps_per_call', epochs)
  assert changes.may_change('log_every', epochs)
  assert changes.may_change('steps_per_call', plain | dict(
      train_steps='2 epochs'))


def test_a_schedule_of_its_own_length_leaves_that_of_the_run_free():
  config = tiny.config('unused', gen_optimizer=dict(ADAM, b2=dict(
      RISE, transition_steps='10 steps')))
  assert changes.may_change('train_steps', config)


@pytest.mark.parametrize('path, may', [
    ('evaluators[0].num_samples', True), ('sample_grid', True),
    ('data.path', True), ('data.max_bad', True), ('data.name', False),
    ('data', False), ('seed', False), ('loss.log_every', False)])
def test_what_may_change_of_a_run(path, may):
  assert changes.may_change(path, tiny.config('unused')) == may


def test_the_schedule_of_r3gan():
  config = experiment.plain(rpgan.get_config('schedule'))
  info = INFO._replace(image_shape=(28, 28, 1))
  game = experiment.make_game(config, info, 1000, axis_name=None)
  for step, lr, b2, gamma, p, half_life in (
      (0, 2e-4, 0.9, 1.0, 0.0, 0.0), (500, 1.25e-4, 0.945, 0.55, 0.2, 125.0),
      (1000, 5e-5, 0.99, 0.1, 0.4, 250.0)):
    decay = 0.5 ** (1 / half_life) if half_life else 0.0
    assert float(game.ema_decay(step)) == pytest.approx(decay, abs=1e-6)
    for term in game.penalties:
      assert float(term.weight(step)) == pytest.approx(gamma)
    values = [float(schedules.cosine(init_value=a, end_value=b,
                                     transition_steps=1000)(step))
              for a, b in ((2e-4, 5e-5), (0.9, 0.99), (0.0, 0.4))]
    assert values == pytest.approx([lr, b2, p], rel=1e-5)
  for key in ('gen_optimizer', 'disc_optimizer'):
    assert config[key]['learning_rate']['end_value'] == 5e-5
    assert config[key]['b2']['end_value'] == 0.99
