"""The plug-in rule: what is found, what is refused, and with which words."""

import hashlib
import importlib
import sys
import types

import pytest

from gan_jax.base import lookup
from gan_jax.base.errors import Problem

ROOM = '''
import json
from collections import OrderedDict
from math import hypot
from typing import NamedTuple

from my_elsewhere import foreign, Foreign

LIMIT = 3


class Pair(NamedTuple):
  left: int


class Trouble(ValueError):
  pass


class Thing:
  def __init__(self, size: int = 1):
    self.size = size


def alpha(*, rate: float = 0.5, steps: int = 3, on: bool = False,
          word: str = 'x', shape: tuple = (1, 2)):
  return rate, steps, on, word, shape


def beta(count, *, image_shape, free=None):
  return count, image_shape, free


def gamma(first, **rest):
  return first, rest


def _hidden():
  pass
'''


@pytest.fixture
def room(tmp_path, monkeypatch):
  """A module on the path that only this test knows."""
  (tmp_path / 'my_room.py').write_text(ROOM)
  (tmp_path / 'my_elsewhere.py').write_text(
      'def foreign():\n  return "foreign"\n\n\nclass Foreign:\n  pass\n')
  monkeypatch.syspath_prepend(tmp_path)
  importlib.invalidate_caches()
  yield 'my_room'
  for name in ('my_room', 'my_elsewhere'):
    sys.modules.pop(name, None)


# What is found.


def test_only_public_callables_of_the_module_itself_are_names(room):
  assert sorted(lookup.names(room)) == ['Thing', 'alpha', 'beta', 'gamma']


@pytest.mark.parametrize('name', [
    'foreign', 'Foreign', 'hypot', 'OrderedDict', 'json', 'LIMIT', 'Pair',
    'Trouble', '_hidden', 'NamedTuple', '__doc__', ''])
def test_what_is_imported_private_or_no_choice_is_not_found(room, name):
  with pytest.raises(ValueError, match='no such name in my_room'):
    lookup.find(room, name)


@pytest.mark.parametrize('room,expected', [
    ('gan_jax.losses', {'minimax', 'non_saturating', 'wasserstein', 'hinge',
                        'least_squares', 'relativistic',
                        'relativistic_average'}),
    ('gan_jax.penalties', {'wgan_gp', 'dragan', 'r1', 'r2'}),
    ('gan_jax.augment', {'horizontal_flip', 'translation', 'instance_noise'}),
    ('gan_jax.game.latents', {'normal', 'uniform'}),
])
def test_rooms_of_the_package(room, expected):
  found = set(lookup.names(room))
  assert found >= expected
  assert not found & {'Loss', 'Term', 'Callable', 'NamedTuple', 'jax', 'jnp',
                      'nn', 'random'}
  assert all(lookup.find(room, name).__module__.startswith(room)
             for name in found)


def test_a_function_from_anywhere_by_colon(room):
  assert lookup.build('gan_jax.losses',
                      dict(name='my_room:beta', count=2, image_shape=(1,))
                      ) == (2, (1,), None)
  # There the author has chosen: an imported one is found, too.
  assert lookup.build('gan_jax.losses', dict(name='my_room:foreign')
                      ) == 'foreign'


@pytest.mark.parametrize('name,words', [
    ('my_rom:beta', r"cannot import 'beta' from 'my_rom'.*PYTHONPATH"),
    ('my_room:bet', r"there is no 'bet' in 'my_room'; did you mean .beta."),
    ('my_room:LIMIT', r"'LIMIT' of 'my_room' is not callable: 3"),
    ('lab/my_rom.py:beta', r"cannot import.*; write lab\.my_rom:beta$"),
    (':beta', r"cannot import 'beta' from ''"),
    ('.my_room:beta', r"cannot import 'beta' from '.my_room'"),
])
def test_what_cannot_be_imported_is_an_error_of_the_config(room, name, words):
  with pytest.raises(ValueError, match=words):
    lookup.find(room, name)
  problem, = lookup.check(room, dict(name=name), 'loss')
  assert (problem.path, problem.value) == ('loss.name', name)


# Words.


def test_near_names_are_suggested_and_all_are_listed(room):
  with pytest.raises(ValueError) as error:
    lookup.find(room, 'alhpa')
  assert str(error.value) == ('no such name in my_room; did you mean "alpha"? '
                              'Known: Thing, alpha, beta, gamma')
  assert lookup.near('qqq', ['b', 'a']) == '. Known: a, b'
  # By what the docstring calls it: "fgan" is spelt likewise.
  for word, meant in (('lsgan', 'least_squares'), ('wgan-gp', 'wasserstein'),
                      ('bce', 'non_saturating'), ('Hinge', 'hinge')):
    with pytest.raises(ValueError, match=f'did you mean "{meant}"'):
      lookup.find('gan_jax.losses', word)


def test_a_problem_says_where_what_and_the_rule():
  assert str(Problem('loss.name', 'hing', 'no such name')
             ) == "loss.name = 'hing': no such name"


# Arguments.


def test_build_calls_with_the_arguments(room):
  assert lookup.build(room, dict(name='alpha')) == (0.5, 3, False, 'x', (1, 2))
  spec = dict(name='alpha', rate=2, steps=7, on=True, word='y', shape=[3])
  assert lookup.build(room, spec) == (2, 7, True, 'y', [3])
  assert lookup.build(room, dict(name='Thing', size=4)).size == 4
  # The spec is the config's: it is left as it was.
  assert spec['name'] == 'alpha' and len(spec) == 6


def test_a_function_receives_what_it_names_of_what_is_available(room):
  spec = dict(name='beta', count=1)
  assert lookup.build(room, spec, image_shape=(4, 4, 1), dtype='unused'
                      ) == (1, (4, 4, 1), None)
  assert lookup.build(room, dict(name='gamma', first=1, other=2), dtype='f'
                      ) == (1, {'dtype': 'f', 'other': 2})


def test_what_the_program_supplies_cannot_be_set(room):
  spec = dict(name='beta', count=1, image_shape=(1, 1, 1))
  problem, = lookup.check(room, spec, 'generator', available=('image_shape',))
  assert problem.path == 'generator.image_shape'
  assert problem.rule.startswith('beta takes no such argument')
  assert 'image_shape' not in problem.rule.partition('Known:')[2]


def test_unknown_and_missing_arguments_are_named_together(room):
  problems = lookup.check(room, dict(name='beta', cuont=1), 'loss')
  assert [str(p) for p in problems] == [
      "loss.cuont = 1: beta takes no such argument; did you mean \"count\"? "
      'Known: count, free, image_shape',
      "loss = {'name': 'beta', 'cuont': 1}: beta also needs count, image_shape"]
  with pytest.raises(ValueError, match='cuont.*; loss|cuont.*also needs'):
    lookup.build(room, dict(name='beta', cuont=1))


@pytest.mark.parametrize('key,value,wanted', [
    ('rate', 'fast', 'a float'), ('rate', True, 'a float'),
    ('rate', None, 'a float'), ('steps', 0.5, 'an int'),
    ('steps', True, 'an int'), ('steps', '3', 'an int'),
    ('on', 1, 'a bool'), ('on', 'True', 'a bool'),
    ('word', 3, 'a str'), ('shape', 3, 'a tuple'), ('shape', '12', 'a tuple')])
def test_wrong_types_are_refused(room, key, value, wanted):
  problems = lookup.check(room, dict(name='alpha', **{key: value}), 'loss')
  assert problems == [Problem(f'loss.{key}', value, f'must be {wanted}')]
  with pytest.raises(ValueError, match=f'must be {wanted}'):
    lookup.build(room, dict(name='alpha', **{key: value}))


@pytest.mark.parametrize('key,value', [
    ('rate', 1), ('rate', 0.1), ('steps', 1), ('on', True), ('word', ''),
    ('shape', ()), ('shape', [1])])
def test_right_types_are_taken(room, key, value):
  assert lookup.check(room, dict(name='alpha', **{key: value}), 'loss') == []


def test_an_argument_without_default_or_with_none_takes_anything(room):
  spec = dict(name='beta', count='x', image_shape=1.5, free={})
  assert lookup.check(room, spec, 'loss') == []


def test_defaults_are_the_plain_ones(room):
  assert lookup.defaults(room, 'alpha') == dict(
      rate=0.5, steps=3, on=False, word='x', shape=(1, 2))
  assert lookup.defaults(room, 'beta') == {}
  assert lookup.defaults('gan_jax.losses', 'least_squares') == dict(
      real_target=1.0, fake_target=0.0, gen_target=1.0)


@pytest.mark.parametrize('room', ['gan_jax.losses', 'gan_jax.penalties',
                                  'gan_jax.augment', 'gan_jax.game.latents',
                                  'gan_jax.game.latent_steps'])
def test_every_choice_can_be_built_from_its_defaults(room):
  for name in lookup.names(room):
    spec = dict(name=name, **lookup.defaults(room, name))
    supplied = dict(num_classes=3)
    assert lookup.check(room, spec, 'x', supplied) == []
    assert lookup.build(room, spec, **supplied) is not None


@pytest.mark.parametrize('text', [
    'my_room:alpha', 'penalty=r1+my_room:alpha,disc_steps=2',
    'generator.norm=my_room:alpha,discriminator.norm=my_room:alpha'])
def test_the_sources_of_own_code_and_of_what_it_imports(room, text):
  def by_hand(content):
    return hashlib.sha256(content.encode()).hexdigest()[:16]

  found = lookup.sources(['hinge', text])
  assert found['my_room'] == by_hand(ROOM)
  assert found['my_elsewhere'] == by_hand(
      'def foreign():\n  return "foreign"\n\n\nclass Foreign:\n  pass\n')


def test_sources_leave_other_modules_alone(room, tmp_path, monkeypatch):
  """Those that are lazy, blocked (None), or whose file is gone since."""
  class Lazy(types.ModuleType):
    def __getattr__(self, name):
      raise RuntimeError(f'{name} was asked for')

  monkeypatch.setitem(sys.modules, 'my_lazy', Lazy('my_lazy'))
  monkeypatch.setitem(sys.modules, 'my_blocked', None)
  lookup.find('', f'{room}:alpha')
  (tmp_path / 'my_elsewhere.py').unlink()
  assert list(lookup.sources([f'{room}:alpha'])) == ['my_room']


@pytest.mark.usefixtures('room')
@pytest.mark.parametrize('text', [
    'loss=hinge,penalties[0].weight=2', 'loss=no_such_room:alpha',
    'loss=my_room:no_such_name', 'json:dumps'])
def test_what_names_no_code_of_the_user(text):
  assert lookup.sources([text]) == {}
