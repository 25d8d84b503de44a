"""Flags that set values: why they cannot be read, and the run's name."""

import hashlib

import pytest
from ml_collections import ConfigDict

from gan_jax.config import overrides


def config():
  one, two = (ConfigDict({'weight': weight}) for weight in (1.0, 2.0))
  return ConfigDict(dict(
      seed=0, rate=0.5, loss=dict(name='hinge'), watchdog=dict(policy='warn'),
      loggers=(), penalties=(one,), augment=(one, two)))


@pytest.mark.parametrize('flag, said', [
    ('seed=x', 'must be an int'), ('rate=x', 'must be a float'),
    ('seed=a=b', 'must be an int'),
    ('augment[0].weight=x', 'must be a float'),
    ('seed=[1,2]', 'must be an int; members of a population share it'),
    ('seed.x=3', "Attribute <class 'int'>.x does not exist and the type does "
                 'not support indexing. Attempting to lookup: seed.x'),
    ('loss=hinge', 'holds several values: loss.KEY=value sets one, and '
                   'dcgan:loss=NAME, after the colon, replaces them'),
    ('penalties[0]=r1', 'holds several values: penalties[0].KEY=value sets '
                        'one, and dcgan:penalty=NAME, after the colon, '
                        'replaces them'),
    # No component: no argument replaces it.
    ('watchdog=stop', 'holds several values: watchdog.KEY=value sets one'),
    ('loggers[0].weight=2', 'loggers has no entries'),
    ('penalties[1].weight=2', 'penalties has 1 entry'),
    ('augment[2].weight=2', 'augment has 2 entries, [0] to [1]'),
    ('augment.weight=2', 'augment holds several, by their numbers: '
                         '--config.augment[0].weight=...'),
    ('augment.1.weight=2', 'augment holds several, by their numbers: '
                           '--config.augment[1].weight=...')])
def test_why_a_value_cannot_be_read(flag, said):
  with pytest.raises(ValueError) as error:
    overrides.apply(config(), f'--config.{flag}')
  found, _, fix = str(error.value).partition('; choose them first')
  assert found == said
  assert bool(fix) == ('entr' in said)


def test_a_value_that_can_be_read_is_set():
  found = config()
  assert overrides.apply(found, '--config.augment[1].weight=3') == {
      'augment[1].weight': 3.0}
  assert [one.weight for one in found.augment] == [1.0, 3.0]


@pytest.mark.parametrize('name, values, wanted', [
    ('configs/dcgan.py', {}, 'dcgan'),
    ('configs/dcgan.py:b=2,,a', {'seed': 1, 'rate': 0.5},
     'dcgan-b=2-a-rate=0.5-seed=1'),
    ('dcgan:data=folder:x', {}, 'dcgan-data=folder_x'),
    ('dcgan', {'terms[0].weight': '50% of it'},
     'dcgan-terms0.weight=50%_of_it'),
    ('d', {'x': 'y' * 196}, 'd-x=' + 'y' * 196)])
def test_the_name_of_a_run(name, values, wanted):
  assert overrides.run_name(name, values) == wanted


@pytest.mark.parametrize('value', ['y' * 197, 'y' + 'é' * 99])
def test_a_name_that_is_too_long_ends_with_its_hash(value):
  """At most 200 bytes, and no letter cut in two."""
  whole = f'd-x={value}'
  got = overrides.run_name('d', {'x': value})
  start, digest = got[:-13], got[-13:]
  assert digest == '-' + hashlib.sha256(whole.encode()).hexdigest()[:12]
  assert whole.startswith(start) and 179 <= len(start.encode()) <= 180
  assert overrides.run_name('d', {'x': value + 'z'}) != got
