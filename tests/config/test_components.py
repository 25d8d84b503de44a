"""Components that a recipe writes as dicts: flags set them as any other."""

import pytest
from ml_collections import ConfigDict

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, key_rules, overrides, recipe

IDEAS = '''
def own(temperature: float, scale: float = 1, count: int = 2, share=1.0):
  return temperature, scale, count, share
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
  (tmp_path / 'my_components.py').write_text(IDEAS)
  monkeypatch.syspath_prepend(str(tmp_path))
  return 'my_components:own'


def test_players_that_were_given_one_optimiser_have_two():
  config = recipe.base()
  config.gen_optimizer = config.disc_optimizer = recipe.adam(1e-4)
  adam = recipe.adam(1e-3)
  config.gen_optimizer = adam
  config.disc_optimizer = adam
  config = recipe.finish(config, None)
  overrides.apply(config, '--config.disc_optimizer.learning_rate=0.5')
  assert config.gen_optimizer.learning_rate == 1e-3
  assert config.disc_optimizer.learning_rate == 0.5


def test_one_schedule_for_several_is_one_for_each():
  config, slow = recipe.base(), recipe.cosine(2e-4, 1e-5)
  config.gen_optimizer.learning_rate = slow
  config.disc_optimizer.learning_rate = slow
  config.penalties = (dict(name='r1', weight=slow), dict(name='r2', weight=slow)
                      ) + (recipe.term('penalties', 'drift'),) * 2
  config = recipe.finish(config, None)
  places = (config.gen_optimizer.learning_rate,
            config.disc_optimizer.learning_rate,
            config.penalties[0].weight, config.penalties[1].weight)
  for i, path in enumerate((
      'gen_optimizer.learning_rate', 'disc_optimizer.learning_rate',
      'penalties[0].weight', 'penalties[1].weight')):
    overrides.apply(config, f'--config.{path}.init_value={i}.0')
  assert [place.init_value for place in places] == [0.0, 1.0, 2.0, 3.0]
  overrides.apply(config, '--config.penalties[3].weight=7.0')
  assert [term.weight for term in config.penalties[2:]] == [0.001, 7.0]


def test_a_number_that_follows_another_still_does():
  config = recipe.base()
  config.eval_every = config.get_ref('train_steps')
  config.disc_optimizer.learning_rate = (
      config.gen_optimizer.get_ref('learning_rate') * 4)
  config = recipe.finish(config, None)
  overrides.apply(config, '--config.gen_optimizer.learning_rate=0.25')
  overrides.apply(config, '--config.train_steps=70')
  assert config.disc_optimizer.learning_rate == 1.0
  assert config.eval_every == 70


def test_whole_numbers_of_floats_take_fractions(own):
  config = recipe.base()
  config.loss = dict(name=own, temperature=2, scale=3, count=4, share=5)
  config.gen_optimizer = dict(name='adam', learning_rate=1, b1=0)
  config.penalties = (dict(name=own, temperature=2, weight=1),)
  config.data = dict(name='noise', holdout=0)
  config = recipe.finish(config, None)
  for flag in ('loss.temperature=1.5', 'loss.scale=0.5', 'loss.share=0.25',
               'gen_optimizer.learning_rate=1e-3', 'gen_optimizer.b1=0.5',
               'penalties[0].temperature=0.1', 'penalties[0].weight=0.2',
               'penalties[0].scale=0.3', 'data.holdout=0.4'):
    overrides.apply(config, f'--config.{flag}')
  assert config.loss.to_dict() == dict(
      name=own, temperature=1.5, scale=0.5, count=4, share=0.25)
  assert config.gen_optimizer.to_dict() == dict(
      name='adam', learning_rate=1e-3, b1=0.5)
  assert config.penalties[0].to_dict() == dict(
      name=own, temperature=0.1, weight=0.2, every=1, scale=0.3, count=2,
      share=1.0)
  assert config.data.holdout == 0.4
  assert not key_rules.check(experiment.plain(config))
  with pytest.raises(ValueError, match='an int'):
    overrides.apply(config, '--config.loss.count=1.5')


def test_mistakes_in_dicts_are_reported_with_all_others():
  config = recipe.base()
  config.penalties = (dict(name='r7', weight=1), dict(name='r1', wieght=2),
                      dict(name='r1', every='x'), dict(nam='r1'), 'r1',
                      ConfigDict(dict(name=3)))
  config.loss = dict(name='hnge')
  config.batch_size = -1
  found = key_rules.check(experiment.plain(recipe.finish(config, None)))
  assert {problem.path for problem in found} == {
      'penalties[0].name', 'penalties[1].wieght', 'penalties[2].every',
      'penalties[3]', 'penalties[3].weight', 'penalties[4]', 'penalties[5]',
      'penalties[5].weight', 'loss.name', 'batch_size'}
  with pytest.raises(ConfigError, match='r7'):  # Asked for at once.
    recipe.get_config('dcgan:penalty=r7')
