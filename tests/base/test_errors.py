"""Errors survive what a process does to hand them to another."""

import copy
import pickle

import pytest

from gan_jax.base import errors
from gan_jax.base.errors import ArgumentError, ConfigError, DataError, Problem

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)
         and issubclass(kind, errors.UserError)]
PROBLEM = Problem('data.crop', (9, 8), 'too large')


def made(kind):
  if kind is ArgumentError:
    return ArgumentError('crop', (9, 8), 'too large')
  return kind([PROBLEM] if kind is ConfigError else 'bad')


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('again', [
    copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_says_the_same(kind, again):
  error = made(kind)
  error.add_note('of seed 3')
  found = again(error)
  assert type(found) is kind and found is not error
  assert (str(found), found.status) == (str(error), kind.status)
  assert vars(found) == vars(error)


def test_messages_by_hand():
  assert str(made(ArgumentError)) == 'crop=(9, 8): too large'
  assert made(ArgumentError).problems == [PROBLEM]
  assert str(made(ConfigError)) == (
      'one problem in the config:\n  config.data.crop = (9, 8): too large')
  assert str(ConfigError([PROBLEM, Problem('', None, 'no seed')])) == (
      '2 problems in the config:\n  config.data.crop = (9, 8): too large\n'
      '  no seed')
  assert str(DataError('bad')) == 'bad'
