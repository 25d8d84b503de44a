"""Members of a population: their configs, and what they may differ in."""

import numpy as np
import pytest
import tiny

from gan_jax.base.errors import ConfigError
from gan_jax.config import fields, population
from gan_jax.config.keys import KEYS
from gan_jax.config.population import load

R1 = dict(name='r1', weight=1.0, every=1)


@pytest.fixture(scope='module')
def config(images):
  return tiny.config(images, loss=dict(name='non_saturating',
                                       label_smoothing=0.0), penalties=(R1,))


def with_lists(config, **lists):
  for path, values in lists.items():
    config = fields.put(config, path, values)
  return config


def test_seeds_count_up_and_start_again_at_the_end(config):
  found = load({**config, 'population': 3, 'seed': 2**32 - 2})
  assert [m.config['seed'] for m in found.members] == [
      2**32 - 2, 2**32 - 1, 0]
  assert found.numbers == {} and 'population' not in found.members[0].config


def test_lists_go_side_by_side_and_members_are_lone_configs(config):
  rates, weights = (0.1, 0.2), (1.0, 10.0)
  found = load(with_lists(config, **{
      'gen_optimizer.learning_rate': rates, 'penalties[0].weight': weights}))
  assert [m.config['seed'] for m in found.members] == [0, 0]
  for i, member in enumerate(found.members):
    assert member.config == {**load(config).members[0].config, **{
        'gen_optimizer': dict(name='sgd', learning_rate=rates[i]),
        'penalties': ({**R1, 'weight': weights[i]},)}}
  np.testing.assert_array_equal(
      found.numbers['penalties[0].weight'], np.float32(weights))


def test_lists_with_seeds_of_their_own_or_in_a_row(config):
  lists = {'ema_decay': (0.9, 0.99)}
  own = load(with_lists(config, seed=(5, 5), **lists))
  assert [m.config['seed'] for m in own.members] == [5, 5]
  row = load(with_lists(config, population=2, **lists))
  assert [m.config['seed'] for m in row.members] == [0, 1]


@pytest.mark.parametrize('path', ['loss.label_smoothing', 'ema_rampup',
                                  'disc_weight_clip', 'max_grad_norm'])
def test_a_step_takes_these_as_arrays(config, path):
  assert len(load(with_lists(config, **{path: (0.1, 0.2)})).members) == 2


def test_these_arguments_may_differ(config):
  assert len(load(config | dict(
      augment=(dict(name='ada', target=(0.5, 0.6), kimg=(1.0, 2.0),
                    p=(0.0, 0.1)), dict(name='bgc', p=(0.1, 0.2))),
      loss=dict(name='top_k', fraction=(0.5, 0.7), decay=(0.9, 0.99)),
      penalties=(dict(name='elbo', weight=1.0, free_bits=(0.0, 0.1),
                      likelihood='gaussian', sigma=(0.1, 0.2)),),
      encoder=dict(name='mlp.Encoder', widths=(8,)))).members) == 2


def test_members_may_start_a_schedule_from_other_values(config):
  rate = dict(name='linear_schedule', init_value=0.1, end_value=0.0,
              transition_steps='100%')
  found = load(with_lists(
      {**config, 'gen_optimizer': dict(name='sgd', learning_rate=rate),
       'disc_optimizer': dict(name='sgd', learning_rate=rate)},
      **{'gen_optimizer.learning_rate.init_value': (0.1, 0.2)}))
  assert [m.config['gen_optimizer']['learning_rate']['init_value']
          for m in found.members] == [0.1, 0.2]


def test_a_switch_that_is_off_for_all_stays_off(config):
  found = load(with_lists(config, disc_weight_clip=(0.0, 0.0),
                          ema_decay=(0.9, 0.99)))
  assert set(found.numbers) == {'ema_decay'} and len(found.members) == 2


def test_an_argument_whose_default_is_none_may_differ(config):
  found = load(with_lists(config, gen_optimizer=dict(
      name='sgd', learning_rate=0.1, momentum=(0.5, 0.9))))
  assert [m.config['gen_optimizer']['momentum'] for m in found.members] == [
      0.5, 0.9]


def test_a_lone_run_is_a_population_of_one(config):
  assert len(load(config).members) == 1


@pytest.mark.parametrize('lists, words', [
    (dict(population=0), 'must be an int >= 1'),
    (dict(batch_size=(8, 16)), 'members share this'),
    ({'gen_steps': (1, 2)}, 'sweep.sh'),
    (dict(ema_decay=(0.9, 0.99), ema_rampup=(0.1, 0.2, 0.3)),
     'ema_decay 2, ema_rampup 3'),
    (dict(population=3, ema_decay=(0.9, 0.99)), 'population 3'),
    (dict(ema_decay=(0.0, 0.9)), '0 turns it off, for all'),
    ({'gen_optimizer.learning_rate': (0.1, -0.1)}, 'must be a float >= 0'),
    (dict(population=2, watchdog=dict(policy='rollback', max_rollbacks=3)),
     'use warn or stop'),
    ({'latent.size': (4, 8)}, 'members share this'),
])
def test_what_is_no_population_is_named(config, lists, words):
  with pytest.raises(ConfigError, match='config') as error:
    load(with_lists(config, **lists))
  assert words in str(error.value)


@pytest.mark.parametrize('key, value', [
    ('seed', 'x'), ('seed', -1), ('watchdog', 'stop'), ('shard', None),
    ('best_metric', 5)])
def test_other_mistakes_are_named_as_those_of_a_lone_run(config, key, value):
  wrong = {**config, key: value}
  with pytest.raises(ConfigError) as alone:
    load(wrong)
  with pytest.raises(ConfigError) as many:
    load({**wrong, 'population': 3})
  assert str(many.value) == str(alone.value) and key in str(many.value)


@pytest.mark.parametrize('key', [k for k in KEYS if k != 'population'])
def test_a_missing_key_is_named(config, key):
  with pytest.raises(ConfigError, match=f"{key} = 'absent': is missing"):
    load({k: v for k, v in config.items() if k != key} | {'population': 2})


@pytest.mark.parametrize('path, term, why, line', [
    ('penalties[0].shift', dict(name='cr', shift=(0.1, 0.2)),
     'Abstract tracer value', ''),
    # As it is built, and with the line of the user's own file.
    ('penalties[0].least', dict(name='mine:hinge', least=(0.1, 0.2)),
     'TracerBoolConversionError: Attempted boolean conversion', 'if least > 0')
])
def test_a_component_that_takes_no_array_is_named_in_a_line(
    config, tmp_path, monkeypatch, path, term, why, line):
  (tmp_path / 'mine.py').write_text('''
def hinge(*, least: float = 0.0):
  if least > 0: return lambda real: real.mean((1, 2, 3)) - least
''')
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ConfigError) as error:
    load({**config, 'penalties': (dict(term, weight=1.0),)})
  problem, = error.value.problems
  assert problem[:2] == (path, (0.1, 0.2))
  said, *lines = problem.rule.split('\n')
  assert said.startswith('cannot differ between members (') and (
      f'takes no array: {why}' in said)
  assert [line in each for each in lines] == [True] * bool(line)


def test_put_copies():
  config = {'a': {'b': 1}, 'c': ({'d': 2}, {'d': 3})}
  assert fields.put(config, 'c[1].d', 4)['c'] == ({'d': 2}, {'d': 4})
  assert fields.put(config, 'a.b', 5)['a'] == {'b': 5}
  assert config == {'a': {'b': 1}, 'c': ({'d': 2}, {'d': 3})}


def test_the_text_of_a_dry_run_names_what_differs(config):
  text = population.describe(load(with_lists(config, ema_decay=(0.9, 0.99))))
  assert 'population: 2 members' in text and 'ema_decay: 0.9, 0.99' in text
