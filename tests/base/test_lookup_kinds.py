"""The plug-in rule in packages: kinds, flax modules, optax."""

import sys

import optax
import pytest

from gan_jax.base import lookup
from gan_jax.base.errors import Problem


def test_a_kind_is_looked_for_in_each_module_of_a_package():
  generators = lookup.names('gan_jax.models', 'Generator')
  discriminators = lookup.names('gan_jax.models', 'Discriminator')
  assert {'dcgan.Generator', 'mlp.Generator'} <= set(generators)
  assert 'pooling_cnn.Generator' not in generators
  assert 'pooling_cnn.Discriminator' in discriminators
  from gan_jax.models import dcgan
  found = lookup.find('gan_jax.models', 'dcgan.Generator', 'Generator')
  assert found is dcgan.Generator
  with pytest.raises(ValueError, match='did you mean "dcgan.Generator"'):
    lookup.find('gan_jax.models', 'dcgn.Generator', 'Generator')
  # A room knows its kind only.
  with pytest.raises(ValueError, match='no such name'):
    lookup.find('gan_jax.models', 'dcgan.Discriminator', 'Generator')
  with pytest.raises(ValueError, match='no such name'):
    lookup.find('gan_jax.models', 'dcgan.sizes', 'Generator')


def test_a_kind_that_a_module_imports_is_not_its_own(tmp_path, monkeypatch):
  package = tmp_path / 'my_nets'
  package.mkdir()
  (package / '__init__.py').write_text('')
  (package / 'own.py').write_text('class Generator:\n  pass\n')
  (package / 'borrowed.py').write_text('from my_nets.own import Generator\n')
  monkeypatch.syspath_prepend(tmp_path)
  try:
    assert lookup.names('my_nets', 'Generator') == ['own.Generator']
  finally:
    for name in ('my_nets', 'my_nets.own', 'my_nets.borrowed'):
      sys.modules.pop(name, None)


@pytest.mark.parametrize('spec', [
    'hinge', None, ('hinge',), {}, dict(nam='hinge'), dict(name=3)])
def test_a_spec_must_be_a_dict_with_a_name(spec):
  problem, = lookup.check('gan_jax.losses', spec, 'loss')
  assert problem == Problem('loss', spec, 'must be a dict(name=..., **kwargs)')


def test_flax_names_of_a_module_are_no_arguments():
  spec = dict(name='mlp.Discriminator', parent=None)
  problem, = lookup.check('gan_jax.models', spec, 'd', kind='Discriminator',
                          available=('num_classes',))
  assert problem.path == 'd.parent'


# optax is a room like any other.


def test_optimisers_and_schedules_of_optax():
  assert lookup.find('optax', 'adam') is optax.adam
  built = lookup.build('optax', dict(name='adam', learning_rate=1e-3, b1=0))
  assert isinstance(built, optax.GradientTransformation)
  schedule = lookup.build('optax', dict(name='linear_schedule', init_value=1.0,
                                        end_value=0.0, transition_steps=4))
  assert schedule(1) == 0.75
  with pytest.raises(ValueError, match='did you mean "rmsprop"'):
    lookup.find('optax', 'rmspropp')
  rate, missing = lookup.check('optax', dict(name='adam', learning_rat=1), 'o')
  assert rate.path == 'o.learning_rat' and '"learning_rate"' in rate.rule
  assert missing.rule == 'adam also needs learning_rate'
  # Modules and types of optax are no choices.
  for name in ('losses', 'GradientTransformation', 'contrib', 'jnp'):
    with pytest.raises(ValueError, match='no such name in optax'):
      lookup.find('optax', name)
