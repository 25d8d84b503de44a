"""What a recipe's own argument does to the terms that a user chose."""

import pytest

from gan_jax.base.errors import RequestError
from gan_jax.config import recipe


def weights(argument, **own):
  """{name: weight} of the terms of a recipe that has R1."""
  config = recipe.base()
  config.penalties = (recipe.term('penalties', 'r1'),)
  return {term.name: term.weight for term in recipe.finish(
      config, argument, **own).penalties}


def heavy(config):
  config.penalties[0].weight = 9.0


def only(name):
  def apply(config):
    config.penalties = (dict(name=name, weight=9.0),)
  return apply


@pytest.mark.parametrize('chosen, own, wanted', [
    # Of what is the recipe's, it sets the number.
    ('r1', heavy, {'r1': 9.0}), ('r1', only('r1'), {'r1': 9.0}),
    ('r1+lecam', only('r1'), {'r1': 9.0, 'lecam': 0.3}),
    # Not of what took its place.
    ('lecam', heavy, {'lecam': 0.3}),
    ('lecam+r1', heavy, {'lecam': 0.3, 'r1': 10.0}),
    ('lecam', only('lecam'), {'lecam': 0.3})])
def test_terms_that_were_chosen_stay(chosen, own, wanted):
  assert weights(f'penalty={chosen},own', own=own) == wanted


def test_two_choices_of_one_key_are_refused():
  for own in (only('r2'), only('lecam')):
    with pytest.raises(RequestError, match=(
        r'penalty=r1\+lecam and own each choose the penalty: give one')):
      weights('penalty=r1+lecam,own', own=own)
