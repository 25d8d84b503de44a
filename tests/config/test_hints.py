"""What a mistaken name may have meant."""

import pytest

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, hints, key_rules, recipe


@pytest.mark.parametrize('key, name, hint', [
    ('loss', 'wgan-gp', '; there is penalty=wgan_gp'),
    ('loss', 'R1', '; there is penalty=r1'),
    ('penalties', 'hinge', '; there is loss=hinge'),
    ('augment', 'parzen', '; there is evaluator=parzen'),
    ('loss', 'hinge', ''),  # Its own.
    ('loss', 'dcgan', ''),
])
def test_a_component_of_another_key(key, name, hint):
  assert hints.elsewhere(key, name) == hint


@pytest.mark.parametrize('argument, hint', [
    ('loss=wgan-gp', 'did you mean "wasserstein"?'),
    ('loss=wgan-gp', 'there is penalty=wgan_gp'),
    ('evaluator=fid', 'did you mean "scores"?'),
])
def test_after_the_colon(argument, hint):
  with pytest.raises(ConfigError, match=hint.replace('?', r'\?')):
    recipe.get_config(f'dcgan:{argument}')


def test_in_a_config():
  config = experiment.plain(recipe.get_config('dcgan:penalty=r1'))
  config['penalties'][0]['name'] = 'hinge'
  (problem,) = key_rules.check(config)
  assert problem.path == 'penalties[0].name'
  assert problem.rule.endswith('; there is loss=hinge')


def test_sets_of_others_are_read_by_name_or_path():
  hint = ('data=tfds with --config.data.dataset=cifar10, and files of yours '
          'are data=auto with --config.data.path=...')
  with pytest.raises(ConfigError, match=hint):
    recipe.get_config('dcgan:data=cifar10')
  config = experiment.plain(recipe.base())
  config['data'] = dict(name='cifar10')
  (problem,) = key_rules.check(config)
  assert problem.path == 'data.name' and hint in problem.rule
  config['data'] = dict(name='no_lab.sets:cifar10')  # It is to be imported.
  (problem,) = key_rules.check(config)
  assert 'tfds' not in problem.rule
