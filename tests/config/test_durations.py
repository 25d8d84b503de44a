"""Durations in steps, by hand."""

import pytest

from gan_jax.config import durations
from gan_jax.config.durations import Units

# 64 real images a step, 640 in the data set: an epoch is 10 steps.
ONE = Units(examples_per_step=64, num_examples=640, train_steps=3000,
            multiple=1)
FOUR = ONE._replace(multiple=4)


@pytest.mark.parametrize('value,units,want', [
    (0, ONE, 0), (7, ONE, 7), ('7 steps', ONE, 7), ('1 step', ONE, 1),
    (8, FOUR, 8), ('0 steps', FOUR, 0),
    ('128 examples', ONE, 2), ('129 examples', ONE, 3), ('1 example', ONE, 1),
    ('3 epochs', ONE, 30), ('1 epoch', ONE, 10), ('0.25 epochs', ONE, 3),
    ('0 epochs', ONE, 0),
    ('10%', ONE, 300), ('0.1 %', ONE, 3), ('100%', ONE, 3000),
    # Rounded up to calls of 4 steps.
    ('3 epochs', FOUR, 32), ('4 epochs', FOUR, 40), ('1 example', FOUR, 4),
    ('0.1%', FOUR, 4), ('10%', FOUR, 300),
    ('  2   epochs ', ONE, 20), ('2epochs', ONE, 20),
])
def test_in_steps(value, units, want):
  got = durations.steps(value, units)
  assert got == want and type(got) is int


def test_binary_fractions_do_not_cost_a_step():
  # 100 * 1.1 = 110.00000000000001, 0.1 % of 30000 = 30.000000000000004.
  assert durations.steps('1.1 epochs', ONE._replace(num_examples=6400)) == 110
  assert durations.steps('0.1%', ONE._replace(train_steps=30000)) == 30


def test_an_epoch_need_not_be_whole_steps():
  units = ONE._replace(num_examples=650)  # 10.16 steps
  assert durations.steps('1 epoch', units) == 11
  assert durations.steps('64 epochs', units) == 650


@pytest.mark.parametrize('value', [
    'soon', '', '3', '3 days', '-3 epochs', '1e3 steps', '3 epochs 2', '% 3',
    3.5, True, None, (3,), b'3 steps'])
def test_no_duration(value):
  with pytest.raises(ValueError) as error:
    durations.steps(value, ONE)
  assert str(error.value) == durations.RULE


@pytest.mark.parametrize('value,units,words', [
    (-1, ONE, 'must not be negative'),
    ('0.5 steps', ONE, 'must be a whole number of steps'),
    ('10%', ONE._replace(train_steps=0),
     'a percentage of train_steps cannot be train_steps'),
])
def test_refused_with_the_rule(value, units, words):
  with pytest.raises(ValueError) as error:
    durations.steps(value, units)
  assert str(error.value) == words
